"""Rows as a file has them, in svmlight, npy, npz and idx; CSV has a module of its own."""

from __future__ import annotations

import gzip
import io
import math
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.errors import InputError

Array = NDArray[Any]

MAX_VALUES = 1 << 28
"""Features that a data set may have, all rows together: 2 GiB as float64."""

_FEATURE_KEYS = ("X", "x", "features", "data")
_TARGET_KEYS = ("y", "targets")
_BROKEN_ARRAY = (ValueError, TypeError, KeyError, EOFError, OverflowError, MemoryError, SyntaxError,
                 zipfile.BadZipFile, zlib.error, NotImplementedError)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Raw:
    """Rows as a file has them.

    Attributes:
        name: shown in tables.
        features: shape (N, d), any real dtype; in units of `unit`.
        targets: shape (N,), float64 or text.
        is_classes: whether the targets are known to be labels.
        unit: divides every feature.
        test: features and targets of the data set's own test split, if asked for.
        columns: names of the columns of features, empty where they have none.
    """

    name: str
    features: Array
    targets: Array
    is_classes: bool = False
    unit: float = 1.0
    test: tuple[Array, Array] | None = None
    columns: tuple[str, ...] = ()

    def column(self, index: int) -> str:
        """Return what an error calls a column: its name, or its number, counted from 0."""
        return repr(self.columns[index]) if self.columns else str(index)


def target_column(name: str, target: str, count: int, columns: tuple[str, ...] = ()) -> int:
    """Return the index of the target's column.

    Args:
        name: the file, for the error.
        target: a column's name, or its number, counted from 0 (negative: from the end); empty: the last.
        count: number of columns.
        columns: their names, if they have any.

    Raises:
        InputError: for a name or number that is none of them, or a name of two columns.

    Example:
        >>> target_column("rows.csv", "-2", 5), target_column("rows.csv", "age", 2, ("age", "height"))
        (3, 0)
    """
    if not target:
        return count - 1
    if columns.count(target) == 1:
        return columns.index(target)
    if is_column_number(target) and not columns.count(target) and -count <= int(target) < count:
        return int(target) % count
    names = ", ".join(columns[:10]) + (", …" if len(columns) > 10 else "")
    allowed = f"the name of one column ({names}), or " if columns else ""
    raise InputError(f"target: got {target!r}; allowed: {allowed}a number from {-count} to {count - 1} for {name}")


def is_column_number(target: str) -> bool:
    """Return whether a target is meant as a number of a column, not as a name."""
    return re.fullmatch(r"-?[0-9]{1,9}", target) is not None


def check_size(name: str, rows: int, columns: int) -> None:
    """Refuse what no memory would hold as dense float64.

    Raises:
        InputError: for no rows, no columns, or more than `MAX_VALUES` values.
    """
    if rows < 1 or columns < 1:
        raise InputError(f"{name}: got {rows} row(s) of {columns} feature(s); allowed: at least one of each")
    if rows * columns > MAX_VALUES:
        raise InputError(
            f"{name}: got {rows} rows of {columns} features; allowed: at most {MAX_VALUES} values (all data are dense)"
        )


def no_target(source: str, target: str) -> None:
    """Refuse to choose the targets of what says itself which they are.

    Raises:
        InputError: for any choice.
    """
    if target:
        raise InputError(f"target: got {target!r}; allowed: none, since {source} says which its targets are")


