"""The arithmetic, defined once on plain integers: what every kernel and every circuit must equal.

Only integer operators and `select` are used, so the same source runs on Python integers and on SMT bit-vectors wide
enough not to wrap (register their `if` with `select_other.register(type_of_a_condition, if_function)`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

from sim.modes import Overflow, Rounding


def select(condition: Any, yes: Any, no: Any) -> Any:
    """Return `yes` where the condition holds, else `no`."""
    if isinstance(condition, bool):  # dispatch takes longer than all the rest of a cast
        return yes if condition else no
    return select_other(condition, yes, no)


@singledispatch
def select_other(condition: Any, yes: Any, no: Any) -> Any:
    """Return `yes` where a condition of another type than bool holds, else `no`."""
    return yes if condition else no


def round_shift(
    value: Any, cut: int, rounding: Rounding, word: Any = 0, random_bits: int = 0, centered: bool = True
) -> Any:
    """Return value·2^−cut rounded to an integer, unbounded.

    Args:
        value: an integer.
        cut: bits to drop; negative or zero is an exact left shift.
        rounding: the mode.
        word: for the stochastic modes, an unsigned random word of `random_bits` bits.
        random_bits: width of `word`, r.
        centered: for STOCHASTIC with r < cut, add half a step of the word, which removes the mean drift.

    Example:
        >>> [round_shift(-5, 2, Rounding.STOCHASTIC, word, 2) for word in range(4)]
        [-2, -1, -1, -1]
    """
    if cut <= 0:
        shifted = value << -cut
        return shifted | 1 if rounding is Rounding.JAM else shifted
    floor = value >> cut
    rest = value - (floor << cut)  # 0 … 2^cut − 1
    half = 1 << (cut - 1)
    odd = floor & 1
    negative = select(value < 0, 1, 0)
    inexact = select(rest > 0, 1, 0)

    match rounding:
        case Rounding.TO_NEG:
            up = 0
        case Rounding.TO_POS:
            up = inexact
        case Rounding.TO_ZERO:
            up = inexact & negative
        case Rounding.TO_AWAY:
            up = inexact & (1 - negative)
        case Rounding.TIES_EVEN:
            up = _nearest(rest, half, tie=odd)
        case Rounding.TIES_ODD:
            up = _nearest(rest, half, tie=1 - odd)
        case Rounding.TIES_AWAY:
            up = _nearest(rest, half, tie=1 - negative)
        case Rounding.TIES_ZERO:
            up = _nearest(rest, half, tie=negative)
        case Rounding.TIES_POS:
            up = _nearest(rest, half, tie=1)
        case Rounding.TIES_NEG:
            up = _nearest(rest, half, tie=0)
        case Rounding.TRN_MAG:
            up = negative
        case Rounding.JAM:
            up = 1 - odd
        case Rounding.JAM_UNBIASED:
            up = inexact & (1 - odd)
        case Rounding.STOCHASTIC_EQUAL:
            up = inexact & (word >> (random_bits - 1))
        case Rounding.STOCHASTIC:
            if random_bits >= cut:
                return (value + (word >> (random_bits - cut))) >> cut
            step = cut - random_bits
            return (value + (word << step) + (1 << (step - 1) if centered else 0)) >> cut
    return floor + up


def _nearest(rest: Any, half: int, tie: Any) -> Any:
    """Return 1 if the discarded field `rest` rounds up, `tie` if it is exactly half."""
    return select(rest > half, 1, select(rest < half, 0, tie))


def limits(width: int, signed: bool, overflow: Overflow) -> tuple[int, int]:
    """Return the smallest and largest value that the overflow mode leaves as it is."""
    if not signed:
        return 0, (1 << width) - 1
    high = (1 << (width - 1)) - 1
    return (-high if overflow is Overflow.SAT_SYM else -high - 1), high


def apply_overflow(value: Any, width: int, signed: bool, overflow: Overflow) -> Any:
    """Return `value` brought into a format of `width` bits; it overflowed if and only if the result differs.

    ERROR saturates here; whoever sees the difference raises.

    Example:
        >>> [apply_overflow(200, 8, True, mode) for mode in (Overflow.WRAP, Overflow.SAT)]
        [-56, 127]
    """
    low, high = limits(width, signed, overflow)
    if overflow is Overflow.WRAP:
        return ((value - low) & ((1 << width) - 1)) + low
    return select(value > high, high, select(value < low, low, value))


def cast(
    value: Any,
    cut: int,
    width: int,
    signed: bool,
    rounding: Rounding,
    overflow: Overflow,
    word: Any = 0,
    random_bits: int = 0,
    centered: bool = True,
) -> Any:
    """Return `value` rounded by `cut` bits, then brought into `width` bits: first round, then overflow.

    Example:
        >>> cast(511, 2, 8, True, Rounding.TIES_EVEN, Overflow.SAT)
        127
    """
    rounded = round_shift(value, cut, rounding, word, random_bits, centered)
    return apply_overflow(rounded, width, signed, overflow)


def exact_sum(total: Any, products: Sequence[Any], exponent: int = 0) -> Any:
    """Return the accumulator after one beat and before overflow: the products' exact sum, shifted, added."""
    beat = products[0]
    for product in products[1:]:
        beat = beat + product
    return total + (beat << exponent)


def accumulate(total: Any, products: Sequence[Any], width: int, overflow: Overflow, exponent: int = 0) -> Any:
    """Return the accumulator after one beat: overflow is applied once, to the exact sum.

    Example:
        >>> accumulate(120, [10, -4], 8, Overflow.SAT)
        126
    """
    return apply_overflow(exact_sum(total, products, exponent), width, True, overflow)
