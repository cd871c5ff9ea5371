"""The first difference of two traces is the first in the order of the circuit, whatever differs behind it."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, Registers, StageTrace, run
from sim.engine.first_difference import STAGES, first_difference
from sim.errors import InputError
from sim.rows import RawRows

JOB = EpochJob(
    TrainingDatapath.preset("halp8").with_fields({"lanes": 4}),
    Link.AFFINE,
    RawRows(np.arange(30, dtype=np.int64).reshape(3, 10) - 15),
    indices=[0, 1, 2, 1],
    z=np.arange(10) - 5,
    h=np.arange(10) * 9,
    registers=Registers(40_000, 20),
)
TRACE = run(JOB, trace=range(1, 4)).trace


def changed(*places: tuple[str, tuple[int, ...]]) -> StageTrace:
    assert TRACE is not None
    trace = copy.deepcopy(TRACE)
    for node, place in places:
        getattr(trace, node)[place] ^= 1
    return trace


def test_equal_traces_have_none() -> None:
    assert first_difference(JOB, changed(), TRACE) is None


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ([("model", (0, 9)), ("accumulator", (1, 0))], "update, model: step 1, beat 2, lane 1: "),
        ([("accumulator", (2, 1)), ("coefficient", (2,)), ("random", (2, 0))], "dot, accumulator: step 3, beat 1: "),
        ([("coefficient", (1,)), ("product", (1, 0)), ("model", (1, 0))], "link, coefficient: step 2: "),
        ([("index", (1,)), ("coefficient", (1,))], "link, index: step 2: "),
        (
            [("random", (1, 6)), ("increment", (1, 6)), ("product", (1, 8))],
            "random word, random: step 2, beat 1, lane 2",
        ),
        ([("random", (1, 8)), ("model", (1, 7))], "update, model: step 2, beat 1, lane 3: "),
        ([("product", (1, 3)), ("increment", (1, 2))], "update, product: step 2, beat 0, lane 3: "),
        ([("increment", (0, 0)), ("model", (0, 0))], "update, increment: step 1, beat 0, lane 0: "),
    ],
)
def test_it_is_the_first_in_the_order_of_the_circuit(places: list[tuple[str, tuple[int, ...]]], text: str) -> None:
    assert str(first_difference(JOB, changed(*places), TRACE)).startswith(text)


def test_it_shows_both_sides_in_decimal_and_binary() -> None:
    assert TRACE is not None
    trace = copy.deepcopy(TRACE)
    trace.model[0, 0], expected = -3, int(TRACE.model[0, 0])
    bits = f"0b{expected & 0xFF:08b}"
    text = f"got -3 (0b11111101), expected {expected} ({bits})"
    assert str(first_difference(JOB, trace, TRACE)).endswith(text)


def test_every_array_of_a_trace_has_a_stage() -> None:
    assert set(STAGES) == set(vars(TRACE)) - {"first"}


def test_traces_of_other_steps_are_refused() -> None:
    assert TRACE is not None
    for other in (None, replace(TRACE, first=0)):
        with pytest.raises(InputError, match="traces: got none, or of different steps"):
            first_difference(JOB, TRACE, other)
