"""Samples of a problem: which rows, how centred and scaled, which are held out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from algorithms.file_formats import Array, Raw
from algorithms.readers import SOURCES, read
from sim.configuration import Section, field
from sim.errors import InputError
from sim.host import weighted_sum

Floats = NDArray[np.float64]

_MOST_CLASSES = 1000
_FEW_VALUES = 20  # whole numbers of a file with at most so many values are stratified like labels
_EXACT = 2.0**53  # whole float64 numbers beyond are not all there
_BLOCK = 4096  # rows of a temporary copy


class HeldOut(StrEnum):
    """Which rows are kept out of training, for a score."""

    NONE = "none"
    TEST = "test"
    """The data set's own test split."""
    FOLD = "fold"
    """One of equal parts of the training rows."""


class Scaling(StrEnum):
    """What features are divided by."""

    NONE = "none"
    LARGEST = "largest"
    """All of them by the largest |x|."""
    COLUMN = "column"
    """Each column by its largest |x|."""
    UNIT_VARIANCE = "unit_variance"
    """Each column by its standard deviation."""


class DataSpec(Section, frozen=True):
    """Which data, and what is done to them; read from the table `data` of a study.

    Raises:
        InputError: for a field outside its range, or fields that contradict each other.

    Example:
        >>> DataSpec(source="digits", center=True).held_out
        <HeldOut.NONE: 'none'>
    """

    source: Annotated[str, field(f"{', '.join(SOURCES)}, or the path of a file or of a folder of idx files")]
    target: Annotated[str, field("column (name or number) or key of the targets in a CSV, npy or npz file")] = ""
    center: Annotated[bool, field("subtract each column's mean")] = False
    scale: Annotated[Scaling, field("what features are divided by, after centring")] = Scaling.NONE
    bias: Annotated[bool, field("append a column of ones, after centring and scaling")] = False
    drop_constant: Annotated[bool, field("leave out columns that are constant over the training rows")] = False
    held_out: Annotated[HeldOut, field("rows kept out of training: none, the set's own test split, or a fold")] = (
        HeldOut.NONE
    )
    folds: Annotated[int, field("number of folds", 2, 1000)] = 5
    fold: Annotated[int, field("the fold that is held out, counted from 0", 0, 999)] = 0
    split_seed: Annotated[int, field("seed of the shuffle before folding", 0, (1 << 32) - 1)] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.source:
            raise InputError(f"source: got ''; allowed: {', '.join(SOURCES)}, or a path")
        if self.fold >= self.folds:
            raise InputError(f"fold: got {self.fold}; allowed: 0 to {self.folds - 1}, since folds is {self.folds}")
        if self.held_out is not HeldOut.FOLD and (self.folds, self.fold, self.split_seed) != (5, 0, 0):
            raise InputError(
                f"folds: got folds {self.folds}, fold {self.fold}, split_seed {self.split_seed} with held_out "
                f'{self.held_out}; allowed: none of them (they belong to held_out = "fold")'
            )


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows to train on, and those held out.

    Attributes:
        name: shown in tables.
        features: shape (N, d), float64.
        targets: shape (N,): real values or whole-number labels as float64, or labels as text.
        held_out_features: shape (M, d), or None.
        held_out_targets: shape (M,), or None.
        is_classes: whether the targets look like labels: known to be, text, or a few whole numbers.
    """

    name: str
    features: Floats
    targets: Array
    held_out_features: Floats | None = None
    held_out_targets: Array | None = None
    is_classes: bool = False

    def labels(self) -> tuple[Array, NDArray[np.int64], NDArray[np.int64] | None]:
        """Return the targets as labels.

        Returns:
            The classes in rising order, int64 or text, shape (K,); for each row the index of its class; the same for
            the rows held out, or None.

        Raises:
            InputError: for targets that are neither whole numbers nor text, that have fewer than 2 or more than 1000
                values, or that have values among the rows held out which no training row has.

        Example:
            >>> Samples("ab", np.eye(3), np.array(["b", "a", "b"])).labels()
            (array(['a', 'b'], dtype='<U1'), array([1, 0, 1]), None)
        """
        classes, codes = np.unique(self._as_labels(self.targets), return_inverse=True)
        if not 2 <= len(classes) <= _MOST_CLASSES:
            raise InputError(
                f"targets of {self.name}: got {len(classes)} different value(s); allowed: 2 to {_MOST_CLASSES} classes"
            )
        if self.held_out_targets is None:
            return classes, codes.astype(np.int64), None
        held_out = self._as_labels(self.held_out_targets)
        unknown = np.setdiff1d(held_out, classes)
        if len(unknown):
            raise InputError(
                f"held-out targets of {self.name}: got {unknown[0].item()!r}; "
                f"allowed: the {len(classes)} classes of the training rows"
            )
        return classes, codes.astype(np.int64), np.searchsorted(classes, held_out).astype(np.int64)

    def _as_labels(self, targets: Array) -> Array:
        if targets.dtype.kind == "U":
            return targets
        bad = np.flatnonzero(~_is_whole(targets))
        if len(bad):
            raise InputError(
                f"targets of {self.name}: got {targets[bad[0]].item()}; allowed: labels, whole numbers or text"
            )
        return targets.astype(np.int64)


def load_samples(spec: DataSpec) -> Samples:
    """Return the samples that a specification describes.

    Order: rows are split, constant columns left out if asked, features centred, then scaled, then the column of ones is
    appended. Means, scales and which columns are constant come from the training rows alone and act on the rows held
    out as well. Targets stay as they are.

    Raises:
        InputError: for data that are missing, torn or not numbers, too few rows for the folds, no column that varies,
            or a scale of 0.

    Example:
        >>> samples = load_samples(DataSpec(source="digits", center=True, held_out=HeldOut.FOLD))
        >>> samples.features.shape, samples.held_out_features.shape, samples.is_classes
        ((1437, 64), (360, 64), True)
    """
    raw = read(spec.source, spec.target, spec.held_out is HeldOut.TEST)
    _check_finite(f"{raw.name}, features", raw.features)
    _check_finite(f"{raw.name}, targets", raw.targets)
    is_classes = raw.is_classes or _has_few_whole_values(raw.targets)
    train, held_out = (raw.features, raw.targets), raw.test
    if spec.held_out is HeldOut.FOLD:
        inside, outside = _fold(spec, raw, is_classes)
        train = raw.features[inside], raw.targets[inside]
        held_out = raw.features[outside], raw.targets[outside]
    parts = [_as_floats(train[0], raw.unit)]
    if held_out is not None:
        parts.append(_as_floats(held_out[0], raw.unit))
    parts = _prepared(spec, raw, parts)
    if held_out is None:
        return Samples(raw.name, parts[0], train[1], is_classes=is_classes)
    return Samples(raw.name, parts[0], train[1], parts[1], held_out[1], is_classes)


def _fold(spec: DataSpec, raw: Raw, is_classes: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out; each class evenly over the folds, if it has a row for each."""
    from sklearn.model_selection import KFold, StratifiedKFold

    count = len(raw.targets)
    if count < spec.folds:
        raise InputError(f"folds: got {spec.folds}; allowed: at most {count}, the number of rows of {raw.name}")
    codes = np.unique(raw.targets, return_inverse=True)[1] if is_classes else np.zeros(count, np.int64)
    stratified = is_classes and np.bincount(codes).min() >= spec.folds
    kind = StratifiedKFold if stratified else KFold
    splits = kind(spec.folds, shuffle=True, random_state=spec.split_seed).split(codes, codes)
    inside, outside = list(splits)[spec.fold]
    return inside, outside


