"""How much faster the compiled model is than a simulation of its circuit: the same epoch on both, in one run."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace
from time import thread_time

import numpy as np

from reports.bench import Ratio
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, Registers, run
from sim.random_bits import Xorshift32, row_indices
from sim.rows import RawRows

STEPS, COLUMNS, SAMPLES = 60_000, 64, 1_000


def circuit_ratios(quick: bool = False) -> list[Ratio]:
    """Return the speed of the compiled model as a multiple of that of the circuit in Verilator, once by each driver.

    Times are CPU times; those of the circuit are of its process, less those of an epoch without a step.

    Args:
        quick: 1 repeat instead of 5.

    Raises:
        InputError: if a tool is missing.
    """
    from rtl_models.toolchain import require_modules

    require_modules()
    from rtl_models.engine_backend import run_rtl

    job = epoch()
    cycles = run(job).cycles  # compiles

    def model() -> float:
        before = thread_time()
        for _ in range(20):
            run(job)
        return (thread_time() - before) / 20

    def circuit(*, from_python: bool) -> float:
        def seconds(given: EpochJob) -> float:
            return _of_children(lambda: run_rtl(given, from_python=from_python))

        return seconds(job) - seconds(replace(job, indices=job.indices[:0]))

    run_rtl(replace(job, indices=job.indices[:0]))  # builds
    ratios = []
    for driver, is_python in (("rows from a file", False), ("beats from cocotbext-axi", True)):
        pairs = [(model(), circuit(from_python=is_python)) for _ in range(1 if quick or is_python else 5)]
        fast, slow = np.array(pairs).T
        low, value, high = np.quantile(slow / fast, (0.25, 0.5, 0.75)).tolist()
        rate, other = (cycles / float(np.median(seconds)) / 1e3 for seconds in (fast, slow))
        name = f"compiled model, epoch of {cycles:,} cycles"
        ratios.append(Ratio(name, f"its circuit in Verilator, {driver}", value, low, high, rate, other, "k cycles/s"))
    return ratios


def epoch() -> EpochJob:
    """Return an epoch of halp8: 64 columns in 16 lanes, affine link."""
    random = np.random.default_rng(0)
    rows = RawRows(random.integers(-127, 128, (SAMPLES, COLUMNS), np.int8))
    indices = row_indices(Xorshift32(1), SAMPLES, STEPS)
    z, h = np.zeros(COLUMNS, np.int64), random.integers(-99, 100, COLUMNS)
    return EpochJob(TrainingDatapath.preset("halp8"), Link.AFFINE, rows, indices, z, h, Registers(1 << 15, 25))


def _of_children(work: Callable[[], object]) -> float:
    """Return the CPU time that the processes took which some work started and waited for."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    work()
    return spent() - before
