"""Checks a unit against the reference: all its configurations in one simulation, each played by the unit's bench."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from rtl_models.benches.bench import Configuration, Plan, Result
from rtl_models.benches.foreign import bench_and_wrapper
from rtl_models.benches.units import BENCHES
from rtl_models.build import BuildError, Design, build, simulate
from rtl_models.elaborate import RTL, sources
from rtl_models.foreign import ForeignModule
from rtl_models.processes import SILENCE, SilenceError
from rtl_models.tables import table_top
from sim.errors import InputError

RESULTS = "results.json"
"""Name of the file of results in a simulation's folder."""
QUIET = {"COCOTB_LOG_LEVEL": "WARNING", "GPI_LOG_LEVEL": "WARNING"}
"""Keeps the log of a simulation to what went wrong."""
FOREIGN_FLAGS = ("-Wno-fatal", "--no-timing")
"""Of modules that are not ours: warnings are theirs to judge, and delays are left out."""


def verify(
    unit: str,
    configurations: Sequence[Configuration],
    transactions: Sequence[int],
    seed: int,
    *,
    folder: Path | None = None,
    rtl: Path = RTL,
    coverage: bool = False,
    waves: bool = False,
    silence: float = SILENCE,
) -> list[Result]:
    """Return what the bench of a unit finds out about each configuration.

    Args:
        unit: name of the unit.
        configurations: its parameters.
        transactions: outputs to compare, by configuration.
        seed: of the stimuli.
        folder: for the log, the waves and the coverage of lines, branches and toggles; a temporary one by default.
        rtl: folder of the sources.
        coverage: whether to count lines, branches and toggles.
        waves: whether to record all signals.
        silence: seconds for which simulated time may stand still.

    Raises:
        InputError: if a tool is missing, or the unit refuses a parameter.
        BuildError: if the simulator refuses the sources.
        AssertionError: if the simulation ended before every bench had, or its time stood still.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return verify(unit, configurations, transactions, seed, folder=Path(name), rtl=rtl, silence=silence)
    text = table_top(f"{unit}_table", [bench.unit for bench in BENCHES[unit].benches(configurations)])
    plan = Plan(unit, list(configurations), list(transactions), seed, str(folder / RESULTS))
    design = Design(f"{unit}_table", sources(rtl, text), text)
    return _play([plan], design, folder, coverage=coverage, waves=waves, silence=silence)


def verify_foreign(
    file: Path,
    transactions: int,
    seed: int,
    *,
    folder: Path | None = None,
    coverage: bool = False,
    waves: bool = False,
    silence: float = SILENCE,
) -> Result:
    """Return what a bench finds out about a module of the user's.

    Args:
        file: the TOML file that binds the module to a block, as `rtl_models.foreign.Binding` describes it.
        transactions: outputs to compare.
        seed: of the stimuli.
        folder: for the log, the waves and the coverage of lines, branches and toggles; a temporary one by default.
        coverage: whether to count lines, branches and toggles.
        waves: whether to record all signals.
        silence: seconds for which simulated time may stand still.

    Raises:
        InputError: if a tool is missing, the file or the sources are refused, or the ports do not fit the block.
        AssertionError: if the simulation ended before the bench had, or its time stood still.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return verify_foreign(file, transactions, seed, folder=Path(name), coverage=coverage, silence=silence)
    foreign = ForeignModule.load(file)
    bench, wrapper = bench_and_wrapper(foreign)
    text = wrapper.text + table_top("foreign_table", [wrapper.unit])
    design = Design("foreign_table", foreign.sources, text, included=foreign.included, flags=FOREIGN_FLAGS)
    plan = Plan(
        bench.unit_name, [bench.configuration], [transactions], seed, str(folder / RESULTS), str(Path(file).resolve())
    )
    try:
        return _play([plan], design, folder, coverage=coverage, waves=waves, silence=silence)[0]
    except BuildError as error:
        raise InputError(f"{file}: sources: {error.first}") from None


def verify_together(
    tables: Mapping[str, Sequence[Configuration]], transactions: int, seed: int, folder: Path, *, coverage: bool = False
) -> list[Result]:
    """Return what the benches of several units find out in one simulation.

    Args:
        tables: configurations of each unit.
        transactions: outputs to compare of each configuration.
        seed: of the stimuli.
        folder: for the log and the coverage of lines, branches and toggles, in `coverage.dat`.
        coverage: whether to count lines, branches and toggles.

    Raises:
        InputError: if a tool is missing.
        BuildError: if the simulator refuses the sources.
        AssertionError: if a simulation ended before every bench had.
    """
    units = [bench.unit for unit, table in tables.items() for bench in BENCHES[unit].benches(table)]
    text = table_top("units_table", units)
    design = Design("units_table", sources(RTL, text), text)
    plans: list[Plan] = []
    for unit, table in tables.items():
        first = sum(len(plan.configurations) for plan in plans)
        results = str(folder / f"{unit}.json")
        plans.append(Plan(unit, list(table), [transactions] * len(table), seed, results, first=first))
    return _play(plans, design, folder, coverage=coverage, waves=False)


def _play(
    plans: Sequence[Plan], design: Design, folder: Path, *, coverage: bool, waves: bool, silence: float = SILENCE
) -> list[Result]:
    """Build a design, run the benches of some plans, one plan after the other, and return what they found."""
    folder.mkdir(parents=True, exist_ok=True)
    simulation = build(design, waves=waves, coverage=coverage)
    files = [folder / f"plan_{number}.json" for number in range(len(plans))]
    for file, plan in zip(files, plans, strict=True):
        Path(plan.results).unlink(missing_ok=True)
        file.write_bytes(msgspec.json.encode(plan))
    try:
        simulate(
            simulation,
            "rtl_models.benches.simulated",
            folder,
            environment={Plan.VARIABLE: os.pathsep.join(map(str, files)), **QUIET},
            seed=plans[0].seed,
            waves=waves,
            silence=silence,
        )
    except SilenceError as error:
        raise SilenceError(f"{', '.join(plan.unit for plan in plans)}: {error}; --timeout sets how long") from None
    except AssertionError as error:
        if not all(Path(plan.results).exists() for plan in plans):
            units = ", ".join(plan.unit for plan in plans)
            log = "\n".join(str(error).splitlines()[1:])
            raise AssertionError(f"{units}: the simulation ended before its bench did\n{log}") from None
    found: list[Result] = []
    for plan in plans:
        results = msgspec.json.decode(Path(plan.results).read_bytes(), type=list[Result])
        wanted = len(plan.configurations)
        if len(results) != wanted:
            raise AssertionError(f"{plan.unit}: the simulation ended after {len(results)} of {wanted} configurations")
        found += results
    return found
