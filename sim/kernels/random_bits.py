"""Generator words: the linear map of a generator as byte tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel


@kernel
def advance(state: Any, tables: Any) -> Any:
    """Return the state one word later."""
    result = np.uint64(0)
    for byte in range(tables.shape[0]):
        result ^= tables[byte, (state >> np.uint64(8 * byte)) & np.uint64(255)]
    return result


@kernel
def generate(state: Any, tables: Any, out: Any) -> Any:
    """Fill `out` with words and return the final state."""
    for i in range(out.shape[0]):
        state = advance(state, tables)
        out[i] = np.int64(state & np.uint64(0xFFFFFFFF))
    return state
