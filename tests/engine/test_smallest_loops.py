"""The smallest loops: no step, one sample of one column, identical samples; and how long any loop takes."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from sim.datapath import Link, TrainingDatapath
from sim.engine import OBSERVED, EpochJob, latency, run
from sim.rows import RawRows
from tests.engine.helpers import BACKENDS, HALP, same, small_job
from tests.engine.strategies import jobs

BLOCKS = TrainingDatapath.preset("halp8_blocks")
RECORD = {Link.AFFINE: (), Link.CENTRED_TABLE: ("grid",), Link.ABSOLUTE_TABLE: ("targets",)}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("link", Link)
def test_no_step_changes_nothing(link: Link, backend: str) -> None:
    empty = small_job(link, indices=[], z=[1, -2, 3])
    result = run(empty, backend)
    assert result.z.tolist() == [1, -2, 3]
    assert set(result.counts.values()) == {0}
    assert result.extremes == dict.fromkeys(OBSERVED, (0, 0))
    assert result.cycles == 0


@settings(max_examples=60)
@given(jobs())
def test_one_sample_of_one_column(loop: EpochJob) -> None:
    one = dataclasses.replace(
        loop, rows=RawRows(loop.rows.dot[:1, :1]), indices=[0] * loop.steps, z=loop.z[:1], h=loop.h[:1],
        exponents=loop.exponents[:1], offsets=loop.offsets[:1],
        **{name: getattr(loop, name)[:1] for name in RECORD[loop.link]},
    )  # fmt: skip
    result = run(one)
    assert result.z.shape == (1,)
    assert same(result, run(one, "reference"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_among_identical_samples_the_choice_of_row_does_not_matter(backend: str) -> None:
    rows = RawRows(np.tile(np.array([[3, -7, 100]]), (5, 1)))
    one, other = (run(small_job(rows=rows, indices=rows_drawn), backend) for rows_drawn in ([0, 0, 0, 0], [4, 1, 3, 2]))
    assert same(one, other)


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("lanes", [1, 2, 16, 256])
def test_a_loop_takes_its_beats_and_one_latency_a_step(link: Link, lanes: int) -> None:
    """The latency depends on the lanes and the link only."""
    columns = 40
    beats = -(-columns // lanes)
    for path in (replace(HALP, lanes=lanes), replace(BLOCKS, lanes=lanes)):
        for steps in (1, 7):
            loop = small_job(
                link, datapath=path, rows=RawRows(np.ones((2, columns), int)), indices=[0] * steps,
                z=np.zeros(columns, int), h=np.zeros(columns, int),
            )  # fmt: skip
            assert run(loop).cycles == steps * (beats + latency(lanes, link))


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize(
    ("lanes", "cycles"), [(1, 0), (2, 1), (4, 1), (8, 2), (16, 2), (32, 3), (64, 3), (128, 4), (256, 4)]
)
def test_the_adder_tree_takes_a_cycle_for_two_levels(lanes: int, cycles: int, link: Link) -> None:
    assert latency(lanes, link) - latency(1, link) == cycles
