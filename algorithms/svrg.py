"""SGD and SVRG in float64 or float32: the baselines that no fixed-point arithmetic limits."""

from __future__ import annotations

from typing import Any

import numpy as np

from algorithms.multiclass import Softmax
from algorithms.points import Draws, Floats, Parameters, Point, Points
from algorithms.problems import Problem
from sim.datapath import TrainingDatapath
from sim.errors import InputError


class FloatRun:
    """What a float run keeps in its own precision: rows, targets, step and ridge.

    Args:
        problem: what to minimise.
        parameters: step size, lengths, seed.
        dtype: float64 or float32.
    """

    def __init__(self, problem: Problem | Softmax, parameters: Parameters, dtype: type[np.floating[Any]]) -> None:
        self.problem, self.dtype = problem, np.dtype(dtype)
        self.rows = np.asarray(problem.features if isinstance(problem, Softmax) else problem.rows, dtype)
        self.step, self.ridge = dtype(parameters.step), dtype(problem.ridge)
        self.draws = Draws(parameters, problem.shape[0])
        classes = (problem.classes,) if isinstance(problem, Softmax) else ()
        self.start = np.zeros((*classes, problem.shape[1]), dtype)

    def point(self, w: Floats, gradient: Floats, steps: int, full: int) -> Point:
        """Return where the run stands; an epoch reads a row a step, and `full` rows for a full gradient."""
        moved = (steps + full) * self.problem.shape[1] * self.dtype.itemsize
        return Point(self.problem, w, gradient, bytes_moved=moved, steps=steps)

    def cast(self, values: Floats) -> Any:
        """Return values in the run's precision."""
        return np.asarray(values, self.dtype)


def svrg(
    problem: Problem | Softmax,
    datapath: TrainingDatapath | None,
    parameters: Parameters,
    dtype: type[np.floating[Any]] = np.float64,
) -> Points:
    """Yield the points of SVRG: w ← w − α·((l'_i(w) − l'_i(w̃))·x_i + λ(w − w̃) + g̃), with λ inside every sample.

    Source: R. Johnson, T. Zhang, Accelerating stochastic gradient descent using predictive variance reduction, 2013.

    Args:
        problem: what to minimise.
        datapath: must be None: everything is floating point.
        parameters: step size, lengths, option, seed.
        dtype: precision of rows, model and inner loop; the full gradient is summed in float64.
    """
    from algorithms import kernels

    require_no_datapath("svrg", datapath)
    run = FloatRun(problem, parameters, dtype)
    w = run.start
    while True:
        wide = w.astype(np.float64)
        gradient, indices = problem.gradient(wide), run.draws.epoch()
        yield run.point(wide, gradient, len(indices), problem.shape[0])
        w, g = w.copy(), run.cast(gradient)
        if isinstance(problem, Softmax):
            kernels.softmax_svrg_loop(run.rows, indices, w, g, run.step, run.ridge)
        else:
            margins = run.cast(problem.margins(wide))
            kernels.svrg_loop(problem.curve.kind, run.rows, margins, indices, w, g, run.step, run.ridge)


def sgd(
    problem: Problem | Softmax,
    datapath: TrainingDatapath | None,
    parameters: Parameters,
    dtype: type[np.floating[Any]] = np.float64,
) -> Points:
    """Yield the points of SGD: w ← w − α·(l'_i(w)·x_i + λ·w).

    Args:
        problem: what to minimise.
        datapath: must be None: everything is floating point.
        parameters: step size, lengths, seed.
        dtype: precision of rows, model and inner loop.
    """
    from algorithms import kernels

    require_no_datapath("sgd", datapath)
    run = FloatRun(problem, parameters, dtype)
    w = run.start
    while True:
        wide, indices = w.astype(np.float64), run.draws.epoch()
        yield run.point(wide, problem.gradient(wide), len(indices), 0)
        w = w.copy()
        if isinstance(problem, Softmax):
            kernels.softmax_sgd_loop(run.rows, problem.labels, indices, w, run.step, run.ridge)
        else:
            targets = run.cast(problem.responses)
            kernels.sgd_loop(problem.curve.kind, run.rows, targets, indices, w, run.step, run.ridge)


def require_no_datapath(algorithm: str, datapath: TrainingDatapath | None) -> None:
    """Raise an InputError if a float algorithm is given a datapath."""
    if datapath is not None:
        raise InputError(
            f"datapath: got {datapath.name!r}; allowed: none, since {algorithm} computes in floating point"
        )
