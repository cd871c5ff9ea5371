"""SVRG in float64: the baseline that no arithmetic limits."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np

from algorithms.problems import LeastSquares
from algorithms.training import Parameters, Point
from sim.datapath import TrainingDatapath
from sim.engine import EpochResult
from sim.errors import InputError
from sim.kernels import kernel
from sim.random_bits import Role, Xorshift32, generator_seed, row_indices


def svrg(
    problem: LeastSquares, datapath: TrainingDatapath | None, parameters: Parameters
) -> Generator[Point, EpochResult | None, None]:
    """Yield the points of SVRG, option I: w ← w − α·((x_i·(w − w̃) + ridge) x_i + g̃), with λ inside every sample.

    Source: R. Johnson, T. Zhang, Accelerating stochastic gradient descent using predictive variance reduction, 2013.

    Args:
        problem: what to minimise.
        datapath: must be None: everything is float64.
        parameters: step size, lengths, seed.
    """
    if datapath is not None:
        raise InputError(f"datapath: got {datapath.name!r}; allowed: none, since svrg computes in float64")
    rows = Xorshift32(generator_seed(parameters.seed, Role.ROWS, 0))
    w = np.zeros(problem.shape[1])
    while True:
        gradient = problem.gradient(w)
        yield Point(problem, w, gradient)
        indices = row_indices(rows, problem.shape[0], parameters.epoch_length)
        w = w.copy()
        inner_loop(problem.features, indices, w, gradient, parameters.step, problem.ridge)


@kernel
def inner_loop(features: Any, indices: Any, w: Any, gradient: Any, step: Any, ridge: Any) -> None:
    """Make the SVRG steps of an epoch on a least-squares problem, in place on w (the snapshot at the start)."""
    snapshot = w.copy()
    for t in range(indices.shape[0]):
        x = features[indices[t]]
        inner = 0.0
        for j in range(x.shape[0]):
            inner += x[j] * (w[j] - snapshot[j])
        for j in range(x.shape[0]):
            w[j] -= step * (inner * x[j] + ridge * (w[j] - snapshot[j]) + gradient[j])
