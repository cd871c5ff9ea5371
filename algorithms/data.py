"""Data sets that are always there, and the settings at which they trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from algorithms.problems import LeastSquares
from sim.errors import InputError


@dataclass(frozen=True, slots=True)
class Settings:
    """Run parameters that suit a data set.

    Attributes:
        step: step size α.
        epoch_length: inner steps an epoch, T.
        epochs: number of epochs.
        mu: HALP's μ, which sets the offset's scale.
    """

    step: float
    epoch_length: int
    epochs: int
    mu: float


@dataclass(frozen=True, slots=True)
class DataSet:
    """A named data set: a line about it, how to make its problem, and settings for it."""

    about: str
    problem: Callable[[], LeastSquares]
    settings: Settings


def load(name: str) -> tuple[LeastSquares, Settings]:
    """Return a problem and the settings that suit it.

    Args:
        name: a key of `DATA_SETS`.

    Raises:
        InputError: for an unknown name.

    Example:
        >>> problem, settings = load("diabetes")
        >>> problem.shape, settings.epochs
        ((442, 10), 40)
    """
    if name not in DATA_SETS:
        raise InputError(f"data: got {name!r}; allowed: {', '.join(DATA_SETS)}")
    data = DATA_SETS[name]
    return data.problem(), data.settings


def _reference() -> LeastSquares:
    from sklearn.datasets import make_regression

    features, targets = make_regression(1000, 100, n_informative=10, noise=0, random_state=0)
    return LeastSquares(features, targets, name="reference")


def _diabetes() -> LeastSquares:
    from sklearn.datasets import load_diabetes

    features, targets = load_diabetes(return_X_y=True)  # columns come centred, with a sum of squares of 1
    return LeastSquares(features * np.sqrt(len(features)), targets - targets.mean(), name="diabetes")


DATA_SETS = {
    "reference": DataSet(
        "make_regression(1000, 100, n_informative=10, noise=0, random_state=0)",
        _reference,
        Settings(step=1e-3, epoch_length=2000, epochs=10, mu=2.0),
    ),
    "diabetes": DataSet(
        "442 patients, 10 measurements, disease progression; columns of unit variance, target centred",
        _diabetes,
        Settings(step=1e-2, epoch_length=884, epochs=40, mu=0.25),
    ),
}
"""Data sets by name."""
