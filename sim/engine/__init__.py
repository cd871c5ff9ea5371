"""The training engine: one inner loop as a job, run by a backend that gives the same bits as every other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sim.engine.cycles import epoch_cycles, latency
from sim.engine.job import COUNTED, OBSERVED, EpochJob, EpochResult, Registers, StageTrace
from sim.errors import InputError

Backend = Callable[..., EpochResult]
"""`backend(job, steps_to_trace_or_None)`; one that makes profiles takes `profile=True` as well."""

__all__ = [
    "COUNTED",
    "OBSERVED",
    "Backend",
    "EpochJob",
    "EpochResult",
    "Registers",
    "StageTrace",
    "backends",
    "epoch_cycles",
    "latency",
    "register_backend",
    "run",
]


def _reference(job: EpochJob, traced: range | None, *, profile: bool = False) -> EpochResult:
    from sim.engine.reference import run_reference

    return run_reference(job, traced, profile=profile)


def _kernel(job: EpochJob, traced: range | None, *, profile: bool = False) -> EpochResult:
    from sim.engine.compiled import run_compiled

    return run_compiled(job, traced, profile=profile)


class _Registered(NamedTuple):
    run: Backend
    makes_profiles: bool


_BACKENDS = {"kernel": _Registered(_kernel, True), "reference": _Registered(_reference, True)}


def run(job: EpochJob, backend: str = "kernel", *, trace: range | None = None, profile: bool = False) -> EpochResult:
    """Return the result of one inner loop.

    Args:
        job: what to run.
        backend: "kernel" (compiled), "reference" (Python integers), or one added with `register_backend`: "rtl", the
            simulated circuit, comes with `import bittrue`.
        trace: steps whose stages to record, as `range(first, last + 1)`; memory grows with steps·columns.
        profile: whether the result has a `sim.profile.Profile`: extremes, histogram and overflows of every node.

    Raises:
        InputError: for an unknown backend, one that makes no profiles if one is asked for, or steps outside the loop.

    Example:
        >>> import numpy as np
        >>> from sim.datapath import Link, TrainingDatapath
        >>> from sim.rows import RawRows
        >>> job = EpochJob(
        ...     TrainingDatapath.preset("halp8"),
        ...     Link.AFFINE,
        ...     RawRows(np.eye(3, dtype=np.int8)),
        ...     indices=[0, 1],
        ...     z=[0, 0, 0],
        ...     h=[64, -64, 0],
        ...     registers=Registers(1 << 15, 15),
        ... )
        >>> run(job).z.tolist(), run(job, "reference").z.tolist()
        ([-2, 2, 0], [-2, 2, 0])
    """
    if backend not in _BACKENDS:
        raise InputError(f"backend: got {backend!r}; allowed: {', '.join(_BACKENDS)}")
    if trace is not None and not isinstance(trace, range):
        raise InputError(f"trace: got {trace!r}; allowed: range(first, stop)")
    if trace is not None and (trace.step != 1 or trace.start < 0 or trace.stop > job.steps or not len(trace)):
        raise InputError(f"trace: got {trace}; allowed: range(first, stop) within 0 to {job.steps}")
    registered = _BACKENDS[backend]
    if not profile:
        return registered.run(job, trace)
    if not registered.makes_profiles:
        able = ", ".join(name for name, other in _BACKENDS.items() if other.makes_profiles)
        raise InputError(f"backend: got {backend!r}, which makes no profiles; allowed: {able}")
    return registered.run(job, trace, profile=True)


def backends() -> list[str]:
    """Return the names of the backends."""
    return list(_BACKENDS)


def register_backend(name: str, backend: Backend, *, makes_profiles: bool = False) -> None:
    """Add a backend.

    Args:
        name: what `run` and `bittrue train --backend` call it.
        backend: a function from a job and the steps to trace (a range, or None) to the result.
        makes_profiles: whether it also takes `profile=True`, and then puts a profile into the result.
    """
    _BACKENDS[name] = _Registered(backend, makes_profiles)
