"""What the host computes in float64 for the engine: sums in a fixed order, scales and scale registers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.quantize import INTERMEDIATE_BITS

Floats = NDArray[np.float64]


def row_products(rows: Floats, vector: Floats) -> Floats:
    """Return rows @ vector, shape (N,), summed from the first column to the last whatever the machine.

    Example:
        >>> row_products(np.eye(2), np.array([3.0, 4.0]))
        array([3., 4.])
    """
    from sim.kernels import host

    result: Floats = host.row_products(rows, vector)
    return result


def weighted_sum(rows: Floats, weights: Floats) -> Floats:
    """Return weights @ rows, shape (d,), summed from the first row to the last whatever the machine.

    Example:
        >>> weighted_sum(np.eye(2), np.array([3.0, 4.0]))
        array([3., 4.])
    """
    from sim.kernels import host

    result: Floats = host.weighted_sum(rows, weights)
    return result


def total(values: Floats) -> float:
    """Return the sum of values, exactly rounded; infinite where one is, or where it is past all float64 numbers.

    Example:
        >>> total(np.array([1e16, 1.0, -1e16]))
        1.0
    """
    try:
        return math.fsum(values) if np.isfinite(values).all() else math.inf
    except OverflowError:
        return math.inf


def sum_of_squares(vector: Floats) -> float:
    """Return ‖vector‖², exactly rounded; infinite where it is past all float64 numbers or something is not finite.

    Example:
        >>> sum_of_squares(np.array([3.0, 4.0]))
        25.0
    """
    with np.errstate(over="ignore"):
        return total(np.square(vector))


def norm(vector: Floats) -> float:
    """Return ‖vector‖ from an exactly rounded sum of squares.

    Example:
        >>> norm(np.array([3.0, 4.0]))
        5.0
    """
    return math.sqrt(sum_of_squares(vector))


def scale_register(value: float, bits: int, name: str = "scale") -> tuple[int, int]:
    """Return (m, S) with m·2^−S nearest to `value`: m an unsigned register of `bits` bits, normalised.

    Args:
        value: a non-negative factor.
        bits: width of the register.
        name: what the factor is, for the error.

    Returns:
        The multiplier and the shift, 0 to 62. A factor too small for a normalised multiplier keeps the largest shift.

    Raises:
        InputError: if the factor needs a left shift, is not finite, or is so small that m would be 0.

    Example:
        >>> scale_register(0.3, 8)
        (154, 9)
    """
    if value == 0.0:
        return 0, 0
    largest = math.ldexp(1.0, bits) - 1
    smallest = math.ldexp(1.0, -INTERMEDIATE_BITS)
    if not smallest <= value <= largest:
        raise InputError(
            f"{name}: got {value}; allowed: {smallest} to {largest}, which a register of {bits} bits holds"
        )
    exponent = math.frexp(value)[1]  # 2^(exponent − 1) ≤ value < 2^exponent
    shift = min(bits - exponent, INTERMEDIATE_BITS)
    multiplier = round(math.ldexp(value, shift))
    if multiplier == 1 << bits:
        multiplier, shift = multiplier >> 1, shift - 1
    return multiplier, max(shift, 0)
