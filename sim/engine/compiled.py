"""The kernel backend: a job's description turned into numbers for the compiled loop."""

from __future__ import annotations

import numpy as np

from sim.datapath import Link
from sim.engine.cycles import epoch_cycles
from sim.engine.job import COUNTED, OBSERVED, STAGES, EpochJob, EpochResult, StageTrace, loop_profile
from sim.kernels import engine as kernels
from sim.kernels.casts import overflow_row, rounding_row
from sim.modes import Overflow, Rounding
from sim.profile import NODES, NodeProfile, Profile
from sim.random_bits import WORD_BITS, Role
from sim.ranges import analyse

_KINDS = {Link.AFFINE: kernels.AFFINE, Link.CENTRED_TABLE: kernels.CENTRED, Link.ABSOLUTE_TABLE: kernels.ABSOLUTE}


def run_compiled(job: EpochJob, traced: range | None = None, *, profile: bool = False) -> EpochResult:
    """Return the result of a job, computed by the compiled loop.

    Args:
        job: the inner loop.
        traced: steps to record stage by stage.
        profile: whether to count what every node holds.
    """
    path, registers = job.datapath, job.registers
    exponents = job.exponents
    exact_dot = not exponents.any() and not analyse(path, job.columns, job.link)["t"].may_overflow
    z, counts, seen = job.z.copy(), np.zeros(len(COUNTED), np.int64), kernels.nothing_seen()
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
    table = np.atleast_2d(job.table)
    kernels.run_epoch(
        *job.rows.arrays(path.data_format),
        job.indices,
        z,
        job.h,
        exponents,
        path.lanes,
        exact_dot,
        link,
        kernels.Records(job.offsets, job.grid, job.targets, table),
        _casts(job, exponents),
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
    return EpochResult(z, overflows, extremes, cycles, None if traced is None else trace, profiled)


def _profile(job: EpochJob, tally: kernels.Tally, overflows: dict[str, int]) -> Profile:
    nodes = {}
    for node, (positive, negative), (low, high) in zip(NODES, tally.bins.tolist(), tally.ends.tolist(), strict=True):
        count = overflows[STAGES[node]] if node in STAGES else 0
        nodes[node] = NodeProfile.of_bins(positive, negative, low, high, count)
    return loop_profile(job, nodes)


def _casts(job: EpochJob, exponents: np.ndarray) -> kernels.Casts:
    path, model = job.datapath, job.datapath.model
    alike = bool((exponents == exponents[0]).all())
    rows = [
        rounding_row(model.rounding, path.increment.fraction + int(e), model.random_bits, model.centered)
        for e in (exponents[:1] if alike else exponents)
    ]
    return kernels.Casts(
        overflow_row(path.accumulator.width, True, path.accumulator.overflow),
        rounding_row(path.product.rounding, path.product.cut),
        overflow_row(path.increment.width, True, path.increment.overflow),
        np.array(rows, np.int64),
        overflow_row(model.width, True, model.overflow),
        path.lanes,
    )


def _streams(job: EpochJob) -> kernels.Streams:
    path, bits = job.datapath, job.datapath.model.random_bits
    position = job.first_step * job.beats
    update = [path.generator.make(job.seed, Role.UPDATE, g, position) for g in range(path.generators)]
    own = path.generator.make(job.seed, Role.COEFFICIENT, 0, job.first_step)
    return kernels.Streams(
        np.array([generator.state for generator in update], np.uint64),
        own.tables(),
        WORD_BITS // max(bits, 1),
        bits,
        (1 << bits) - 1,
        np.uint64(own.state),
        path.coefficient.rounding.is_stochastic,
    )
