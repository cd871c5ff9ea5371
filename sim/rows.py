"""Where the engine's rows come from: the row decoder stage turns a stored row into data words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError, integers
from sim.formats import QFormat


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
                object.__setattr__(self, name, integers(f"rows.{name}", values, 2))
        if self.update is not None and self.update.shape != self.dot.shape:
            raise InputError(f"rows.update: got shape {self.update.shape}; allowed: {self.dot.shape}, that of rows.dot")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.dot.shape[0], self.dot.shape[1]

    def decode(self, index: int) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Return the dot row and the update row of a sample, each of shape (d,)."""
        return self.dot[index], (self.dot if self.update is None else self.update)[index]

    def arrays(self, fmt: QFormat) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Return all decoded dot rows and update rows in the narrowest dtype of `fmt`, each of shape (N, d)."""
        dot = np.ascontiguousarray(self.dot, fmt.dtype)
        return dot, dot if self.update is None else np.ascontiguousarray(self.update, fmt.dtype)
