"""Elaborates sources that are not ours: their modules, the ports of one under given parameters, what they include."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rtl_models.elaborate import Port, Unit, instance, literal
from sim.errors import InputError

LONGEST = 120
"""Characters of a line of sources that an error shows."""


@dataclass(frozen=True, slots=True)
class Elaboration:
    """Sources that slang has read without an error.

    Attributes:
        sources: the files.
        modules: names of their modules.
        included: files that they include.
    """

    sources: tuple[Path, ...]
    modules: tuple[str, ...]
    included: tuple[Path, ...]

    @classmethod
    def of(cls, sources: Sequence[Path]) -> Self:
        """Read sources.

        Raises:
            InputError: with the first message of slang, where they are no SystemVerilog.
        """
        compilation, manager = _compilation(sources)
        _refuse(manager, compilation.getParseDiagnostics())
        modules = tuple(definition.name for definition in compilation.getDefinitions())
        read = [Path(str(manager.getFullPath(buffer))) for buffer in manager.getAllBuffers()]
        included = tuple(path for path in read if path.is_absolute() and path not in sources)
        return cls(tuple(sources), modules, included)

    def unit(self, module: str, parameters: Mapping[str, Any]) -> Unit:
        """Return the ports and parameters of a module.

        Args:
            module: its name.
            parameters: values by name; texts are SystemVerilog.

        Raises:
            InputError: if slang refuses the module, it has no such parameter, or a port is no vector of one direction.
        """
        from pyslang.ast import InstanceSymbol, ParameterSymbol, PortSymbol

        given = {name: literal(value) for name, value in parameters.items()}
        compilation, manager = _compilation(
            self.sources, f"module probe;\n{instance(module, given, 'u', ())}\nendmodule\n"
        )
        top = next(symbol for symbol in compilation.getRoot().topInstances if symbol.name == "probe")
        body = next(symbol for symbol in top.body if isinstance(symbol, InstanceSymbol)).body
        constants = {s.name: s.value.value for s in body if isinstance(s, ParameterSymbol)}
        for name in parameters:
            if name not in constants:
                allowed = ", ".join(constants) or f"none, since {module} has no parameters"
                raise InputError(f"parameters.{name}: got an unknown parameter; allowed: {allowed}")
        _refuse(manager, compilation.getAllDiagnostics())
        ports = []
        for port in body.portList:
            direction = str(port.direction).rpartition(".")[2] if isinstance(port, PortSymbol) else "interface"
            if direction not in ("In", "Out") or not port.type.isIntegral:
                raise InputError(f"top: got {module}, whose port {port.name} is no input or output vector")
            ports.append(Port(port.name, direction == "In", port.type.bitWidth))
        whole = {name: int(value) for name, value in constants.items() if hasattr(value, "__int__")}
        return Unit(module, given, whole, tuple(ports))


def _compilation(sources: Sequence[Path], text: str = "") -> tuple[Any, Any]:
    from pyslang import SourceManager
    from pyslang.ast import Compilation
    from pyslang.syntax import SyntaxTree

    manager, compilation = SourceManager(), Compilation()
    for source in sources:
        compilation.addSyntaxTree(SyntaxTree.fromFile(str(source), manager))
    if text:
        compilation.addSyntaxTree(SyntaxTree.fromText(text, manager))
    return compilation, manager


def _refuse(manager: Any, diagnostics: Sequence[Any]) -> None:
    """Raise the first error of slang, with its place and the line if one can read that."""
    from pyslang import DiagnosticEngine

    errors = [diagnostic for diagnostic in diagnostics if diagnostic.isError()]
    if errors:
        message, *line = DiagnosticEngine.reportAll(manager, errors[:1]).splitlines()[:2]
        shown = [text for text in map(str.strip, line) if text.isprintable() and len(text) <= LONGEST]
        raise InputError(f"sources: {': '.join([message, *shown])}")
