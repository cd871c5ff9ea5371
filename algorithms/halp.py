"""HALP: SVRG whose inner loop runs on low-precision offsets from a full-precision centre (bit centring)."""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from algorithms.problems import LeastSquares, quantized
from algorithms.training import Parameters, Point
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, EpochResult, Registers
from sim.errors import InputError
from sim.formats import QFormat
from sim.host import norm, scale_register
from sim.modes import Overflow
from sim.quantize import quantize
from sim.random_bits import Role, Xorshift32, generator_seed, row_indices
from sim.rows import RawRows
from sim.statistics import Statistics

START_EXPONENT = 1
"""Block exponent of the first epoch, where a datapath has block exponents."""


def halp(
    problem: LeastSquares, datapath: TrainingDatapath | None, parameters: Parameters
) -> Generator[Point, EpochResult | None, None]:
    """Yield the points of HALP, option I, each with the inner loop that the engine is to run.

    Each epoch the offset's last bit is worth δ_z = ‖g̃‖/(μ·(2^(b_z−1) − 1)), so that its range holds the optimum, and
    shrinks with the gradient. Source: C. De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383; block
    exponents go beyond it.

    Args:
        problem: what to minimise; it is solved on samples quantized to the datapath's data words.
        datapath: the arithmetic.
        parameters: step size, lengths, μ, seed.

    Raises:
        InputError: without a datapath, or where a scale does not fit the link's registers.
    """
    if not isinstance(datapath, TrainingDatapath):
        raise InputError(f"datapath: got {datapath!r}; allowed: a TrainingDatapath, since halp runs on the engine")
    path, step = datapath, parameters.step
    problem, raw, data_scale = quantized(problem, path.data_format)
    fraction, cut = path.increment.fraction, path.product.cut
    factor = step * data_scale * data_scale * 2.0 ** (fraction + cut)
    register = scale_register(factor, path.link.multiplier_bits, "step·(data scale)²·2^(sh + sp)")
    rows, store = Xorshift32(generator_seed(parameters.seed, Role.ROWS, 0)), RawRows(raw)
    columns, largest = problem.shape[1], path.model_format.high
    beats = -(-columns // path.lanes)
    exponents = np.full(beats, min(START_EXPONENT, path.exponents.maximum))
    w, epoch = np.zeros(columns), 0
    while True:
        gradient = problem.gradient(w)
        length = norm(gradient)
        scale = length / (parameters.mu * largest)
        gradient_scale = math.ldexp(scale, -fraction)
        if epoch == 0 and 0.0 < length < math.inf and not 0.0 < gradient_scale < math.inf:
            raise InputError(f"mu: got {parameters.mu}; allowed: a number at which the offset's last bit is a float64")
        if not 0.0 < gradient_scale < math.inf:  # done, or diverged: the training loop tells which
            yield Point(problem, w, gradient)
            return
        seen = Statistics()
        h = quantize(
            step * gradient,
            QFormat(path.increment.width, 0),
            overflow=Overflow.SAT,
            scale=gradient_scale,
            statistics=seen,
        )
        job = EpochJob(
            path,
            Link.AFFINE,
            store,
            row_indices(rows, problem.shape[0], parameters.epoch_length),
            np.zeros(columns, np.int64),
            h,
            Registers(*register),
            exponents=exponents,
            seed=parameters.seed,
            first_step=epoch * parameters.epoch_length,
        )
        row_bytes = -(-columns * path.data.width // 8)
        result = yield Point(problem, w, gradient, job, scale, {"h": seen.overflows}, row_bytes)
        if result is None:
            return
        blocks = np.repeat(exponents, path.lanes)[:columns]
        w = w + scale * np.ldexp(result.z.astype(np.float64), blocks)
        exponents = next_exponents(exponents, result.z, path)
        epoch += 1


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
