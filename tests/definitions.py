"""What the arithmetic means, in fractions: the oracle of the tests.

Written from the definitions, never from `sim.reference`: it sees the real value and no bits.
"""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, trunc

from sim.modes import Overflow, Rounding


def nearest(rank: Callable[[int], int]) -> Callable[[Fraction], int]:
    """Round to the closest integer; of two equally close ones to that of the higher rank."""
    return lambda value: max(floor(value), ceil(value), key=lambda near: (-abs(value - near), rank(near)))


DETERMINISTIC: dict[Rounding, Callable[[Fraction], int]] = {
    Rounding.TO_NEG: floor,
    Rounding.TO_POS: ceil,
    Rounding.TO_ZERO: trunc,
    Rounding.TO_AWAY: lambda value: floor(value) if value < 0 else ceil(value),
    Rounding.TIES_EVEN: nearest(lambda near: near % 2 == 0),
    Rounding.TIES_ODD: nearest(lambda near: near % 2 == 1),
    Rounding.TIES_AWAY: nearest(abs),
    Rounding.TIES_ZERO: nearest(lambda near: -abs(near)),
    Rounding.TIES_POS: nearest(lambda near: near),
    Rounding.TIES_NEG: nearest(lambda near: -near),
    Rounding.TRN_MAG: lambda value: floor(value) + (value < 0),
    Rounding.JAM: lambda value: floor(value) | 1,
    Rounding.JAM_UNBIASED: lambda value: floor(value) if value.denominator == 1 else floor(value) | 1,
}
"""For each mode without random bits, the integer that a real value becomes."""

CIRCUIT_OVERFLOWS = (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)
"""The overflow modes that a circuit has: all but ERROR."""


def rounded(value: Fraction, rounding: Rounding, word: int = 0, bits: int = 0) -> int:
    """Round a real value to an integer, with a random word of `bits` bits where the mode takes one."""
    down = floor(value)
    if rounding is Rounding.STOCHASTIC:
        return down + (value - down >= Fraction(2**bits - word, 2**bits))
    if rounding is Rounding.STOCHASTIC_EQUAL:
        return down + (value != down and word >= 2 ** (bits - 1))
    return DETERMINISTIC[rounding](value)


def cut_off(raw: int, cut: int, rounding: Rounding, word: int = 0, bits: int = 0, centered: bool = True) -> int:
    """Round raw·2^−cut to an integer; no mode but JAM acts where nothing is cut."""
    value = raw / Fraction(2) ** cut
    if cut <= 0 and rounding is not Rounding.JAM:
        return int(value)
    if rounding is Rounding.STOCHASTIC and centered and bits < cut:
        return rounded(value, rounding, 2 * word + 1, bits + 1)  # half a step of the word
    return rounded(value, rounding, word, bits)


def fitted(value: int, width: int, signed: bool, overflow: Overflow) -> int:
    """Bring an integer into a format: the congruent code, or the nearest one."""
    codes = 2**width
    low, high = (-codes // 2, codes // 2 - 1) if signed else (0, codes - 1)
    if overflow is Overflow.WRAP:
        code = value % codes
        return code if code <= high else code - codes
    if overflow is Overflow.SAT_SYM and signed:
        low = -high
    return low if value < low else min(value, high)
