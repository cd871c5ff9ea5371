"""Problems: a convex loss over samples, with its exact gradient and the constants of its convexity.

A loss of a margin t = x·w and a target y is Φ(t) − y·t, up to a constant: one curve Φ a problem, from which gradients,
tables of the circuit's links and the constants of smoothness follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import HINGE, LOGISTIC, QUADRATIC, SMOOTHED_HINGE, Curve
from algorithms.minimum import least_hinge_loss, least_loss
from sim.errors import InputError
from sim.formats import QFormat
from sim.host import row_products, sum_of_squares, total, weighted_sum
from sim.modes import Overflow, Rounding
from sim.quantize import dequantize, quantize, real_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """f(w) = (1/N)·Σ loss(x_i·w, y_i) + (λ/2)·‖w‖²; the subclasses say which loss.

    Args:
        features: rows x_i, shape (N, d).
        targets: y, shape (N,).
        ridge: λ, not negative.
        name: shown in tables.
        held_out: rows and targets to measure the accuracy on; by default those it is trained on.

    Raises:
        InputError: for NaN, infinities, empty arrays, shapes that do not match, or targets that the loss cannot have.
    """

    features: Floats
    targets: Floats
    ridge: float = 0.0
    name: str = "problem"
    held_out: tuple[Floats, Floats] | None = field(default=None, repr=False)
    quantized_features: dict[QFormat, tuple[Floats, NDArray[np.integer], float]] = field(
        default_factory=dict, repr=False
    )
    """Quantized features by format, kept for the next run; shared by problems on the same features."""

    curve: ClassVar[Curve]
    classifies: ClassVar[bool] = True

    def __post_init__(self) -> None:
        features, targets = self._samples(self.features, self.targets)
        object.__setattr__(self, "features", features.copy())
        object.__setattr__(self, "targets", targets.copy())
        object.__setattr__(self, "ridge", not_negative("ridge", self.ridge))
        if self.held_out is not None:
            object.__setattr__(self, "held_out", self._samples(*self.held_out, "held-out ", features.shape[1]))

    def _samples(self, rows: Any, values: Any, kind: str = "", columns: int | None = None) -> tuple[Floats, Floats]:
        """Return rows and targets as float64, checked."""
        features, targets = real_rows(f"{kind}features", rows, columns), finite(f"{kind}targets", values)
        if targets.shape != features.shape[:1]:
            raise InputError(f"{kind}targets: got shape {targets.shape}; allowed: ({len(features)},)")
        other = targets[~np.isin(targets, (0.0, 1.0))]
        if self.classifies and len(other):
            raise InputError(f"{kind}targets: got {other[0]}; allowed: class labels, 0 and 1")
        return features, targets

    @property
    def shape(self) -> tuple[int, int]:
        """Number of samples and of columns."""
        return self.features.shape[0], self.features.shape[1]

    @property
    def rows(self) -> Floats:
        """The rows that multiply w, shape (N, d)."""
        return self.fold(self.features)

    @property
    def responses(self) -> Floats:
        """The y of the loss Φ(t) − y·t, shape (N,)."""
        return self.targets

    def margins(self, w: Floats) -> Floats:
        """Return x_i·w, shape (N,)."""
        return row_products(self.rows, model_of(w, self.features.shape[1:]))

    def loss(self, w: Floats) -> float:
        """Return f(w)."""
        losses = self.curve.losses(self.margins(w), self.responses)
        return total(losses) / len(self.targets) + 0.5 * self.ridge * sum_of_squares(w)

    def gradient(self, w: Floats, margins: Floats | None = None) -> Floats:
        """Return the exact full gradient at w, ridge included, shape (d,).

        Args:
            w: the model, shape (d,).
            margins: those at w, where they are at hand.
        """
        margins = self.margins(w) if margins is None else margins
        slopes = self.curve.response(margins) - self.responses
        return weighted_sum(self.rows, slopes) / len(self.targets) + self.ridge * w

    def accuracy(self, w: Floats) -> float | None:
        """Return the share of held-out samples on the right side, 0 being that of label 0; None for a regression."""
        if not self.classifies:
            return None
        features, targets = self.held_out or (self.features, self.targets)
        return float(np.mean((row_products(features, model_of(w, features.shape[1:])) > 0) == (targets > 0)))

    @cached_property
    def minimum(self) -> float:
        """f*, the least loss, by scipy."""
        return least_loss(self.rows, self.responses, self.curve, self.ridge)

    def least_loss(self, fmt: QFormat | None = None) -> float:
        """Return f*, on samples quantized to a format (None: as they are)."""
        return self.minimum if fmt is None else self.quantized(fmt).problem.minimum

    @property
    def smoothness(self) -> float:
        """L: the largest smoothness of a sample's loss, max Φ''·max ‖x_i‖² + λ."""
        return self.curve.curvature * float(np.square(self.features).sum(axis=1).max()) + self.ridge

    @property
    def strong_convexity(self) -> float:
        """μ: λ, since the curves flatten out; 0 where f need not be strongly convex."""
        return float(self.ridge)

    def fold(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return rows of features, real or raw, as they multiply w: with the labels' signs if the loss wants them."""
        return rows

    def alike(self, **changes: Any) -> Self:
        """Return a problem with other values in some fields, arrays neither copied nor checked again."""
        other = object.__new__(type(self))
        for entry in fields(self):
            object.__setattr__(other, entry.name, changes.get(entry.name, getattr(self, entry.name)))
        return other

    def quantized(self, fmt: QFormat) -> Quantized:
        """Return the problem on quantized samples, with their words and scale; kept for the next call."""
        if fmt not in self._quantized:
            if fmt not in self.quantized_features:
                self.quantized_features[fmt] = quantized_features(self.features, fmt)
            real, raw, scale = self.quantized_features[fmt]
            problem = self.alike(features=real, quantized_features={})
            self._quantized[fmt] = Quantized(problem, self.fold(raw), scale)
        return self._quantized[fmt]

    @cached_property
    def _quantized(self) -> dict[QFormat, Quantized]:
        return {}


@dataclass(frozen=True, eq=False)
class Quantized:
    """A problem on quantized samples: low-precision algorithms solve this one.

    Attributes:
        problem: the problem on the dequantized rows.
        raw: the words of its rows, shape (N, d).
        scale: δ_x = max|X|/(2^(b−1) − 1), the worth of a word's last bit.
    """

    problem: Problem
    raw: NDArray[np.integer]
    scale: float


@dataclass(frozen=True, eq=False)
class LeastSquares(Problem):
    """f(w) = (1/2N)·Σ (x_i·w − y_i)² + (λ/2)·‖w‖²: ridge regression.

    Example:
        >>> problem = LeastSquares([[1.0, 0.0], [0.0, 2.0]], [1.0, 2.0])
        >>> problem.loss(np.zeros(2)), problem.gradient(np.zeros(2))
        (1.25, array([-0.5, -2. ]))
    """

    name: str = "least squares"
    curve: ClassVar[Curve] = QUADRATIC
    classifies: ClassVar[bool] = False

    def residuals(self, w: Floats) -> Floats:
        """Return x_i·w − y_i, shape (N,)."""
        return self.margins(w) - self.responses

    def solution(self) -> Floats:
        """Return a minimiser (the one of least norm), from a direct solver."""
        count, columns = self.shape
        rows = np.vstack([self.rows, np.sqrt(self.ridge * count) * np.eye(columns)])
        return np.asarray(np.linalg.lstsq(rows, np.append(self.responses, np.zeros(columns)))[0])

    @cached_property
    def minimum(self) -> float:
        """f*, the least loss, by a direct solver."""
        return self.loss(self.solution())

    @property
    def strong_convexity(self) -> float:
        """μ: the smallest eigenvalue of the Hessian."""
        count = len(self.targets)
        return float(np.linalg.eigvalsh(self.features.T @ self.features / count)[0]) + self.ridge


@dataclass(frozen=True, eq=False)
class LeastSquaresSvm(LeastSquares):
    """f(w) = (1/2N)·Σ (1 − s_i·x_i·w)² + (λ/2)·‖w‖², labels 0 and 1, s = 2·label − 1: the least-squares SVM.

    Example:
        >>> LeastSquaresSvm([[1.0], [-1.0]], [1.0, 0.0]).gradient(np.zeros(1))
        array([-1.])
    """

    name: str = "least-squares SVM"
    classifies: ClassVar[bool] = True

    @cached_property
    def responses(self) -> Floats:
        """The labels as −1 and 1, shape (N,)."""
        return 2.0 * self.targets - 1.0


@dataclass(frozen=True, eq=False)
class Logistic(Problem):
    """f(w) = (1/N)·Σ log(1 + exp(x_i·w)) − y_i·x_i·w + (λ/2)·‖w‖², labels y of 0 and 1.

    Example:
        >>> Logistic([[1.0], [-1.0]], [1.0, 0.0]).gradient(np.zeros(1))
        array([-0.5])
    """

    name: str = "logistic"
    curve: ClassVar[Curve] = LOGISTIC


@dataclass(frozen=True, eq=False)
class SmoothedHinge(Problem):
    """f(w) = (1/N)·Σ hinge(s_i·x_i·w) + (λ/2)·‖w‖², labels 0 and 1, s = 2·label − 1: a smoothed support vector machine.

    hinge(m) is 0 from m = 1 on, (1 − m)²/2 from 0 to 1, and 1/2 − m below. The signs are folded into the rows.

    Example:
        >>> problem = SmoothedHinge([[1.0], [-1.0]], [1.0, 0.0])
        >>> problem.gradient(np.zeros(1)), problem.loss(np.ones(1))
        (array([-1.]), 0.0)
    """

    name: str = "smoothed hinge"
    curve: ClassVar[Curve] = SMOOTHED_HINGE

    @cached_property
    def rows(self) -> Floats:
        """The rows times their labels' signs, shape (N, d)."""
        return self.fold(self.features)

    def fold(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return rows with the signs of their labels, in their dtype."""
        return np.where(self.targets[:, None] > 0, rows, -rows)

    @cached_property
    def responses(self) -> Floats:
        """Zeros: the labels are in the rows."""
        return np.zeros(len(self.targets))


@dataclass(frozen=True, eq=False)
class Hinge(SmoothedHinge):
    """f(w) = (1/N)·Σ max(1 − s_i·x_i·w, 0) + (λ/2)·‖w‖², labels 0 and 1, s = 2·label − 1: a support vector machine.

    Its gradients are sub-gradients, and its smoothness is infinite.

    Example:
        >>> problem = Hinge([[1.0], [-1.0]], [1.0, 0.0])
        >>> problem.gradient(np.zeros(1)), problem.loss(np.zeros(1))
        (array([-1.]), 1.0)
    """

    name: str = "hinge"
    curve: ClassVar[Curve] = HINGE

    @cached_property
    def minimum(self) -> float:
        """f*, the least loss, by a linear programme, or with a ridge term by liblinear."""
        return min(self.loss(np.zeros(self.shape[1])), least_hinge_loss(self.rows, self.ridge))


def quantized_features(features: Floats, fmt: QFormat) -> tuple[Floats, NDArray[np.integer], float]:
    """Return features as words and back: dequantized, shape (N, d), their words, and the scale max|X|/(2^(b−1) − 1).

    Rounding is to nearest even, symmetric.

    Example:
        >>> _, raw, scale = quantized_features(np.array([[1.0], [-2.54]]), QFormat(8, 0))
        >>> raw.tolist(), round(scale, 6)
        ([[50], [-127]], 0.02)
    """
    largest = float(np.abs(features).max())
    if largest == 0.0:
        raise InputError("features: got only zeros; allowed: at least one value that is not 0")
    scale = largest / fmt.high
    raw = quantize(features, fmt, Rounding.TIES_EVEN, Overflow.SAT_SYM, scale=scale)
    return dequantize(raw, fmt, scale), raw, scale


def finite(name: str, values: Any) -> Floats:
    """Return values as a float64 array, or raise an InputError that names the first one that is not finite."""
    array = real_array(name, values)
    if not np.isfinite(array).all():
        index = np.argwhere(~np.isfinite(array))[0].tolist()
        raise InputError(f"{name}{index}: got {array[tuple(index)]}; allowed: finite numbers")
    return array


def real_rows(name: str, values: Any, columns: int | None = None) -> Floats:
    """Return finite rows, shape (N, d), with d = `columns` if it is given."""
    array = finite(name, values)
    if array.ndim != 2 or columns not in (None, array.shape[1]):
        raise InputError(f"{name}: got shape {array.shape}; allowed: (N, {'d' if columns is None else columns})")
    return array


def model_of(w: Any, shape: tuple[int, ...]) -> Floats:
    """Return a model, or raise an InputError for another shape: compiled sums do not look at lengths."""
    if np.shape(w) != shape:
        raise InputError(f"w: got shape {np.shape(w)}; allowed: {shape}")
    return np.ascontiguousarray(w, np.float64)


def not_negative(name: str, value: Any) -> float:
    """Return a number that is finite and at least 0."""
    if not isinstance(value, int | float | np.number) or not 0.0 <= value < np.inf:
        raise InputError(f"{name}: got {value!r}; allowed: a finite number of at least 0")
    return float(value)
