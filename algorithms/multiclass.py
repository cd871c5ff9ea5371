"""Problems of more than two classes: one-vs-rest, which the engine can run, and softmax, which only float64 can."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.minimum import minimize
from algorithms.problems import Floats, Problem, model_of, not_negative, real_rows
from sim.errors import InputError, integer_array
from sim.formats import QFormat
from sim.host import row_products, sum_of_squares, total, weighted_sum

Labels = NDArray[np.int64]
LARGEST_CLASS = 999
"""Highest class number: what has more values is no class."""


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """K problems of two classes on the same samples: class k against all others, for every k.

    It stands in for softmax regression, which needs all K margins of a sample at once.

    Args:
        first: the problem of class 0 against the rest.
        labels: class numbers 0 to K − 1, shape (N,).
        held_out: rows and class numbers to measure the accuracy on; by default those it is trained on.

    Example:
        >>> from algorithms.problems import Logistic
        >>> rows, labels = np.eye(3), np.array([0, 1, 2])
        >>> problem = OneVsRest(Logistic(rows, 1.0 * (labels == 0)), labels)
        >>> problem.classes, problem.binaries[2].targets, problem.accuracy(np.eye(3))
        (3, array([0., 0., 1.]), 1.0)
    """

    first: Problem
    labels: Labels
    held_out: tuple[Floats, Labels] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.first.classifies:
            raise InputError(f"first: got {type(self.first).__name__}; allowed: a problem of two classes")
        object.__setattr__(self, "labels", class_numbers("labels", self.labels, self.first.shape[0]))
        object.__setattr__(self, "held_out", _labelled_rows(self.held_out, self.first.shape[1], self.classes))

    @property
    def name(self) -> str:
        """Name of the data."""
        return self.first.name

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of columns."""
        return self.first.shape

    @property
    def classes(self) -> int:
        """K."""
        return int(self.labels.max()) + 1

    @cached_property
    def binaries(self) -> list[Problem]:
        """The problem of each class against the rest."""
        rows, labels = self.held_out or (None, None)
        held_out = [None if labels is None else (rows, _is_class(labels, k)) for k in range(self.classes)]
        return [self.first.alike(targets=_is_class(self.labels, k), held_out=held_out[k]) for k in range(self.classes)]

    def least_loss(self, fmt: QFormat | None = None) -> float:
        """Return the mean over the classes of f*, on samples quantized to a format (None: as they are)."""
        return math.fsum(problem.least_loss(fmt) for problem in self.binaries) / self.classes

    def accuracy(self, w: Floats) -> float:
        """Return the share of held-out samples whose largest margin is that of their class, ties to the lowest one.

        Args:
            w: the models, shape (K, d).
        """
        features, labels = self.held_out or (self.first.features, self.labels)
        return accuracy_of(features, labels, model_of(w, (self.classes, self.shape[1])))


