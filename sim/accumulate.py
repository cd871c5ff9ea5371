"""Dot products and matrix products through an accumulator of limited width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.errors import InputError, integer_array, whole_number
from sim.formats import QFormat, width_of
from sim.modes import Overflow, Rounding
from sim.quantize import INTERMEDIATE_BITS, Requantizer, mode_of, refuse_past
from sim.reference import limits
from sim.statistics import Statistics

_EXACT_TO: dict[type[np.number[Any]], int] = {np.float32: 1 << 24, np.int32: (1 << 31) - 1, np.float64: 1 << 53}
"""The types that saturating sums are computed in, fastest first, and the magnitude up to which integers are exact."""
_BLOCK_ROWS, _BLOCK_COLUMNS = 64, 512
"""Outputs at a time: as many as stay in the cache."""
_VECTOR = 32
"""Columns are padded to a multiple of this: whole vectors, as compilers unroll them."""


@dataclass(frozen=True, slots=True)
class Accumulator:
    """A signed accumulator that starts at 0 and takes the exact sum of `lanes` products a beat.

    Overflow is applied once at every beat, on the exact sum, in index order. Saturating addition is not associative:
    the order is part of the result.

    Args:
        width: bits, 2 to 61 (the exact sum before overflow takes one more).
        overflow: WRAP, SAT or SAT_SYM; ERROR raises, naming the first output that overflows (no circuit has it).
        lanes: products a beat.
        product: cast applied to every exact product (of raw integers, frac 0) before it is added; None for exact.

    Raises:
        InputError: for other widths or modes, or a stochastic product cast.

    Example:
        >>> narrow = Accumulator(8, Overflow.SAT)
        >>> int(dot([100, 100, -100], [1, 1, 1], narrow))
        27
        >>> int(dot([100, 100, -100], [1, 1, 1], Accumulator(8, Overflow.SAT, lanes=4)))
        100
    """

    width: int
    overflow: Overflow
    lanes: int = 1
    product: Requantizer | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole_number("Accumulator width", self.width, 2, INTERMEDIATE_BITS - 1))
        object.__setattr__(self, "overflow", mode_of(Overflow, "Accumulator overflow", self.overflow))
        object.__setattr__(self, "lanes", whole_number("Accumulator lanes", self.lanes, 1, 1 << 20))
        if self.product is None:
            return
        if not isinstance(self.product, Requantizer):
            raise InputError(f"Accumulator product: got {self.product!r}; allowed: None or a Requantizer")
        if self.product.rounding.is_stochastic:
            raise InputError(
                f"Accumulator product rounding: got {self.product.rounding}; "
                "allowed: a deterministic mode (products have no random bits)"
            )

        if self.product.overflow is Overflow.ERROR:
            raise InputError("Accumulator product overflow: got ERROR; allowed: WRAP, SAT, SAT_SYM")

    @property
    def format(self) -> QFormat:
        """Format of the sum, in units of a product's last bit."""
        return QFormat(self.width, self.product.format.frac if self.product else 0)


def dot(
    a: ArrayLike, b: ArrayLike, accumulator: Accumulator, *, statistics: Statistics | None = None
) -> np.signedinteger[Any]:
    """Return the accumulator after the products of two vectors of raw integers.

    Args:
        a: raw integers, shape (K,).
        b: raw integers, shape (K,).
        accumulator: width, overflow, lanes a beat, product cast.
        statistics: collector of counts (one count a beat).

    Raises:
        InputError: for floats, empty or unequal shapes, an intermediate past 62 bits.

    Example:
        >>> dot([7] * 8, [7] * 8, Accumulator(9, Overflow.SAT))
        np.int16(255)
    """
    left, right = integer_array("a", a, 1), integer_array("b", b, 1)
    if left.shape != right.shape:
        raise InputError(f"a, b: got shapes {left.shape} and {right.shape}; allowed: equal lengths")
    result: np.signedinteger[Any] = matmul(left[None, :], right[:, None], accumulator, statistics=statistics)[0, 0]
    return result


