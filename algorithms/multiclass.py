"""Problems of more than two classes: one-vs-rest, which the engine can run, and softmax, which only float64 can."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from algorithms.minimum import minimize
from algorithms.problems import Floats, Problem
from sim.errors import InputError
from sim.formats import QFormat
from sim.host import row_products, sum_of_squares, total, weighted_sum

Labels = NDArray[np.int64]


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
        >>> problem = OneVsRest(Logistic(rows, labels == 0), labels)
        >>> problem.classes, problem.binaries[2].targets, problem.accuracy(np.eye(3))
        (3, array([0., 0., 1.]), 1.0)
    """

    first: Problem
    labels: Labels
    held_out: tuple[Floats, Labels] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.labels.shape != self.first.targets.shape:
            raise InputError(f"labels: got shape {self.labels.shape}; allowed: {self.first.targets.shape}")
        if not self.first.classifies:
            raise InputError(f"first: got {type(self.first).__name__}; allowed: a problem of two classes")

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
        return [self.first.alike(targets=(self.labels == k).astype(np.float64)) for k in range(self.classes)]

    def least_loss(self, fmt: QFormat | None = None) -> float:
        """Return the mean over the classes of f*, on samples quantized to a format (None: as they are)."""
        return math.fsum(problem.least_loss(fmt) for problem in self.binaries) / self.classes

    def accuracy(self, w: Floats) -> float:
        """Return the share of held-out samples whose largest margin is that of their class, ties to the lowest one.

        Args:
            w: the models, shape (K, d).
        """
        features, labels = self.held_out or (self.first.features, self.labels)
        return accuracy_of(features, labels, w)


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
        if self.features.ndim != 2 or not np.isfinite(self.features).all():
            raise InputError(f"features: got shape {self.features.shape}; allowed: finite numbers, shape (N, d)")
        if self.labels.shape != self.features.shape[:1] or self.labels.dtype.kind not in "iu" or self.labels.min() < 0:
            raise InputError(f"labels: got shape {self.labels.shape}, {self.labels.dtype}; allowed: N class numbers")
        if not 0.0 <= self.ridge < np.inf:
            raise InputError(f"ridge: got {self.ridge!r}; allowed: a finite number of at least 0")

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
        if np.shape(w) != (self.classes, self.shape[1]):
            raise InputError(f"w: got shape {np.shape(w)}; allowed: ({self.classes}, {self.shape[1]})")
        return np.stack([row_products(self.features, row) for row in w], axis=1)

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
        return accuracy_of(features, labels, w)

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


def accuracy_of(features: Floats, labels: Labels, w: Floats | Sequence[Floats]) -> float:
    """Return the share of samples whose largest margin is that of their class, ties to the lowest class.

    Args:
        features: rows, shape (N, d).
        labels: class numbers, shape (N,).
        w: the models, shape (K, d).

    Example:
        >>> accuracy_of(np.eye(2), np.array([0, 1]), np.zeros((2, 2)))
        0.5
    """
    scores = np.stack([row_products(features, np.ascontiguousarray(row)) for row in w], axis=1)
    return float(np.mean(scores.argmax(axis=1) == labels))