@dataclass(frozen=True, eq=False)
class Softmax:
    """f(W) = (1/N)·Σ log Σ_k exp(x_i·w_k) − x_i·w_{y_i} + (λ/2)·‖W‖²: softmax regression, for float algorithms.

    Args:
        features: rows x_i, shape (N, d).
        labels: class numbers 0 to K − 1, shape (N,).
        ridge: λ, not negative.
        name: shown in tables.
        held_out: rows and class numbers to measure the accuracy on; by default those it is trained on.

    Example:
        >>> problem = Softmax(np.eye(2), np.array([0, 1]))
        >>> round(problem.loss(np.zeros((2, 2))), 6), problem.gradient(np.zeros((2, 2))).tolist()
        (0.693147, [[-0.25, 0.25], [0.25, -0.25]])
    """

    features: Floats
    labels: Labels
    ridge: float = 0.0
    name: str = "softmax"
    held_out: tuple[Floats, Labels] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", real_rows("features", self.features))
        object.__setattr__(self, "labels", class_numbers("labels", self.labels, self.shape[0]))
        object.__setattr__(self, "ridge", not_negative("ridge", self.ridge))
        object.__setattr__(self, "held_out", _labelled_rows(self.held_out, self.shape[1], self.classes))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of columns."""
        return self.features.shape[0], self.features.shape[1]

    @property
    def classes(self) -> int:
        """K."""
        return int(self.labels.max()) + 1

    def scores(self, w: Floats) -> Floats:
        """Return the margins of all classes, shape (N, K)."""
        return scores_of(self.features, model_of(w, (self.classes, self.shape[1])))

    def loss(self, w: Floats) -> float:
        """Return f(W)."""
        from scipy.special import logsumexp

        scores = self.scores(w)
        losses = logsumexp(scores, axis=1) - scores[np.arange(len(scores)), self.labels]
        return total(losses) / len(losses) + 0.5 * self.ridge * sum_of_squares(w.reshape(-1))

    def gradient(self, w: Floats) -> Floats:
        """Return the exact full gradient at W, ridge included, shape (K, d)."""
        from scipy.special import softmax

        slopes = softmax(self.scores(w), axis=1)
        slopes[np.arange(len(slopes)), self.labels] -= 1.0
        columns = [weighted_sum(self.features, np.ascontiguousarray(slopes[:, k])) for k in range(self.classes)]
        return np.stack(columns) / len(slopes) + self.ridge * w

    def accuracy(self, w: Floats) -> float:
        """Return the share of held-out samples whose largest margin is that of their class, ties to the lowest one."""
        features, labels = self.held_out or (self.features, self.labels)
        return accuracy_of(features, labels, model_of(w, (self.classes, self.shape[1])))

    def least_loss(self, fmt: QFormat | None = None) -> float:
        """Return f* by scipy's L-BFGS; there is none on quantized samples, since the engine cannot run softmax."""
        if fmt is not None:
            raise InputError(f"problem: got softmax on {fmt}; allowed: one-vs-rest on quantized samples")
        return self._minimum

    @cached_property
    def _minimum(self) -> float:
        shape = self.classes, self.shape[1]

        def objective(flat: Floats) -> tuple[float, Floats]:
            w = flat.reshape(shape)
            return self.loss(w), self.gradient(w).reshape(-1)

        return self.loss(minimize(objective, np.zeros(shape[0] * shape[1])).reshape(shape))

    @property
    def smoothness(self) -> float:
        """L: at most ½·max ‖x_i‖² + λ, since the Hessian of log Σ exp has norm at most ½."""
        return 0.5 * float(np.square(self.features).sum(axis=1).max()) + self.ridge

    @property
    def strong_convexity(self) -> float:
        """μ: λ."""
        return float(self.ridge)


AnyProblem = Problem | OneVsRest | Softmax


def scores_of(features: Floats, w: Floats) -> Floats:
    """Return the margins of all classes, shape (N, K).

    Args:
        features: rows, shape (N, d).
        w: the models, shape (K, d).
    """
    return np.stack([row_products(features, row) for row in w], axis=1)


def accuracy_of(features: Floats, labels: Labels, w: Floats) -> float:
    """Return the share of samples whose largest margin is that of their class, ties to the lowest class.

    Args:
        features: rows, shape (N, d).
        labels: class numbers, shape (N,).
        w: the models, shape (K, d).

    Example:
        >>> accuracy_of(np.eye(2), np.array([0, 1]), np.zeros((2, 2)))
        0.5
    """
    return float(np.mean(scores_of(features, w).argmax(axis=1) == labels))


def class_numbers(name: str, values: Any, count: int, classes: int | None = None) -> Labels:
    """Return class numbers, shape (count,), below `classes` if that is given; others are refused."""
    labels = integer_array(name, values)
    if labels.shape != (count,):
        raise InputError(f"{name}: got shape {labels.shape}; allowed: ({count},)")
    last = LARGEST_CLASS if classes is None else classes - 1
    outside = labels[(labels < 0) | (labels > last)]
    if len(outside):
        raise InputError(f"{name}: got {outside[0]}; allowed: class numbers, 0 to {last}")
    return labels


def _labelled_rows(held_out: Any, columns: int, classes: int) -> tuple[Floats, Labels] | None:
    if held_out is None:
        return None
    rows = real_rows("held-out features", held_out[0], columns)
    return rows, class_numbers("held-out labels", held_out[1], len(rows), classes)


def _is_class(labels: Labels, k: int) -> Floats:
    result: Floats = (labels == k).astype(np.float64)
    return result
