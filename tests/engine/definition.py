"""The training engine as the design states it, written again as an oracle: fractions for numbers, bits for generators.

Nothing here calls `sim` for arithmetic: words come from generators stepped one bit or one shift at a time, and every
stage rounds and overflows by `tests.definitions`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from sim.datapath import Generator, Link, RandomGenerator
from sim.engine import EpochJob
from sim.modes import Overflow, Rounding
from tests.definitions import cut_off, fitted

WORD = 2**32
TAPS = {32: (32, 22, 2, 1), 33: (33, 20), 40: (40, 38, 21, 19), 61: (61, 60, 46, 45), 64: (64, 63, 61, 60)}
UPDATE, COEFFICIENT = 0, 1


def splitmix64(state: int) -> int:
    """Steele, Lea and Flood's generator: the output after one step."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
    return state ^ state >> 31


def generator_words(kind: RandomGenerator, seed: int, role: int, number: int) -> Iterator[int]:
    """The words of generator `number` of a role, from the first one on."""
    state = splitmix64((splitmix64((4 * seed + role) % 2**64) + number) % 2**64) // WORD or 0x9E3779B9
    if kind.kind is Generator.XORSHIFT32:
        while True:
            state ^= state << 13 & (WORD - 1)
            state ^= state >> 17
            state ^= state << 5 & (WORD - 1)
            yield state
    taps = set(kind.taps or TAPS[kind.width])
    bits = [state >> place & 1 for place in range(kind.width)]
    while True:
        for _ in range(kind.leap):
            fed_back, bits = bits[0], [*bits[1:], 0]
            bits = [bit ^ (fed_back if place + 1 in taps else 0) for place, bit in enumerate(bits)]
        yield sum(bit << place for place, bit in enumerate(bits[:32]))


def lane_fields(job: EpochJob) -> Iterator[list[int]]:
    """The random field of every lane, padding included, beat after beat: word (epoch·T + step)·B + beat comes first."""
    path, bits = job.datapath, job.datapath.model.random_bits
    if bits == 0:
        while True:
            yield [0] * path.lanes
    count = -(-path.lanes * bits // 32)
    streams = [generator_words(path.generator, job.seed, UPDATE, number) for number in range(count)]
    per_word = 32 // bits
    beats = zip(*(islice(stream, job.first_step * job.beats, None) for stream in streams), strict=True)
    for words in beats:
        yield [words[lane // per_word] >> bits * (lane % per_word) & (2**bits - 1) for lane in range(path.lanes)]


@dataclass
class Step:
    """What every stage holds in one step, in the order of `StageTrace`, and which stages overflowed how often."""

    accumulator: list[int] = field(default_factory=list)
    index: int = 0
    coefficient: int = 0
    random: list[int] = field(default_factory=list)
    product: list[int] = field(default_factory=list)
    increment: list[int] = field(default_factory=list)
    model: list[int] = field(default_factory=list)
    overflows: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("accumulator", "index", "coefficient", "increment", "model"), 0)
    )

    def fit(self, stage: str, value: int, width: int, overflow: Overflow) -> int:
        """Bring a stage's value into its register, counting."""
        inside = fitted(value, width, True, overflow)
        self.overflows[stage] += inside != value
        return inside


def steps(job: EpochJob) -> Iterator[Step]:
    """Run the inner loop, formula by formula."""
    path, lanes, registers = job.datapath, job.datapath.lanes, job.registers
    z, h, exponents = (np.asarray(array).tolist() for array in (job.z, job.h, job.exponents))
    offsets, grid, targets = (np.asarray(array).tolist() for array in (job.offsets, job.grid, job.targets))
    table = np.asarray(job.table).tolist()
    update_rows = job.rows.dot if job.rows.update is None else job.rows.update
    fields = lane_fields(job)
    own_words = islice(generator_words(path.generator, job.seed, COEFFICIENT, 0), job.first_step, None)
    beats = [range(start, min(start + lanes, job.columns)) for start in range(0, job.columns, lanes)]
    for i in np.asarray(job.indices).tolist():
        step = Step()
        xa, xb = job.rows.dot[i].tolist(), update_rows[i].tolist()

        t = 0
        for span, e in zip(beats, exponents, strict=True):
            s = sum(xa[j] * z[j] for j in span) * 2**e
            t = step.fit("accumulator", t + s, path.accumulator.width, path.accumulator.overflow)
            step.accumulator.append(t)

        v = t + offsets[i]
        if job.link is Link.AFFINE:
            k = v * registers.multiplier
        else:
            u = cut_off(v * registers.index_multiplier, registers.index_shift, Rounding.TIES_POS)
            u = step.index = step.fit("index", u, path.link.index_bits, Overflow.SAT)
            entry = u + 2**path.link.index_bits // 2
            k = v * table[grid[i]][entry] if job.link is Link.CENTRED_TABLE else 0
            if job.link is Link.ABSOLUTE_TABLE:
                k = registers.multiplier * (table[entry] - targets[i])
        own_word = next(own_words) if path.coefficient.rounding.is_stochastic else 0
        c = cut_off(k, registers.shift, path.coefficient.rounding, own_word, 32)
        c = step.coefficient = step.fit("coefficient", c, path.coefficient.width, path.coefficient.overflow)

        for span, e in zip(beats, exponents, strict=True):
            for j, word in zip(span, next(fields), strict=False):
                p = cut_off(c * xb[j], path.product.cut, path.product.rounding)
                a = step.fit("increment", -p - h[j], path.increment.width, path.increment.overflow)
                model = path.model
                moved = cut_off(a, path.increment.fraction + e, model.rounding, word, model.random_bits, model.centered)
                z[j] = step.fit("model", z[j] + moved, model.width, model.overflow)
                for values, value in ((step.random, word), (step.product, p), (step.increment, a), (step.model, z[j])):
                    values.append(value)
        yield step
