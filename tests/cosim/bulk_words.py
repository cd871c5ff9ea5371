"""Arrays of words as ports carry them: side by side, in one integer or in 32-bit words."""

import numpy as np
from numpy.typing import NDArray

WORD = 32


def packed(parts: list[tuple[NDArray[np.int64], int]]) -> NDArray[np.integer]:
    """Return words side by side, one row a cycle.

    Args:
        parts: from the lowest bit up: words of shape (cycles, words) and the width of each.
    """
    total = sum(words.shape[1] * width for words, width in parts)
    out = np.zeros((len(parts[0][0]), -(-total // WORD) + 2), np.uint64)
    low = 0
    for words, width in parts:
        for column in (words.astype(np.uint64) & np.uint64((1 << width) - 1)).T:
            for start in range(0, width, WORD):
                piece = (column >> np.uint64(start)) & np.uint64((1 << WORD) - 1)
                place, shift = divmod(low + start, WORD)
                out[:, place] |= (piece << np.uint64(shift)) & np.uint64((1 << WORD) - 1)
                out[:, place + 1] |= piece >> np.uint64(WORD - shift)
            low += width
    if total <= 2 * WORD:
        return out[:, 0] | out[:, 1] << np.uint64(WORD)
    return out[:, : -(-total // WORD)].astype(np.uint32)


def unpacked(port: NDArray[np.integer], low: int, count: int, width: int, signed: bool = True) -> NDArray[np.int64]:
    """Return `count` words of a port from bit `low` up, shape (cycles, count)."""
    cells = port.astype(np.uint64)
    if cells.ndim == 1:
        cells = np.stack([cells & np.uint64((1 << WORD) - 1), cells >> np.uint64(WORD)], 1)
    cells = np.concatenate([cells, np.zeros((len(port), 2), np.uint64)], 1)
    words = np.zeros((len(port), count), np.uint64)
    for j in range(count):
        for start in range(0, width, WORD):
            place, shift = divmod(low + j * width + start, WORD)
            pair = cells[:, place] | cells[:, place + 1] << np.uint64(WORD)
            piece = (pair >> np.uint64(shift)) & np.uint64((1 << min(WORD, width - start)) - 1)
            words[:, j] |= piece << np.uint64(start)
    values = words.astype(np.int64)
    return values - (values >> (width - 1) << width) if signed else values
