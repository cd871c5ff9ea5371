"""Data sets with the problems they make and the settings at which they trained."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numpy as np

from algorithms.multiclass import AnyProblem, OneVsRest, Softmax
from algorithms.problems import Hinge, LeastSquares, LeastSquaresSvm, Logistic, Problem, SmoothedHinge
from algorithms.samples import DataSpec, HeldOut, Samples, Scaling, load_samples
from sim.errors import InputError
from sim.quantize import mode_of


class Loss(StrEnum):
    """What is minimised."""

    LEAST_SQUARES = "least_squares"
    """Least squares on real targets; with a ridge term, ridge regression."""
    LOGISTIC = "logistic"
    """Logistic loss of two classes; of more, one against the rest."""
    SOFTMAX = "softmax"
    """Softmax regression; float algorithms only."""
    LEAST_SQUARES_SVM = "least_squares_svm"
    """Least-squares support vector machine; of more than two classes, one against the rest."""
    SMOOTHED_HINGE = "smoothed_hinge"
    """Support vector machine with a smoothed hinge; of more than two classes, one against the rest."""
    HINGE = "hinge"
    """Support vector machine; of more than two classes, one against the rest."""

    @property
    def is_quadratic(self) -> bool:
        """Whether its gradient is linear in the margin, so that the engine needs no table."""
        return self in (Loss.LEAST_SQUARES, Loss.LEAST_SQUARES_SVM)


_BINARY: dict[Loss, type[Problem]] = {
    Loss.LOGISTIC: Logistic,
    Loss.LEAST_SQUARES_SVM: LeastSquaresSvm,
    Loss.SMOOTHED_HINGE: SmoothedHinge,
    Loss.HINGE: Hinge,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Run parameters that suit a data set.

    Attributes:
        step: step size α.
        epoch_length: inner steps an epoch, T.
        epochs: number of epochs.
        mu: HALP's μ, which sets the offset's scale.
        delta: δ of LP-SGD and LP-SVRG with a model of 8 bits.
        loss: what is minimised.
        ridge: λ.
    """

    step: float
    epoch_length: int
    epochs: int
    mu: float
    delta: float
    loss: Loss = Loss.LEAST_SQUARES
    ridge: float = 0.0


@dataclass(frozen=True, slots=True)
class DataSet:
    """A named data set: a line about it, how it is prepared, and settings for it."""

    about: str
    spec: DataSpec
    settings: Settings


DATA_SETS = {
    "reference": DataSet(
        "make_regression(1000, 100, n_informative=10, noise=0, random_state=0)",
        DataSpec(source="reference"),
        Settings(step=1e-3, epoch_length=2000, epochs=10, mu=2.0, delta=1.0),
    ),
    "diabetes": DataSet(
        "442 patients, 10 measurements, disease progression; columns of unit variance, target centred",
        DataSpec(source="diabetes"),
        Settings(step=1e-2, epoch_length=884, epochs=40, mu=0.25, delta=1.0),
    ),
    "breast_cancer": DataSet(
        "569 tumours, 30 measurements, malignant or benign; columns centred, of unit variance",
        DataSpec(source="breast_cancer", center=True, scale=Scaling.UNIT_VARIANCE, bias=True),
        Settings(step=2e-2, epoch_length=1138, epochs=40, mu=0.3, delta=0.02, loss=Loss.LOGISTIC, ridge=1e-3),
    ),
    "digits": DataSet(
        "1797 pictures of 8×8 pixels, 10 digits, one against the rest",
        DataSpec(source="digits", scale=Scaling.LARGEST, bias=True),
        Settings(step=0.05, epoch_length=1797, epochs=10, mu=0.3, delta=0.05, loss=Loss.LOGISTIC, ridge=1e-3),
    ),
    "synthetic-10": DataSet(
        "10,000 rows of 10 normal features, targets a·x + noise of a tenth: ZipML's",
        DataSpec(source="synthetic-10"),
        Settings(step=0.01, epoch_length=10_000, epochs=10, mu=0.5, delta=0.01),
    ),
    "synthetic-100": DataSet(
        "the same of 100 features",
        DataSpec(source="synthetic-100"),
        Settings(step=2e-3, epoch_length=10_000, epochs=10, mu=4.0, delta=2e-3),
    ),
    "synthetic-1000": DataSet(
        "the same of 1000 features",
        DataSpec(source="synthetic-1000"),
        Settings(step=2e-4, epoch_length=10_000, epochs=20, mu=16.0, delta=5e-4),
    ),
    "fashion-mnist": DataSet(
        "60,000 + 10,000 pictures of 28×28 pixels, 10 kinds of clothes, one against the rest; columns centred",
        DataSpec(source="fashion-mnist", center=True, scale=Scaling.LARGEST, bias=True, held_out=HeldOut.TEST),
        Settings(step=0.02, epoch_length=60_000, epochs=20, mu=0.03, delta=0.01, loss=Loss.LOGISTIC, ridge=1e-4),
    ),
}
"""Data sets by name."""


