"""From reals to raw values and back, and casts between formats."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.errors import InputError, integer_array, whole_number
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.random_bits import WORD_BITS, LinearGenerator, RandomSource
from sim.reference import limits
from sim.statistics import Statistics

INTERMEDIATE_BITS = 62
"""Kernels compute in 64-bit integers and refuse what could need more bits than this."""

_NO_WORDS = np.zeros(1, np.int64)

Mode = TypeVar("Mode", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Requantizer:
    """A circuit that brings exact integers into a format: rounds, then applies overflow.

    Args:
        format: the format of the results.
        rounding: what happens to the bits cut off.
        overflow: what happens past the ends of the format.
        random_bits: random bits a value, r: 1 to 32 for stochastic modes, 0 for all others.
        centered: for STOCHASTIC with r below the bits cut, add half a step of the random word.

    Raises:
        InputError: if the random bits do not match the mode.

    Example:
        >>> narrow = Requantizer(QFormat(8, 4), Rounding.TIES_EVEN, Overflow.SAT)
        >>> narrow([40, -24, 5000], QFormat(16, 8))
        array([  2,  -2, 127], dtype=int8)
    """

    format: QFormat
    rounding: Rounding = Rounding.TIES_EVEN
    overflow: Overflow = Overflow.SAT
    random_bits: int = 0
    centered: bool = True

    def __post_init__(self) -> None:
        _a_format("format", self.format)
        object.__setattr__(self, "rounding", mode_of(Rounding, "rounding", self.rounding))
        object.__setattr__(self, "overflow", mode_of(Overflow, "overflow", self.overflow))
        if not isinstance(self.centered, bool):
            raise InputError(f"centered: got {self.centered!r}; allowed: True or False")
        bits = whole_number("random_bits", self.random_bits, 0, WORD_BITS)
        if self.rounding.is_stochastic and bits == 0:
            raise InputError(f"random_bits: got 0; allowed: 1 to {WORD_BITS}, since {self.rounding} needs random bits")
        if not self.rounding.is_stochastic and bits:
            raise InputError(f"random_bits: got {bits}; allowed: 0, since {self.rounding} uses no random bits")

    def __call__(
        self,
        raw: ArrayLike,
        source: QFormat,
        random: RandomSource | LinearGenerator | None = None,
        statistics: Statistics | None = None,
    ) -> NDArray[Any]:
        """Return raw values of `source` cast to this format, in the narrowest dtype that holds it.

        Args:
            raw: integers of any shape.
            source: their format.
            random: for stochastic modes, `RandomWords` or a generator (each value takes one word's low bits).
            statistics: collector of counts.

        Raises:
            InputError: for values outside `source`, missing or superfluous random bits, more than 62 bits inside,
                or under Overflow.ERROR the first value that does not fit.
        """
        _a_format("source", source)
        values = integer_array("raw", raw)
        cut = source.frac - self.format.frac
        refuse_past(f"{source} to {self.format}", max(source.width + max(-cut, 0), cut, self.format.width))
        if int(values.min()) < source.low or int(values.max()) > source.high:
            raise InputError(
                f"raw: got values from {values.min()} to {values.max()}; "
                f"allowed: {source.low} to {source.high} (format {source})"
            )
        words = _words(self.rounding, self.random_bits, random, values.size)
        from sim.kernels import casts

        flat, out = values.reshape(-1), np.empty(values.size, np.int64)
        overflows, first, smallest, largest = casts.cast_array(
            flat,
            words,
            casts.rounding_row(self.rounding, cut, self.random_bits, self.centered),
            casts.overflow_row(self.format.width, self.format.signed, self.overflow),
            out,
        )
        if overflows and self.overflow is Overflow.ERROR:
            _raise_overflow(float(int(flat[first]) * source.step), first, values.shape, self.format, self.format.step)
        _collect(statistics, out, overflows, smallest, largest, self.format, self.overflow)
        return out.reshape(values.shape).astype(self.format.dtype)


def requantize(
    raw: ArrayLike,
    source: QFormat,
    target: QFormat,
    rounding: Rounding = Rounding.TIES_EVEN,
    overflow: Overflow = Overflow.SAT,
    random: RandomSource | LinearGenerator | None = None,
    *,
    centered: bool = True,
    statistics: Statistics | None = None,
) -> NDArray[Any]:
    """Return raw values of `source` cast to `target`: rounded first, then overflow applied.

    Args:
        raw: integers of any shape.
        source: their format.
        target: the format of the results.
        rounding: what happens to the bits cut off.
        overflow: what happens past the ends of `target`.
        random: for stochastic modes, `RandomWords(words, bits)`, or a generator (one 32-bit word a value).
        centered: for STOCHASTIC with fewer random bits than bits cut, remove the mean drift.
        statistics: collector of counts.

    Raises:
        InputError: as `Requantizer`.

    Example:
        >>> from sim.random_bits import RandomWords
        >>> requantize([-5], QFormat(8, 2), QFormat(8, 0), "STOCHASTIC", random=RandomWords([0], 2))
        array([-2], dtype=int8)
    """
    rounding = mode_of(Rounding, "rounding", rounding)
    bits = _random_bits(rounding, random)
    return Requantizer(target, rounding, overflow, bits, centered)(raw, source, random, statistics)


def quantize(
    values: ArrayLike,
    fmt: QFormat,
    rounding: Rounding = Rounding.TIES_EVEN,
    overflow: Overflow = Overflow.SAT,
    scale: float | None = None,
    random: RandomSource | LinearGenerator | None = None,
    *,
    statistics: Statistics | None = None,
) -> NDArray[Any]:
    """Return the raw values of real numbers: one exact rounding of value·2^frac, or of the float64 value/scale.

    Args:
        values: finite reals of any shape, computed with as float64.
        fmt: the format of the results.
        rounding: what happens below the last bit; STOCHASTIC with r bits rounds up if and only if the fraction is
            at least (2^r − word)·2^−r, compared exactly.
        overflow: what happens past the ends.
        scale: worth of one raw step, positive; replaces 2^−frac (the format's frac is then not used).
        random: for stochastic modes, `RandomWords(words, bits)`, or a generator (one 32-bit word a value).
        statistics: collector of counts.

    Returns:
        Raw integers in the narrowest dtype that holds `fmt`, same shape.

    Raises:
        InputError: for NaN or infinite values (naming the index), empty arrays, a scale that is not positive and
            finite, missing or superfluous random bits, or under Overflow.ERROR the first value that does not fit.

    Example:
        >>> quantize([0.3, -0.7, 9.0], QFormat(8, 4))
        array([  5, -11, 127], dtype=int8)
        >>> quantize([1.3], QFormat(4, 0), scale=0.5)
        array([3], dtype=int8)
    """
    _a_format("fmt", fmt)
    rounding, overflow = mode_of(Rounding, "rounding", rounding), mode_of(Overflow, "overflow", overflow)
    array = real_array("values", values)
    refuse_past(f"quantize to {fmt}", fmt.width)
    divisor = 2.0**-fmt.frac if scale is None else positive_real("scale", scale)
    bits = _random_bits(rounding, random)
    words = _words(rounding, bits, random, array.size)
    from sim.kernels import casts

    flat = array.reshape(-1)
    out = np.empty(flat.size, f"i{fmt.dtype.itemsize}")
    row = casts.overflow_row(fmt.width, fmt.signed, overflow)
    first = 0
    if (
        rounding is Rounding.TIES_EVEN
        and overflow in (Overflow.SAT, Overflow.SAT_SYM)
        and not scale
        and fmt.width <= 53
    ):
        overflows, bad = casts.quantize_nearest(flat, 2.0**fmt.frac, float(row.low), float(row.high), out)
    else:
        guard = bits if rounding.is_stochastic else 1
        sticky = rounding is not Rounding.STOCHASTIC
        rule = casts.rounding_row(rounding, guard + sticky, bits)
        period = 2.0**fmt.width if overflow is Overflow.WRAP else 0.0
        exact = scale is None
        overflows, first, bad = casts.quantize_array(flat, divisor, exact, words, guard, sticky, rule, row, period, out)
    if bad:
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise InputError(f"values{list(index)}: got {array[index]}; allowed: finite numbers")
    if overflows and overflow is Overflow.ERROR:
        _raise_overflow(flat[first], first, array.shape, fmt, divisor)
    raw = out.view(fmt.dtype)
    if statistics is not None:
        _collect(statistics, raw, overflows, int(raw.min()), int(raw.max()), fmt, overflow)
    return raw.reshape(array.shape)


def dequantize(raw: ArrayLike, fmt: QFormat, scale: float | None = None) -> NDArray[np.float64]:
    """Return the real values of raw integers as float64 (exact up to 53 bits).

    Args:
        raw: integers of any shape.
        fmt: their format.
        scale: worth of one raw step; replaces 2^−frac.

    Example:
        >>> dequantize([5, -11], QFormat(8, 4))
        array([ 0.3125, -0.6875])
    """
    _a_format("fmt", fmt)
    values = integer_array("raw", raw)
    if int(values.min()) < fmt.low or int(values.max()) > fmt.high:
        raise InputError(f"raw: got values from {values.min()} to {values.max()}; allowed: {fmt.low} to {fmt.high}")
    step = 2.0**-fmt.frac if scale is None else positive_real("scale", scale)
    return values.astype(np.float64) * step


def mode_of(kind: type[Mode], field: str, value: object) -> Mode:
    """Return the member of `kind` that `value` is or names."""
    try:
        return kind(value)  # type: ignore[arg-type]  # any object may come in; the call is the test
    except ValueError:
        raise InputError(f"{field}: got {value!r}; allowed: {', '.join(kind)}") from None


def real_array(field: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return reals as a C-contiguous float64 array; refuse empty arrays and what is no real number."""
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise TypeError
        array = np.asarray(array, np.float64, order="C")
    except (TypeError, ValueError):
        raise InputError(f"{field}: got {type(values).__name__}; allowed: real numbers in a regular array") from None
    if np.ma.isMaskedArray(values):
        raise InputError(f"{field}: got a masked array; allowed: an array without missing values")
    if array.size == 0:
        raise InputError(f"{field}: got an empty array of shape {array.shape}; allowed: at least one value")
    return array


def positive_real(field: str, value: object) -> float:
    """Return `value` as a float if it is positive and finite."""
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = np.inf
        if 0.0 < number < np.inf:
            return number
    raise InputError(f"{field}: got {value!r}; allowed: a positive finite number")


def _a_format(field: str, value: object) -> None:
    if not isinstance(value, QFormat):
        raise InputError(f"{field}: got {value!r}; allowed: a QFormat")


def _random_bits(rounding: Rounding, random: object) -> int:
    """Return r of a random argument: its own bits, or 32 of a generator."""
    if not rounding.is_stochastic:
        return 0
    if random is None:
        raise InputError(f"random: got None; allowed: RandomWords or a generator, since {rounding} needs random bits")
    return WORD_BITS if isinstance(random, LinearGenerator) else int(getattr(random, "bits", WORD_BITS))


def _words(rounding: Rounding, bits: int, random: object, count: int) -> NDArray[np.int64]:
    """Return the random words of `count` values, one each, or a single zero where the mode uses none."""
    if not rounding.is_stochastic:
        if random is not None:
            raise InputError(
                f"random: got {type(random).__name__}; allowed: None, since {rounding} uses no random bits"
            )
        return _NO_WORDS
    if isinstance(random, LinearGenerator):
        return random.words(count) & ((1 << bits) - 1)
    if not (hasattr(random, "take") and hasattr(random, "bits")):
        raise InputError(f"random: got {random!r}; allowed: RandomWords or a generator, since {rounding} needs them")
    words, given = random.take(count)
    if given != bits:
        raise InputError(f"random: got words of {given} bits; allowed: {bits} bits (random_bits of the requantizer)")
    return np.array(words, np.int64)


def refuse_past(name: str, bits: int) -> None:
    """Raise an InputError if an operation needs an intermediate of more than 62 bits."""
    if bits > INTERMEDIATE_BITS:
        raise InputError(f"{name}: an intermediate of {bits} bits; allowed: at most {INTERMEDIATE_BITS} bits")


def _raise_overflow(value: float, flat: int, shape: tuple[int, ...], fmt: QFormat, step: float | Fraction) -> None:
    index = [int(i) for i in np.unravel_index(flat, shape)]
    low, high = float(fmt.low * step), float(fmt.high * step)
    raise InputError(f"value{index}: got {float(value)}; allowed: {low} to {high} ({fmt}, overflow ERROR)")


def _collect(
    statistics: Statistics | None,
    raw: NDArray[Any],
    overflows: int,
    smallest: int,
    largest: int,
    fmt: QFormat,
    overflow: Overflow,
) -> None:
    if statistics is not None:
        low, high = limits(fmt.width, fmt.signed, overflow)
        statistics.add(raw.size, overflows, int((raw == low).sum()), int((raw == high).sum()), smallest, largest)