def matmul(
    a: ArrayLike, b: ArrayLike, accumulator: Accumulator, *, statistics: Statistics | None = None
) -> NDArray[Any]:
    """Return the matrix product of raw integers, every output through its own accumulator.

    Two theorems make it fast and change no bit: a sum that wraps at every beat equals the exact sum wrapped once; and
    where the L1 norm of a row of `a` times the largest |b| fits the accumulator, no beat of that row can saturate.
    The beat by beat path serves all other rows, product casts, and requests for statistics.

    Args:
        a: raw integers, shape (M, K).
        b: raw integers, shape (K, N).
        accumulator: width, overflow, lanes a beat, product cast.
        statistics: collector of counts (one count a beat of every output).

    Returns:
        Shape (M, N), in the narrowest integer dtype that holds the accumulator.

    Raises:
        InputError: for floats, empty or mismatched shapes, an intermediate past 62 bits.

    Example:
        >>> matmul([[100, 100, -100]], [[1], [1], [1]], Accumulator(8, Overflow.SAT))
        array([[27]], dtype=int8)
    """
    left, right = integer_array("a", a, 2), integer_array("b", b, 2)
    if left.shape[1] != right.shape[0]:
        raise InputError(f"a, b: got shapes {left.shape} and {right.shape}; allowed: (M, K) and (K, N)")
    if not isinstance(accumulator, Accumulator):
        raise InputError(f"accumulator: got {accumulator!r}; allowed: an Accumulator")
    dtype = accumulator.format.dtype
    largest_a, largest_b = _magnitude(left), _magnitude(right)
    beat = min(accumulator.lanes, left.shape[1]) * largest_a * largest_b
    if accumulator.product is not None:
        cut = -accumulator.product.format.frac
        refuse_past("product", max(cut, width_of(-largest_a * largest_b, largest_a * largest_b) + max(-cut, 0)))
        beat = min(accumulator.lanes, left.shape[1]) * max(
            -accumulator.product.format.low, accumulator.product.format.high
        )
    widest = beat + (1 << (accumulator.width - 1))
    refuse_past("accumulator", width_of(-widest, widest))

    if statistics is not None or accumulator.product is not None or accumulator.overflow is Overflow.ERROR:
        return _beat_by_beat(left, right, accumulator, statistics).astype(dtype)
    if accumulator.overflow is Overflow.WRAP:
        low, high = limits(accumulator.width, True, Overflow.WRAP)
        return (((_exact(left, right) - low) & (high - low)) + low).astype(dtype)

    out = np.empty((left.shape[0], right.shape[1]), dtype)
    high = (1 << (accumulator.width - 1)) - 1
    if left.shape[1] * largest_a * largest_b < 1 << INTERMEDIATE_BITS:
        cannot_saturate = np.abs(left).sum(axis=1) * largest_b <= high
    else:
        cannot_saturate = np.zeros(left.shape[0], np.bool_)
    if cannot_saturate.any():
        out[cannot_saturate] = _exact(left[cannot_saturate], right)
    if not cannot_saturate.all():
        rest = ~cannot_saturate if cannot_saturate.any() else slice(None)  # a view where it is every row
        largest = max(widest, largest_a, largest_b)
        kind = next((kind for kind, exact_to in _EXACT_TO.items() if largest <= exact_to), None)
        if kind is None:
            out[rest] = _beat_by_beat(left[rest], right, accumulator)
        else:
            out[rest] = _saturate(left[rest], right, accumulator, widest, kind)
    return out


def _exact(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the exact product modulo 2^64, through floating-point BLAS where every partial sum is exact there."""
    bound = a.shape[1] * _magnitude(a) * _magnitude(b)
    if bound > 1 << 53:
        return a @ b
    kind = np.float32 if bound <= 1 << 24 else np.float64
    return np.asarray(a.astype(kind) @ b.astype(kind), np.int64)


def _saturate(
    a: NDArray[np.int64], b: NDArray[np.int64], accumulator: Accumulator, widest: int, kind: type[np.number[Any]]
) -> NDArray[np.int64]:
    """Return the saturating product, computed in numbers of `kind`; no sum on the way is larger than `widest`."""
    from sim.kernels.accumulate import CHUNK, saturate

    if a.shape[0] > b.shape[1]:
        return _saturate(b.T, a.T, accumulator, widest, kind).T  # vectors run along the longer side
    (rows, depth), columns = a.shape, b.shape[1]
    filler = -depth % CHUNK  # zero products, which move no accumulator
    ends = np.arange(1, depth + filler + 1) % accumulator.lanes == 0
    ends[-1] = True
    low, high = limits(accumulator.width, True, accumulator.overflow)
    lows, highs = np.where(ends, low, -widest).astype(kind), np.where(ends, high, widest).astype(kind)
    bounds = lows.reshape(-1, CHUNK), highs.reshape(-1, CHUNK), bool(accumulator.lanes % CHUNK)
    left = np.pad(a.astype(kind, "C"), ((0, 0), (0, filler))).reshape(rows, -1, CHUNK)
    out = np.empty((rows, columns), np.int64)
    for n in range(0, columns, _BLOCK_COLUMNS):
        width = min(_BLOCK_COLUMNS, columns - n)
        panel = np.pad(b[:, n : n + width].astype(kind, "C"), ((0, filler), (0, -width % _VECTOR)))
        for m in range(0, rows, _BLOCK_ROWS):
            block = left[m : m + _BLOCK_ROWS]
            sums = np.zeros((len(block), panel.shape[1]), kind)
            saturate(block, panel.reshape(-1, CHUNK, panel.shape[1]), *bounds, sums)
            out[m : m + _BLOCK_ROWS, n : n + width] = sums[:, :width]
    return out


def _beat_by_beat(
    a: NDArray[np.int64], b: NDArray[np.int64], accumulator: Accumulator, statistics: Statistics | None = None
) -> NDArray[np.int64]:
    from sim.kernels import casts
    from sim.kernels.accumulate import accumulate_64

    cast = accumulator.product or Requantizer(QFormat(INTERMEDIATE_BITS, 0), Rounding.TO_NEG, Overflow.SAT)
    out = np.empty((a.shape[0], b.shape[1]), np.int64)
    overflows, first, value = accumulate_64(
        a,
        b,
        accumulator.lanes,
        accumulator.product is not None,
        casts.rounding_row(cast.rounding, -cast.format.frac),
        casts.overflow_row(cast.format.width, cast.format.signed, cast.overflow),
        casts.overflow_row(accumulator.width, True, accumulator.overflow),
        out,
    )
    if overflows and accumulator.overflow is Overflow.ERROR:
        low, high = limits(accumulator.width, True, Overflow.SAT)
        index = [int(i) for i in np.unravel_index(first, out.shape)]
        raise InputError(f"accumulator{index}: got a sum of {value}; allowed: {low} to {high} (overflow ERROR)")
    if statistics is not None:
        low, high = limits(accumulator.width, True, accumulator.overflow)
        beats = out.size * -(-a.shape[1] // accumulator.lanes)
        at_low, at_high = int((out == low).sum()), int((out == high).sum())
        statistics.add(beats, overflows, at_low, at_high, int(out.min()), int(out.max()))
    return out


def _magnitude(values: NDArray[np.int64]) -> int:
    return max(-int(values.min()), int(values.max()))
