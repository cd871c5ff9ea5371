"""The curves of the losses: a loss of a margin t = x·w with target y is Φ(t) − y·t, up to a constant."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
QUADRATIC_KIND, LOGISTIC_KIND, SMOOTHED_HINGE_KIND, HINGE_KIND = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Curve:
    """The shape Φ of a loss.

    Attributes:
        kind: its number among the compiled curves.
        curvature: the largest Φ''; infinite where Φ' jumps.
        is_quadratic: whether Φ' is linear, so that a multiplier replaces every table.
    """

    kind: int
    curvature: float
    is_quadratic: bool = False

    def response(self, margins: ArrayLike) -> Floats:
        """Return Φ' of every margin, in the margins' shape.

        Example:
            >>> LOGISTIC.response([0.0, 800.0])
            array([0.5, 1. ])
        """
        from algorithms import kernels

        array = np.asarray(margins, np.float64)
        result: Floats = kernels.responses(self.kind, array.reshape(-1)).reshape(array.shape)
        return result

    def slope(self, margins: Floats) -> Floats:
        """Return Φ'' of every margin, in the margins' shape; at a kink, from the right.

        Example:
            >>> LOGISTIC.slope(np.zeros(1))
            array([0.25])
        """
        if self.kind == SMOOTHED_HINGE_KIND:
            return np.where((margins >= 0.0) & (margins < 1.0), 1.0, 0.0)
        if self.kind == LOGISTIC_KIND:
            response = self.response(margins)
            return response * (1.0 - response)
        if self.kind == HINGE_KIND:
            return np.zeros_like(margins)
        return np.ones_like(margins)

    def losses(self, margins: Floats, targets: Floats) -> Floats:
        """Return the loss of every sample, shape (N,).

        Args:
            margins: shape (N,).
            targets: y, shape (N,).

        Example:
            >>> QUADRATIC.losses(np.array([3.0]), np.array([1.0]))
            array([2.])
        """
        from algorithms import kernels

        result: Floats = kernels.losses(self.kind, margins, targets)
        return result


QUADRATIC = Curve(QUADRATIC_KIND, 1.0, is_quadratic=True)
"""Φ = t²/2: least squares."""
LOGISTIC = Curve(LOGISTIC_KIND, 0.25)
"""Φ = log(1 + exp(t))."""
SMOOTHED_HINGE = Curve(SMOOTHED_HINGE_KIND, 1.0)
"""Φ = 0 from t = 1 on, (1 − t)²/2 from 0 to 1, 1/2 − t below; the targets are 0, labels being in the rows' signs."""
HINGE = Curve(HINGE_KIND, math.inf)
"""Φ = max(1 − t, 0), Φ' = 0 at the kink; the targets are 0, labels being in the rows' signs."""
