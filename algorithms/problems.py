"""Problems: a loss over samples, with its exact gradient and the constants of its convexity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError
from sim.formats import QFormat
from sim.host import row_products, sum_of_squares, weighted_sum
from sim.modes import Overflow, Rounding
from sim.quantize import dequantize, quantize, real_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """f(w) = (1/2N)·Σ (x_i·w − y_i)² + (λ/2)·‖w‖².

    Args:
        features: rows x_i, shape (N, d).
        targets: y, shape (N,).
        ridge: λ, not negative.
        name: shown in tables.

    Raises:
        InputError: for NaN, infinities, empty arrays or shapes that do not match.

    Example:
        >>> problem = LeastSquares([[1.0, 0.0], [0.0, 2.0]], [1.0, 2.0])
        >>> problem.loss(np.zeros(2)), problem.gradient(np.zeros(2))
        (1.25, array([-0.5, -2. ]))
    """

    features: Floats
    targets: Floats
    ridge: float = 0.0
    name: str = "least squares"

    def __post_init__(self) -> None:
        for field in ("features", "targets"):
            array = real_array(field, getattr(self, field)).copy()
            if not np.isfinite(array).all():
                index = np.argwhere(~np.isfinite(array))[0].tolist()
                raise InputError(f"{field}{index}: got {array[tuple(index)]}; allowed: finite numbers")
            object.__setattr__(self, field, array)
        if self.features.ndim != 2:
            raise InputError(f"features: got shape {self.features.shape}; allowed: (N, d)")
        if self.targets.shape != self.features.shape[:1]:
            raise InputError(f"targets: got shape {self.targets.shape}; allowed: ({len(self.features)},)")
        if not isinstance(self.ridge, int | float | np.number) or not 0.0 <= self.ridge < np.inf:
            raise InputError(f"ridge: got {self.ridge!r}; allowed: a finite number of at least 0")

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of columns."""
        return self.features.shape[0], self.features.shape[1]

    def residuals(self, w: Floats) -> Floats:
        """Return x_i·w − y_i, shape (N,)."""
        if np.shape(w) != self.features.shape[1:]:
            raise InputError(f"w: got shape {np.shape(w)}; allowed: ({self.features.shape[1]},)")
        return row_products(self.features, w) - self.targets

    def loss(self, w: Floats) -> float:
        """Return f(w)."""
        return sum_of_squares(self.residuals(w)) / (2 * len(self.targets)) + 0.5 * self.ridge * sum_of_squares(w)

    def gradient(self, w: Floats) -> Floats:
        """Return the exact full gradient at w, ridge included, shape (d,)."""
        return weighted_sum(self.features, self.residuals(w)) / len(self.targets) + self.ridge * w

    def solution(self) -> Floats:
        """Return a minimiser (the one of least norm), from a direct solver."""
        count, columns = self.shape
        rows = np.vstack([self.features, np.sqrt(self.ridge * count) * np.eye(columns)])
        return np.asarray(np.linalg.lstsq(rows, np.append(self.targets, np.zeros(columns)))[0])

    @property
    def smoothness(self) -> float:
        """L: the largest smoothness of a sample's loss, max ‖x_i‖² + λ."""
        return float(np.square(self.features).sum(axis=1).max()) + self.ridge

    @property
    def strong_convexity(self) -> float:
        """μ: the smallest eigenvalue of the Hessian."""
        count = len(self.targets)
        return float(np.linalg.eigvalsh(self.features.T @ self.features / count)[0]) + self.ridge


def quantized(problem: LeastSquares, fmt: QFormat) -> tuple[LeastSquares, NDArray[np.integer], float]:
    """Return the problem on quantized samples, their raw words, and the data scale δ_x = max|X|/(2^(b−1) − 1).

    Rounding is to nearest even, symmetric; targets are not quantized. Low-precision algorithms solve this problem.

    Args:
        problem: the problem on real samples.
        fmt: format of the data words.

    Example:
        >>> _, raw, scale = quantized(LeastSquares([[1.0], [-2.54]], [0.0, 0.0]), QFormat(8, 0))
        >>> raw.tolist(), round(scale, 6)
        ([[50], [-127]], 0.02)
    """
    largest = float(np.abs(problem.features).max())
    if largest == 0.0:
        raise InputError("features: got only zeros; allowed: at least one value that is not 0")
    scale = largest / fmt.high
    raw = quantize(problem.features, fmt, Rounding.TIES_EVEN, Overflow.SAT_SYM, scale=scale)
    real = dequantize(raw, fmt, scale)
    return LeastSquares(real, problem.targets, problem.ridge, problem.name), raw, scale
