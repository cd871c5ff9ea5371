"""Stimuli and expected outputs of a unit as tables of whole numbers, for flows that have no Python.

They are those of the unit's bench, without its timing: a row for every value that is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rtl_models.benches.bench import Bench, Configuration, Field, StreamBench
from rtl_models.benches.clocked import ClockedBench
from rtl_models.benches.foreign import ForeignMac, ForeignStream, foreign_bench
from rtl_models.benches.foreign_generators import ForeignGenerator
from rtl_models.benches.units import BENCHES
from rtl_models.elaborate import RTL
from rtl_models.foreign import ForeignModule
from sim.errors import InputError
from sim.formats import QFormat

STREAM_ORDER = (
    "Rows of inputs are beats in order. The output in a row of outputs leaves after the beat in row completed_by of "
    "the inputs was taken; both count from 0."
)
REGISTERS_ORDER = " Registers are columns of the inputs, and change between beats only while nothing is under way."
WRITES_ORDER = " A write belongs before the beat in its row write_before, while nothing is under way."


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        name: of the column: the port's, if it is one.
        role: what it is: input, output, register, or index.
        width: bits.
        signed: whether it is two's complement.
        format: of the value; empty if the column holds several values.
        meaning: in words.
        parts: its fields as "high:low name", if it holds several values.
    """

    name: str
    role: str
    width: int
    signed: bool = False
    format: str = ""
    meaning: str = ""
    parts: tuple[str, ...] = ()

    def number(self, word: int) -> int:
        """Return the number that a word of the column stands for."""
        return word - (1 << self.width) if self.signed and word >> (self.width - 1) else word


