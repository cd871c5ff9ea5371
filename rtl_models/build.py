"""Builds simulations once and keeps them: a folder of the cache for each set of sources, parameters and tools."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from rtl_models.processes import TERMINATED, run
from rtl_models.toolchain import Toolchain, cache_folder, find_toolchain
from sim.errors import InputError

TAIL = 40
"""Lines of a log that an error shows."""
KEPT_DAYS = 30
"""Days after its last use after which a build is removed."""
WARNINGS = ("-Wno-UNUSEDSIGNAL", "-Wno-UNUSEDPARAM")
"""Warnings that stop no build; `make lint` shows them. All others, parameters out of range among them, do."""
PLAIN_IMPORTS = {"COCOTB_REWRITE_ASSERTION_FILES": ""}
"""Keeps cocotb from rewriting the asserts of every module that a bench imports, which doubles the start of a run."""


class BuildError(RuntimeError):
    """A simulator refused the sources; the text has its first messages."""

    @property
    def first(self) -> str:
        """The first of its messages."""
        return next((line for line in str(self).splitlines()[1:] if "rror" in line), str(self).splitlines()[-1])


@dataclass(frozen=True, slots=True)
class Design:
    """What is simulated.

    Args:
        top: name of the top module.
        sources: files, packages first.
        text: SystemVerilog of a generated top, added behind the files.
        parameters: values of the top's parameters, as SystemVerilog text.
        included: files that the sources include; like the sources they count by what is in them, wherever they are.
        flags: further options of Verilator.
    """

    top: str
    sources: Sequence[Path]
    text: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    included: Sequence[Path] = ()
    flags: Sequence[str] = ()

    def parts(self) -> list[bytes]:
        """Return what a build depends on."""
        texts = [part for file in (*self.sources, *self.included) for part in (file.name.encode(), file.read_bytes())]
        return [self.top.encode(), self.text.encode(), repr(sorted(self.parameters.items())).encode(), *texts]

    def write(self, folder: Path) -> list[Path]:
        """Return the files to compile, the generated one written into a folder."""
        if not self.text:
            return list(self.sources)
        folder.mkdir(parents=True, exist_ok=True)
        generated = folder / f"{self.top}.sv"
        generated.write_text(self.text)
        return [*self.sources, generated]


@dataclass(frozen=True, slots=True)
class Simulation:
    """A simulation ready to run.

    Attributes:
        design: what it simulates.
        folder: where it was built.
        simulator: `verilator` or `icarus`.
        waves: whether it can record waves.
    """

    design: Design
    folder: Path
    simulator: str
    waves: bool


def build(design: Design, *, waves: bool = False, coverage: bool = False, simulator: str = "verilator") -> Simulation:
    """Return a simulation of a design, from the cache if it was built before.

    Args:
        design: what to simulate.
        waves: make it able to record all signals.
        coverage: make it count lines, branches and toggles.
        simulator: `verilator`, or `icarus`, which reads the netlist that yosys makes of the design.

    Raises:
        InputError: if a tool is missing.
        BuildError: if the simulator refuses the sources.
    """
    tools = find_toolchain()
    if simulator == "icarus":
        from rtl_models.netlist import verilog

        return _build_icarus(Design(design.top, [verilog(design)]), tools, waves)
    flags = [
        *WARNINGS,
        "--no-public-flat-rw",
        "-O3",
        "--x-assign",
        "fast",
        "--noassert",
        *(["--coverage-line", "--coverage-toggle"] if coverage else []),
    ]
    flags += design.flags
    included = [f"-I{place}" for place in sorted({file.parent for file in design.sources if design.included})]

    def make(folder: Path) -> None:
        _run_build(simulator, tools, design, folder, waves=waves, build_args=[*flags, *included])
        for pattern in ("*.o", "*.a", "*.gch", "*.cpp", "*.h", "*.d"):
            for file in folder.glob(pattern):
                file.unlink()

    from cocotb_tools.config import libs_dir  # a simulation looks for cocotb where that was when it was linked

    depends = [*design.parts(), tools.version.encode(), repr((flags, waves, str(libs_dir))).encode()]
    return Simulation(design, cached(design.top, depends, make), simulator, waves)


def _build_icarus(design: Design, tools: Toolchain, waves: bool) -> Simulation:
    def make(folder: Path) -> None:
        _run_build("icarus", tools, design, folder, waves=waves, build_args=["-g2012"])

    return Simulation(design, cached(design.top, [*design.parts(), repr(waves).encode()], make), "icarus", waves)


def simulate(
    simulation: Simulation,
    module: str,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    seed: int = 0,
    waves: bool = False,
    silence: float | None = None,
) -> str:
    """Run a bench inside the simulator and return its log.

    Args:
        simulation: from `build`.
        module: the Python module with the cocotb tests.
        folder: for the log, results.xml, dump.vcd and coverage.dat.
        environment: variables for the bench.
        seed: of cocotb's random generator.
        waves: record all signals; the simulation must have been built for it.
        silence: seconds without a sign of life, as `rtl_models.benches.alive` gives it, after which it is ended.

    Raises:
        SilenceError: if it was ended.
        AssertionError: if a test fails, or the simulator ends without a result; with the tail of the log.
    """
    from cocotb_tools.check_results import get_results

    folder.mkdir(parents=True, exist_ok=True)
    log, results = folder / "simulation.log", folder / "results.xml"
    with find_toolchain().active():
        runner = _runner(simulation.simulator, silence)
        with _results_tell():
            runner.test(
                test_module=module,
                hdl_toplevel=simulation.design.top,
                hdl_toplevel_lang="verilog",
                build_dir=simulation.folder,
                test_dir=folder,
                results_xml=str(results),
                seed=seed,
                plusargs=_random_registers(seed) if simulation.simulator == "verilator" else [],
                extra_env={**PLAIN_IMPORTS, **(environment or {})},
                waves=waves,
                log_file=log,
            )
    text = log.read_text(errors="replace") if log.exists() else ""
    try:
        tests, failed = get_results(results)
    except RuntimeError:
        tests, failed = 0, 0
    if failed or not tests:
        what = f"{failed} of {tests} tests failed" if tests else "the simulation ended without a result"
        raise AssertionError(f"{module} on {simulation.design.top}: {what}\n{_tail(text)}")
    return text


@contextlib.contextmanager
def _results_tell() -> Iterator[None]:
    """Leave it to the file of results to tell a failure, which the runner does by these exceptions."""
    try:
        yield
    except RuntimeError:
        pass
    except SystemExit as end:
        if end.code == TERMINATED:
            raise


def cached(name: str, parts: Sequence[bytes], make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache, filled by `make` unless it is there already.

    Processes that want the same folder wait for each other; a folder that was not finished is made anew.

    Args:
        name: readable part of the folder's name.
        parts: all that the content depends on.
        make: fills an empty folder.

    Raises:
        InputError: if the cache cannot be written.
    """
    from filelock import FileLock

    digest = hashlib.sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()[:20]
    folder = cache_folder() / "builds" / f"{name}-{digest}"
    done = folder / "done"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        Path(f"{folder}.lock").touch()
    except OSError as error:
        got = f"{cache_folder()}, {error.strerror}"
        raise InputError(f"XDG_CACHE_HOME: got {got}; allowed: a folder that can be written") from None
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            _forget_old()
        done.touch()
    return folder


