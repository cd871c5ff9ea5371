"""Float64 sums of the host in a fixed order, so that a run gives the same bits on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel


@kernel
def row_products(rows: Any, vector: Any) -> Any:
    """Return rows @ vector, every sum from the first column to the last."""
    out = np.zeros(rows.shape[0])
    for i in range(rows.shape[0]):
        total = 0.0
        for j in range(rows.shape[1]):
            total += rows[i, j] * vector[j]
        out[i] = total
    return out


@kernel
def weighted_sum(rows: Any, weights: Any) -> Any:
    """Return weights @ rows, every sum from the first row to the last."""
    out = np.zeros(rows.shape[1])
    for i in range(rows.shape[0]):
        row, weight = rows[i], weights[i]
        for j in range(out.shape[0]):
            out[j] += weight * row[j]
    return out
