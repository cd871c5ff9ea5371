"""Where the engine's rows come from: the row decoder stage turns a stored row into data words.

Three decoders: the identity (`RawRows`), packed samples of few bits that are the data words themselves, and packed
codes that a level table turns into data words (both `PackedRows`, in `sim.packed_rows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError, integers, whole_number
from sim.formats import QFormat

Words = NDArray[np.integer]


class Rows(Protocol):
    """What the engine asks of a row store."""

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""

    @property
    def dot(self) -> Words:
        """All rows of the dot product, decoded, shape (N, d)."""

    @property
    def update(self) -> Words | None:
        """All rows of the update, decoded, shape (N, d); None where they are those of the dot product."""

    def decode(self, index: int) -> tuple[Words, Words]:
        """Return the dot row and the update row of a sample, each of shape (d,): the definition."""

    def arrays(self, fmt: QFormat) -> tuple[Words, Words]:
        """Return all decoded dot rows and update rows in the narrowest dtype of `fmt`, each of shape (N, d).

        They are C arrays with memory for one vector more behind the last row: kernels read rows in whole vectors.
        """

    def limits(self) -> list[tuple[str, int, int]]:
        """Return what holds data words, by name, with the smallest and the largest word."""

    def content(self) -> dict[str, Any]:
        """Return arrays from which `rows_from` makes the store again."""


@dataclass(frozen=True, eq=False)
class RawRows:
    """Rows stored as plain data words: decoding is the identity.

    Args:
        dot: raw data words of the dot product, shape (N, d).
        update: words of the update, same shape; None if both use one row (all algorithms but ZipML).

    Raises:
        InputError: for floats, empty arrays or unequal shapes.

    Example:
        >>> RawRows(np.array([[1, 2], [3, 4]])).decode(1)
        (array([3, 4]), array([3, 4]))
    """

    dot: NDArray[np.integer]
    update: NDArray[np.integer] | None = None

    def __post_init__(self) -> None:
        for name in ("dot", "update"):
            values = getattr(self, name)
            if values is not None:
                words = integers(f"rows.{name}", values, 2)
                object.__setattr__(self, name, with_room(words, words.dtype))
        if self.update is not None and self.update.shape != self.dot.shape:
            raise InputError(f"rows.update: got shape {self.update.shape}; allowed: {self.dot.shape}, that of rows.dot")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.dot.shape[0], self.dot.shape[1]

    def decode(self, index: int) -> tuple[Words, Words]:
        """Return the dot row and the update row of a sample, each of shape (d,)."""
        index = whole_number("index", index, 0, len(self.dot) - 1)
        return self.dot[index], (self.dot if self.update is None else self.update)[index]

    def arrays(self, fmt: QFormat) -> tuple[Words, Words]:
        """Return all decoded dot rows and update rows in the narrowest dtype of `fmt`, each of shape (N, d)."""
        dot, *update = (
            with_room(words, fmt.dtype)  # a copy of rows that were pickled, for one, has no room any more
            for words in (self.dot, self.update)
            if words is not None
        )
        return dot, update[0] if update else dot

    def limits(self) -> list[tuple[str, int, int]]:
        """Return the smallest and the largest word of dot and update rows."""
        held = (("rows.dot", self.dot), ("rows.update", self.update))
        return [(name, int(words.min()), int(words.max())) for name, words in held if words is not None]

    def content(self) -> dict[str, Any]:
        """Return the arrays that a saved job holds."""
        return {"rows_dot": self.dot, **({} if self.update is None else {"rows_update": self.update})}


def with_room(words: Words, dtype: np.dtype[Any]) -> Words:
    """Return words as a C array with memory for a vector more behind them: themselves if they are that, or a copy.

    Args:
        words: any array.
        dtype: of the result.
    """
    from sim.kernels.vectors import LANES

    memory = words.base
    if (
        words.dtype == dtype
        and isinstance(memory, np.ndarray)
        and memory.dtype == dtype
        and memory.shape == (words.size + LANES,)
        and memory.ctypes.data == words.ctypes.data
        and words.flags.c_contiguous
    ):
        return words
    flat = np.zeros(words.size + LANES, dtype)
    flat[: words.size] = words.reshape(-1)
    return flat[: words.size].reshape(words.shape)
