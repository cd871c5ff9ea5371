"""What a unit is under given parameters: its ports, their widths, and the constants that it derives.

The widths are those of the SystemVerilog, elaborated by slang; nothing in Python states them a second time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from sim.configuration import Section, rows
from sim.datapath import TrainingDatapath
from sim.errors import InputError

RTL = Path(__file__).resolve().parent / "rtl"
"""Where the units are, one module a file."""
PACKAGE = "bittrue_pkg"

Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Port:
    """A port of a unit.

    Args:
        name: its name.
        is_input: whether the unit reads it.
        width: bits.
    """

    name: str
    is_input: bool
    width: int


class Constants(dict[str, int]):
    """Whole numbers of a unit by the names of its parameters and localparams; changed sources may lack one."""

    def __init__(self, unit: str, values: Mapping[str, int]) -> None:
        super().__init__(values)
        self.unit = unit

    def __missing__(self, name: str) -> int:
        raise InputError(f"{self.unit}: got no parameter {name}; allowed: sources in which it has one")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit under given parameters.

    Attributes:
        name: the module.
        parameters: what was given, as SystemVerilog text.
        constants: values of all its parameters and localparams that are whole numbers.
        ports: in the order of the module.
    """

    name: str
    parameters: dict[str, str]
    constants: dict[str, int]
    ports: tuple[Port, ...]

    def width(self, port: str) -> int:
        """Return the bits of a port."""
        return next(p.width for p in self.ports if p.name == port)


def sources(folder: Path = RTL, text: str = "") -> list[Path]:
    """Return the files of a folder of units, the package first.

    Args:
        folder: one module a file, named as the file.
        text: SystemVerilog; if given, only the package and the modules that it needs, directly or not.
    """
    files = {file.stem: file for file in sorted(folder.glob("*.sv"), key=lambda file: (file.stem != PACKAGE, file))}
    if not text:
        return list(files.values())
    needed, texts = {PACKAGE}, [text]
    while texts:
        found = set(re.findall(r"\w+", texts.pop())) & set(files) - needed
        needed |= found
        texts += [files[name].read_text() for name in found]
    return [file for name, file in files.items() if name in needed]


def digest(unit: str, folder: Path = RTL) -> str:
    """Return what identifies the sources of a unit: 16 hex digits, others where a byte of them differs.

    Args:
        unit: name of the module; those that it needs and the package count with it.
        folder: where the sources are.
    """
    parts = [part for file in sources(folder, unit) for part in (file.name.encode(), file.read_bytes())]
    return hashlib.sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()[:16]


def literal(value: Any) -> str:
    """Return a parameter's value as SystemVerilog text: modes as members of the package's enums.

    Example:
        >>> from sim.modes import Overflow
        >>> literal(Overflow.SAT), literal(True), literal(12)
        ('bittrue_pkg::SAT', "1'b1", '12')
    """
    if isinstance(value, Enum):
        return f"{PACKAGE}::{value.name}"
    return f"1'b{value:d}" if isinstance(value, bool) else str(value)


def elaborate(unit: str, tables: Sequence[Parameters], folder: Path = RTL) -> list[Unit]:
    """Return a unit under each of several sets of parameters.

    Args:
        unit: name of the module.
        tables: parameters by name, one mapping for each set.
        folder: where the sources are.

    Raises:
        InputError: with the message of the unit, where it refuses a parameter.
    """
    from pyslang import SourceManager
    from pyslang.ast import Compilation, InstanceSymbol, ParameterSymbol, PortSymbol
    from pyslang.syntax import SyntaxTree

    given = [{name: literal(value) for name, value in table.items()} for table in tables]
    probe = f"module probe;\n{chr(10).join(instance(unit, p, f'u_{n}', ()) for n, p in enumerate(given))}\nendmodule\n"
    compilation, manager = Compilation(), SourceManager()
    for file in sources(folder, probe):
        compilation.addSyntaxTree(SyntaxTree.fromFile(str(file), manager))
    compilation.addSyntaxTree(SyntaxTree.fromText(probe, manager))
    for diagnostic in compilation.getAllDiagnostics():
        if diagnostic.isError():
            raise InputError(_text(manager, diagnostic))

    top = next(symbol for symbol in compilation.getRoot().topInstances if symbol.name == "probe")
    found = []
    for symbol, parameters in zip((s for s in top.body if isinstance(s, InstanceSymbol)), given, strict=True):
        constants = {s.name: _whole(s.value.value) for s in symbol.body if isinstance(s, ParameterSymbol)}
        for name in parameters:
            if name not in constants:
                raise InputError(f"{unit} {name}: got an unknown parameter; allowed: {', '.join(constants)}")
        ports = tuple(
            Port(p.name, str(p.direction).endswith("In"), p.type.bitWidth)
            for p in symbol.body.portList
            if isinstance(p, PortSymbol)
        )
        found.append(Unit(unit, parameters, Constants(unit, constants), ports))
    return found


def instance(unit: str, parameters: Mapping[str, str], name: str, ports: Iterable[tuple[str, str]]) -> str:
    """Return the SystemVerilog text of an instance."""
    values = ", ".join(f".{key}({value})" for key, value in parameters.items())
    return f"  {unit} #({values}) {name} ({', '.join(f'.{port}({net})' for port, net in ports)});"


def _whole(value: Any) -> int:
    """Return slang's constant as an int: its whole numbers have no common type with Python's."""
    return int(value)


def _text(manager: Any, diagnostic: Any) -> str:
    """Return the message of a unit's $error, or what slang says and where."""
    from pyslang import DiagnosticEngine

    if "ErrorTask" in str(diagnostic.code):
        return " ".join(map(str, diagnostic.args)).strip(": ")
    return str(DiagnosticEngine.reportAll(manager, [diagnostic]).splitlines()[0])


def section_parameters(section: Section) -> dict[str, Any]:
    """Return every RTL parameter that a datapath or a row format sets, by the names in its annotations.

    Example:
        >>> parameters = section_parameters(TrainingDatapath.preset("halp8"))
        >>> parameters["Lanes"], parameters["IncrementFraction"]
        (16, 6)
    """
    return {name: value(section) for name, value in _fields(type(section))}


@cache
def _fields(kind: type[Section]) -> list[tuple[str, Callable[[Section], Any]]]:
    return [(row.rtl, attrgetter(row.path)) for row in rows(kind) if row.rtl != "–"]


def unit_parameters(unit: str, datapath: TrainingDatapath) -> dict[str, Any]:
    """Return those parameters of a datapath that a unit declares."""
    declared = _declared(unit)
    return {name: value for name, value in section_parameters(datapath).items() if name in declared}


@cache
def _declared(unit: str) -> frozenset[str]:
    return frozenset(elaborate(unit, [{}])[0].constants)
