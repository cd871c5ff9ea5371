"""The compiled update takes 32-bit lanes and short casts where they are exact, and gives the reference's bits there."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sim.datapath import Coefficient, Data, Increment, Link, Model, Product, TrainingDatapath
from sim.engine import EpochJob, Registers, run
from sim.engine.compiled import update_casts
from sim.formats import QFormat
from sim.kernels.casts import ClipRow, overflow_row, rounding_row
from sim.kernels.vectors import LANES
from sim.modes import Overflow, Rounding
from sim.ranges import analyse
from sim.rows import RawRows, with_room
from tests.engine.helpers import small_job
from tests.engine.strategies import datapaths, jobs
from tests.engine.test_backends_equal import STAGES, assert_same, assert_same_stages

SHORT = [Rounding.TO_NEG, Rounding.TO_POS, Rounding.TIES_POS, Rounding.TIES_NEG]
"""The deterministic roundings that add the same number to every value, where they cut something."""
SATURATING = [Overflow.SAT, Overflow.SAT_SYM]


def lane_dtype(job: EpochJob) -> type:
    return update_casts(job, analyse(job.datapath, job.columns, job.link))[2]


@st.composite
def short_datapaths(draw: st.DrawFn) -> TrainingDatapath:
    path = draw(datapaths([*SHORT, *[Rounding.STOCHASTIC] * 8]))
    return replace(
        path,
        product=replace(path.product, rounding=draw(st.sampled_from(SHORT))),
        increment=replace(path.increment, overflow=draw(st.sampled_from(SATURATING))),
        model=replace(path.model, overflow=draw(st.sampled_from(SATURATING))),
    )


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_short_casts_equal_the_reference_in_both_widths(dtype: type) -> None:
    @settings(max_examples=300 if dtype is np.int32 else 60)
    @given(jobs(paths=short_datapaths()))
    def holds(job: EpochJob) -> None:
        assume(lane_dtype(job) is dtype)
        result, expected = run(job, trace=range(job.steps)), run(job, "reference", trace=range(job.steps))
        assert_same(result, expected)
        assert_same_stages(result.trace, expected.trace)
        assert_same(run(job), expected)

    holds()


def at_the_limits(width: int, cut: int, signs: tuple[int, int, int, int]) -> EpochJob:
    """A loop whose product c·x needs `width` bits, with every value at an end of its range."""
    model, increment = 10, width - max(cut, 2)
    path = TrainingDatapath(
        lanes=4,
        data=Data(width=16),
        coefficient=Coefficient(width=width - 16),
        product=Product(cut=cut, rounding=Rounding.TO_POS),
        increment=Increment(width=increment, fraction=increment - model),
        model=Model(width=model, random_bits=16, centered=True),
        biased_ok=True,
    )
    x, z, h, v = (
        (1 << (bits - 1)) - 1 if sign > 0 else -(1 << (bits - 1))
        for bits, sign in zip((16, model, increment, 30), signs, strict=True)
    )
    rows = RawRows(np.full((1, 5), x))
    return EpochJob(path, Link.AFFINE, rows, [0] * 3, [z] * 5, [h] * 5, Registers(65535, 0), offsets=[v])


@pytest.mark.parametrize(("width", "dtype"), [(30, np.int32), (31, np.int32), (32, np.int64), (33, np.int64)])
@pytest.mark.parametrize("cut", [0, 1, 8, 14])
def test_values_at_the_ends_of_their_ranges_stay_exact(width: int, dtype: type, cut: int) -> None:
    """Enumerated: no number of the update leaves its lane at the widest datapath that has lanes of 32 bits."""
    for signs in np.ndindex(2, 2, 2, 2):
        job = at_the_limits(width, cut, tuple(2 * sign - 1 for sign in signs))
        assert lane_dtype(job) is dtype
        result, expected = (run(job, backend, trace=range(3)) for backend in ("kernel", "reference"))
        assert_same(result, expected)
        for stage in STAGES:
            np.testing.assert_array_equal(getattr(result.trace, stage), getattr(expected.trace, stage), stage)


@pytest.mark.parametrize(("preset", "dtype"), [("halp8", np.int32), ("halp8_blocks", np.int32),
                                               ("halp12", np.int32), ("halp16", np.int64)])  # fmt: skip
def test_the_lanes_of_the_presets(preset: str, dtype: type) -> None:
    assert lane_dtype(small_job(datapath=TrainingDatapath.preset(preset))) is dtype


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 100])
def test_without_random_bits_every_column_has_the_field_0(columns: int) -> None:
    path = TrainingDatapath.preset("halp8")
    path = replace(path, model=replace(path.model, rounding=Rounding.TIES_POS, random_bits=0))
    rows = RawRows(np.full((2, columns), 100))
    job = EpochJob(path, Link.AFFINE, rows, [1, 0], [5] * columns, [7] * columns, Registers(1 << 15, 20))
    result, expected = (run(job, backend, trace=range(2)) for backend in ("kernel", "reference"))
    assert not result.trace.random.any()
    assert_same(result, expected)


def test_short_rows_are_the_modes_that_have_one() -> None:
    short = [rounding for rounding in Rounding if rounding_row(rounding, 3, random_bits=5).short()]
    assert short == [*[rounding for rounding in Rounding if rounding in SHORT], Rounding.STOCHASTIC]
    assert overflow_row(8, True, Overflow.SAT).short() == ClipRow(-128, 127)
    assert overflow_row(8, True, Overflow.SAT_SYM).short() == ClipRow(-127, 127)
    assert overflow_row(8, True, Overflow.WRAP).short() is None


@pytest.mark.parametrize("copied", [lambda rows: rows, copy.deepcopy, lambda rows: pickle.loads(pickle.dumps(rows))])
@pytest.mark.parametrize("layout", ["C", "F", "steps"])
@pytest.mark.parametrize("bits", [8, 16])
def test_kernels_get_rows_with_room_behind_them(copied: Any, layout: str, bits: int) -> None:
    words = np.random.default_rng(0).integers(-128, 128, (6, 10), np.int8)
    given = {"C": words, "F": np.asfortranarray(words), "steps": words[::2, ::3]}[layout]
    for array in copied(RawRows(given, given[::-1])).arrays(QFormat(bits, 0)):
        assert array.flags.c_contiguous
        assert array.dtype.itemsize * 8 == bits
        assert array.base.shape == (array.size + LANES,)
        assert array.base.ctypes.data == array.ctypes.data
        assert not array.base[array.size :].any()
    assert array.tolist() == given[::-1].tolist()
    assert with_room(array, array.dtype) is array
