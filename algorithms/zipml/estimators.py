"""Gradient estimators of least squares on quantized rows, with their exact means and variances.

With g = a·(a·x − b) the gradient of a sample at the model x, Q(a) a rounding of the row and D its variances: one
rounding used twice has the mean g + D∘x, two independent ones have the mean g.
"""

from __future__ import annotations

import math

import numpy as np

from algorithms.curves import Floats


def naive(row: Floats, x: Floats, target: float) -> Floats:
    """Return Q(a)·(Q(a)·x − b), the wrong case: its mean is off by D∘x.

    Args:
        row: one rounding of the row, shape (d,).
        x: the model, shape (d,).
        target: b.

    Example:
        >>> naive(np.array([1.0, 0.0]), np.array([2.0, 5.0]), 0.5)
        array([1.5, 0. ])
    """
    return row * (row @ x - target)


def double(first: Floats, second: Floats, x: Floats, target: float) -> Floats:
    """Return Q1(a)·(Q2(a)·x − b), whose mean is g.

    Args:
        first: the rounding that is the direction, shape (d,).
        second: an independent one, for the dot product.
        x: the model, or an unbiased rounding of it.
        target: b.
    """
    return first * (second @ x - target)


def symmetric(first: Floats, second: Floats, x: Floats, target: float) -> Floats:
    """Return the mean of `double` in both orders; its variance is no larger."""
    return 0.5 * (double(first, second, x, target) + double(second, first, x, target))


def naive_solution(rows: Floats, targets: Floats, variances: Floats, ridge: float = 0.0) -> Floats:
    """Return where naive SGD ends: (AᵀA/K + mean D + λ)⁻¹·Aᵀb/K.

    Args:
        rows: A, shape (K, d).
        targets: b, shape (K,).
        variances: D of every row, shape (K, d).
        ridge: λ.

    Example:
        >>> naive_solution(np.eye(2), np.array([1.0, 2.0]), np.array([[1.0, 0.0], [0.0, 0.0]]))
        array([0.5, 2. ])
    """
    count = len(rows)
    hessian = rows.T @ rows / count + np.diag(variances.mean(axis=0) + ridge)
    return np.asarray(np.linalg.solve(hessian, rows.T @ targets / count), np.float64)


def double_variance(a: Floats, x: Floats, target: float, variances: Floats) -> float:
    """Return the total variance of `double`: TV·r² + ‖a‖²·S + TV·S, with r = a·x − b, S = Σ D·x², TV = Σ D.

    Args:
        a: the row, shape (d,).
        x: the model.
        target: b.
        variances: D, shape (d,).
    """
    r, s, tv = a @ x - target, variances @ np.square(x), variances.sum()
    return float(tv * r**2 + a @ a * s + tv * s)


def symmetric_variance(a: Floats, x: Floats, target: float, variances: Floats) -> float:
    """Return the total variance of `symmetric`: half that of `double` and half the covariance of its two orders."""
    r = a @ x - target
    covariance = 2.0 * r * ((a * variances) @ x) + np.square(variances) @ np.square(x)
    return 0.5 * (double_variance(a, x, target, variances) + float(covariance))


def model_variance(a: Floats, x: Floats, target: float, variances: Floats, model_variances: Floats) -> float:
    """Return the total variance of `double` on an unbiased rounding of the model, Q1(a)·(Q2(a)·Q3(x) − b).

    TV·(r² + P) + (‖a‖² + TV)·(S + Σ D·Dx) + ‖a‖²·P with P = Σ a²·Dx.

    Args:
        a: the row, shape (d,).
        x: the model.
        target: b.
        variances: D of the row's roundings.
        model_variances: Dx of the model's.
    """
    r, s, tv, square = a @ x - target, variances @ np.square(x), variances.sum(), a @ a
    p = np.square(a) @ model_variances
    return float(tv * (r**2 + p) + (square + tv) * (s + variances @ model_variances) + square * p)


def qsgd_bound(size: int, intervals: int) -> float:
    """Return min(n/s², √n/s), by which ‖v‖² has to be multiplied to bound the variance of `quantized_vector`.

    Example:
        >>> qsgd_bound(4, 2)
        1.0
    """
    return min(size / intervals**2, math.sqrt(size) / intervals)
