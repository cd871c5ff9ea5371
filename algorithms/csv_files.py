"""Rows of a CSV file: numbers, and a target column of numbers or of text, with or without a line of names."""

from __future__ import annotations

import csv
import itertools
import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from algorithms.file_formats import MAX_VALUES, Array, Raw, check_size, is_column_number, target_column
from sim.errors import InputError

_LONGEST_LABEL = 200

Line = tuple[int, list[str]]


def read_csv(path: Path, target: str) -> Raw:
    """Return the rows of a file of cells separated by commas.

    The first line holds names if none of its features is a number, or if they are 0, 1, 2 … over a target of text while
    other targets are numbers (pandas writes that for columns without names).

    Args:
        path: the file, UTF-8.
        target: name or number of the target's column; empty: the last.

    Raises:
        InputError: naming line and column, for cells that are no finite numbers, targets that mix numbers and text,
            rows of different lengths, broken quotes or encoding.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _rows(path, target, _lines(file))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: got bytes that are no UTF-8 ({error.reason}); allowed: text") from None
    except csv.Error as error:
        raise InputError(f"{path}: got broken CSV ({error}); allowed: whole lines of cells") from None


@dataclass(frozen=True)
class _Layout:
    """What the first line says about a file: its width, its names and which column is the target."""

    path: Path
    count: int
    column: int
    names: tuple[str, ...]

    def features(self, row: list[str]) -> list[str]:
        """Return the cells without the target's."""
        return row[: self.column] + row[self.column + 1 :]

    def place(self, line: int, column: int) -> str:
        """Return what an error calls a cell."""
        name = f"({self.names[column]})" if self.names else f"of 0 to {self.count - 1}"
        return f"{self.path} line {line}, column {column} {name}"


def _lines(file: Iterator[str]) -> Iterator[Line]:
    """Number and cells of every line that is not blank."""
    reader = csv.reader(file, strict=True)
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            yield reader.line_num, [cell.strip() for cell in row]


def _rows(path: Path, target: str, lines: Iterator[Line]) -> Raw:
    first = next(lines, (0, []))
    layout = _layout(path, target, first[1])
    values, numbers, targets = array("d"), array("q"), []
    for line, row in lines if layout.names else itertools.chain([first], lines):
        if len(row) != layout.count:
            raise InputError(
                f"{path} line {line}: got {len(row)} cell(s); allowed: {layout.count}, as in line {first[0]}"
            )
        cells = layout.features(row)
        try:
            values.extend(map(float, cells))
        except ValueError:
            _raise_for_cell(layout, line, row)
        if "_" in "".join(cells):  # Python's float() takes 1_000
            _raise_for_cell(layout, line, row)
        numbers.append(line)
        targets.append(row[layout.column])
        if len(values) > MAX_VALUES:
            check_size(str(path), len(numbers), layout.count - 1)
    counted = layout.features(first[1]) == [str(k) for k in range(layout.count - 1)]
    if counted and not layout.names and not _is_number(targets[0]) and any(map(_is_number, targets[1:])):
        layout = _Layout(path, layout.count, layout.column, tuple(first[1]))
        del values[: layout.count - 1], numbers[0], targets[0]
    check_size(str(path), len(targets), layout.count - 1)
    matrix = np.frombuffer(values).reshape(len(targets), layout.count - 1)
    if not np.isfinite(matrix).all():
        i, j = map(int, np.argwhere(~np.isfinite(matrix))[0])
        place = layout.place(numbers[i], j + (j >= layout.column))
        raise InputError(f"{place}: got {matrix[i, j]}; allowed: finite numbers")
    labels = _targets(layout, numbers, targets)
    return Raw(path.stem, matrix, labels, labels.dtype.kind == "U", columns=tuple(layout.features(list(layout.names))))


def _layout(path: Path, target: str, first: list[str]) -> _Layout:
    count = len(first)
    if count < 2:
        got = f"{count} cell in the first line" if count else "an empty file"
        raise InputError(f"{path}: got {got}; allowed: at least 2 cells a line, separated by commas")
    if target and not is_column_number(target):
        names = tuple(first) if target in first or not any(map(_is_number, first)) else ()
        return _Layout(path, count, target_column(str(path), target, count, names), names)
    layout = _Layout(path, count, target_column(str(path), target, count), ())
    if any(map(_is_number, layout.features(first))):
        return layout
    return _Layout(path, count, layout.column, tuple(first))


def _targets(layout: _Layout, lines: array[int], cells: list[str]) -> Array:
    """Finite numbers if any target is a number, else text."""
    allowed, good = "finite numbers, since other targets are numbers", _is_finite
    if not any(map(_is_number, cells)):
        allowed, good = f"a label of 1 to {_LONGEST_LABEL} characters", lambda cell: 1 <= len(cell) <= _LONGEST_LABEL
    for line, cell in zip(lines, cells, strict=True):
        if not good(cell):
            raise InputError(f"{layout.place(line, layout.column)}: got {cell[:40]!r}; allowed: {allowed}")
    return np.array(cells, np.float64 if good is _is_finite else np.str_)


def _raise_for_cell(layout: _Layout, line: int, row: list[str]) -> NoReturn:
    bad = next(j for j, cell in enumerate(row) if j != layout.column and not _is_number(cell))
    raise InputError(f"{layout.place(line, bad)}: got {row[bad][:40]!r}; allowed: a number")


def _is_number(cell: str) -> bool:
    """Whether float() takes it, nan and inf as well, and without underscores."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _is_finite(cell: str) -> bool:
    return _is_number(cell) and math.isfinite(float(cell))
