"""Compiled loops of ZipML; one file that calls nothing else, so that numba sees every change."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel


@kernel
def interval_cost(x: Any, counts: Any, sums: Any, squares: Any, i: Any, j: Any) -> Any:
    """Return V(i, j), the summed variance of the points above x[i] up to x[j] under levels at both."""
    number, first, second = counts[j] - counts[i], sums[j] - sums[i], squares[j] - squares[i]
    return (x[i] + x[j]) * first - number * x[i] * x[j] - second


@kernel
def divide_and_conquer(x: Any, counts: Any, sums: Any, squares: Any, intervals: Any) -> Any:
    """Return the positions of the optimal levels' programme, row by row, and the least cost.

    `x` are rising candidate levels; `counts`, `sums` and `squares` run over the points up to each. The best left end
    never moves left as the right end moves right (the costs have the quadrangle inequality), so positions are filled
    from coarse to fine between the bounds of their neighbours: O(M·log M) a row.
    """
    size = x.shape[0]
    best = np.full((intervals + 1, size), 0, np.int32)
    before = np.full(size, np.inf)
    before[0] = 0.0
    for q in range(1, intervals + 1):
        now = np.empty(size)
        stride = 1
        while stride < size:
            stride *= 2
        while stride >= 1:
            for j in range(stride - 1, size, 2 * stride):
                low = np.int64(best[q, j - stride]) if j >= stride else np.int64(0)
                high = np.int64(best[q, j + stride]) if j + stride < size else j
                least, where = np.inf, low
                for i in range(low, min(high, j) + 1):
                    total = before[i] + interval_cost(x, counts, sums, squares, i, j)
                    if total < least:
                        least, where = total, np.int64(i)
                now[j] = least
                best[q, j] = where
            stride //= 2
        before = now
    return best, before[size - 1]
