"""The least loss f*, for measuring how far a run is from it: scipy's solvers on BLAS, off the reproducible path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import Curve

Floats = NDArray[np.float64]
TOLERANCE = 1e-10
"""The search ends where the gradient fell by this factor: with strong convexity μ, f is within ‖∇f‖²/2μ of f*."""
DENSE = 2000
"""Up to so many columns the Hessian is made, and Newton's method needs some ten steps; past it L-BFGS."""
ROWS_A_COLUMN = 16
"""A Hessian from evenly spaced rows, so many a column: close enough for the steps, and the gradient is of all rows."""


def least_loss(rows: Floats, responses: Floats, curve: Curve, ridge: float) -> float:
    """Return the least of (1/N)·Σ loss(x_i·w, y_i) + (λ/2)·‖w‖².

    Where there is no minimum (separable classes without a ridge term), a loss near the infimum.

    Args:
        rows: those that multiply the model, shape (N, d).
        responses: y of the losses Φ(t) − y·t, shape (N,).
        curve: Φ.
        ridge: λ.

    Example:
        >>> from algorithms.curves import LOGISTIC
        >>> rows = np.array([[1.0], [-1.0], [1.0]])
        >>> round(least_loss(rows, np.array([1.0, 0.0, 0.0]), LOGISTIC, 0.0), 6)
        0.636514
    """
    count, columns = rows.shape
    thin = rows[:: max(count // (ROWS_A_COLUMN * columns), 1)]

    def objective(w: Floats) -> tuple[float, Floats]:
        margins = rows @ w
        slopes = curve.response(margins) - responses
        loss = float(curve.losses(margins, responses).mean()) + 0.5 * ridge * float(w @ w)
        return loss, rows.T @ slopes / count + ridge * w

    def hessian(w: Floats) -> Floats:
        weighted = thin * np.sqrt(curve.slope(thin @ w) / len(thin))[:, None]
        result: Floats = weighted.T @ weighted + ridge * np.eye(columns)
        return result

    return objective(minimize(objective, np.zeros(columns), hessian if columns <= DENSE else None))[0]


def minimize(objective: Any, start: Floats, hessian: Any = None) -> Floats:
    """Return a minimiser of a smooth convex function.

    Args:
        objective: gives value and gradient.
        start: where to begin, flat.
        hessian: gives the Hessian, for Newton's method; without it L-BFGS.
    """
    from scipy import optimize

    steepest = float(np.abs(objective(start)[1]).max())
    if steepest == 0.0:
        return start
    search: Any = optimize.minimize
    if hessian is not None:
        options: dict[str, Any] = {"gtol": TOLERANCE * steepest, "maxiter": 200}
        found = search(objective, start, jac=True, hess=hessian, method="trust-exact", options=options)
    else:
        options = {"maxiter": 100_000, "maxfun": 100_000, "ftol": 0.0, "gtol": TOLERANCE * steepest}
        found = search(objective, start, jac=True, method="L-BFGS-B", options=options)
    best: Floats = found.x
    return best


def least_hinge_loss(rows: Floats, ridge: float) -> float:
    """Return the least of (1/N)·Σ max(1 − x_i·w, 0) + (λ/2)·‖w‖².

    Args:
        rows: with the signs of their labels, shape (N, d).
        ridge: λ; past 0 the solver ends within some 1e-6 of the least, relatively.

    Example:
        >>> round(least_hinge_loss(np.array([[1.0], [1.0], [-1.0]]), 0.0), 6)
        0.666667
    """
    count, columns = rows.shape
    if ridge > 0.0:
        from sklearn.svm import LinearSVC

        signs = np.where(np.arange(count) % 2, 1.0, -1.0)  # liblinear asks for two classes
        found = LinearSVC(loss="hinge", C=1.0 / (ridge * count), fit_intercept=False, tol=1e-8, max_iter=1_000_000)
        w = found.fit(signs[:, None] * rows, signs).coef_[0]
        return float(np.maximum(1.0 - rows @ w, 0.0).mean() + 0.5 * ridge * (w @ w))
    from scipy import optimize, sparse

    solve: Any = optimize.linprog
    short: Any = sparse.hstack([sparse.csr_array(rows), sparse.eye_array(count)])
    costs = np.append(np.zeros(columns), np.full(count, 1.0 / count))
    bounds = [(None, None)] * columns + [(0.0, None)] * count
    return float(solve(costs, -short, -np.ones(count), bounds=bounds).fun)
