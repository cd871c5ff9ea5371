"""Losses that are no squares, on samples of few bits: a polynomial in place of the slope, and refetching for the hinge.

With t = a·x a loss Φ(t) − y·t has the gradient (Φ'(t) − y)·a. A polynomial of degree D near Φ' has an unbiased estimate
from D + 1 independent samples of the row. The slope of the hinge is a step, near which no polynomial is good; there the
row itself is fetched wherever its samples leave the side of the step open. Source: H. Zhang et al., ZipML, arXiv
1611.05402, which also says that plain rounding of the data to 8 bits does as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import ArrayLike

from algorithms.curves import Floats
from algorithms.points import LARGEST_DEGREE
from sim.errors import InputError, whole_number
from sim.quantize import positive_real


@dataclass(frozen=True, eq=False)
class SlopePolynomial:
    """A polynomial Σ m_i·t^i near a slope on −R to R.

    Attributes:
        coefficients: m_0 to m_D.
        radius: R.
        error: largest distance from the slope, on 20,001 points.
    """

    coefficients: Floats
    radius: float
    error: float

    @property
    def degree(self) -> int:
        """D."""
        return len(self.coefficients) - 1

    @property
    def weight(self) -> float:
        """Σ |m_i|·R^i: how far the terms cancel, which is what the estimate's variance grows with."""
        return float(np.abs(self.coefficients) @ self.radius ** np.arange(len(self.coefficients)))

    def __call__(self, t: ArrayLike) -> Floats:
        """Return P at every t."""
        return np.asarray(Polynomial(self.coefficients)(np.asarray(t, np.float64)), np.float64)


def chebyshev(slope: Callable[[Floats], Floats], degree: int, radius: float) -> SlopePolynomial:
    """Return the polynomial through a slope's values at the Chebyshev points of −R to R.

    Args:
        slope: Φ', as `Curve.response`.
        degree: D, 0 to 15.
        radius: R.

    Example:
        >>> from algorithms.curves import LOGISTIC
        >>> fit = chebyshev(LOGISTIC.response, 5, 2.0)
        >>> f"{fit.error:.1e} {fit.weight:.1f}"
        '3.5e-04 1.2'
    """
    degree = whole_number("degree", degree, 0, LARGEST_DEGREE)
    radius = positive_real("radius", radius)
    series = Chebyshev.interpolate(slope, degree, domain=[-radius, radius])
    plain: Any = series.convert(kind=Polynomial, domain=[-1, 1], window=[-1, 1]).coef
    coefficients = np.zeros(degree + 1)
    coefficients[: len(plain)] = plain
    points = np.linspace(-radius, radius, 20_001)
    error = float(np.abs(Polynomial(coefficients)(points) - slope(points)).max())
    return SlopePolynomial(coefficients, radius, error)


def polynomial_estimate(fit: SlopePolynomial, samples: Floats, x: Floats, target: float) -> Floats:
    """Return (Σ m_i·Π_{j ≤ i} Q_j(a)·x − y)·Q_{D+1}(a), whose mean is (P(a·x) − y)·a; its bias is at most error·‖a‖.

    Args:
        fit: P.
        samples: D + 1 independent samples of the row, shape (D + 1, d).
        x: the model, shape (d,).
        target: y.

    Raises:
        InputError: for another number of samples.
    """
    if len(samples) != fit.degree + 1:
        raise InputError(f"samples: got {len(samples)} of a row; allowed: {fit.degree + 1}, the degree and one more")
    products = np.cumprod(np.append(1.0, samples[:-1] @ x))
    return np.asarray((float(fit.coefficients @ products) - target) * samples[-1], np.float64)


def refetch_bound(x: Floats, widths: Floats) -> float:
    """Return Σ |x_j|·width_j, which Q(a)·x is within of a·x whatever the roundings (of half the widths to nearest).

    Where the slope is the same that far on both sides of Q(a)·x, it is the slope at a·x.

    Args:
        x: the model, shape (d,).
        widths: of each column's intervals, shape (d,).

    Example:
        >>> refetch_bound(np.array([2.0, -1.0]), np.array([0.5, 0.25]))
        1.25
    """
    return float(np.abs(x) @ widths)