def read_idx(path: Path, dimensions: int, repair: str) -> NDArray[np.uint8]:
    """Return an array of bytes from a gzipped idx file.

    The format (of MNIST): magic number 0x0000080D for D dimensions, D sizes of 32 bits, high byte first, the bytes.

    Args:
        path: the file.
        dimensions: D.
        repair: what to do about a broken file, for the error.

    Raises:
        InputError: for a torn file, another magic number, or more or fewer bytes than the sizes say.
    """
    magic = 0x800 + dimensions
    try:
        with gzip.open(path, "rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions:
                raise InputError(f"{path}: got a torn file of {len(header)} bytes; allowed: a whole idx file; {repair}")
            found, *shape = struct.unpack(f">{1 + dimensions}I", header)
            if found != magic:
                raise InputError(f"{path}: got the magic number {found:#010x}; allowed: {magic:#010x}; {repair}")
            size = math.prod(shape)
            check_size(str(path), shape[0], size // max(shape[0], 1))
            data = file.read(size + 1)  # past the end, so that the checksum is compared
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: got a torn file ({error}); allowed: a whole idx.gz file; {repair}") from None
    except OSError as error:
        raise InputError(f"{path}: got {error.strerror or error}; allowed: a readable file") from None
    if len(data) != size:
        count = f"{len(data)}" if len(data) < size else f"more than {size}"
        raise InputError(
            f"{path}: got {count} bytes; allowed: {size}, as its header says ({'×'.join(map(str, shape))}); {repair}"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_svmlight(path: Path, target: str) -> Raw:
    """Return the rows of an svmlight (libsvm) file, dense; columns count from 0 if a 0 occurs, else from 1.

    Raises:
        InputError: naming the line, for a row that is none.
    """
    from sklearn.datasets import load_svmlight_file

    no_target(f"a {path.suffix} file", target)
    data = path.read_bytes()
    try:
        features, targets = load_svmlight_file(io.BytesIO(data))
    except (ValueError, OverflowError) as error:
        raise InputError(_first_bad_line(path, data) or f"{path}: got {error}; allowed: svmlight rows") from None
    lenient = b"_" in data or not np.isfinite(features.data).all() or not np.isfinite(targets).all()
    if lenient and (text := _first_bad_line(path, data)):  # float() of Python takes nan, inf and 1_0
        raise InputError(text)
    if not len(targets) or not features.nnz:
        raise InputError(f"{path}: got {len(targets)} row(s) without a value; allowed: rows `label column:value …`")
    check_size(str(path), *features.shape)
    return Raw(path.stem, features.toarray(), targets)


def _first_bad_line(path: Path, data: bytes) -> str:
    """What is wrong with the first line that is not `label [qid:n] column:value …`, columns rising."""
    number = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
    for line, text in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        last = -1
        for place, token in enumerate(text.partition("#")[0].split()):
            column, colon, value = token.rpartition(":")
            if place == 1 and column == "qid" and value.isdigit():
                continue
            good = number.fullmatch(value) and math.isfinite(float(value))
            good = good and (not colon if place == 0 else column.isdecimal() and last < int(column[:12]) < 1 << 31)
            if not good:
                what = "a finite number" if place == 0 else "column:value with rising columns and a finite value"
                return f"{path} line {line}: got {token[:40]!r}; allowed: {what}"
            last = int(column) if colon else last
    return ""


def read_npy(path: Path, target: str) -> Raw:
    """Return the rows of a matrix; one column, by default the last, holds the targets.

    Raises:
        InputError: for a torn file, or an array that is no matrix of real numbers.
    """
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except _BROKEN_ARRAY as error:
        raise InputError(f"{path}: got {error}; allowed: a whole npy file of numbers") from None
    _numbers(str(path), array, 2)
    if array.shape[1] < 2:
        raise InputError(f"{path}: got shape {array.shape}; allowed: at least 2 columns, one of them the target")
    column = target_column(str(path), target, array.shape[1])
    features = np.delete(np.asarray(array), column, axis=1)
    return Raw(path.stem, features, np.array(array[:, column], np.float64))


def read_npz(path: Path, target: str) -> Raw:
    """Return the features and the targets (numbers or text) of an archive of arrays.

    Raises:
        InputError: for a torn file, missing keys, or arrays that do not match.
    """
    try:
        with path.open("rb") as file:  # np.load would leave a torn one open
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            keys = archive.files
            targets_key = target or next((key for key in _TARGET_KEYS if key in keys), "")
            others = [key for key in keys if key != targets_key]
            features_key = next((key for key in _FEATURE_KEYS if key in others), others[0] if len(others) == 1 else "")
            if targets_key in keys and features_key:
                features, targets = archive[features_key], archive[targets_key]
    except _BROKEN_ARRAY as error:
        raise InputError(f"{path}: got {error}; allowed: a whole npz file of numbers") from None
    listed = ", ".join(keys) or "none"
    if targets_key not in keys:
        wanted = f"target: got {target!r}" if target else f"{path}: got no key {' or '.join(_TARGET_KEYS)}"
        raise InputError(f"{wanted}; allowed: a key of the file as target: {listed}")
    if not features_key:
        raise InputError(f"{path}: got the keys {listed}; allowed: features under {', '.join(_FEATURE_KEYS)}")
    _numbers(f"{path}[{features_key}]", features, 2)
    if targets.dtype.kind != "U":
        _numbers(f"{path}[{targets_key}]", targets, 1)
        targets = targets.astype(np.float64)
    if targets.shape != features.shape[:1]:
        raise InputError(
            f"{path}[{targets_key}]: got shape {targets.shape}; "
            f"allowed: ({len(features)},), one a row of {features_key}"
        )
    return Raw(path.stem, features, targets, is_classes=targets.dtype.kind == "U")


def _numbers(name: str, array: Array, dimensions: int) -> None:
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name}: got dtype {array.dtype}; allowed: real numbers")
    if array.ndim != dimensions:
        raise InputError(f"{name}: got shape {array.shape}; allowed: an array of {dimensions} dimension(s)")
    check_size(name, len(array), array.size // max(len(array), 1))
