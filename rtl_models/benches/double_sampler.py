"""The bench of the double sampler: packed entries at the ends of their base, against `sim.rows.PackedRows.decode`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl_models.benches.bench import CHUNK, Configuration, Field, StreamBench, corner, pack
from rtl_models.benches.stream import Script
from rtl_models.elaborate import Unit, literal, section_parameters
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.packed_rows import PackedRows
from sim.row_formats import Base, RowFormat, unpack_row

_LONGEST = 4
"""Beats of the longest row, where there are no tables by column."""
_SCRIPT = 5
"""Chunks of a script, that is under one set of level tables."""
_MOST_BITS = 8
"""Bits of the widest sample."""
_MOST_TABLES = 65536
"""Columns that may have level tables of their own in the circuit."""
_NAMED_LEVELS = 17
"""Levels of the largest table of which every one is a bin."""


def row_parameters(rows: PackedRows, data_width: int, table_columns: int | None = None) -> dict[str, Any]:
    """Return the parameters of the circuit that decodes packed rows.

    Args:
        rows: their format, level table and uses.
        data_width: bits of a data word.
        table_columns: columns that the circuit has level tables for; by default as many as the rows have.

    Raises:
        InputError: for rows of more columns than have level tables, where each has one of its own.

    Example:
        >>> rows = PackedRows.pack([[[2, 2]], [[3, 1]]], RowFormat(bits=3, lanes=2))
        >>> row_parameters(rows, 8)["SampleBits"], row_parameters(rows, 8)["TableColumns"]
        (3, 0)
    """
    assert rows.uses is not None
    held = len(rows.table) if table_columns is None else table_columns
    most = min(held, _MOST_TABLES)
    if max(held, len(rows.table)) > 1 and rows.columns > most:
        raise InputError(f"rows: got {rows.columns} columns; allowed: at most {most}, which have level tables there")
    return {
        **section_parameters(rows.fmt),
        "DataWidth": data_width,
        "DotSample": rows.uses[0],
        "UpdateSample": rows.uses[1],
        "TableColumns": held,
    }


class DoubleSamplerBench(StreamBench):
    """Rows of a few beats, cut where a script pauses, so that a reset in flight comes between rows."""

    unit_name = "double_sampler"
    inputs = ("tdata", "tuser", "tlast")
    outputs = ("tdata", "tuser", "tlast")

    @classmethod
    def parameters(cls, configuration: Configuration) -> dict[str, Any]:
        """Return the parameters for two signed samples as wide as data words, or codes of a table for wider words."""
        path = configuration.datapath
        signed = path.data.width <= _MOST_BITS
        fmt = RowFormat(bits=min(path.data.width, _MOST_BITS), signed=signed, lanes=path.lanes)
        return {**row_parameters(_rows(fmt, 0 if signed else 1), path.data.width), **configuration.extra}

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        constants = unit.constants
        self.fmt = RowFormat(
            bits=constants["SampleBits"],
            samples=constants["Samples"],
            base=list(Base)[constants["SampleBase"]],
            signed=bool(constants["SampleSigned"]),
            lanes=constants["Lanes"],
        )
        self.is_shared, self.base_bits = self.fmt.is_shared, self.fmt.base_bits
        self.uses = constants["DotSample"], constants["UpdateSample"]
        self.width, self.record_width = constants["DataWidth"], constants["RecordWidth"]
        self.table_columns = constants["TableColumns"]
        self.by_column = self.table_columns > 1
        self.longest = constants["Tables"] if self.by_column else _LONGEST
        self.chunk = self.longest * -(-CHUNK // self.longest)

    def fields(self) -> list[Field]:
        """Return the words of either row, the record and whether it is the last beat."""
        lanes, width = self.fmt.lanes, self.width
        words = [
            Field(f"{row} of lane {j}", 0, (n * lanes + j) * width, width, signed=True)
            for n, row in enumerate(("xa", "xb"))
            for j in range(lanes)
        ]
        return [*words, Field("record", 1, 0, self.record_width), Field("last", 2, 0, 1)]

    def points(self) -> dict[str, list[Any]]:
        """Return the bins: bases by the bits of both samples, samples, lanes unlike their neighbours, levels, rows."""
        fmt, is_double = self.fmt, self.uses[0] != self.uses[1]
        field_bits = fmt.base_bits if fmt.is_shared else fmt.bits
        places = ("lowest", "highest", "between")[: min(1 << field_bits, 3)]
        ups = [(a, b) for a, b in product((0, 1), repeat=2) if is_double or a == b]
        points: dict[str, list[Any]] = {"beats": ["1", "2", "more"][: self.longest]}
        points["rows"] = ["equal", "differ"][: 1 + is_double]
        if fmt.is_shared:
            points["entry"] = list(product(places, ups))
        else:
            points["sample"] = list(product(("dot", "update"), places))
        if fmt.lanes > 1:
            points["lane"] = list(range(min(fmt.lanes, self.table_columns) if self.by_column else fmt.lanes))
        if self.table_columns and fmt.levels <= _NAMED_LEVELS:
            points["level"] = list(product(("dot", "update"), range(fmt.levels)))
        if self.by_column:
            points["beat"] = list(range(self.longest))
        return points

    def scripts(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts under level tables of their own."""
        size = _SCRIPT * self.chunk
        for start in range(0, transactions, size):
            table = self._table(random)
            script = Script(writes=self._writes(table))
            stop = min(size, transactions - start)
            while len(script.outputs) < stop:
                here = len(script.outputs)
                until = min(self.chunk - here % self.chunk, stop - here)
                self._add(script, table, min(random.randint(1, self.longest), until), random)
            yield script

    def _table(self, random: Random) -> NDArray[np.int64]:
        """Return data words by column and code; padding columns have words of 0."""
        columns = self.longest * self.fmt.lanes if self.by_column else self.table_columns
        table = np.zeros((columns, self.fmt.levels), np.int64)
        for row in table[: self.table_columns]:
            row[:] = [corner(random, self.width) for _ in row]
        return table

    def _writes(self, table: NDArray[np.int64]) -> list[tuple[int, int]]:
        mask = (1 << self.width) - 1
        return [(j << self.fmt.bits | code, int(word) & mask) for (j, code), word in np.ndenumerate(table)]

    def _add(self, script: Script, table: NDArray[np.int64], beats: int, random: Random) -> None:
        """Add a row, the reference's words, and what it covers."""
        fmt, lanes = self.fmt, self.fmt.lanes
        columns = beats * lanes
        held = min(columns, self.table_columns) if self.by_column else columns
        is_equal = random.random() < 0.2
        entries = [self._entry(random, is_equal) for _ in range(held)] + [0] * (columns - held)
        row = pack(entries, fmt.stored_bits).to_bytes(fmt.row_bytes(columns), "little")
        words = table[:columns] if self.by_column else table
        rows = PackedRows(fmt, columns, np.frombuffer(row, np.uint8)[None], words, self.uses)
        dot, update = (decoded.tolist() for decoded in rows.decode(0))
        samples = unpack_row(row, fmt, columns)
        codes = [samples[which] for which in self.uses]
        beat_bits, whole = lanes * fmt.stored_bits, int.from_bytes(row, "little")
        for beat in range(beats):
            here = slice(beat * lanes, (beat + 1) * lanes)
            record, last = random.getrandbits(self.record_width), int(beat == beats - 1)
            script.inputs.append((whole >> beat * beat_bits & ((1 << beat_bits) - 1), record, last))
            script.outputs.append((pack(dot[here] + update[here], self.width), record, last))
            script.completes.append(len(script.inputs) - 1)
            hits = self._hits(entries[here], codes[0][here], codes[1][here])
            hits.append(("rows", "equal" if dot[here] == update[here] else "differ"))
            hits.append(("beat", beat))
            if last:
                hits.append(("beats", str(beats) if beats < 3 else "more"))
            script.hits.append(hits)

    def _entry(self, random: Random, is_equal: bool) -> int:
        """Return an entry: a base that is likely near an end, and any bits; or samples that are; all equal, or any."""
        fmt, base_bits = self.fmt, self.base_bits
        if not self.is_shared:
            first = corner(random, fmt.bits, fmt.signed)
            others = [first if is_equal else corner(random, fmt.bits, fmt.signed) for _ in range(fmt.samples - 1)]
            return pack([first, *others], fmt.bits)
        base = corner(random, base_bits, fmt.signed) if base_bits else 0
        ups = random.getrandbits(1) * ((1 << fmt.samples) - 1) if is_equal else random.getrandbits(fmt.samples)
        return base & ((1 << base_bits) - 1) | ups << base_bits

    def _hits(self, entries: list[int], dot: list[int], update: list[int]) -> list[tuple[str, Any]]:
        """Return the bins of a beat's lanes, from their entries and samples."""
        is_shared, base_bits = self.is_shared, self.base_bits
        ends = {self.fmt.low: "lowest", self.fmt.high - is_shared: "highest"}
        hits: list[tuple[str, Any]] = []
        for j, (entry, a, b) in enumerate(zip(entries, dot, update, strict=True)):
            around = {entries[j - 1], entries[(j + 1) % len(entries)]}
            if entry not in around:
                hits.append(("lane", j))
            if is_shared:
                ups = tuple([entry >> (base_bits + which) & 1 for which in self.uses])
                hits.append(("entry", (ends.get(a - ups[0], "between") if base_bits else "lowest", ups)))
            else:
                hits += [("sample", (row, ends.get(value, "between"))) for row, value in (("dot", a), ("update", b))]
            hits += [("level", ("dot", a)), ("level", ("update", b))]
        return hits


