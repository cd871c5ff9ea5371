"""Dot products through a limited accumulator, in index order, for many outputs at once.

The order of additions is part of the result, so the loop over outputs is the vector loop and the sum runs outside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel
from sim.kernels.casts import apply_overflow, round_shift

PANEL = 64
"""Outputs a panel: the right operand is laid out as panels of this many columns."""


@kernel
def _add_products(beat: Any, row: Any, factor: Any) -> None:
    for j in range(PANEL):
        beat[j] = np.int32(beat[j] + np.int32(factor * row[j]))


@kernel
def _multiply_accumulate(total: Any, row: Any, factor: Any, low: Any, high: Any) -> None:
    for j in range(PANEL):
        total[j] = min(max(np.int32(total[j] + np.int32(factor * row[j])), low), high)


@kernel
def _accumulate_beat(total: Any, beat: Any, low: Any, high: Any) -> None:
    for j in range(PANEL):
        total[j] = min(max(np.int32(total[j] + beat[j]), low), high)
        beat[j] = np.int32(0)


@kernel
def saturate_32(a: Any, panels: Any, lanes: Any, low: Any, high: Any, out: Any) -> None:
    """Saturating matmul where accumulator plus beat fit 32 bits: a (M, K), panels (N/64, K, 64), out (N/64, M, 64)."""
    beat = np.zeros(PANEL, np.int32)
    for p in range(panels.shape[0]):
        for m in range(a.shape[0]):
            total = out[p, m]
            total[:] = 0
            if lanes == 1:
                for k in range(a.shape[1]):
                    _multiply_accumulate(total, panels[p, k], a[m, k], low, high)
            else:
                for start in range(0, a.shape[1], lanes):
                    for k in range(start, min(start + lanes, a.shape[1])):
                        _add_products(beat, panels[p, k], a[m, k])
                    _accumulate_beat(total, beat, low, high)


@kernel
def accumulate_64(a: Any, b: Any, lanes: Any, cast: Any, rounding: Any, product: Any, overflow: Any, out: Any) -> Any:
    """Matmul of any accumulator, a (M, K), b (K, N), out (M, N); return how many beats overflowed.

    `cast` tells whether each product is first rounded by `rounding` and brought into the format of `product`.
    """
    overflows = 0
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
                        beat[j] += apply_overflow(round_shift(factor * row[j], 0, rounding), product)
                else:
                    for j in range(row.shape[0]):
                        beat[j] += factor * row[j]
            for j in range(total.shape[0]):
                exact = total[j] + beat[j]
                total[j] = apply_overflow(exact, overflow)
                overflows += total[j] != exact
    return overflows
