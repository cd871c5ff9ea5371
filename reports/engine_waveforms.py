"""The waveform window of a first difference of the engine: the loop once more up to there, and a picture of its end."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reports.rtl_backend import run_on_circuit
from reports.waveforms import Cycle, cycles, draw, value_lane
from sim.engine import EpochJob, run
from sim.engine.first_difference import FirstDifference, first_difference
from sim.errors import writable

CYCLES = 12
"""Clock cycles in a picture; the last one is the one that differs."""
WAVES, PICTURE = "dump.vcd", "difference.svg"


@dataclass(frozen=True, slots=True)
class _Signal:
    """Where the monitor of the circuit sees an array of the trace.

    Attributes:
        label: name in the picture.
        values: its values, all lanes side by side.
        valid: what is high when they count.
        counter: which of the monitor's counters of steps and beats is theirs.
    """

    label: str
    values: str
    valid: str
    counter: int


_SIGNALS = {
    "accumulator": _Signal("t", "accumulator_i", "accumulates_i", 0),
    "index": _Signal("u", "index_i", "coefficient_used_i", 2),
    "coefficient": _Signal("c", "coefficient_i", "coefficient_used_i", 2),
    "product": _Signal("p", "products_i", "products_q", 3),
    "random": _Signal("r", "random_i", "increments_used_i", 4),
    "increment": _Signal("a", "increments_i", "increments_used_i", 4),
    "model": _Signal("z", "model_i", "written_i", 5),
}
_STREAM = ("u_engine.s_axis_tvalid", "u_engine.s_axis_tready")
_VALID = {
    "accumulates_i": "t valid",
    "coefficient_used_i": "c used up",
    "products_q": "p valid",
    "increments_used_i": "a valid",
    "written_i": "z written",
}


def keep_waves(job: EpochJob, difference: FirstDifference, folder: Path, rtl: Path | None = None) -> list[str]:
    """Run a loop once more up to its first difference, with waves from the step before on, and draw their end.

    Args:
        job: the loop.
        difference: where the circuit parts from the model.
        folder: for the waves and the picture.
        rtl: folder of the sources; the package's own by default.

    Returns:
        a line for each file.

    Raises:
        InputError: if a file cannot be written.
    """
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    last = range(difference.step, difference.step + 1)
    shorter = replace(job, indices=job.indices[: last.stop + 1])  # the row behind it overlaps with it
    with tempfile.TemporaryDirectory(dir=folder) as simulated:  # its own files help nobody
        got = run_on_circuit(shorter, last, rtl=rtl, waves=difference.step, folder=Path(simulated))
        Path(simulated, WAVES).replace(folder / WAVES)
    again = first_difference(shorter, got.trace, run(shorter, trace=last).trace)
    kept = f"waves   {folder / WAVES}"
    if again != difference:
        return [kept, f"no picture: the first {shorter.steps} steps by themselves give {again or 'no difference'}"]
    draw(diagram(job, difference, _last_cycles(folder / WAVES, difference), rtl), folder / PICTURE)
    return [kept, f"picture {folder / PICTURE}"]


def _last_cycles(waves: Path, difference: FirstDifference) -> list[Cycle]:
    """Return the cycles up to the one that differs."""
    counters = [f"{kind}[{signal.counter}]" for signal in _SIGNALS.values() for kind in ("steps", "beats")]
    names = {*(signal.values for signal in _SIGNALS.values()), *_VALID, *counters}
    found = cycles(waves, "u_monitor.clk_i", [*_STREAM, *(f"u_monitor.{name}" for name in names)], math.inf, None)
    signal = _SIGNALS[difference.node]
    wanted = {signal.valid: 1, f"steps[{signal.counter}]": difference.step}
    if difference.beat is not None:
        wanted[f"beats[{signal.counter}]"] = difference.beat
    at = next(n for n, cycle in enumerate(found) if all(cycle[f"u_monitor.{k}"] == v for k, v in wanted.items()))
    return found[max(at + 1 - CYCLES, 0) : at + 1]


def diagram(job: EpochJob, difference: FirstDifference, found: list[Cycle], rtl: Path | None = None) -> dict[str, Any]:
    """Return the diagram of some cycles, as WaveDrom reads it: the row stream, then the stages in their order.

    Args:
        job: the loop.
        difference: what the last cycle shows.
        found: the cycles.
        rtl: folder of the sources; the package's own by default.
    """
    from rtl_models.benches.bench import Field
    from rtl_models.elaborate import RTL
    from rtl_models.engine_backend import UNSIGNED, node_widths
    from rtl_models.engine_design import Engine

    def bit(label: str, name: str) -> dict[str, Any]:
        values = [cycle[name] for cycle in found]
        return value_lane(label, [None if value is None else str(value) for value in values], is_bit=True)

    lanes: list[dict[str, Any]] = [{"name": "clk_i", "wave": "p" + "." * (len(found) - 1)}]
    lanes += [bit(name.partition(".")[2], name) for name in _STREAM]
    valid = ""
    for node, width in node_widths(job, Engine.of_job(job, rtl or RTL)).items():
        signal, is_marked = _SIGNALS[node], node == difference.node
        if signal.valid != valid:
            valid = signal.valid
            lanes.append(bit(_VALID[valid], f"u_monitor.{valid}"))
        lane = 0 if signal.counter <= 2 else difference.lane or 0
        part = Field(signal.label, 0, lane * width, width, node not in UNSIGNED)
        values = [cycle[f"u_monitor.{signal.values}"] for cycle in found]
        texts = [None if value is None else str(part.of_port(value)) for value in values]
        label = signal.label if signal.counter <= 2 else f"{signal.label} of lane {lane}"
        lanes.append(value_lane(label, texts, is_marked=is_marked))
        if is_marked:
            lanes.append(value_lane("expected", [*[None] * (len(found) - 1), str(difference.expected)], is_marked=True))
    place = str(difference).partition(": got")[0]
    return {
        "signal": lanes,
        "head": {"text": place, "tick": 1 - len(found)},
        "foot": {"text": f"the last cycle differs; {job.columns} columns in {job.datapath.lanes} lanes"},
    }
