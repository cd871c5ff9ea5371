"""HALP: SVRG whose inner loop runs on low-precision offsets from a full-precision centre (bit centring)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from algorithms.engine_host import EngineHost
from algorithms.points import Parameters, Point, Points
from algorithms.problems import Problem
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.host import norm

START_EXPONENT = 1
"""Block exponent of the first epoch, where a datapath has block exponents."""


def halp(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of HALP, each with the inner loop that the engine is to run.

    Each epoch the offset's last bit is worth δ_z = ‖g̃‖/(μ·(2^(b_z−1) − 1)), so that its range holds the optimum, and
    shrinks with the gradient. Source: C. De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383; block
    exponents go beyond it.

    Args:
        problem: what to minimise; it is solved on samples quantized to the datapath's data words.
        datapath: the arithmetic.
        parameters: step size, lengths, μ, seed; without μ the problem's strong convexity.

    Raises:
        InputError: without a datapath or μ, or where a scale does not fit the link's registers.
    """
    return halp_on(EngineHost("halp", problem, datapath, parameters))


def halp_on(host: EngineHost) -> Points:
    """Yield the points of HALP on a host's rows: those of its problem make full gradients, its stored ones the loops.

    Args:
        host: rows, datapath and parameters.

    Raises:
        InputError: without μ, or where a scale does not fit the link's registers.
    """
    path, problem, link, parameters = host.path, host.problem, host.centred_link(), host.parameters
    mu = parameters.mu if parameters.mu is not None else problem.strong_convexity
    if not mu > 0.0:
        raise InputError("mu: got none, and the problem is not strongly convex; allowed: a positive number")
    columns, beats = problem.shape[1], -(-problem.shape[1] // path.lanes)
    exponents = np.full(beats, min(START_EXPONENT, path.exponents.maximum))
    w = np.zeros(columns)
    while True:
        margins = problem.margins(w)
        gradient = problem.gradient(w, margins)
        length = norm(gradient)
        scale = length / (mu * path.model_format.high)
        if parameters.power_of_two and 0.0 < scale < math.inf:
            scale = 2.0 ** round(math.log2(scale))
        gradient_scale = math.ldexp(scale, -path.increment.fraction)
        if host.epoch == 0 and 0.0 < length < math.inf and not 0.0 < gradient_scale < math.inf:
            raise InputError(f"mu: got {mu}; allowed: a number at which the offset's last bit is a float64")
        if not 0.0 < gradient_scale < math.inf:
            yield Point(problem, w, gradient, done=True)
            return
        h, seen = host.gradient_words(gradient, scale)
        job = host.job(np.zeros(columns, np.int64), h, link.record(scale, margins), exponents)
        moved = host.row_bytes(job.steps) + host.outer_bytes()
        result = yield Point(problem, w, gradient, job, scale, {"h": seen.overflows}, moved, noise=host.noise)
        if result is None:
            return
        blocks = np.repeat(exponents, path.lanes)[:columns]
        w = w + scale * np.ldexp(result.z.astype(np.float64), blocks)
        exponents = next_exponents(exponents, result.z, path)


def next_exponents(exponents: NDArray[np.int64], z: NDArray[np.int64], path: TrainingDatapath) -> NDArray[np.int64]:
    """Return the block exponents of the next epoch from the offset words that ended this one.

    One more where a block's largest |z| stands at the end of the format, one less where it is under 50/127 of that.

    Args:
        exponents: present exponents, shape (B,).
        z: final offset words, shape (d,).
        path: for the lanes, the model's format and the largest exponent.

    Example:
        >>> path = TrainingDatapath.preset("halp8_blocks")
        >>> next_exponents(np.array([1, 1]), np.array([127] + [0] * 16), path).tolist()
        [2, 0]
    """
    end = path.model_format.high
    starts = np.arange(0, len(z), path.lanes)
    largest = np.maximum.reduceat(np.abs(z), starts)
    moved = exponents + (largest >= end) - (127 * largest < 50 * end)
    return np.clip(moved, 0, path.exponents.maximum)
