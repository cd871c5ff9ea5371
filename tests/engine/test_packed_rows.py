"""Packed rows on the engine: both backends decode them, and give what the decoded rows give."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.engine import EpochJob, run
from sim.packed_rows import PackedRows
from sim.row_formats import Base, RowFormat
from sim.rows import RawRows
from tests.engine.helpers import BACKENDS, refusal, same, small_job
from tests.engine.strategies import jobs


@st.composite
def packed_jobs(draw: Any) -> EpochJob:
    """Any inner loop on packed rows, with or without a level table."""
    job = draw(jobs())
    width, (count, columns) = job.datapath.data.width, job.rows.shape
    shared, with_table = draw(st.booleans()), draw(st.booleans())
    signed = not with_table and (width < 9 or draw(st.booleans()))
    top = min(8, width if signed else width - 1) if not with_table else 8
    bits = draw(st.integers(2 if signed else 1, max(top, 2 if signed else 1)))
    samples = draw(st.integers(1, 3))
    fmt = RowFormat(
        bits=bits, samples=samples, base=Base.SHARED if shared else Base.INDEPENDENT, signed=signed,
        lanes=job.datapath.lanes,
    )  # fmt: skip
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    if shared:
        words = rng.integers(fmt.low, fmt.high, (1, count, columns)) + rng.integers(0, 2, (samples, count, columns))
    else:
        words = rng.integers(fmt.low, fmt.high, (samples, count, columns), endpoint=True)
    low, high = job.datapath.data_format.low, job.datapath.data_format.high
    shape = (draw(st.sampled_from([1, columns])), fmt.levels)
    table = rng.integers(low, high, shape, endpoint=True) if with_table else None
    uses = (draw(st.integers(0, samples - 1)), draw(st.integers(0, samples - 1)))
    return dataclasses.replace(job, rows=PackedRows.pack(words, fmt, table, uses))


@given(job=packed_jobs())
def test_both_backends_decode_packed_rows_alike(job: EpochJob) -> None:
    reference = run(job, "reference", trace=range(job.steps) if job.steps else None)
    compiled = run(job, "kernel", trace=range(job.steps) if job.steps else None)
    assert same(reference, compiled)
    if reference.trace is not None and compiled.trace is not None:
        for name in ("accumulator", "coefficient", "product", "increment", "model"):
            assert (getattr(reference.trace, name) == getattr(compiled.trace, name)).all(), name
    decoded = [job.rows.decode(i) for i in range(job.rows.shape[0])]
    raw = RawRows(np.array([dot for dot, _ in decoded]), np.array([update for _, update in decoded]))
    assert same(run(dataclasses.replace(job, rows=raw), "kernel"), compiled)


@given(job=packed_jobs())
def test_a_saved_loop_keeps_its_packed_rows(tmp_path_factory: Any, job: EpochJob) -> None:
    path: Path = tmp_path_factory.mktemp("job") / "job.npz"
    job.save(path)
    loaded = EpochJob.load(path)
    assert isinstance(loaded.rows, PackedRows)
    assert isinstance(job.rows, PackedRows)
    assert (loaded.rows.fmt, loaded.rows.uses) == (job.rows.fmt, job.rows.uses)
    assert loaded.rows.data.tobytes() == job.rows.data.tobytes()
    assert same(run(loaded), run(job))


def packed(fmt: RowFormat, table: Any = None) -> PackedRows:
    return PackedRows.pack(np.zeros((fmt.samples, 2, 3), int), fmt, table)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_mapped_file_feeds_the_engine(tmp_path: Path, backend: str) -> None:
    fmt = RowFormat(bits=4, signed=True, lanes=16)
    rows = PackedRows.pack([[[1, -4, 3], [0, 2, -1]], [[2, -4, 3], [0, 1, -1]]], fmt)
    rows.save(tmp_path / "rows.bin")
    mapped = small_job(rows=PackedRows.load(tmp_path / "rows.bin"))
    assert same(run(mapped, backend), run(small_job(rows=RawRows(rows.dot, rows.update)), backend))


def test_rows_that_do_not_fit_the_datapath_are_refused() -> None:
    text = refusal(lambda: small_job(rows=packed(RowFormat(bits=8, base="independent"))))
    assert text == "rows: got values from 0 to 255; allowed: -128 to 127"
    text = refusal(lambda: small_job(rows=packed(RowFormat(bits=1), [[0, 128]])))
    assert text == "rows.table: got values from 0 to 128; allowed: -128 to 127"
    text = refusal(lambda: small_job(rows=packed(RowFormat(bits=2, lanes=4))))
    assert text == "rows.fmt.lanes: got 4; allowed: 16, those of the datapath"
    assert refusal(lambda: small_job(rows=np.eye(3))) == "rows: got ndarray; allowed: RawRows or PackedRows"
