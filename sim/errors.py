"""The one exception that says: this input cannot be used, and this is what is allowed."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray


class InputError(ValueError):
    """An input outside what is allowed; the text is one line naming field, value and allowed range.

    The command line prints it and exits with code 2; any other exception is a defect of this package.

    Example:
        >>> raise InputError("width: got 0; allowed: a whole number from 1 to 64")
        Traceback (most recent call last):
        ...
        sim.errors.InputError: width: got 0; allowed: a whole number from 1 to 64
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))  # one line, whatever the value looks like


@contextmanager
def writable(path: Path) -> Iterator[Path]:
    """Give the path to a block that writes it; an OSError inside becomes an InputError.

    Args:
        path: the file to write.

    Raises:
        InputError: if the file cannot be written.

    Example:
        >>> with writable(Path("no/such/folder/x.json")) as path:
        ...     _ = path.write_text("")
        Traceback (most recent call last):
        ...
        sim.errors.InputError: no/such/folder/x.json: got No such file or directory; allowed: a file that can be written
    """
    try:
        yield path
    except OSError as error:
        raise InputError(f"{path}: got {error.strerror or error}; allowed: a file that can be written") from None


def whole_number(field: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int if it is a whole number from `low` to `high`.

    Args:
        field: name used in the error.
        value: a Python or numpy integer; strings, floats and booleans are refused.
        low: smallest allowed value.
        high: largest allowed value.

    Raises:
        InputError: for any other type or value.

    Example:
        >>> whole_number("width", 8, 1, 64)
        8
        >>> whole_number("width", 8.5, 1, 64)
        Traceback (most recent call last):
        ...
        sim.errors.InputError: width: got 8.5; allowed: a whole number from 1 to 64
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # any object may come in; index() is the test
    except TypeError:
        number = None
    if number is None or isinstance(value, bool | np.bool_) or not low <= number <= high:
        raise InputError(f"{field}: got {value!r}; allowed: a whole number from {low} to {high}")
    return number


def integers(field: str, values: ArrayLike, dimensions: int | None = None) -> NDArray[np.integer]:
    """Return raw values as an array of their own integer dtype.

    Args:
        field: name used in the error.
        values: integers of any integer dtype; floats and booleans are refused, even whole ones.
        dimensions: required number of dimensions, if any.

    Raises:
        InputError: for other dtypes, an empty array, the wrong number of dimensions, values past 62 bits.

    Example:
        >>> integers("a", np.array([1, -2], np.int8))
        array([ 1, -2], dtype=int8)
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError(f"{field}: got rows of different lengths; allowed: a regular array of integers") from None
    if np.ma.isMaskedArray(values):
        raise InputError(f"{field}: got a masked array; allowed: an array without missing values")
    if array.size == 0:
        raise InputError(f"{field}: got an empty array of shape {array.shape}; allowed: at least one value")
    if array.dtype.kind not in "iu":
        raise InputError(f"{field}: got dtype {array.dtype}; allowed: an integer dtype (raw values are integers)")
    if dimensions is not None and array.ndim != dimensions:
        raise InputError(f"{field}: got shape {array.shape}; allowed: an array of {dimensions} dimension(s)")
    if array.dtype.itemsize == 8 and (int(array.max()) >= 1 << 62 or int(array.min()) < -(1 << 62)):
        raise InputError(f"{field}: got a value past 62 bits; allowed: values of at most 62 bits")
    return array


def integer_array(field: str, values: ArrayLike, dimensions: int | None = None) -> NDArray[np.int64]:
    """Return raw values as a C-contiguous int64 array; arguments and errors as `integers`.

    Example:
        >>> integer_array("a", [1, -2])
        array([ 1, -2])
    """
    return np.asarray(integers(field, values, dimensions), np.int64, order="C")
