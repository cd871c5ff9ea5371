"""The least loss f*, for measuring how far a run is from it: scipy's L-BFGS on BLAS, off the reproducible path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import Curve

Floats = NDArray[np.float64]
TOLERANCE = 1e-9
"""The search ends where the gradient norm fell by this factor: with strong convexity μ, f is within ‖∇f‖²/2μ of f*."""


def least_losses(rows: Floats, responses: Floats, curve: Curve, ridge: float) -> Floats:
    """Return the least loss of each of K problems on the same rows, shape (K,).

    Args:
        rows: those that multiply the models, shape (N, d).
        responses: y of the losses Φ(t) − y·t, shape (N, K).
        curve: Φ.
        ridge: λ.

    Example:
        >>> from algorithms.curves import LOGISTIC
        >>> rows = np.array([[1.0], [-1.0], [1.0]])
        >>> least_losses(rows, np.array([[1.0], [0.0], [0.0]]), LOGISTIC, 0.0).round(6)
        array([0.636514])
    """
    count, classes, columns = len(rows), responses.shape[1], rows.shape[1]

    def losses(w: Floats) -> tuple[Floats, Floats]:
        margins = rows @ w.reshape(classes, columns).T
        flat = curve.losses(margins.T.reshape(-1), responses.T.reshape(-1))
        slopes = curve.response(margins) - responses
        w = w.reshape(classes, columns)
        gradient = slopes.T @ rows / count + ridge * w
        return flat.reshape(classes, count).mean(axis=1) + 0.5 * ridge * np.square(w).sum(axis=1), gradient

    def objective(w: Floats) -> tuple[float, Floats]:
        values, gradient = losses(w)
        return float(values.sum()), gradient.reshape(-1)

    found = minimize(objective, np.zeros(classes * columns))
    return losses(found)[0]


def minimize(objective: Any, start: Floats) -> Floats:
    """Return a minimiser of a smooth convex function, given as value and gradient."""
    from scipy import optimize

    steepest = float(np.abs(objective(start)[1]).max())
    if steepest == 0.0:
        return start
    options = {"maxiter": 100_000, "maxfun": 100_000, "maxcor": 30, "ftol": 0.0, "gtol": TOLERANCE * steepest}
    search: Any = optimize.minimize
    found: Floats = search(objective, start, jac=True, method="L-BFGS-B", options=options).x
    return found
