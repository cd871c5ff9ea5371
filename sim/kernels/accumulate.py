"""Dot products through a limited accumulator, in index order, for many outputs at once.

The order of additions is part of the result, so the loop over outputs is the vector loop and the sum runs outside it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from sim.kernels import kernel
from sim.kernels.casts import apply_overflow, round_shift

CHUNK = 4
"""Products a pass over the outputs: an accumulator is loaded and stored once for so many."""


@partial(kernel, fastmath={"contract"})  # where products and sums are exact, fusing them changes no bit
def saturate(a: Any, b: Any, low: Any, high: Any, every: Any, out: Any) -> None:
    """Saturating matmul in the arithmetic of `out`, added to it: int32, float32 or float64, where all sums are exact.

    a (M, K/4, 4), b (K/4, 4, N) and out (M, N), as well as low and high (K/4, 4), the bounds of the accumulator after
    each product. Unless `every` product may end a beat, bounds hold after the last of each four only.
    """
    number = out.dtype.type
    for c in range(b.shape[0]):
        for m in range(a.shape[0]):
            for j in range(out.shape[1]):
                total = out[m, j]
                for k in range(CHUNK):
                    total = number(total + number(a[m, c, k] * b[c, k, j]))
                    if every or k == CHUNK - 1:
                        total = min(max(total, low[c, k]), high[c, k])
                out[m, j] = total


@kernel
def accumulate_64(a: Any, b: Any, lanes: Any, cast: Any, rounding: Any, product: Any, overflow: Any, out: Any) -> Any:
    """Matmul of any accumulator, a (M, K), b (K, N), out (M, N).

    Returns how many beats overflowed, the flat index of the first output with one, and the exact sum there. `cast`
    tells whether each product is first rounded by `rounding` and brought into the format of `product`.
    """
    overflows, first, value = 0, -1, np.int64(0)
    beat = np.zeros(b.shape[1], np.int64)
    for m in range(a.shape[0]):
        total = out[m]
        total[:] = 0
        for start in range(0, a.shape[1], lanes):
            beat[:] = 0
            for k in range(start, min(start + lanes, a.shape[1])):
                row, factor = b[k], a[m, k]
                if cast:
                    for j in range(row.shape[0]):
                        beat[j] += apply_overflow(round_shift(factor * row[j], np.int64(0), rounding), product)
                else:
                    for j in range(row.shape[0]):
                        beat[j] += factor * row[j]
            for j in range(total.shape[0]):
                exact = total[j] + beat[j]
                total[j] = apply_overflow(exact, overflow)
                if total[j] != exact:
                    if overflows == 0:
                        first, value = m * b.shape[1] + j, exact
                    overflows += 1
    return overflows, first, value