def _forget_old() -> None:
    """Remove builds that were not used for long."""
    from filelock import FileLock, Timeout

    for done in (cache_folder() / "builds").glob("*/done"):
        if time.time() - done.stat().st_mtime > KEPT_DAYS * 86400:
            with contextlib.suppress(Timeout), FileLock(f"{done.parent}.lock", timeout=0):
                shutil.rmtree(done.parent, ignore_errors=True)


def _run_build(simulator: str, tools: Toolchain, design: Design, folder: Path, **options: Any) -> None:
    """Let cocotb's runner build into a folder."""
    log = folder / "build.log"
    with tools.active():
        runner = _runner(simulator)
        try:
            runner.build(
                sources=design.write(folder / "sources"),
                hdl_toplevel=design.top,
                parameters=dict(design.parameters),
                build_dir=folder,
                timescale=("1ns", "1ps"),
                log_file=log,
                **options,
            )
        except (RuntimeError, SystemExit) as error:
            if isinstance(error, SystemExit) and error.code == TERMINATED:
                raise
            text = log.read_text(errors="replace") if log.exists() else str(error)
            raise BuildError(f"{simulator} refuses {design.top}\n{first_messages(text)}") from None


def _random_registers(seed: int) -> list[str]:
    """Return the options under which all registers start at random values: Verilator knows no undefined ones."""
    return ["+verilator+rand+reset+2", f"+verilator+seed+{seed % (1 << 31) or 1}"]


def first_messages(log: str) -> str:
    """Return the first errors of a build's log, or its tail if it names none."""
    return "\n".join([line for line in log.splitlines() if "rror" in line or "%Warning" in line][:TAIL]) or _tail(log)


def _runner(simulator: str, silence: float | None = None) -> Any:
    """Return cocotb's runner, its commands in groups of processes that end with this program."""
    import logging

    from cocotb_tools.runner import get_runner

    runner: Any = get_runner(simulator)
    runner.log.setLevel(logging.CRITICAL)

    def execute(commands: Sequence[Sequence[str]], folder: Path, log: TextIO | None = None) -> None:
        for command in commands:
            if run(command, folder, runner.env, log, silence):
                raise RuntimeError(f"{command[0]} failed")

    runner._execute_cmds = execute
    return runner


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-TAIL:])
