"""Makes the circuit a backend by the name `rtl`, so that `train` and `bt.engine.run` take it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sim.engine import EpochJob, EpochResult, register_backend
from sim.errors import InputError


def run_on_circuit(
    job: EpochJob,
    traced: range | None = None,
    *,
    rtl: Path | None = None,
    waves: int | None = None,
    folder: Path | None = None,
) -> EpochResult:
    """Return the result of a job on the simulated circuit; what simulates is loaded only when it is wanted.

    Args:
        job: the inner loop.
        traced: steps to record stage by stage.
        rtl: folder of the sources; the package's own by default.
        waves: record all signals from shortly before this step on, in `folder`.
        folder: for the simulation's files; a temporary one by default.

    Raises:
        InputError: if the circuit cannot run the job, or a tool is missing.
    """
    from rtl_models.toolchain import require_modules

    require_modules()
    from rtl_models.elaborate import RTL
    from rtl_models.engine_backend import run_rtl

    with sources_told(rtl):
        return run_rtl(job, traced, rtl=RTL if rtl is None else rtl.resolve(), waves=waves, folder=folder)


def build_circuit(job: EpochJob, rtl: Path | None = None) -> None:
    """Build the simulation that a job needs, so that the time of `run_on_circuit` is that of running it.

    Args:
        job: the inner loop.
        rtl: folder of the sources; the package's own by default.

    Raises:
        InputError: if the circuit cannot run the job, or a tool is missing.
    """
    from rtl_models.toolchain import require_modules

    require_modules()
    from rtl_models.build import build
    from rtl_models.elaborate import RTL
    from rtl_models.engine_design import Engine

    with sources_told(rtl):
        build(Engine.of_job(job, RTL if rtl is None else rtl.resolve()).design())


@contextmanager
def sources_told(rtl: Path | None) -> Iterator[None]:
    """Make what a simulator says to sources that it refuses one line.

    Args:
        rtl: their folder; None for the package's own.

    Raises:
        InputError: in place of a `BuildError` of the block.
    """
    from rtl_models.build import BuildError

    try:
        yield
    except BuildError as error:
        where = [] if rtl is None else ["rtl"]
        raise InputError(": ".join([*where, *str(error).splitlines()[:2]])) from None


def circuit_digest(rtl: Path | None = None) -> str:
    """Return what identifies the circuit's sources, to be kept with what it did.

    Args:
        rtl: their folder; the package's own by default.
    """
    from rtl_models.elaborate import RTL, digest
    from rtl_models.engine_design import ENGINE

    return digest(ENGINE, RTL if rtl is None else rtl)


def register() -> None:
    """Add the backend."""
    register_backend("rtl", run_on_circuit)
