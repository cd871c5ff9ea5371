"""Rows stored as packed samples of few bits, and what decodes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim import configuration
from sim.errors import InputError, integers, whole_number
from sim.formats import QFormat
from sim.quantize import real_array
from sim.row_formats import RowFormat, packed, unpack_row, unpacked
from sim.rows import RawRows, Rows, Words, with_room


def _check_format(name: str, fmt: object) -> None:
    if not isinstance(fmt, RowFormat):
        raise InputError(f"{name}: got {type(fmt).__name__}; allowed: RowFormat")


def _is_nothing(values: object) -> bool:
    """Whether values are an array without a row: no level table, or no scale."""
    return isinstance(values, np.ndarray) and values.ndim == 2 and not len(values)


def _no_table() -> NDArray[np.int64]:
    return np.zeros((0, 0), np.int64)


def _no_scale() -> NDArray[np.float64]:
    return np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class PackedRows:
    """Rows of packed samples, decoded by unpacking and, if there is a level table, by looking their words up.

    Args:
        fmt: how samples are packed.
        columns: values in a row, d.
        data: packed rows, bytes, shape (N, row_bytes); a memory map will do.
        table: level table: data words by sample code, shape (1, levels) or (d, levels), where codes are unsigned; empty
            where samples are the data words.
        uses: which sample the dot product takes, and which the update; by default the first two, or the only one.
        scale: worth of a data word, positive, shape (1, 1), (1, d) or (N, 1); empty where that is not known. Files keep
            it; jobs of the engine, which knows words alone, do not.

    Raises:
        InputError: for arrays of other shapes, samples that are not there, or a scale that is not positive.

    Example:
        >>> rows = PackedRows.pack([[[2, 2]], [[3, 1]]], RowFormat(bits=3, lanes=2))
        >>> rows.data.tolist(), rows.decode(0)
        ([[90]], (array([2, 2]), array([3, 1])))
    """

    fmt: RowFormat
    columns: int
    data: NDArray[np.uint8]
    table: NDArray[np.int64] = field(default_factory=_no_table)
    uses: tuple[int, int] | None = None
    scale: NDArray[np.float64] = field(default_factory=_no_scale)

    def __post_init__(self) -> None:
        _check_format("rows.fmt", self.fmt)
        whole_number("rows.columns", self.columns, 1, 1 << 31)
        data = np.asanyarray(self.data)
        wide = self.fmt.row_bytes(self.columns)
        if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != wide or not len(data):
            raise InputError(f"rows.data: got {data.dtype} of shape {data.shape}; allowed: uint8 of shape (N, {wide})")
        object.__setattr__(self, "data", data)
        table = self.table
        if not _is_nothing(table):
            table = integers("rows.table", table, 2).astype(np.int64)
            if table.shape not in ((1, self.fmt.levels), (self.columns, self.fmt.levels)) or self.fmt.signed:
                kind = "signed" if self.fmt.signed else "unsigned"
                raise InputError(
                    f"rows.table: got shape {table.shape} for {kind} codes; allowed: (1, {self.fmt.levels}) or "
                    f"({self.columns}, {self.fmt.levels}), for unsigned codes"
                )
        object.__setattr__(self, "table", table if len(table) else _no_table())
        try:
            first, second = self.uses if self.uses is not None else (0, min(1, self.fmt.samples - 1))
        except (TypeError, ValueError):
            raise InputError(
                f"rows.uses: got {self.uses!r}; allowed: two numbers, the dot product's sample and the update's"
            ) from None
        uses = tuple(whole_number("rows.uses", which, 0, self.fmt.samples - 1) for which in (first, second))
        object.__setattr__(self, "uses", uses)
        scale = self.scale if _is_nothing(self.scale) else real_array("rows.scale", self.scale)
        shapes = (0, 0), (1, 1), (1, self.columns), (len(data), 1)
        if scale.shape not in shapes:
            allowed = ", ".join(dict.fromkeys(map(str, shapes[1:])))
            raise InputError(f"rows.scale: got shape {scale.shape}; allowed: {allowed}, or none")
        for row, column in np.argwhere(~((scale > 0.0) & (scale < np.inf)))[:1].tolist():
            raise InputError(f"rows.scale[{row}, {column}]: got {scale[row, column]}; allowed: positive finite numbers")
        object.__setattr__(self, "scale", scale)

    @classmethod
    def pack(
        cls,
        samples: ArrayLike,
        fmt: RowFormat,
        table: ArrayLike | None = None,
        uses: tuple[int, int] | None = None,
    ) -> PackedRows:
        """Return packed rows.

        Args:
            samples: all samples, shape (k, N, d).
            fmt: how to pack them.
            table: level table.
            uses: which sample is for what.

        Raises:
            InputError: for samples out of range, or that share no base.
        """
        _check_format("fmt", fmt)
        values = integers("samples", samples, 3)
        if len(values) != fmt.samples:
            raise InputError(f"samples: got {len(values)} of a value; allowed: {fmt.samples}")
        low, high = int(values.min()), int(values.max())
        if low < fmt.low or high > fmt.high:
            raise InputError(f"samples: got values from {low} to {high}; allowed: {fmt.low} to {fmt.high}")
        words: dict[str, Any] = {} if table is None else {"table": table}
        return cls(fmt, values.shape[2], packed(values, fmt), uses=uses, **words)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.data), self.columns

    @property
    def nbytes(self) -> int:
        """Bytes of the packed rows, their level table and their scale."""
        return self.data.nbytes + self.table.nbytes + self.scale.nbytes

    @property
    def dot(self) -> Words:
        """All rows of the dot product, decoded."""
        return self._decoded(self._uses[:1])[0]

    @property
    def update(self) -> Words | None:
        """All rows of the update, decoded; None if they are those of the dot product."""
        return None if self._uses[0] == self._uses[1] else self._decoded(self._uses[1:])[0]

    @property
    def _uses(self) -> tuple[int, int]:
        assert self.uses is not None
        return self.uses

    def decode(self, index: int) -> tuple[Words, Words]:
        """Return the dot row and the update row of a sample, by `unpack_row` and the level table."""
        index = whole_number("index", index, 0, len(self.data) - 1)
        samples = unpack_row(self.data[index].tobytes(), self.fmt, self.columns)
        rows = []
        for which in self._uses:
            codes = samples[which]
            if self.table.size:
                words = self.table.tolist()
                codes = [words[j if len(words) > 1 else 0][code] for j, code in enumerate(codes)]
            rows.append(np.array(codes))
        return rows[0], rows[1]

    def samples(self, which: int) -> Words:
        """Return one sample of every value as stored, before any level table, shape (N, d), 8 bits each."""
        which = whole_number("which", which, 0, self.fmt.samples - 1)
        return unpacked(self.data, self.fmt, self.columns, (which,))[0]

    def words(self, which: int) -> Words:
        """Return one sample of every value as data words, shape (N, d)."""
        return self._decoded((whole_number("which", which, 0, self.fmt.samples - 1),))[0]

    def values(self, which: int) -> NDArray[np.float64]:
        """Return one sample of every value as a real number, shape (N, d).

        Raises:
            InputError: where no scale is known.
        """
        if not self.scale.size:
            raise InputError("rows.scale: got none; allowed: the worth of a data word, for real numbers")
        values: NDArray[np.float64] = self.words(which) * self.scale
        return values

    def arrays(self, fmt: QFormat) -> tuple[Words, Words]:
        """Return all decoded dot rows and update rows in the narrowest dtype of `fmt`, each of shape (N, d)."""
        dot, *update = (with_room(words, fmt.dtype) for words in self._decoded(tuple(dict.fromkeys(self._uses))))
        return dot, update[0] if update else dot

    def limits(self) -> list[tuple[str, int, int]]:
        """Return the ends of the level table, or of what samples can be."""
        if self.table.size:
            return [("rows.table", int(self.table.min()), int(self.table.max()))]
        return [("rows", self.fmt.low, self.fmt.high)]

    def content(self) -> dict[str, Any]:
        """Return the arrays that a saved job holds."""
        return {
            "rows_format": configuration.to_toml(self.fmt),
            "rows_columns": self.columns,
            "rows_data": self.data,
            "rows_table": self.table,
            "rows_uses": self._uses,
        }

    def save(self, path: str | Path) -> None:
        """Write the rows to a file that `load` maps into memory.

        Raises:
            InputError: if the file cannot be written.
        """
        from sim.row_files import write_rows

        write_rows(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> PackedRows:
        """Return the rows of a file, mapped into memory.

        Raises:
            InputError: for a file that is missing, truncated, changed, or written by another version.
        """
        from sim.row_files import read_rows

        return read_rows(Path(path))

    def _decoded(self, which: tuple[int, ...]) -> list[Words]:
        """Return the data words of some samples of all rows."""
        samples = unpacked(self.data, self.fmt, self.columns, which)
        if not self.table.size:
            return samples
        from sim.kernels.rows import look_up

        lowest = min(int(self.table.min()), -1 - int(self.table.max()), -1)  # needs as many bits as all words
        words = []
        for codes in samples:
            words.append(np.empty(codes.shape, np.min_scalar_type(lowest)))
            look_up(codes, self.table, words[-1])
        return words


def rows_from(data: dict[str, Any]) -> Rows:
    """Return the row store of a saved job's arrays, those of `content`."""
    if "rows_format" not in data:
        return RawRows(data["rows_dot"], data.get("rows_update"))
    import tomllib

    fmt = configuration.from_table(RowFormat, tomllib.loads(str(data["rows_format"])))
    first, second = (int(which) for which in data["rows_uses"])
    return PackedRows(fmt, int(data["rows_columns"]), data["rows_data"], data["rows_table"], (first, second))