def _prepared(spec: DataSpec, raw: Raw, parts: list[Floats]) -> list[Floats]:
    """Training rows, and any held out, after all options; the arrays given are overwritten."""
    low, high = parts[0].min(axis=0), parts[0].max(axis=0)
    varies = low < high
    if not varies.any():
        raise InputError(
            f"{raw.name}: got only constant columns over {len(parts[0])} training row(s); "
            "allowed: at least one column that varies"
        )
    kept = np.arange(len(varies))
    if spec.drop_constant and not varies.all():
        kept = np.flatnonzero(varies)
        parts = [np.ascontiguousarray(part[:, kept]) for part in parts]
        low, high, varies = low[kept], high[kept], varies[kept]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.where(varies, _mean(parts[0]), low)  # so that a constant column is 0 about its mean, exactly
        if spec.center:
            for part in parts:
                np.subtract(part, mean, out=part)
            low, high, mean = low - mean, high - mean, np.zeros_like(mean)
        if spec.scale is not Scaling.NONE:
            scale = _scale(spec.scale, parts[0], np.maximum(high, -low), mean)
            _check_scale(spec, raw, scale, varies, kept)
            for part in parts:
                np.divide(part, scale, out=part)
    for part in parts:
        if not np.isfinite(part).all():
            column = raw.column(int(kept[np.argwhere(~np.isfinite(part))[0, 1]]))
            raise InputError(f"{raw.name}, column {column}: got values past float64 on the way; allowed: smaller ones")
    if spec.bias:
        parts = [np.column_stack([part, np.ones(len(part))]) for part in parts]
    return parts


def _scale(scaling: Scaling, features: Floats, largest: Floats, mean: Floats) -> Floats:
    """The divisor of each column."""
    if scaling is Scaling.UNIT_VARIANCE:
        blocks = (features[start : start + _BLOCK] - mean for start in range(0, len(features), _BLOCK))
        squares = sum(weighted_sum(np.square(block), np.ones(len(block))) for block in blocks)
        return np.asarray(np.sqrt(squares / len(features)))
    return np.full_like(largest, largest.max()) if scaling is Scaling.LARGEST else largest


def _check_scale(spec: DataSpec, raw: Raw, scale: Floats, varies: NDArray[np.bool_], kept: NDArray[np.int64]) -> None:
    for bad, what, allowed in (
        ((scale == 0.0) & ~varies, "constant over the training rows", "drop_constant = true, or other scaling"),
        (~((scale > 0.0) & (scale < np.inf)), "too small or too large to be divided by their size", "other units"),
    ):
        columns = kept[np.flatnonzero(bad)]
        if len(columns):
            first = ", ".join(raw.column(int(j)) for j in columns[:5])
            more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
            raise InputError(f"scale: got {spec.scale} with column(s) {first}{more} {what}; allowed: {allowed}")


def _mean(features: Floats) -> Floats:
    return weighted_sum(features, np.ones(len(features))) / len(features)


def _as_floats(features: Array, unit: float) -> Floats:
    """Features as an array that may be overwritten, divided by their unit."""
    array: Floats = np.require(features, np.float64, ["C", "W"])
    if unit != 1.0:
        array /= unit
    return array


def _check_finite(name: str, values: Array) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row, *column = np.argwhere(~np.isfinite(values))[0].tolist()
        place = f"row {row}, column {column[0]}" if column else f"row {row}"
        raise InputError(f"{name}: got {values[row, *column]} in {place} (counted from 0); allowed: finite numbers")


def _is_whole(targets: Array) -> NDArray[np.bool_]:
    return np.asarray((targets == np.rint(targets)) & (np.abs(targets) <= _EXACT))


def _has_few_whole_values(targets: Array) -> bool:
    return targets.dtype.kind == "f" and bool(_is_whole(targets).all()) and 2 <= len(np.unique(targets)) <= _FEW_VALUES
