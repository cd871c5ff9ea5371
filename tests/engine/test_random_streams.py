"""Which random bits a lane gets: word (epoch·T + step)·B + beat of its generator, whatever else happens.

The oracle steps every generator from its first word on, one shift or one bit at a time; the engine jumps.
"""

from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from sim.datapath import Coefficient, Generator, Link, Model, RandomGenerator, TrainingDatapath
from sim.engine import EpochJob, Registers, run
from sim.modes import Rounding
from sim.random_bits import LANE_BITS
from sim.rows import RawRows
from tests.engine import definition
from tests.engine.strategies import datapaths, generators

BACKENDS = ["reference", "kernel"]
HALP = TrainingDatapath.preset("halp8")


def still_loop(path: TrainingDatapath, columns: int, steps: int, seed: int = 0, first_step: int = 0) -> EpochJob:
    """A loop of which only the random words matter."""
    rows = RawRows(np.zeros((1, columns), int))
    start = np.zeros(columns, int)
    indices = np.zeros(steps, int)
    return EpochJob(path, Link.AFFINE, rows, indices, start, start, Registers(), seed=seed, first_step=first_step)


def fields_of(job: EpochJob, backend: str) -> NDArray[np.int64]:
    """The random field of every column in every step, shape (T, d)."""
    return run(job, backend, trace=range(job.steps)).trace.random


def with_random_bits(path: TrainingDatapath, bits: int) -> TrainingDatapath:
    return replace(path, model=replace(path.model, random_bits=bits), biased_ok=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_word_of_step_and_beat_is_number_position_times_beats_plus_beat(backend: str) -> None:
    @settings(max_examples=60)
    @given(
        datapaths([Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL]),
        st.integers(1, 70),
        st.integers(1, 5),
        st.integers(0, (1 << 62) - 1),
        st.integers(0, 12),
    )
    def holds(path: TrainingDatapath, columns: int, steps: int, seed: int, first_step: int) -> None:
        job = still_loop(path, columns, steps, seed, first_step)
        literal = definition.lane_fields(job)
        beats = -(-columns // path.lanes)
        for row in fields_of(job, backend).tolist():
            assert row == [field for fields in islice(literal, beats) for field in fields][:columns]

    holds()


@pytest.mark.parametrize("bits", LANE_BITS)
@pytest.mark.parametrize("lanes", [1, 4, 16, 32])
def test_lane_slices_of_one_beat_are_the_words_of_its_generators_from_the_low_end(lanes: int, bits: int) -> None:
    path = with_random_bits(replace(HALP, lanes=lanes), bits)
    fields = fields_of(still_loop(path, lanes, 1, seed=3), "reference")[0].tolist()
    joined = sum(field << bits * lane for lane, field in enumerate(fields))
    count = -(-lanes * bits // 32)
    assert path.generators == count
    streams = [definition.generator_words(path.generator, 3, definition.UPDATE, number) for number in range(count)]
    words = sum(next(stream) << 32 * number for number, stream in enumerate(streams))
    assert joined == words & ((1 << bits * lanes) - 1)


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 31, 32])
def test_padding_lanes_consume_their_bits(columns: int) -> None:
    """A row of fewer columns gets the words that a row of whole beats gets."""
    whole = -(-columns // HALP.lanes) * HALP.lanes
    narrow, wide = (fields_of(still_loop(HALP, count, 4), "kernel") for count in (columns, whole))
    np.testing.assert_array_equal(narrow, wide[:, :columns])


@pytest.mark.parametrize("epoch_length", [0, 1, 7])
def test_streams_run_on_from_epoch_to_epoch(epoch_length: int) -> None:
    steps = 3 * epoch_length
    whole = fields_of(still_loop(HALP, 20, steps + 1), "kernel")
    for epoch in range(4):
        last = fields_of(still_loop(HALP, 20, 1, first_step=epoch * epoch_length), "kernel")
        np.testing.assert_array_equal(last[0], whole[epoch * epoch_length])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("width", [32, 33, 40, 46])
@pytest.mark.parametrize("turns", [1, 3])
def test_after_its_whole_period_a_stream_returns(backend: str, width: int, turns: int) -> None:
    """A register of maximal length meets all its 2^width − 1 states: an oracle for positions no loop can reach."""
    kind = RandomGenerator(kind=Generator.LFSR, width=width) if width > 32 else RandomGenerator()
    path, period = replace(HALP, generator=kind), 2**width - 1
    start, returned = (fields_of(still_loop(path, 16, 3, first_step=step), backend) for step in (0, turns * period))
    np.testing.assert_array_equal(start, returned)


def test_rounding_without_random_bits_takes_no_words() -> None:
    path = replace(HALP, model=Model(rounding=Rounding.TIES_EVEN, random_bits=0))
    assert path.generators == 0
    for backend in BACKENDS:
        assert not fields_of(still_loop(path, 20, 3), backend).any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("rounding", [Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL])
@settings(max_examples=15)
@given(kind=generators(), seed=st.integers(0, (1 << 62) - 1), first_step=st.integers(0, 20))
def test_the_coefficient_takes_a_word_of_32_bits_a_step_from_its_own_generator(
    backend: str, rounding: Rounding, kind: RandomGenerator, seed: int, first_step: int
) -> None:
    """Offsets β_i of evenly spaced fractions of 2^32, cut by 32 bits, so that 64 steps compare a word with each."""
    path = replace(HALP, coefficient=Coefficient(rounding=rounding), generator=kind)
    path = replace(path, accumulator=replace(path.accumulator, width=40))
    offsets = np.arange(1, 65) * (1 << 32) // 65
    zeros = np.zeros(20, int)
    job = EpochJob(
        path, Link.AFFINE, RawRows(np.zeros((64, 20), int)), np.arange(64), zeros, zeros, Registers(1, 32),
        offsets=offsets, seed=seed, first_step=first_step,
    )  # fmt: skip
    words = islice(definition.generator_words(kind, seed, definition.COEFFICIENT, 0), first_step, None)
    if rounding is Rounding.STOCHASTIC:
        expected = [int(offset + word >= 1 << 32) for offset, word in zip(offsets.tolist(), words, strict=False)]
    else:
        expected = [word >> 31 for word in islice(words, 64)]
    assert run(job, backend, trace=range(64)).trace.coefficient.tolist() == expected


def test_generators_of_a_run_differ_from_one_another_and_from_those_of_other_seeds() -> None:
    path = with_random_bits(replace(HALP, lanes=32), 32)
    words = [fields_of(still_loop(path, 32, 1, seed=seed), "kernel")[0].tolist() for seed in range(50)]
    everything = sorted(word for row in words for word in row)
    assert all(one != other for one, other in pairwise(everything))