@dataclass(slots=True)
class Table:
    """Rows of words.

    Attributes:
        name: of the table.
        columns: what is in a row.
        rows: the words, all of them from 0 to 2^width − 1 of their column.
    """

    name: str
    columns: list[Column]
    rows: list[tuple[int, ...]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Tables of a unit.

    Attributes:
        unit: its name.
        parameters: as SystemVerilog text, by name.
        order: how the rows hang together.
        tables: the rows.
    """

    unit: str
    parameters: dict[str, str]
    order: str
    tables: list[Table]


def vectors(unit: str, configuration: Configuration, count: int, seed: int) -> Vectors:
    """Return stimuli and expected outputs.

    Args:
        unit: name of the unit.
        configuration: its parameters.
        count: outputs wanted.
        seed: of the stimuli, with the configuration's name.

    Raises:
        InputError: if the unit refuses a parameter.
    """
    return _of(BENCHES[unit].benches([configuration])[0], count, seed)


def foreign_vectors(foreign: ForeignModule, count: int, seed: int) -> Vectors:
    """Return stimuli and expected outputs of the block that a module of the user's is bound to, by our ports' names.

    Args:
        foreign: the module.
        count: outputs wanted.
        seed: of the stimuli, with the module's name.

    Raises:
        InputError: for ports that do not fit the block, or a module that cannot take every row.
    """
    bench = foreign_bench(foreign)
    if isinstance(bench, ForeignMac) and not bench.block.clear_takes_pair:
        raise InputError(f"{foreign.file}: block.clear_takes_pair: got false; allowed: true, since a row has both")
    if isinstance(bench, ForeignGenerator) and not bench.loads:
        raise InputError(f"{foreign.file}: ports.load_i: got nothing; allowed: a port, since rows load seeds")
    return _of(bench.inner if isinstance(bench, ForeignStream) else bench, count, seed)


def _of(bench: Bench, count: int, seed: int) -> Vectors:
    random = Random(f"{seed} {bench.configuration.name}")
    if isinstance(bench, ClockedBench):
        inputs = [column for column in _columns(bench, "input") if column.name in bench.untimed]
        table = Table("vectors", [*inputs, *_columns(bench, "output")])
        for row in bench.vectors(random, count):
            assert row.outputs is not None
            table.rows.append((*row.inputs, *row.outputs))
        return Vectors(bench.unit_name, bench.unit.parameters, bench.order, [table])
    assert isinstance(bench, StreamBench)
    tables, order = _streams(bench, random, count)
    return Vectors(bench.unit_name, bench.unit.parameters, order, tables)


def _streams(bench: StreamBench, random: Random, count: int) -> tuple[list[Table], str]:
    """Return the tables of a streaming unit, and how their rows hang together."""
    meanings = port_meanings(bench.unit_name)

    def column(port: str, role: str) -> Column:
        return Column(port, role, bench.unit.width(port), meaning=meanings[port])

    random_columns = [column("random_i", "input")] if bench.has_random else []
    registers: list[str] = []
    inputs = Table("inputs", [*_columns(bench, "input"), *random_columns])
    outputs = Table("outputs", [Column("completed_by", "index", 32, meaning="row of the inputs that completes this")])
    outputs.columns += _columns(bench, "output")
    writes = Table("writes", [Column("write_before", "index", 32, meaning="row of the inputs before which to write")])
    for script in bench.scripts(random, count):
        if not inputs.rows and script.registers:
            registers = list(script.registers)
            inputs.columns += [column(name, "register") for name in registers]
        if not inputs.rows and script.writes:
            writes.columns += [column(name, "input") for name in ("table_address_i", "table_data_i")]
        before, held = len(inputs.rows), tuple(script.registers[name] for name in registers)
        writes.rows += [(before, *write) for write in script.writes]
        for number, beat in enumerate(script.inputs):
            words = (script.words[number],) if random_columns else ()
            inputs.rows.append((*beat, *words, *held))
        outputs.rows += [(before + done, *beat) for done, beat in zip(script.completes, script.outputs, strict=True)]
    order = STREAM_ORDER + (REGISTERS_ORDER if registers else "") + (WRITES_ORDER if writes.rows else "")
    return [inputs, outputs, *([writes] if writes.rows else [])], order


def _columns(bench: Bench, role: str) -> Iterator[Column]:
    """Yield a column for each port of a side."""
    meanings = port_meanings(bench.unit_name)
    fields, names, port_of = (
        (bench.input_fields(), bench.inputs, bench.input_port)
        if role == "input"
        else (bench.fields(), bench.outputs, bench.output_port)
    )
    for number, name in enumerate(names):
        port, parts = port_of(name), [part for part in fields if part.port == number]
        width, meaning = bench.unit.width(port), meanings[port_of(name)]
        if len(parts) == 1 and parts[0].width == width <= 64 and _is_known(bench, parts[0]):
            known = QFormat(width, parts[0].frac, parts[0].signed)
            yield Column(port, role, width, known.signed, str(known), meaning)
        else:
            yield Column(port, role, width, meaning=meaning, parts=tuple(map(_place, parts)) if len(parts) > 1 else ())


def _is_known(bench: Bench, part: Field) -> bool:
    """Return whether a part is one number: a stream's input may hold many that the bench does not name."""
    return not isinstance(bench, StreamBench) or part in bench.fields()


def _place(part: Field) -> str:
    form = QFormat(part.width, part.frac, part.signed) if part.width <= 64 else f"{part.width} bits"
    return f"{part.low + part.width - 1}:{part.low} {part.name} ({form})"


def port_meanings(unit: str, folder: Path = RTL) -> dict[str, str]:
    """Return what the source of a unit says about each of its ports.

    Example:
        >>> port_meanings("requantizer")["overflow_o"]
        'High if the rounded value lay outside the format.'
    """
    meanings: dict[str, str] = {}
    lines: Sequence[str] = ()
    for line in (folder / f"{unit}.sv").read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if text.startswith("///"):
            lines = [*lines, text.removeprefix("///").strip()]
            continue
        port = re.match(r"(?:input|output)\b.*?(\w+),?\s*(?://.*)?$", text)
        if port:
            meanings[port.group(1)] = " ".join(lines)
        lines = ()
    return meanings
