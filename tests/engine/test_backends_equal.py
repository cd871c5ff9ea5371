"""The compiled engine gives the bits of the reference: model words, counts, extremes, cycles and every stage."""

import dataclasses
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import find as find_example
from hypothesis import strategies as st
from msgspec.structs import replace

from sim.datapath import Link, TrainingDatapath
from sim.engine import COUNTED, EpochJob, EpochResult, Registers, StageTrace, run
from sim.modes import Overflow, Rounding
from sim.random_bits import LANE_BITS
from sim.rows import RawRows
from tests.definitions import CIRCUIT_OVERFLOWS
from tests.engine.strategies import datapaths, jobs

STAGES = [field.name for field in fields(StageTrace) if field.name != "first"]


def assert_same_stages(one: StageTrace, other: StageTrace) -> None:
    for stage in STAGES:
        np.testing.assert_array_equal(getattr(one, stage), getattr(other, stage), stage)


def assert_same(one: EpochResult, other: EpochResult) -> None:
    np.testing.assert_array_equal(one.z, other.z)
    assert one.counts == other.counts
    assert one.extremes == other.extremes
    assert one.cycles == other.cycles


@pytest.mark.parametrize("link", Link)
def test_kernel_equals_reference(link: Link) -> None:
    @settings(max_examples=150)
    @given(jobs(link))
    def holds(job: EpochJob) -> None:
        assert_same(run(job), run(job, "reference"))

    holds()


@settings(max_examples=200)
@given(jobs(), st.data())
def test_any_traced_steps_show_the_same_stages_and_change_nothing(job: EpochJob, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, job.steps - 1))
    steps = range(first, data.draw(st.integers(first + 1, job.steps)))
    reference = run(job, "reference", trace=range(job.steps))
    for backend in ("kernel", "reference"):
        traced = run(job, backend, trace=steps)
        assert_same(traced, reference)
        assert traced.trace.first == first
        for stage in STAGES:
            expected = getattr(reference.trace, stage)[first : steps.stop]
            np.testing.assert_array_equal(getattr(traced.trace, stage), expected, stage)


@pytest.mark.parametrize("stage", COUNTED)
def test_drawn_loops_overflow_in_every_stage(stage: str) -> None:
    generate = settings(max_examples=500, derandomize=True, database=None, phases=[Phase.generate])
    assert find_example(jobs(), lambda job: run(job).counts[stage] > 0, settings=generate)


@pytest.mark.parametrize("bits", LANE_BITS)
@pytest.mark.parametrize("rounding", [Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL])
def test_kernel_equals_reference_at_every_number_of_random_bits(rounding: Rounding, bits: int) -> None:
    def with_bits(path: TrainingDatapath) -> TrainingDatapath:
        return replace(path, model=replace(path.model, random_bits=bits), biased_ok=True)

    @settings(max_examples=20)
    @given(jobs(paths=datapaths([rounding]).map(with_bits)))
    def holds(job: EpochJob) -> None:
        assert_same(run(job), run(job, "reference"))

    holds()


@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
@pytest.mark.parametrize(("x", "z"), [(-128, -127), (-128, 127), (127, 127)])
def test_an_accumulator_that_overflows_at_every_beat(overflow: Overflow, x: int, z: int) -> None:
    path = TrainingDatapath.preset("halp8")
    path = replace(path, accumulator=replace(path.accumulator, width=12, overflow=overflow))
    rows, model = RawRows(np.full((1, 40), x)), np.full(40, z)
    job = EpochJob(path, Link.AFFINE, rows, np.zeros(3, int), model, np.zeros(40, int), Registers())
    results = [run(job), run(job, "reference"), run(job, trace=range(3))]
    for result in results:
        assert_same(result, results[0])
        assert result.counts["accumulator"] == job.steps * job.beats
        assert (result.z == model).all()
    if overflow is not Overflow.WRAP:
        low = -2047 if overflow is Overflow.SAT_SYM else -2048
        assert set(results[2].trace.accumulator.flat) == {2047 if x * z > 0 else low}


@pytest.mark.parametrize("link", Link)
def test_an_epoch_of_thousands_of_steps(link: Link) -> None:
    """Rounding errors add up over an epoch: a difference that a few steps cannot show does not hide here."""
    rng = np.random.default_rng(1)
    path, rows = TrainingDatapath.preset("halp8_blocks"), rng.integers(-127, 128, (50, 37))
    slopes = path.link.slope_bits
    records = {
        Link.AFFINE: {},
        Link.CENTRED_TABLE: {"table": rng.integers(0, 1 << slopes, (16, 16)), "grid": rng.integers(0, 16, 50)},
        Link.ABSOLUTE_TABLE: {"table": rng.integers(-9999, 9999, 16), "targets": rng.integers(-9999, 9999, 50)},
    }[link]
    shift = {Link.AFFINE: 22, Link.CENTRED_TABLE: 18, Link.ABSOLUTE_TABLE: 19}[link]
    job = EpochJob(
        path,
        link,
        RawRows(rows.astype(np.int8)),
        rng.integers(0, 50, 2000),
        np.zeros(37, int),
        rng.integers(-500, 500, 37),
        Registers(40000, shift, 40000, 27),
        exponents=[0, 2, 5],
        **records,
    )
    result = run(job)
    assert_same(result, run(job, "reference"))
    assert len(set(result.z.tolist())) > 10


@pytest.mark.parametrize("first_step", [1, (1 << 32) - 1, 1 << 32, (1 << 48) - 1])
def test_a_loop_far_into_the_random_streams(first_step: int) -> None:
    @settings(max_examples=20)
    @given(jobs(paths=datapaths([Rounding.STOCHASTIC])))
    def holds(job: EpochJob) -> None:
        job = dataclasses.replace(job, first_step=first_step)
        assert_same(run(job), run(job, "reference"))

    holds()


@pytest.mark.parametrize("backend", ["kernel", "reference"])
def test_a_loop_in_two_parts_gives_the_bits_of_the_whole(backend: str) -> None:
    @settings(max_examples=100)
    @given(jobs(steps=st.integers(2, 6)), st.data())
    def holds(job: EpochJob, data: st.DataObject) -> None:
        whole = run(job, backend, trace=range(job.steps))
        cut = data.draw(st.integers(1, job.steps - 1))
        first = dataclasses.replace(job, indices=job.indices[:cut])
        head = run(first, backend, trace=range(cut))
        rest = dataclasses.replace(job, indices=job.indices[cut:], z=head.z, first_step=job.first_step + cut)
        tail = run(rest, backend, trace=range(job.steps - cut))
        np.testing.assert_array_equal(tail.z, whole.z)
        assert whole.counts == {stage: head.counts[stage] + tail.counts[stage] for stage in COUNTED}
        assert whole.extremes == merged(head.extremes, tail.extremes)
        assert whole.cycles == head.cycles + tail.cycles
        for stage in STAGES:
            parts = [getattr(head.trace, stage), getattr(tail.trace, stage)]
            np.testing.assert_array_equal(np.concatenate(parts), getattr(whole.trace, stage), stage)

    holds()


def merged(one: dict[str, tuple[int, int]], other: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    return {node: (min(one[node][0], other[node][0]), max(one[node][1], other[node][1])) for node in one}
