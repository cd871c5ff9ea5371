"""Casts: every rounding mode as the addition of a few numbers below the cut, every overflow mode as clip and wrap.

With f = floor(x / 2^cut), field = x − f·2^cut, odd = last bit of f, negative = sign bit of x, and a random word w:

    rounded = f + ((field + base + parity·odd + sign·negative + (w >> right)·scale) >> cut)

A mode is the row (base, parity, sign, right, scale); `rounding_row` has the table. This is the carry-in form that
hardware uses; `sim.reference` is written from the definitions instead, and tests hold the two equal.

`round_shift` and `apply_overflow` take numbers or vectors (`sim.kernels.vectors`), and rows of two kinds: those of any
mode, and the short ones of the modes that most datapaths have, which take a third of the instructions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from sim.kernels import kernel
from sim.modes import Overflow, Rounding
from sim.reference import limits

NO_LIMIT = (1 << 63) - 1
STREAMS = 8
"""Places of an array that `quantize_nearest` reads in turn."""


class CarryRow(NamedTuple):
    """A rounding whose carry hangs on no bit of the value: floor((x + base + (word >> right << up)) / 2^cut)."""

    cut: int
    base: int
    right: int
    up: int


class ClipRow(NamedTuple):
    """A saturation: clip to low…high."""

    low: int
    high: int


class RoundingRow(NamedTuple):
    """A rounding at a given cut, as numbers."""

    left: int
    cut: int
    base: int
    parity: int
    sign: int
    right: int
    scale: int

    def short(self) -> CarryRow | None:
        """Return the same rounding as a short row; None if it shifts left, or parity, sign or one bit decide."""
        up = max(self.scale.bit_length() - 1, 0)
        if self.left or self.parity or self.sign or self.scale not in (0, 1 << up):
            return None
        return CarryRow(self.cut, self.base, self.right if self.scale else 63, up)


class OverflowRow(NamedTuple):
    """An overflow mode of a given format, as numbers: clip to low…high, then keep the bits of `mask` above `origin`."""

    low: int
    high: int
    origin: int
    mask: int

    def short(self) -> ClipRow | None:
        """Return the same overflow as a short row; None if it wraps."""
        return ClipRow(self.low, self.high) if self.high - self.origin <= self.mask else None


def rounding_row(rounding: Rounding, cut: int, random_bits: int = 0, centered: bool = True) -> RoundingRow:
    """Return the numbers of a mode that cuts `cut` bits (a left shift if negative)."""
    left, cut = max(-cut, 0), max(cut, 0)
    if cut == 0:
        jam = rounding is Rounding.JAM
        return RoundingRow(left, 0, int(jam), -int(jam), 0, 0, 0)
    one, ones, half = 1 << cut, (1 << cut) - 1, 1 << (cut - 1)
    if rounding is Rounding.STOCHASTIC:
        missing = cut - random_bits
        center = 1 << (missing - 1) if missing > 0 and centered else 0
        return RoundingRow(0, cut, center, 0, 0, max(-missing, 0), 1 << max(missing, 0))
    if rounding is Rounding.STOCHASTIC_EQUAL:
        return RoundingRow(0, cut, 0, 0, 0, random_bits - 1, ones)
    base, parity, sign = {
        Rounding.TO_NEG: (0, 0, 0),
        Rounding.TO_POS: (ones, 0, 0),
        Rounding.TO_ZERO: (0, 0, ones),
        Rounding.TO_AWAY: (ones, 0, -ones),
        Rounding.TIES_EVEN: (half - 1, 1, 0),
        Rounding.TIES_ODD: (half, -1, 0),
        Rounding.TIES_AWAY: (half, 0, -1),
        Rounding.TIES_ZERO: (half - 1, 0, 1),
        Rounding.TIES_POS: (half, 0, 0),
        Rounding.TIES_NEG: (half - 1, 0, 0),
        Rounding.TRN_MAG: (0, 0, one),
        Rounding.JAM: (one, -one, 0),
        Rounding.JAM_UNBIASED: (ones, -ones, 0),
    }[rounding]
    return RoundingRow(0, cut, base, parity, sign, 0, 0)


def overflow_row(width: int, signed: bool, overflow: Overflow) -> OverflowRow:
    """Return the numbers of an overflow mode."""
    low, high = limits(width, signed, overflow)
    mask = (1 << width) - 1
    if overflow is Overflow.WRAP:
        return OverflowRow(-NO_LIMIT - 1, NO_LIMIT, low, mask)
    return OverflowRow(low, high, -(1 << (width - 1)) if signed else 0, mask)


def round_shift(x: Any, word: Any, row: Any) -> Any:
    """Return x·2^−cut rounded by the mode of `row`; in kernels, which get the code for the kind of row below."""
    raise TypeError("round_shift: got a call from Python; allowed: from a kernel (sim.reference is for Python)")


def apply_overflow(x: Any, row: Any) -> Any:
    """Return x brought into the format of `row`; in kernels, which get the code for the kind of row below."""
    raise TypeError("apply_overflow: got a call from Python; allowed: from a kernel (sim.reference is for Python)")


@overload(round_shift)
def _round_shift(x: Any, word: Any, row: Any) -> Any:
    def of_any_mode(x: Any, word: Any, row: Any) -> Any:
        left, cut, base, parity, sign, right, scale = row
        x = x << left
        f = x >> cut
        field = x - (f << cut)
        return f + ((field + base + parity * (f & 1) + sign * ((x >> 63) & 1) + (word >> right) * scale) >> cut)

    def of_a_short_row(x: Any, word: Any, row: Any) -> Any:
        cut, base, right, up = row
        return (x + base + ((word >> right) << up)) >> cut

    return of_a_short_row if row.instance_class is CarryRow else of_any_mode


@overload(apply_overflow)
def _apply_overflow(x: Any, row: Any) -> Any:
    def of_any_mode(x: Any, row: Any) -> Any:
        low, high, origin, mask = row
        return ((min(max(x, low), high) - origin) & mask) + origin

    def of_a_short_row(x: Any, row: Any) -> Any:
        return min(max(x, row.low), row.high)

    return of_a_short_row if row.instance_class is ClipRow else of_any_mode


@kernel
def cast_array(values: Any, words: Any, rounding: Any, overflow: Any, out: Any) -> Any:
    """Cast `values` into `out`; return (overflows, first overflow, smallest, largest). One word, or one a value."""
    stride = 1 if words.shape[0] > 1 else 0
    overflows, first, smallest, largest = 0, -1, np.int64(NO_LIMIT), np.int64(-NO_LIMIT)
    for i in range(values.shape[0]):
        rounded = round_shift(values[i], words[i * stride], rounding)
        result = apply_overflow(rounded, overflow)
        if result != rounded:
            first = i if overflows == 0 else first
            overflows += 1
        smallest = min(smallest, result)
        largest = max(largest, result)
        out[i] = result
    return overflows, first, smallest, largest


@kernel
def _nearest(value: Any, factor: Any, low: Any, high: Any) -> Any:
    """Return value·factor rounded and clipped, whether clipping changed it, and whether the value is not finite."""
    rounded = np.rint(value * factor)
    clipped = min(max(rounded, low), high)
    return np.int64(clipped), clipped != rounded, not (abs(value) < np.inf)


@kernel
def quantize_nearest(values: Any, factor: Any, low: Any, high: Any, out: Any) -> Any:
    """Quantize values·factor to the nearest integer, ties to even, clipped; return (overflows, not finite).

    The fast path of `quantize_array`: low and high are exact float64 numbers. The array is read at several places in
    turn, since one place alone leaves the memory waiting at every page.
    """
    overflows, bad = 0, 0
    length = values.shape[0] // STREAMS
    whole = length * STREAMS
    parts, results = values[:whole].reshape(STREAMS, length), out[:whole].reshape(STREAMS, length)
    for i in range(length):
        for stream in range(STREAMS):
            results[stream, i], over, odd = _nearest(parts[stream, i], factor, low, high)
            overflows += over
            bad += odd
    for i in range(whole, values.shape[0]):
        out[i], over, odd = _nearest(values[i], factor, low, high)
        overflows += over
        bad += odd
    return overflows, bad


@kernel
def _quantize(
    value: Any,
    word: Any,
    divisor: Any,
    exact: Any,
    up: Any,
    sticky: Any,
    rounding: Any,
    overflow: Any,
    period: Any,
) -> Any:
    """Return value/divisor as a raw integer, whether it overflowed, and whether the value is not finite.

    `up` is 2^guard. No value takes a branch of its own, so that loops over this become vector code.
    """
    _, cut, base, parity, sign, right, scale = rounding
    limit = 2.0**62
    finite = abs(value) < np.inf
    v = value / divisor if finite else 0.0
    if exact:  # a quotient that underflowed rounds as all tiny numbers do
        v = np.copysign(1e-300, value) if v == 0.0 and value != 0.0 else v
    negative, far = v < 0.0, abs(v) >= limit
    if period > 0.0:  # past 2^1000 a multiple of any period, even where the quotient overflowed
        turns = min(max(v, -(2.0**1000)), 2.0**1000) / period
        v = (turns - np.floor(turns)) * period if far else v
    else:
        v = min(max(v, -limit), limit)
    scaled = np.floor(v * up)
    whole = np.floor(scaled / up)
    field = np.int64(scaled - whole * up)
    if sticky:
        field = 2 * field + (scaled != v * up)
    f = np.int64(whole)
    rounded = f + ((field + base + parity * (f & 1) + sign * negative + (word >> right) * scale) >> cut)
    result = apply_overflow(rounded, overflow)
    return result, far or result != rounded, not finite


@kernel
def quantize_array(
    values: Any,
    divisor: Any,
    exact: Any,
    words: Any,
    guard: Any,
    sticky: Any,
    rounding: Any,
    overflow: Any,
    period: Any,
    out: Any,
) -> Any:
    """Quantize values/divisor by any mode; return (overflows, first overflow if there is one, not finite).

    `exact` asks for the real quotient (the divisor is a power of two), not for the float64 one. It is cut exactly to
    `guard` bits below the point, plus one sticky bit if `sticky`, and rounded as an integer field. Quotients past 2^62
    are clipped there, or reduced by `period` (2^width) where overflow wraps. One word, or one a value.
    """
    count = values.shape[0]
    overflows, first, bad, only = 0, count, 0, words[0]
    mode = (divisor, exact, 2.0**guard, sticky, rounding, overflow, period)
    if words.shape[0] > 1:  # two loops: read as an array, a lone word would count as one that `out` may overlap
        for i in range(count):
            out[i], over, odd = _quantize(values[i], words[i], *mode)
            first = min(first, i if over else count)
            overflows += over
            bad += odd
    else:
        for i in range(count):
            out[i], over, odd = _quantize(values[i], only, *mode)
            first = min(first, i if over else count)
            overflows += over
            bad += odd
    return overflows, first, bad
