"""A loop on which circuit and model part: what is told of it, what is kept, and the command that plays it again."""

from __future__ import annotations

import shlex
from pathlib import Path

from reports.engine_waveforms import keep_waves
from reports.rtl_backend import run_on_circuit
from reports.verify_report import parameters_text
from sim.engine import EpochJob, EpochResult, run
from sim.engine.first_difference import FirstDifference, first_difference
from sim.errors import writable

JOB = "job.npz"
"""Where a loop that differs is kept, in a folder of its run."""
WINDOW = 2_000
"""Steps that are traced at once on the way to a first difference."""


def difference(got: EpochResult, expected: EpochResult) -> str:
    """Return what two results of a job differ in; empty if they are equal in all that a circuit has."""
    if got.z.tolist() != expected.z.tolist():
        column = int((got.z != expected.z).argmax())
        return f"z of column {column}: got {got.z[column]}, expected {expected.z[column]}"
    for name in ("counts", "extremes", "cycles"):
        one, other = getattr(got, name), getattr(expected, name)
        if one != other:
            return f"{name}: got {one}, expected {other}"
    return ""


def reason(error: AssertionError) -> str:
    """Return why a simulation gave no result, in one line."""
    lines = str(error).splitlines()
    told = [line.partition("Error: ")[2] for line in lines if "Error: " in line]
    return told[-1] if told else lines[0]


def keep_job(job: EpochJob, folder: Path) -> Path:
    """Save a job that shows a failure, and return its file."""
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        job.save(folder / JOB)
    return folder / JOB


def again(job: Path, rtl: Path | None = None) -> str:
    """Return the command that plays a job that was kept once more.

    Example:
        >>> again(Path("verify/8d65/job.npz"), Path("copy"))
        'bittrue verify --engine verify/8d65/job.npz --rtl copy'
    """
    return shlex.join(["bittrue", "verify", "--engine", str(job), *([] if rtl is None else ["--rtl", str(rtl)])])


def failure_text(what: str, job: EpochJob, file: Path, folder: Path, *, ended: bool, rtl: Path | None = None) -> str:
    """Return the report of a loop on which circuit and model part: what differs, where first, files, the command again.

    Args:
        what: differs, in one line.
        job: the loop.
        file: where it is kept.
        folder: for the waves up to the first difference, and their picture.
        ended: whether the circuit came to the end of the loop; if not, there is no place to show.
        rtl: folder of the circuit's sources; the package's own by default.
    """
    from rtl_models.elaborate import RTL
    from rtl_models.engine_design import Engine

    parameters = Engine.of_job(job, RTL if rtl is None else rtl.resolve()).unit.parameters
    lines = [
        what,
        f"  seed {job.seed}, from step {job.first_step} of the run on: {job.steps} steps of {job.columns} columns",
        f"  parameters {parameters_text(parameters)}",
    ]
    found = find_first_difference(job, rtl) if ended else None
    if found:
        lines.append(f"  {place_text(job, found)}")
    elif ended:
        lines.append("  no stage differs in any step")
    lines.append(f"  job     {file}")
    if found:
        lines += [f"  {line}" for line in keep_waves(job, found, folder, rtl)]
    return "\n".join([*lines, f"  again   {again(file, rtl)}"])


def place_text(job: EpochJob, found: FirstDifference) -> str:
    """Return where two sides first part, and both values in decimal, binary and as real numbers.

    Products and increments are in units of z's last bit, all others in those of their own.

    Args:
        job: the loop.
        found: from `first_difference`.
    """
    fraction = job.datapath.increment.fraction if found.node in ("product", "increment") else 0

    def text(value: int) -> str:
        return f"{value} (0b{value & ((1 << found.width) - 1):0{found.width}b}, {value * 2.0**-fraction:g})"

    place = str(found).partition(": got")[0]
    return f"{place}: got {text(found.got)}, expected {text(found.expected)}"


def find_first_difference(job: EpochJob, rtl: Path | None = None) -> FirstDifference | None:
    """Return the first value in which the circuit differs from the model, window after window of the loop."""
    for start in range(0, job.steps, WINDOW):
        steps = range(start, min(start + WINDOW, job.steps))
        found = first_difference(job, run_on_circuit(job, steps, rtl=rtl).trace, run(job, trace=steps).trace)
        if found:
            return found
    return None
