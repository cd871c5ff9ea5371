"""Checks a unit against the reference: all its configurations in one simulation, each played by the unit's bench."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rtl_models.benches.bench import Configuration, Plan, Result
from rtl_models.benches.units import BENCHES
from rtl_models.build import Design, build, simulate
from rtl_models.elaborate import RTL, sources
from rtl_models.tables import table_top


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

    Raises:
        InputError: if a tool is missing, or the unit refuses a parameter.
        BuildError: if the simulator refuses the sources.
        AssertionError: if the simulation ended before every bench had.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return verify(unit, configurations, transactions, seed, folder=Path(name), rtl=rtl)
    folder.mkdir(parents=True, exist_ok=True)
    text = table_top(f"{unit}_table", [bench.unit for bench in BENCHES[unit].benches(configurations)])
    simulation = build(Design(f"{unit}_table", sources(rtl, text), text), waves=waves, coverage=coverage)
    plan, results = folder / "plan.json", folder / "results.json"
    results.unlink(missing_ok=True)
    plan.write_bytes(msgspec.json.encode(Plan(unit, list(configurations), list(transactions), seed, str(results))))
    try:
        simulate(
            simulation,
            "rtl_models.benches.simulated",
            folder,
            environment={Plan.VARIABLE: str(plan), "COCOTB_LOG_LEVEL": "WARNING"},
            seed=seed,
            waves=waves,
        )
    except AssertionError:
        if not results.exists():
            raise
    found = msgspec.json.decode(results.read_bytes(), type=list[Result])
    if len(found) != len(configurations):
        raise AssertionError(f"{unit}: the simulation ended after {len(found)} of {len(configurations)} configurations")
    return found
