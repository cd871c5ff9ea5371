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

import numpy as np

from sim.datapath import Link
from sim.engine.cycles import epoch_cycles
from sim.engine.job import COUNTED, OBSERVED, EpochJob, EpochResult, StageTrace
from sim.modes import Overflow, Rounding
from sim.random_bits import WORD_BITS, Role, lane_field
from sim.reference import accumulate, apply_overflow, cast, round_shift


def run_reference(job: EpochJob, traced: range | None = None) -> EpochResult:
    """Return the result of a job, computed word by word in Python integers.

    Args:
        job: the inner loop.
        traced: steps to record stage by stage.
    """
    path, lanes, columns = job.datapath, job.datapath.lanes, job.columns
    z, h = job.z.tolist(), job.h.tolist()
    exponents = job.exponents.tolist()
    update_position = job.first_step * job.beats
    update = [path.generator.make(job.seed, Role.UPDATE, g, update_position) for g in range(path.generators)]
    own = path.generator.make(job.seed, Role.COEFFICIENT, 0, job.first_step)
    counts = dict.fromkeys(COUNTED, 0)
    seen: dict[str, list[int]] = {node: [] for node in OBSERVED}
    trace = None if traced is None else StageTrace.empty(job, traced)

    for step, row in enumerate(job.indices.tolist()):
        xa, xb = (words.tolist() for words in job.rows.decode(row))
        record = trace if traced is not None and step in traced else None
        at = step - (traced.start if traced is not None else 0)

        total = 0
        for beat in range(job.beats):
            span = range(beat * lanes, min((beat + 1) * lanes, columns))
            products = [xa[j] * z[j] for j in span]
            exact = total + (sum(products) << exponents[beat])
            total = accumulate(total, products, path.accumulator.width, path.accumulator.overflow, exponents[beat])
            counts["accumulator"] += total != exact
            if record:
                record.accumulator[at, beat] = total
        seen["t"].append(total)

        index, coefficient = _coefficient(job, row, total, own.next() if _needs_words(job) else 0, counts)
        seen["u"].append(index)
        seen["c"].append(coefficient)
        if record:
            record.index[at], record.coefficient[at] = index, coefficient

        for beat in range(job.beats):
            words = [generator.next() for generator in update]
            for lane, j in enumerate(range(beat * lanes, min((beat + 1) * lanes, columns))):
                word = lane_field(words, lane, path.model.random_bits) if words else 0
                p = round_shift(coefficient * xb[j], path.product.cut, path.product.rounding)
                a = apply_overflow(-p - h[j], path.increment.width, True, path.increment.overflow)
                counts["increment"] += a != -p - h[j]
                cut = path.increment.fraction + exponents[beat]
                moved = z[j] + round_shift(
                    a, cut, path.model.rounding, word, path.model.random_bits, path.model.centered
                )
                z[j] = apply_overflow(moved, path.model.width, True, path.model.overflow)
                counts["model"] += z[j] != moved
                for node, value in (("p", p), ("a", a), ("z", z[j])):
                    seen[node].append(value)
                if record:
                    record.random[at, j], record.product[at, j] = word, p
                    record.increment[at, j], record.model[at, j] = a, z[j]

    extremes = {node: (min(values), max(values)) if values else (0, 0) for node, values in seen.items()}
    cycles = epoch_cycles(path, job.link, job.beats, job.steps)
    return EpochResult(np.array(z, np.int64), counts, extremes, cycles, trace)


def _needs_words(job: EpochJob) -> bool:
    return job.datapath.coefficient.rounding.is_stochastic


def _coefficient(job: EpochJob, row: int, total: int, word: int, counts: dict[str, int]) -> tuple[int, int]:
    """Return the table index and the coefficient of a step."""
    stage, registers = job.datapath.coefficient, job.registers
    v = total + int(job.offsets[row])
    index, product = 0, v * registers.multiplier
    if job.link is not Link.AFFINE:
        bits, table = job.datapath.link.index_bits, job.table
        exact = round_shift(v * registers.index_multiplier, registers.index_shift, Rounding.TIES_POS)
        index = apply_overflow(exact, bits, True, Overflow.SAT)
        counts["index"] += index != exact
        entry = index + (1 << (bits - 1))
        if job.link is Link.CENTRED_TABLE:
            product = v * int(table[int(job.grid[row]), entry])
        else:
            product = registers.multiplier * (int(table[entry]) - int(job.targets[row]))
    args = (registers.shift, stage.width, True, stage.rounding)
    exact = round_shift(product, registers.shift, stage.rounding, word, WORD_BITS)
    coefficient = cast(product, *args, stage.overflow, word, WORD_BITS)
    counts["coefficient"] += coefficient != exact
    return index, coefficient
