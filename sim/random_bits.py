"""Random bits as the hardware makes them: linear generators, lane slices, and seeds derived from one run seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.errors import InputError, integer_array, whole_number

WORD_BITS = 32
"""Random bits that a generator gives per word."""
LANE_BITS = (1, 2, 4, 8, 16, 32)
"""Allowed random bits a lane: they divide a word."""
LARGEST_SEED = (1 << 62) - 1
REPLACEMENT_SEED = 0x9E3779B9
"""What stands for seed 0, from which a linear generator would never move."""

MAXIMAL_TAPS: dict[int, tuple[int, ...]] = {
    32: (32, 22, 2, 1), 33: (33, 20), 34: (34, 27, 2, 1), 35: (35, 33), 36: (36, 25), 37: (37, 5, 4, 3, 2, 1),
    38: (38, 6, 5, 1), 39: (39, 35), 40: (40, 38, 21, 19), 41: (41, 38), 42: (42, 41, 20, 19), 43: (43, 42, 38, 37),
    44: (44, 43, 18, 17), 45: (45, 44, 42, 41), 46: (46, 45, 26, 25), 47: (47, 42), 48: (48, 47, 21, 20),
    49: (49, 40), 50: (50, 49, 24, 23), 51: (51, 50, 36, 35), 52: (52, 49), 53: (53, 52, 38, 37), 54: (54, 53, 18, 17),
    55: (55, 31), 56: (56, 55, 35, 34), 57: (57, 50), 58: (58, 39), 59: (59, 58, 38, 37), 60: (60, 59),
    61: (61, 60, 46, 45), 62: (62, 61, 6, 5), 63: (63, 62), 64: (64, 63, 61, 60),
}  # fmt: skip
"""For each register width, exponents of a primitive polynomial (a test proves each primitive)."""


class Role(IntEnum):
    """What a generator is for; each role of a run has seeds of its own."""

    UPDATE = 0
    COEFFICIENT = 1
    ROWS = 2
    HOST = 3


def splitmix64(value: int) -> int:
    """Return the splitmix64 output for a 64-bit state (Steele, Lea, Flood 2014).

    Example:
        >>> hex(splitmix64(0))
        '0xe220a8397b1dcdaf'
    """
    mask = (1 << 64) - 1
    value = (value + 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return value ^ (value >> 31)


def generator_seed(seed: int, role: int, index: int) -> int:
    """Return the non-zero 32-bit seed of generator `index` of a role.

    Args:
        seed: the run's seed, 0 to 2^62 − 1.
        role: what the generator is for.
        index: number of the generator within the role.

    Example:
        >>> generator_seed(0, Role.UPDATE, 0) != generator_seed(0, Role.UPDATE, 1)
        True
    """
    seed = whole_number("seed", seed, 0, LARGEST_SEED)
    role = whole_number("role", role, min(Role), max(Role))
    index = whole_number("index", index, 0, (1 << 32) - 1)
    return splitmix64((splitmix64((4 * seed + role) % (1 << 64)) + index) % (1 << 64)) >> 32 or REPLACEMENT_SEED


_COLUMNS: dict[tuple[Any, ...], tuple[int, ...]] = {}
"""The columns of the one-word map of each kind of generator that was made."""


class LinearGenerator(ABC):
    """A register whose next state is a linear map over GF(2) of the present one; a word is its low 32 bits.

    Output n of a generator is taken after n + 1 steps. Linearity gives exact jump-ahead by matrix powers. A generator
    is mutable: reading words advances `position`. What a subclass holds when it calls this constructor defines its map,
    which is kept for all that hold the same: hashable values, the seed not among them.

    Args:
        width: bits of the register, 32 to 64.
        seed: non-zero initial state of at most `width` bits.
        position: words to skip.
    """

    def __init__(self, width: int, seed: int, position: int = 0) -> None:
        self.width = width
        key = (type(self), *vars(self).items())
        if key not in _COLUMNS:
            _COLUMNS[key] = tuple(self.step(1 << bit) for bit in range(width))
        self.columns = _COLUMNS[key]
        self.state = whole_number("seed of a generator", seed, 1, (1 << width) - 1)
        self.position = 0
        self.jump(position)

    @abstractmethod
    def step(self, state: int) -> int:
        """Return the state one word later: the definition, in integers."""

    def next(self) -> int:
        """Return the next word and advance by one."""
        self.state = self.step(self.state)
        self.position += 1
        return self.state & 0xFFFFFFFF

    def __iter__(self) -> Iterator[int]:
        """Yield words without end."""
        while True:
            yield self.next()

    def words(self, count: int) -> NDArray[np.int64]:
        """Return the next `count` words, shape (count,), and advance by as many.

        Example:
            >>> Xorshift32(1).words(2).tolist()
            [270369, 67634689]
        """
        from sim.kernels.random_bits import generate

        count = whole_number("words count", count, 0, 1 << 40)
        out = np.empty(count, np.int64)
        self.state = int(generate(np.uint64(self.state), self.tables(), out))
        self.position += count
        return out

    def jump(self, count: int) -> None:
        """Advance by `count` words, in time proportional to log2(count).

        Example:
            >>> near, far = Xorshift32(1), Xorshift32(1, position=1000)
            >>> _ = near.words(1000)
            >>> near.next() == far.next()
            True
        """
        count = whole_number("jump count", count, 0, 1 << 62)
        self.position += count
        power = 0
        while count:
            if count & 1:
                self.state = _apply(_byte_tables(self.columns, power), self.state)
            count >>= 1
            power += 1

    shifts = (0, 0, 0)
    """Shifts of the one-word map, left, right and left, where it is a xorshift of 32 bits; zeros where it is not."""

    def tables(self) -> NDArray[np.uint64]:
        """Return the one-word map as tables, shape (bytes, 256): the next state is the XOR over the state's bytes."""
        return _tables(self.columns)