def _rows(fmt: RowFormat, table_columns: int = 0, uses: tuple[int, int] | None = None) -> PackedRows:
    """Return a row of zeros, with as many level tables of zeros."""
    columns = max(table_columns, 1)
    data = np.zeros((1, fmt.row_bytes(columns)), np.uint8)
    return PackedRows(fmt, columns, data, np.zeros((table_columns, fmt.levels), np.int64), uses)


def _configuration(
    name: str,
    fmt: RowFormat,
    data_width: int,
    *,
    table_columns: int = 0,
    uses: tuple[int, int] | None = None,
    **extra: int,
) -> Configuration:
    path = TrainingDatapath().with_fields({"lanes": fmt.lanes, "data.width": data_width})
    given = row_parameters(_rows(fmt, table_columns, uses), data_width)
    return Configuration(name, path, {**{key: literal(value) for key, value in given.items()}, **extra})


_INDEPENDENT = Base.INDEPENDENT
CONFIGURATIONS = [
    Configuration("zipml4", TrainingDatapath.preset("zipml4")),
    _configuration("unsigned", RowFormat(bits=3, lanes=8), 8),
    _configuration("one_bit", RowFormat(bits=1, lanes=4), 2, RecordWidth=3, SampleStages=0),
    _configuration("five_samples", RowFormat(bits=3, samples=5, signed=True, lanes=4), 4, uses=(4, 1),
                   RecordWidth=4, SampleStages=2, WordStages=3),
    _configuration("one_sample", RowFormat(bits=2, samples=1, signed=True, lanes=2), 3, RecordWidth=1),
    _configuration("widest_entry", RowFormat(bits=8, samples=16, signed=True, lanes=2), 24, uses=(15, 0)),
    _configuration("independent", RowFormat(bits=2, base=_INDEPENDENT, signed=True, lanes=4), 2, RecordWidth=2),
    _configuration("independent_unsigned", RowFormat(bits=8, samples=4, base=_INDEPENDENT, lanes=2), 9, uses=(3, 1)),
    _configuration("bits", RowFormat(bits=1, base=_INDEPENDENT, lanes=64), 2),
    _configuration("levels", RowFormat(bits=3), 8, table_columns=1),
    _configuration("independent_levels", RowFormat(bits=2, samples=3, base=_INDEPENDENT, lanes=4), 4, table_columns=1,
                   uses=(2, 0), RecordWidth=2, SampleStages=0, WordStages=2),
    _configuration("column_levels", RowFormat(bits=4, lanes=4), 12, table_columns=11),
    _configuration("few_columns", RowFormat(bits=2, lanes=8), 6, table_columns=3),
    _configuration("two_beats", RowFormat(bits=1, lanes=2), 3, table_columns=4, RecordWidth=1),
    _configuration("one_lane", RowFormat(bits=2, base=_INDEPENDENT, lanes=1), 3, table_columns=5, RecordWidth=1,
                   SampleStages=3),
]  # fmt: skip
