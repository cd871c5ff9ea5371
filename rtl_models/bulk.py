"""Drives a verilated unit with whole numpy arrays: a shared library, called through ctypes, with the loop in C++.

Cycle n takes row n of every input array, and row n of the output arrays is read right before the rising edge: as in
`rtl_models.benches.clocked`, a combinational output belongs to its own row, a registered one to earlier rows. All units
of a table run side by side, each with arrays of its own. All registers start at random values, and resets are high
before cycle 0, so that a reset in it defines them before any clock edge.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtl_models.build import BuildError, Design, cached, first_messages
from rtl_models.elaborate import RTL, Port, Unit, sources
from rtl_models.tables import prefix, table_top
from rtl_models.toolchain import find_toolchain
from sim.errors import InputError

CLOCK = "clk_i"
RESET = "rst_ni"
Arrays = Mapping[str, NDArray[Any]]


class Bulk:
    """A table of units, compiled.

    Args:
        name: of the table's top module.
        units: the units under their parameters.
        folder: where the sources are.

    Raises:
        InputError: if a tool is missing.
        BuildError: if Verilator or the compiler refuses the sources.
    """

    def __init__(self, name: str, units: Sequence[Unit], folder: Path = RTL) -> None:
        self.units = tuple(units)
        self._ports = [
            (number, port) for number, unit in enumerate(units) for port in unit.ports if port.name != CLOCK
        ]  # the order of the pointers
        text = table_top(name, units)
        design = Design(name, sources(folder, text), text)
        self._library = ctypes.CDLL(str(_build(design, _harness(name, self.units, self._ports))))
        self._library.bulk_run.argtypes = [ctypes.c_int64, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p)]
        self._library.bulk_run.restype = None

    def run(self, inputs: Sequence[Arrays], registers: int = 1) -> list[dict[str, NDArray[Any]]]:
        """Return the outputs of every cycle.

        Args:
            inputs: for each unit an array for each input port but the clock: integers of shape (cycles,), negative
                ones for two's complement, or, for ports of more than 64 bits, 32-bit words of shape (cycles, words),
                the lowest word first. An array of one row counts for all cycles.
            registers: seed of the values that registers and memories start at, 1 to 2^31 − 1.

        Returns:
            For each unit an array for each output port, unsigned, in the same shapes.

        Raises:
            InputError: for missing or superfluous ports, or arrays of other shapes.
        """
        if len(inputs) != len(self.units):
            raise InputError(f"inputs: got {len(inputs)} mappings; allowed: {len(self.units)}, one for each unit")
        for unit, arrays in zip(self.units, inputs, strict=True):
            wanted = {port.name for port in unit.ports if port.is_input and port.name != CLOCK}
            if set(arrays) != wanted:
                raise InputError(f"inputs of {unit.name}: got {sorted(arrays)}; allowed: {sorted(wanted)}")
        cycles = max(len(array) for arrays in inputs for array in arrays.values())
        outputs: list[dict[str, NDArray[Any]]] = [{} for _ in self.units]
        columns = []
        for number, port in self._ports:
            if port.is_input:
                columns.append(_column(port, inputs[number][port.name], cycles))
            else:
                columns.append(np.empty(_shape(port, cycles), _dtype(port)))
                outputs[number][port.name] = columns[-1]
        pointers = (ctypes.c_void_p * len(columns))(*(column.ctypes.data for column in columns))
        self._library.bulk_run(cycles, registers, pointers)
        return outputs


def _dtype(port: Port) -> type[np.unsignedinteger[Any]]:
    """Return the type that Verilator has for a port; ports of more than 64 bits are arrays of 32-bit words."""
    for bits, kind in ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64)):
        if port.width <= bits:
            return kind
    return np.uint32


def _shape(port: Port, cycles: int) -> tuple[int, ...]:
    return (cycles,) if port.width <= 64 else (cycles, -(-port.width // 32))


def _column(port: Port, array: NDArray[Any], cycles: int) -> NDArray[Any]:
    """Return a port's values in Verilator's type, cut to the port's width, one row a cycle."""
    shape = _shape(port, cycles)
    array = np.asarray(array)
    if array.dtype.kind not in "iub" or array.shape not in (shape, (1, *shape[1:])):
        raise InputError(f"inputs {port.name}: got {array.dtype} of shape {array.shape}; allowed: integers of {shape}")
    values = array.astype(_dtype(port))
    if port.width < 64:
        values &= values.dtype.type((1 << min(port.width, 8 * values.itemsize)) - 1) if len(shape) == 1 else -1
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def _harness(name: str, units: Sequence[Unit], ports: Sequence[tuple[int, Port]]) -> str:
    """Return the C++ of the loop over the cycles."""
    types = {np.uint8: "uint8_t", np.uint16: "uint16_t", np.uint32: "uint32_t", np.uint64: "uint64_t"}
    drive: list[str] = []
    read: list[str] = []
    for index, (number, port) in enumerate(ports):
        signal, words = f"top->{prefix(number)}{port.name}", -(-port.width // 32)
        column = f"static_cast<{types[_dtype(port)]}*>(columns[{index}])"
        if port.width <= 64:
            line = f"{signal} = {column}[n];" if port.is_input else f"{column}[n] = {signal};"
        else:
            cell = f"{column}[{words} * n + w]"
            move = f"{signal}[w] = {cell};" if port.is_input else f"{cell} = {signal}[w];"
            line = f"for (int w = 0; w < {words}; ++w) {move}"
        (drive if port.is_input else read).append(line)
    clocks = [f"top->{prefix(n)}{CLOCK}" for n, unit in enumerate(units) if any(p.name == CLOCK for p in unit.ports)]
    resets = [f"top->{prefix(number)}{RESET} = 1;" for number, port in ports if port.name == RESET]
    fall, rise = ("\n        ".join(f"{clock} = {level};" for clock in clocks) for level in (0, 1))
    return f"""#include "V{name}.h"

extern "C" void bulk_run(int64_t cycles, int32_t registers, void** columns) {{
    VerilatedContext context;
    context.randReset(2);
    context.randSeed(registers);
    V{name}* const top = new V{name}{{&context}};
    {fall}
    {f"{chr(10)}    ".join(resets)}
    top->eval();
    for (int64_t n = 0; n < cycles; ++n) {{
        {fall}
        {f"{chr(10)}        ".join(drive)}
        top->eval();
        {f"{chr(10)}        ".join(read)}
        {rise}
        top->eval();
    }}
    top->final();
    delete top;
}}
"""


def _build(design: Design, harness: str) -> Path:
    """Return the shared library of a design, from the cache if it was built before."""
    tools = find_toolchain()

    def make(folder: Path) -> None:
        (folder / "bulk.cpp").write_text(harness)
        verilator = [
            *(str(tools.root / "bin" / "verilator"), "--cc", "--exe", "-O3", "--noassert"),
            *("--x-initial", "unique", "--x-assign", "unique"),
            *("-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM", "-CFLAGS", "-fPIC", "-LDFLAGS", "-shared"),
            *("--top-module", design.top, "--Mdir", str(folder), "-o", "bulk.so", str(folder / "bulk.cpp")),
            *map(str, design.write(folder / "sources")),
        ]
        make = ["make", "-j2", "-C", str(folder), "-f", f"V{design.top}.mk", "OPT_FAST=-O2", "OPT_SLOW=-O0"]
        with tools.active():
            for command in (verilator, make):
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode:
                    raise BuildError(f"{design.top}: {command[0]} failed\n{first_messages(done.stdout + done.stderr)}")
        for file in folder.iterdir():
            if file.is_file() and file.name != "bulk.so":
                file.unlink()

    parts = [*design.parts(), harness.encode(), tools.version.encode(), b"bulk"]
    return cached(f"{design.top}-bulk", parts, make) / "bulk.so"
