"""The kernel backend: a job's description turned into numbers for the compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.datapath import Link
from sim.engine.cycles import epoch_cycles
from sim.engine.job import COUNTED, OBSERVED, STAGES, EpochJob, EpochResult, StageTrace, loop_profile
from sim.kernels import engine as kernels
from sim.kernels.casts import overflow_row, rounding_row
from sim.kernels.vectors import LANES, padded
from sim.modes import Overflow, Rounding
from sim.profile import NODES, NodeProfile, Profile
from sim.random_bits import WORD_BITS, Role
from sim.ranges import RangeAnalysis, analyse

_KINDS = {Link.AFFINE: kernels.AFFINE, Link.CENTRED_TABLE: kernels.CENTRED, Link.ABSOLUTE_TABLE: kernels.ABSOLUTE}


def run_compiled(job: EpochJob, traced: range | None = None, *, profile: bool = False) -> EpochResult:
    """Return the result of a job, computed by the compiled loop.

    Args:
        job: the inner loop.
        traced: steps to record stage by stage.
        profile: whether to count what every node holds.
    """
    path, registers = job.datapath, job.registers
    nodes = analyse(path, job.columns, job.link)
    casts, exponents, dtype = update_casts(job, nodes)
    z, h = (_filled(words, dtype) for words in (job.z, job.h))
    counts, seen = np.zeros(len(COUNTED), np.int64), kernels.nothing_seen()
    trace = StageTrace.empty(job, traced if traced is not None else range(0))
    tally = kernels.tally(len(NODES) if profile else 0)
    link = kernels.LinkNumbers(
        _KINDS[job.link],
        registers.multiplier,
        registers.index_multiplier,
        rounding_row(Rounding.TIES_POS, registers.index_shift),
        overflow_row(path.link.index_bits, True, Overflow.SAT),
        rounding_row(path.coefficient.rounding, registers.shift, WORD_BITS),
        overflow_row(path.coefficient.width, True, path.coefficient.overflow),
        1 << (path.link.index_bits - 1),
    )
    kernels.run_epoch(
        *job.rows.arrays(path.data_format),
        job.indices,
        z,
        h,
        job.columns,
        job.exponents,
        exponents,
        path.lanes,
        not nodes["t"].may_overflow,
        link,
        kernels.Records(job.offsets, job.grid, job.targets, np.atleast_2d(job.table)),
        casts,
        _streams(job),
        counts,
        seen,
        trace.first,
        (trace.accumulator, trace.index, trace.coefficient, trace.random, trace.product, trace.increment, trace.model),
        tally,
    )
    extremes = {node: (int(seen[2 * k]), int(seen[2 * k + 1])) for k, node in enumerate(OBSERVED)}
    if job.steps == 0:
        extremes = dict.fromkeys(OBSERVED, (0, 0))
    cycles = epoch_cycles(path, job.link, job.beats, job.steps)
    overflows = {stage: int(count) for stage, count in zip(COUNTED, counts, strict=True)}
    profiled = _profile(job, tally, overflows) if profile else None
    final = z[: job.columns].astype(np.int64)
    return EpochResult(final, overflows, extremes, cycles, None if traced is None else trace, profiled)


def _profile(job: EpochJob, tally: kernels.Tally, overflows: dict[str, int]) -> Profile:
    nodes = {}
    for node, (positive, negative), (low, high) in zip(NODES, tally.bins.tolist(), tally.ends.tolist(), strict=True):
        count = overflows[STAGES[node]] if node in STAGES else 0
        nodes[node] = NodeProfile.of_bins(positive, negative, low, high, count)
    return loop_profile(job, nodes)


def _filled(words: np.ndarray, dtype: Any) -> np.ndarray:
    """Return a copy of words by column, with zeros up to whole vectors."""
    result = np.zeros(padded(len(words)), dtype)
    result[: len(words)] = words
    return result


def update_casts(job: EpochJob, nodes: RangeAnalysis) -> tuple[kernels.Casts, Any, Any]:
    """Return the casts; the exponent of all columns, or of each; and the dtype in which the update is exact.

    It is int32, with short rows, where each mode has one and no number needs more bits. A rounding adds less than
    2^cut, so one bit more than the value has is enough for it; random fields are unsigned.
    """
    path, model = job.datapath, job.datapath.model
    cuts = range(path.increment.fraction, path.increment.fraction + path.exponents.maximum + 1)
    rows: list[Any] = [
        rounding_row(path.product.rounding, path.product.cut),
        overflow_row(path.increment.width, True, path.increment.overflow),
        overflow_row(model.width, True, model.overflow),
        *(rounding_row(model.rounding, cut, model.random_bits, model.centered) for cut in cuts),
    ]
    short = [row.short() for row in rows]
    bits = max(nodes[name].needed for name in ("t", "c·x", "p", "h", "a", "z"))
    narrow = bits <= 31 and max(path.product.cut, *cuts) <= 30 and model.random_bits < 32
    narrow &= None not in short and job.steps * job.columns < 1 << 31  # overflows of a lane are counted in it
    dtype: Any = np.int32 if narrow else np.int64
    product, increment, overflow, *roundings = short if narrow else rows
    exponents: Any = int(job.exponents[0])
    rounding = roundings[exponents]
    if (job.exponents != exponents).any():
        exponents = _filled(np.repeat(job.exponents, path.lanes)[: job.columns], dtype)
        rounding = type(rounding)(*np.array(roundings, dtype)[exponents].T.copy())
    accumulator = overflow_row(path.accumulator.width, True, path.accumulator.overflow)
    return kernels.Casts(accumulator, product, increment, rounding, overflow), exponents, dtype


def _streams(job: EpochJob) -> kernels.Streams:
    path, bits = job.datapath, job.datapath.model.random_bits
    position, count = job.first_step * job.beats, path.generators
    update = [path.generator.make(job.seed, Role.UPDATE, g, position) for g in range(count)]
    own = path.generator.make(job.seed, Role.COEFFICIENT, 0, job.first_step)
    states = np.zeros(padded(count), np.uint64)
    states[:count] = [generator.state for generator in update]
    words = np.zeros(job.beats * count + LANES, np.uint32)
    whole = bits >= 8 and path.lanes * bits >= WORD_BITS  # the words of a row are the fields of its columns
    fields = words.view(f"u{bits // 8}") if whole else np.zeros(padded(job.columns), np.uint32)
    return kernels.Streams(
        states,
        own.shifts,
        own.tables(),
        words,
        fields,
        count > 0 and not whole,
        count,
        bits,
        np.uint64(own.state),
        path.coefficient.rounding.is_stochastic,
    )