class Xorshift32(LinearGenerator):
    """Marsaglia's xorshift of 32 bits: state ^= state << 13; ^= state >> 17; ^= state << 5. It never emits 0.

    Source: G. Marsaglia, Xorshift RNGs, 2003.

    Args:
        seed: 1 to 2^32 − 1.
        position: words to skip.

    Example:
        >>> generator = Xorshift32(1)
        >>> generator.next(), generator.next(), generator.position
        (270369, 67634689, 2)
    """

    def __init__(self, seed: int, position: int = 0) -> None:
        super().__init__(32, seed, position)

    shifts = (13, 17, 5)

    def step(self, state: int) -> int:
        """Return the state one word later."""
        first, second, third = self.shifts
        state ^= (state << first) & 0xFFFFFFFF
        state ^= state >> second
        return state ^ ((state << third) & 0xFFFFFFFF)


class Lfsr(LinearGenerator):
    """A Galois linear feedback shift register, shifting right; a word is taken every `leap` single steps.

    Args:
        seed: 1 to 2^width − 1.
        width: bits of the register, 32 to 64.
        taps: exponents of the feedback polynomial, the width among them; by default a maximal-length one.
        leap: single steps a word, 1 to 64.
        position: words to skip.

    Example:
        >>> Lfsr(1, width=32, leap=1).next() == 1 << 31 | 1 << 21 | 1 << 1 | 1
        True
    """

    def __init__(
        self, seed: int, width: int = 32, taps: tuple[int, ...] | None = None, leap: int = 32, position: int = 0
    ) -> None:
        width = whole_number("Lfsr width", width, 32, 64)
        self.leap = whole_number("Lfsr leap", leap, 1, 64)
        if taps is not None and not isinstance(taps, tuple | list):
            raise InputError(f"Lfsr taps: got {taps!r}; allowed: a tuple of exponents from 1 to {width}")
        self.taps = MAXIMAL_TAPS[width] if taps is None else tuple(whole_number("Lfsr taps", t, 1, width) for t in taps)
        if width not in self.taps:
            raise InputError(f"Lfsr taps: got {self.taps}; allowed: exponents from 1 to {width}, {width} among them")
        self.mask = sum({1 << (tap - 1) for tap in self.taps})
        super().__init__(width, seed, position)

    def step(self, state: int) -> int:
        """Return the state one word, that is `leap` single steps, later."""
        for _ in range(self.leap):
            state = (state >> 1) ^ (self.mask if state & 1 else 0)
        return state


