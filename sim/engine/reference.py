"""The training engine, one step after the other on Python integers: the definition of right.

t   = dot(xa, z), every beat's sum << e_b                  accumulator
v   = t + β_i
c   = round((v·m) >> S)                                    affine link
| round((v·R[q_i, u]) >> S)                            centred table link
| round((K·(table[u] − G_i)) >> S)                     absolute table link
with u = sat(TIES_POS((v·M) >> S1))
p_j = round(c·xb_j >> sp)
a_j = sat(−p_j − h_j)
z_j = sat(z_j + round(a_j >> (sh + e_b)))
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.datapath import Link, TrainingDatapath
from sim.engine.cycles import epoch_cycles
from sim.engine.job import COUNTED, OBSERVED, STAGES, EpochJob, EpochResult, Registers, StageTrace, loop_profile
from sim.modes import Overflow, Rounding
from sim.profile import NODES, NodeProfile
from sim.random_bits import WORD_BITS, Role, lane_field
from sim.reference import apply_overflow, exact_sum, round_shift


def run_reference(job: EpochJob, traced: range | None = None, *, profile: bool = False) -> EpochResult:
    """Return the result of a job, computed word by word in Python integers.

    Args:
        job: the inner loop.
        traced: steps to record stage by stage.
        profile: whether to count what every node holds.
    """
    path, lanes, columns = job.datapath, job.datapath.lanes, job.columns
    z, h = job.z.tolist(), job.h.tolist()
    exponents = job.exponents.tolist()
    update_position = job.first_step * job.beats
    generators = [path.generator.make(job.seed, Role.UPDATE, g, update_position) for g in range(path.generators)]
    own = path.generator.make(job.seed, Role.COEFFICIENT, 0, job.first_step)
    counts = dict.fromkeys(COUNTED, 0)
    seen: dict[str, list[int]] = {node: [] for node in OBSERVED}
    totals: list[int] = []
    trace = None if traced is None else StageTrace.empty(job, traced)

    for step, row in enumerate(job.indices.tolist()):
        xa, xb = (words.tolist() for words in job.rows.decode(row))
        record = trace if traced is not None and step in traced else None
        at = step - (traced.start if traced is not None else 0)

        total = 0
        for beat in range(job.beats):
            span = range(beat * lanes, min((beat + 1) * lanes, columns))
            products = [xa[j] * z[j] for j in span]
            exact = exact_sum(total, products, exponents[beat])
            total = apply_overflow(exact, path.accumulator.width, True, path.accumulator.overflow)
            counts["accumulator"] += total != exact
            totals.append(total)
            if record:
                record.accumulator[at, beat] = total
        seen["t"].append(total)

        v, u, value = total + int(job.offsets[row]), 0, 0
        if job.link is not Link.AFFINE:
            exact, u = table_index(path, job.registers, v)
            counts["index"] += u != exact
            value = table_value(path, job.link, job.table, u, int(job.grid[row]) if len(job.grid) else 0)
        target = int(job.targets[row]) if len(job.targets) else 0
        word = own.next() if path.coefficient.rounding.is_stochastic else 0
        exact, c = coefficient(path, job.link, job.registers, v, value, target, word)
        counts["coefficient"] += c != exact
        seen["u"].append(u)
        seen["c"].append(c)
        if record:
            record.index[at], record.coefficient[at] = u, c

        for beat in range(job.beats):
            words = [generator.next() for generator in generators]
            for lane, j in enumerate(range(beat * lanes, min((beat + 1) * lanes, columns))):
                word = lane_field(words, lane, path.model.random_bits) if words else 0
                p, exact, a, moved, z[j] = update(path, c, xb[j], h[j], z[j], exponents[beat], word)
                counts["increment"] += a != exact
                counts["model"] += z[j] != moved
                for node, value in (("p", p), ("a", a), ("z", z[j])):
                    seen[node].append(value)
                if record:
                    record.random[at, j], record.product[at, j] = word, p
                    record.increment[at, j], record.model[at, j] = a, z[j]

    extremes = {node: (min(values), max(values)) if values else (0, 0) for node, values in seen.items()}
    cycles = epoch_cycles(path, job.link, job.beats, job.steps)
    profiled = None
    if profile:
        held = {**seen, "t": totals, "u": [] if job.link is Link.AFFINE else seen["u"], "h": h}
        overflows = {node: counts[stage] for node, stage in STAGES.items()}
        nodes = {node: NodeProfile.of(held[node], overflows.get(node, 0)) for node in NODES}
        profiled = loop_profile(job, nodes)
    return EpochResult(np.array(z, np.int64), counts, extremes, cycles, trace, profiled)


def table_index(path: TrainingDatapath, registers: Registers, v: Any) -> tuple[Any, Any]:
    """Return the table index before and after its saturation, from the dot product plus offset."""
    exact = round_shift(v * registers.index_multiplier, registers.index_shift, Rounding.TIES_POS)
    return exact, apply_overflow(exact, path.link.index_bits, True, Overflow.SAT)


def table_value(path: TrainingDatapath, link: Link, table: NDArray[np.int64], index: int, grid: int) -> int:
    """Return the table's entry at a signed index; `grid` is the row of a centred table."""
    entry = index + (1 << (path.link.index_bits - 1))
    return int(table[grid, entry] if link is Link.CENTRED_TABLE else table[entry])


def coefficient(
    path: TrainingDatapath,
    link: Link,
    registers: Registers,
    v: Any,
    value: Any = 0,
    target: Any = 0,
    word: Any = 0,
) -> tuple[Any, Any]:
    """Return the coefficient before and after its overflow.

    Args:
        path: widths and modes.
        link: the link unit.
        registers: its scale registers.
        v: dot product plus offset.
        value: the table's entry; none for the affine link.
        target: G, of the absolute table link.
        word: random word of 32 bits, if the coefficient's rounding is stochastic.
    """
    match link:
        case Link.AFFINE:
            product = v * registers.multiplier
        case Link.CENTRED_TABLE:
            product = v * value
        case Link.ABSOLUTE_TABLE:
            product = registers.multiplier * (value - target)
    stage = path.coefficient
    exact = round_shift(product, registers.shift, stage.rounding, word, WORD_BITS)
    return exact, apply_overflow(exact, stage.width, True, stage.overflow)


def product(path: TrainingDatapath, coefficient: Any, x: Any) -> Any:
    """Return p, a data word's part of the gradient step."""
    return round_shift(coefficient * x, path.product.cut, path.product.rounding)


def update(
    path: TrainingDatapath, coefficient: Any, x: Any, h: Any, z: Any, exponent: int, word: Any = 0
) -> tuple[Any, Any, Any, Any, Any]:
    """Return p; the increment before and after its overflow; the model word before and after its overflow.

    Args:
        path: widths and modes.
        coefficient: c.
        x: data word.
        h: gradient word.
        z: model word.
        exponent: block exponent e_b.
        word: random field of the lane.
    """
    model, increment = path.model, path.increment
    p = product(path, coefficient, x)
    exact = -p - h
    a = apply_overflow(exact, increment.width, True, increment.overflow)
    cut = increment.fraction + exponent
    moved = z + round_shift(a, cut, model.rounding, word, model.random_bits, model.centered)
    return p, exact, a, moved, apply_overflow(moved, model.width, True, model.overflow)
