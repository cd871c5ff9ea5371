"""Reads the SystemVerilog package: its enums and constants, as slang elaborates them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from rtl_models.elaborate import PACKAGE, RTL


@lru_cache
def _package(folder: Path) -> tuple[Any, Any]:
    from pyslang.ast import Compilation
    from pyslang.syntax import SyntaxTree

    compilation = Compilation()
    compilation.addSyntaxTree(SyntaxTree.fromFile(str(folder / f"{PACKAGE}.sv")))
    return compilation, compilation.getPackage(PACKAGE)


def enums(folder: Path = RTL) -> dict[str, dict[str, int]]:
    """Return the values of the members of each enum, in order.

    Example:
        >>> enums()["overflow_e"]
        {'WRAP': 0, 'SAT': 1, 'SAT_SYM': 2}
    """
    from pyslang.ast import TypeAliasType

    _, package = _package(folder)
    types: list[Any] = [symbol for symbol in package if isinstance(symbol, TypeAliasType)]
    return {kind.name: {member.name: int(member.value.value) for member in kind.targetType.type} for kind in types}


def constants(folder: Path = RTL) -> dict[str, int]:
    """Return the whole-number constants.

    Example:
        >>> constants()["WordBits"]
        32
    """
    from pyslang.ast import ParameterSymbol

    _, package = _package(folder)
    parameters: list[Any] = [symbol for symbol in package if isinstance(symbol, ParameterSymbol)]
    return {parameter.name: int(parameter.value.value) for parameter in parameters}