def load(name: str) -> tuple[AnyProblem, Settings]:
    """Return the problem of a shipped data set, prepared as its entry says, and the settings that suit it.

    Args:
        name: a key of `DATA_SETS`.

    Raises:
        InputError: for an unknown name, or a data set that is not installed.

    Example:
        >>> problem, settings = load("diabetes")
        >>> problem.shape, settings.epochs
        ((442, 10), 40)
    """
    if name not in DATA_SETS:
        raise InputError(f"data: got {name!r}; allowed: {', '.join(DATA_SETS)}")
    return prepare(name)[0], DATA_SETS[name].settings


def prepare(
    source: str, loss: Loss | str | None = None, ridge: float | None = None, **options: Any
) -> tuple[AnyProblem, Settings | None]:
    """Return the problem of a shipped data set or of a file, and the settings that suit a shipped one.

    Args:
        source: a key of `DATA_SETS`, or the path of a file.
        loss: what is minimised; by default the shipped set's own.
        ridge: λ; by default the shipped set's own, 0 for a file.
        options: fields of `DataSpec` other than the shipped set's own; None leaves a field as it is.

    Raises:
        InputError: for data that cannot be read, or a file without a loss.

    Example:
        >>> prepare("diabetes", ridge=0.5)[0].ridge
        0.5
    """
    given = {name: value for name, value in options.items() if value is not None}
    known = DATA_SETS.get(source)
    spec = DataSpec(source=source, **given) if known is None else known.spec.replace(**given)
    if known is None and loss is None:
        raise InputError(f"loss: got none for {source}; allowed: {', '.join(Loss)}")
    settings = None if known is None else known.settings
    chosen = settings.loss if loss is None and settings is not None else mode_of(Loss, "loss", loss)
    default = 0.0 if settings is None else settings.ridge
    return load_problem(spec, chosen, default if ridge is None else ridge), settings


@lru_cache(maxsize=4)
def load_problem(spec: DataSpec, loss: Loss | str, ridge: float) -> AnyProblem:
    """Return the problem that samples make under a loss; the last few are kept.

    Args:
        spec: which samples, and how they are prepared.
        loss: what is minimised.
        ridge: λ, not negative.

    Raises:
        InputError: for samples that cannot be read, or that the loss does not fit.
    """
    return problem_of(load_samples(spec), loss, ridge)


def problem_of(samples: Samples, loss: Loss | str, ridge: float = 0.0) -> AnyProblem:
    """Return the problem that samples make under a loss.

    Args:
        samples: rows and targets.
        loss: what is minimised.
        ridge: λ, not negative.

    Raises:
        InputError: for class labels under least squares, or targets that are no classes under another loss.

    Example:
        >>> type(problem_of(load_samples(DataSpec(source="digits")), "logistic")).__name__
        'OneVsRest'
    """
    loss, name = mode_of(Loss, "loss", loss), samples.name
    if loss is Loss.LEAST_SQUARES:
        if samples.targets.dtype.kind != "f":
            raise InputError(f"loss: got {loss} on class labels; allowed: {', '.join(_BINARY)}, softmax")
        rows, targets = samples.held_out_features, samples.held_out_targets
        held = None if rows is None or targets is None else (rows, targets)
        return LeastSquares(samples.features, samples.targets, ridge, name, held)
    classes, codes, held_codes = samples.labels()
    held_features = samples.held_out_features
    held_out = None if held_features is None or held_codes is None else (held_features, held_codes)
    if loss is Loss.SOFTMAX:
        return Softmax(samples.features, codes, ridge, name, held_out)
    kind = _BINARY[loss]
    if len(classes) == 2:
        binary = None if held_out is None else (held_out[0], held_out[1].astype(np.float64))
        return kind(samples.features, codes.astype(np.float64), ridge, name, binary)
    return OneVsRest(kind(samples.features, (codes == 0).astype(np.float64), ridge, name), codes, held_out)