class RandomSource(Protocol):
    """What `quantize` and `requantize` take as `random`: something that gives words for an array of values."""

    bits: int

    def take(self, count: int) -> tuple[NDArray[np.int64], int]:
        """Return `count` words and the bits of each."""


class RandomWords:
    """Given random words, for tests and for bits that come from elsewhere.

    Args:
        words: unsigned integers below 2^bits, one a value (or a single one for all), in C order.
        bits: width of a word, 1 to 32.

    Raises:
        InputError: if a word does not fit.

    Example:
        >>> RandomWords([0, 3], bits=2).take(2)
        (array([0, 3]), 2)
    """

    def __init__(self, words: ArrayLike, bits: int) -> None:
        self.bits = whole_number("RandomWords bits", bits, 1, WORD_BITS)
        self.words = integer_array("RandomWords words", words).reshape(-1)
        if self.words.min() < 0 or self.words.max() >= 1 << self.bits:
            raise InputError(
                f"RandomWords words: got {self.words.min()} to {self.words.max()}; "
                f"allowed: 0 to {(1 << self.bits) - 1} ({self.bits} bits)"
            )

    def take(self, count: int) -> tuple[NDArray[np.int64], int]:
        """Return the words, repeated if there is one only, and their bits.

        Raises:
            InputError: if there are neither 1 nor `count` words.
        """
        if self.words.size not in (1, count):
            raise InputError(f"random: got {self.words.size} words for {count} values; allowed: 1 or {count} words")
        return np.resize(self.words, count), self.bits


def lane_field(words: Sequence[int], lane: int, bits: int) -> int:
    """Return the random field of a lane: `bits` bits of the generator words of this beat.

    Args:
        words: this beat's word of each generator.
        lane: number of the lane.
        bits: random bits a lane, r.

    Example:
        >>> lane_field([0x04030201, 0x08070605], lane=5, bits=8)
        6
    """
    if bits not in LANE_BITS:
        raise InputError(f"bits: got {bits!r}; allowed: {', '.join(map(str, LANE_BITS))}")
    per_word = WORD_BITS // bits
    lane = whole_number("lane", lane, 0, per_word * len(words) - 1)
    return int(words[lane // per_word]) >> (bits * (lane % per_word)) & ((1 << bits) - 1)


def row_indices(generator: LinearGenerator, rows: int, count: int) -> NDArray[np.int64]:
    """Return `count` row numbers below `rows`, drawn with replacement: the high part of word·rows.

    Example:
        >>> row_indices(Xorshift32(1), rows=10, count=3).tolist()
        [0, 0, 6]
    """
    rows = whole_number("rows", rows, 1, 1 << 31)
    return (generator.words(count) * rows) >> WORD_BITS


def _apply(tables: Sequence[Sequence[int]], state: int) -> int:
    """Return a linear map of a state, from its byte tables."""
    result = 0
    for table in tables:
        result ^= table[state & 255]
        state >>= 8
    return result


@lru_cache(maxsize=4096)
def _byte_tables(columns: tuple[int, ...], power: int) -> tuple[list[int], ...]:
    """Return a linear map applied 2^power times as tables: what each value of each byte of a state becomes."""
    if power:
        half = _byte_tables(columns, power - 1)
        columns = tuple(_apply(half, _apply(half, 1 << bit)) for bit in range(len(columns)))
    tables = []
    for first in range(0, len(columns), 8):
        table = [0]
        for column in columns[first : first + 8]:
            table += [value ^ column for value in table]
        tables.append(table)
    return tuple(tables)


@lru_cache(maxsize=64)
def _tables(columns: tuple[int, ...]) -> NDArray[np.uint64]:
    parts = _byte_tables(columns, 0)
    tables = np.zeros((len(parts), 256), np.uint64)
    for byte, values in enumerate(parts):
        tables[byte, : len(values)] = values
    tables.flags.writeable = False
    return tables
