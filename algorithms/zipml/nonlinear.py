"""Losses that are no squares, on samples of few bits: a polynomial in place of the slope, and refetching for the hinge.

With labels b of −1 and 1 a loss ℓ(b·a·x) has the gradient b·ℓ'(b·a·x)·a. A polynomial of degree D near ℓ' has an
unbiased estimate from D + 1 independent samples of the row. The slope of the hinge is a step, near which no polynomial
is good; there the row itself is fetched wherever its samples leave the side of the step open. Source: H. Zhang et al.,
ZipML, arXiv 1611.05402, which also says that plain rounding of the data to 8 bits does as well: `nearest_rows`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import ArrayLike, NDArray

from algorithms.curves import LOGISTIC, Floats
from algorithms.points import Draws, Parameters
from algorithms.zipml.sampling import HostWords, Sampler, Scaling
from sim.errors import InputError, whole_number
from sim.quantize import positive_real, real_array

LARGEST_DEGREE = 15
"""The D + 1 samples of a value fit a packed entry."""


@dataclass(frozen=True, eq=False)
class SlopePolynomial:
    """A polynomial Σ m_i·z^i near a slope on −R to R.

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

    def __call__(self, z: ArrayLike) -> Floats:
        """Return P at every z."""
        return np.asarray(Polynomial(self.coefficients)(np.asarray(z, np.float64)), np.float64)


def logistic_slope(z: ArrayLike) -> Floats:
    """Return ℓ' of log(1 + e^−z), −1/(1 + e^z).

    Example:
        >>> logistic_slope(0.0)
        array(-0.5)
    """
    return np.asarray(-LOGISTIC.response(-np.asarray(z, np.float64)), np.float64)


def chebyshev(slope: Callable[[Floats], Floats], degree: int, radius: float) -> SlopePolynomial:
    """Return the polynomial through a slope's values at the Chebyshev points of −R to R.

    Args:
        slope: ℓ'.
        degree: D, 0 to 15.
        radius: R.

    Example:
        >>> fit = chebyshev(logistic_slope, 5, 2.0)
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


def polynomial_estimate(fit: SlopePolynomial, samples: Floats, x: Floats, label: float) -> Floats:
    """Return b·(Σ m_i·Π_{j ≤ i} b·Q_j(a)·x)·Q_{D+1}(a), whose mean is b·P(b·a·x)·a; its bias is at most error·‖a‖.

    Args:
        fit: P.
        samples: D + 1 independent samples of the row, shape (D + 1, d).
        x: the model.
        label: b, −1 or 1.
    """
    products = np.cumprod(np.append(1.0, label * (samples[:-1] @ x)))
    return np.asarray(label * float(fit.coefficients @ products) * samples[-1], np.float64)


def nearest_rows(features: ArrayLike, bits: int) -> Floats:
    """Return rows rounded once to the nearest of the levels of uniform samples scaled by column: the plain rival.

    Args:
        features: shape (N, d).
        bits: of a sample, 2 to 8.
    """
    sampler = Sampler.uniform(features, bits, scaling=Scaling.COLUMN, samples=1)
    codes: Any = sampler.below + (sampler.fractions >= 0.5)
    return sampler.values(codes)


def refetch_bound(x: Floats, widths: Floats) -> float:
    """Return Σ |x_j|·width_j, which Q(a)·x is within of a·x whatever the roundings (of half the widths to nearest).

    Args:
        x: the model, shape (d,).
        widths: of each column's intervals, shape (d,).

    Example:
        >>> refetch_bound(np.array([2.0, -1.0]), np.array([0.5, 0.25]))
        1.25
    """
    return float(np.abs(x) @ widths)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a run ended.

    Attributes:
        w: the mean of the iterates of the later half of the epochs, shape (d,).
        fetched: share of steps that fetched the row itself, by epoch; empty for the polynomial.
    """

    w: Floats
    fetched: tuple[float, ...] = ()


def polynomial_sgd(
    features: ArrayLike, labels: ArrayLike, fit: SlopePolynomial, bits: int, parameters: Parameters, ridge: float = 0.0
) -> Outcome:
    """Return the outcome of SGD with the polynomial estimate, on D + 1 samples of each row drawn afresh every epoch.

    Args:
        features: shape (N, d).
        labels: 0 and 1, or −1 and 1, shape (N,).
        fit: the polynomial; margins past its radius are not bounded by anything.
        bits: of a sample, 2 to 8.
        parameters: step size, lengths, seed.
        ridge: λ.
    """
    from algorithms.zipml import kernels

    rows, signs = _checked(features, labels)
    sampler = Sampler.uniform(rows, bits, scaling=Scaling.COLUMN, samples=fit.degree + 1)
    words, draws = HostWords(parameters.seed, 1), Draws(parameters, len(rows))
    w, sums = np.zeros(rows.shape[1]), []
    for _ in range(parameters.epochs):
        packed = sampler.draw(words)
        samples = np.stack([sampler.values(packed.samples(k)) for k in range(fit.degree + 1)])
        sums.append(np.zeros_like(w))
        kernels.polynomial_loop(samples, signs, draws.epoch(), fit.coefficients, w, parameters.step, ridge, sums[-1])
    return Outcome(_late_mean(sums, parameters))


def hinge_sgd(features: ArrayLike, labels: ArrayLike, bits: int, parameters: Parameters, ridge: float = 0.0) -> Outcome:
    """Return the outcome of sub-gradient steps on the hinge loss, with refetching.

    One sample of a row decides the side of the step; where `refetch_bound` leaves it open the row itself is fetched and
    used. Else the direction is an independent sample, so that every step is an unbiased sub-gradient.

    Args:
        features: shape (N, d).
        labels: 0 and 1, or −1 and 1, shape (N,).
        bits: of a sample, 2 to 8.
        parameters: step size, lengths, seed.
        ridge: λ.
    """
    from algorithms.zipml import kernels

    rows, signs = _checked(features, labels)
    sampler = Sampler.uniform(rows, bits, scaling=Scaling.COLUMN)
    words, draws = HostWords(parameters.seed, 1), Draws(parameters, len(rows))
    widths = np.broadcast_to(sampler.step, (1, rows.shape[1]))[0].copy()
    w, sums, fetched = np.zeros(rows.shape[1]), [], []
    for _ in range(parameters.epochs):
        packed = sampler.draw(words)
        dots, updates = (sampler.values(packed.samples(k)) for k in (0, 1))
        indices = draws.epoch()
        sums.append(np.zeros_like(w))
        count = kernels.hinge_loop(rows, dots, updates, widths, signs, indices, w, parameters.step, ridge, sums[-1])
        fetched.append(count / max(len(indices), 1))
    return Outcome(_late_mean(sums, parameters), tuple(fetched))


def _late_mean(sums: list[Floats], parameters: Parameters) -> Floats:
    late = sums[len(sums) // 2 :]
    if not late or not parameters.epoch_length:
        raise InputError("epochs: got no step; allowed: at least one epoch of one step")
    return np.asarray(np.sum(late, axis=0) / (len(late) * parameters.epoch_length), np.float64)


def _checked(features: ArrayLike, labels: ArrayLike) -> tuple[Floats, NDArray[np.float64]]:
    rows, given = np.ascontiguousarray(real_array("features", features)), real_array("labels", labels)
    if given.shape != rows.shape[:1] or not np.isin(given, (-1.0, 0.0, 1.0)).all() or (0.0 in given and -1.0 in given):
        raise InputError(f"labels: got shape {given.shape}; allowed: 0 and 1, or −1 and 1, shape ({len(rows)},)")
    return rows, np.where(given > 0, 1.0, -1.0)
