"""Stochastic quantization of data: every value becomes one of the two levels around it, at random, without bias.

Samples are drawn as packed rows (`sim.rows`): the level below once, and a random bit a sample. Two independent samples
of a row make an unbiased gradient of a quadratic loss, which one sample used twice does not
(`algorithms.zipml.estimators`). Source: H. Zhang et al., ZipML, arXiv 1611.05402.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from algorithms.curves import Floats
from algorithms.problems import finite, real_rows
from algorithms.zipml.levels import Method, column_levels
from sim.errors import InputError, whole_number
from sim.formats import QFormat
from sim.packed_rows import PackedRows
from sim.quantize import mode_of
from sim.random_bits import WORD_BITS, RandomSource, Role, Xorshift32, generator_seed
from sim.row_formats import Base, RowFormat

Words = NDArray[np.int64]
BLOCK = 1 << 20
"""Values whose random words are drawn together."""
LARGEST_EXPONENT = 400
"""Bound on the magnitude of what is sampled, 2^±400: so that variances are neither past float64 nor lost."""


class LargestLevel(StrEnum):
    """What the largest of evenly spaced levels is."""

    ALL = "all"
    """The largest magnitude of all values: data words of one scale, as the engine has them."""
    COLUMN = "column"
    """The largest magnitude of each column, shared by all rows."""
    ROW = "row"
    """The largest magnitude of each row."""


class HostWords:
    """Random words of one of the host's generators of a run; generator 0 belongs to the choice of iterates.

    Args:
        seed: the run's seed.
        number: number of the generator: 1 for rows, 2 for models, 3 for gradients.

    Example:
        >>> words, bits = HostWords(0, 1).take(3)
        >>> words.shape, bits
        ((3,), 32)
    """

    bits = WORD_BITS

    def __init__(self, seed: int, number: int) -> None:
        self.generator = Xorshift32(generator_seed(seed, Role.HOST, number))

    def take(self, count: int) -> tuple[Words, int]:
        """Return the next `count` words, and the bits of each."""
        return self.generator.words(count), self.bits


def rounds_up(fractions: Floats, words: Words, bits: int) -> NDArray[np.bool_]:
    """Return which fractions round up: those of at least (2^bits − word)·2^−bits, compared exactly.

    Over all words a fraction that is a multiple of 2^−bits goes up exactly as often as it says.

    Example:
        >>> int(rounds_up(np.full(4, 0.25), np.arange(4), 2).sum())
        1
    """
    up: NDArray[np.bool_] = np.ldexp(fractions, bits) >= (1 << bits) - words
    return up


def quantized_vector(values: ArrayLike, intervals: int, random: RandomSource, *, bucket: int = 0) -> Floats:
    """Return a vector stochastically rounded to sign and levels 0, 1/s, …, 1 of the Euclidean norm of each bucket.

    The form of QSGD (D. Alistarh et al., arXiv 1610.02132), for gradients and models.

    Args:
        values: real, shape (n,).
        intervals: s, levels above 0.
        random: random words, one a value.
        bucket: values that share a norm; 0: all.

    Raises:
        InputError: for values that are not finite, or a norm past float64.

    Example:
        >>> from sim.random_bits import RandomWords
        >>> quantized_vector([3.0, 4.0], 1, RandomWords([0, 7], 3))
        array([0., 5.])
    """
    vector = finite("values", values)
    if vector.ndim != 1:
        raise InputError(f"values: got shape {vector.shape}; allowed: (n,)")
    intervals = whole_number("intervals", intervals, 1, 1 << 20)
    bucket = whole_number("bucket", bucket, 0, 1 << 31) or len(vector)
    words, bits = random.take(len(vector))
    out = np.zeros_like(vector)
    for start in range(0, len(vector), bucket):
        part = slice(start, start + bucket)
        with np.errstate(over="ignore"):
            norm = float(np.sqrt(np.square(vector[part]).sum()))
        if norm == np.inf:
            raise InputError("values: got a norm past float64; allowed: values whose squares it holds")
        if norm > 0.0:
            size = np.minimum(np.abs(vector[part]) / norm, 1.0) * intervals
            level = np.minimum(np.floor(size), intervals - 1)
            up = rounds_up(size - level, words[part], bits)
            out[part] = norm * np.sign(vector[part]) * (level + up) / intervals
    return out


def _largest(rows: Floats, axis: int | None = None) -> Floats:
    """Return the largest magnitudes along an axis, or of all rows, in as many dimensions."""
    largest: Floats = np.abs(rows).max(axis=axis, keepdims=True)
    low, high = 2.0**-LARGEST_EXPONENT, 2.0**LARGEST_EXPONENT
    for bad in largest[(largest > high) | ((largest > 0.0) & (largest < low))][:1]:
        raise InputError(f"features: got {bad} as largest magnitude; allowed: 0, or {low:.2g} to {high:.2g}")
    return largest


@dataclass(frozen=True, eq=False)
class Sampler:
    """Rows prepared for drawing: of every value the level below, and how far it is on the way to the next.

    Attributes:
        fmt: how samples are packed.
        below: code of the level below, shape (N, d).
        fractions: way to the next level, 0 to 1, shape (N, d).
        step: worth of a code, or of a data word where there is a level table; broadcasts to (N, d).
        table: data words by code, shape (d, levels); empty where codes are data words.

    Example:
        >>> sampler = Sampler.uniform([[0.5, -1.0], [0.125, 0.0]], bits=4)
        >>> sampler.step.item(), sampler.fractions.tolist()
        (0.25, [[0.0, 0.0], [0.5, 0.0]])
        >>> sampler.draw(HostWords(seed=0, number=1)).values(0).tolist()
        [[0.5, -1.0], [0.0, 0.0]]
    """

    fmt: RowFormat
    below: NDArray[np.int16]
    fractions: Floats
    step: Floats
    table: Words

    @classmethod
    def uniform(
        cls,
        features: ArrayLike,
        bits: int,
        *,
        scaling: LargestLevel | str = LargestLevel.ALL,
        signed: bool = True,
        samples: int = 2,
        base: Base | str = Base.SHARED,
        lanes: int = 16,
    ) -> Sampler:
        """Return a sampler with evenly spaced levels, symmetric around 0 if signed, from 0 up if not.

        With a shared base of b bits a sample there are s = 2^(b−2) levels on each side of 0, or 2^(b−1) above it.

        Args:
            features: rows, shape (N, d).
            bits: bits read for a sample, 1 to 8; at least 2 if signed.
            scaling: what the largest level is. What is all zeros gets the scale 1 and codes of 0.
            signed: whether levels are on both sides of 0; else no value may be negative.
            samples: samples of a value, k.
            base: how they are stored.
            lanes: columns a beat.

        Raises:
            InputError: for features that are not finite, whose largest magnitude is neither 0 nor within 2^±400, or
                negative ones without sign.
        """
        rows = real_rows("features", features)
        fmt = RowFormat(bits=bits, samples=samples, base=mode_of(Base, "base", base), signed=signed, lanes=lanes)
        if not signed and (rows < 0).any():
            raise InputError(f"features: got {rows.min()}; allowed: no negative numbers with unsigned samples")
        axes = {LargestLevel.ALL: None, LargestLevel.COLUMN: 0, LargestLevel.ROW: 1}
        largest = _largest(rows, axes[mode_of(LargestLevel, "scaling", scaling)])
        step = np.where(largest > 0.0, largest, 1.0) / fmt.high
        position = np.clip(rows / step, -fmt.high, fmt.high)
        below = np.clip(np.floor(position), fmt.low, fmt.high - 1)
        return cls(fmt, below.astype(np.int16), position - below, step, np.zeros((0, 0), np.int64))

    @classmethod
    def with_levels(
        cls,
        features: ArrayLike,
        bits: int,
        words: QFormat,
        *,
        method: Method | str = Method.DIVIDE,
        samples: int = 2,
        lanes: int = 16,
    ) -> Sampler:
        """Return a sampler with levels for each column, rounded to data words, which a level table holds.

        Args:
            features: rows, shape (N, d).
            bits: bits read for a sample: 2^(bits − 1) intervals between levels.
            words: format of the data words; the largest magnitude of all features becomes its largest word.
            method: how levels are chosen, all but greedy merging, which takes more of them.
            samples: samples of a value, k.
            lanes: columns a beat.

        Raises:
            InputError: for features that are not finite, or whose largest magnitude is neither 0 nor within 2^±400.
        """
        rows = real_rows("features", features)
        if not isinstance(words, QFormat):
            raise InputError(f"words: got {words!r}; allowed: a QFormat, that of the data words")
        method = mode_of(Method, "method", method)
        if method is Method.GREEDY:
            raise InputError("method: got 'greedy', which takes up to 4k intervals; allowed: another one")
        fmt = RowFormat(bits=bits, samples=samples, lanes=lanes)
        largest = float(_largest(rows).item())
        step = (largest or 1.0) / words.high
        position = rows / step
        table = np.zeros((rows.shape[1], fmt.levels), np.int64)
        below, fractions = np.zeros(rows.shape, np.int16), np.zeros(rows.shape)
        for j, levels in enumerate(column_levels(position, fmt.levels - 1, method)):
            ends = np.concatenate(([np.floor(levels[0])], np.rint(levels[1:-1]), [np.ceil(levels[-1])]))
            rising = np.unique(np.clip(ends, -words.high, words.high))
            table[j] = np.append(rising, np.full(fmt.levels - len(rising), rising[-1]))
            if len(rising) > 1:
                column = np.clip(position[:, j], rising[0], rising[-1])
                place = np.clip(np.searchsorted(rising, column, "right") - 1, 0, len(rising) - 2)
                below[:, j] = place
                fractions[:, j] = (column - rising[place]) / (rising[place + 1] - rising[place])
        return cls(fmt, below, fractions, np.full((1, 1), step), table)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.below.shape[0], self.below.shape[1]

    def draw(self, random: RandomSource) -> PackedRows:
        """Return fresh samples of all rows, packed; sample k of a block of rows takes its words before sample k + 1.

        Args:
            random: random words, k for every value.
        """
        count, columns = self.shape
        size = max(1, BLOCK // columns)
        parts = []
        for start in range(0, count, size):
            block = slice(start, start + size)
            below, fractions = self.below[block], self.fractions[block]
            words, bits = random.take(self.fmt.samples * below.size)
            ups = rounds_up(fractions[None], words.reshape(self.fmt.samples, *below.shape), bits)
            parts.append(PackedRows.pack(below[None] + ups, self.fmt).data)
        return PackedRows(self.fmt, columns, np.concatenate(parts), self.table, scale=self.step)

    def nearest(self) -> Floats:
        """Return the rows rounded to the nearest levels, as real numbers, shape (N, d): ties go up."""
        codes = self.below + (self.fractions >= 0.5)
        return self.values(PackedRows.pack(codes[None], self.fmt.replace(samples=1), self.table).dot)

    def values(self, words: NDArray[np.integer]) -> Floats:
        """Return decoded rows as real numbers, shape (N, d)."""
        values: Floats = words * self.step
        return values

    def variances(self) -> Floats:
        """Return the variance of every value's sample, φ(1 − φ) times the square of its interval, shape (N, d)."""
        gap = np.ones((1, 1), np.int64)
        if self.table.size:
            column = np.arange(self.shape[1])[None, :]
            gap = self.table[column, self.below + 1] - self.table[column, self.below]
        spread: Floats = self.fractions * (1.0 - self.fractions) * np.square(gap * self.step)
        return spread

    def noise(self) -> float:
        """Return the mean variance of a sample in units of the mean square of the values; 0 where all are 0."""
        mean: Any = self.below + self.fractions
        if self.table.size:
            column = np.arange(self.shape[1])[None, :]
            low, high = self.table[column, self.below], self.table[column, self.below + 1]
            mean = low + self.fractions * (high - low)
        square = float(np.mean((mean * self.step) ** 2))
        return float(self.variances().mean()) / square if square > 0.0 else 0.0

    def widths(self) -> Floats:
        """Return the largest interval of each column, shape (d,)."""
        gaps = np.diff(self.table, axis=1).max(axis=1) if self.table.size else np.ones(1)
        widths = np.broadcast_to(gaps * self.step.max(axis=0), (self.shape[1],))
        return np.ascontiguousarray(widths, np.float64)
