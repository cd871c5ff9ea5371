"""LP-SGD and LP-SVRG: a low-precision model on one fixed grid, the rivals of HALP."""

from __future__ import annotations

import math

import numpy as np

from algorithms.engine_host import EngineHost, Words
from algorithms.links import AbsoluteLink
from algorithms.points import Parameters, Point, Points
from algorithms.problems import Problem
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.host import norm


def lp_svrg(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of LP-SVRG: SVRG whose model has b_z bits, each worth δ for the whole run.

    Source: C. De Sa et al., High-Accuracy Low-Precision Training, arXiv 1803.03383.

    Args:
        problem: what to minimise; it is solved on samples quantized to the datapath's data words.
        datapath: the arithmetic, without block exponents.
        parameters: step size, lengths, δ, seed.

    Raises:
        InputError: without a datapath or δ, or where a scale does not fit the link's registers.
    """
    host = EngineHost("lp_svrg", problem, datapath, parameters)
    host.require_no_exponents("lp_svrg")
    scale, problem, link = fixed_scale(parameters), host.problem, host.centred_link()
    z: Words = np.zeros(problem.shape[1], np.int64)
    while True:
        w = scale * z.astype(np.float64)
        margins = problem.margins(w)
        gradient = problem.gradient(w, margins)
        if not math.isfinite(norm(gradient)):
            yield Point(problem, w, gradient, done=True)
            return
        h, seen = host.gradient_words(gradient, scale)
        offsets, past = host.offset_words(z)
        job = host.job(z, h, link.record(scale, margins) | {"offsets": offsets})
        moved = host.row_bytes(job.steps) + host.outer_bytes()
        result = yield Point(problem, w, gradient, job, scale, {"h": seen.overflows, "offset": past}, moved)
        if result is None:
            return
        z = result.z


def lp_sgd(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of LP-SGD: SGD whose model has b_z bits, each worth δ for the whole run.

    A ridge term enters once an epoch, as h = α·λ·w at its start.

    Args:
        problem: what to minimise; it is solved on samples quantized to the datapath's data words.
        datapath: the arithmetic, without block exponents.
        parameters: step size, lengths, δ, seed.

    Raises:
        InputError: without a datapath or δ, or where a scale does not fit the link's registers.
    """
    return lp_sgd_on(EngineHost("lp_sgd", problem, datapath, parameters), "lp_sgd")


def lp_sgd_on(host: EngineHost, algorithm: str) -> Points:
    """Yield the points of LP-SGD on a host's rows.

    Args:
        host: rows, datapath and parameters.
        algorithm: its name, for errors.

    Raises:
        InputError: without δ, or where a scale does not fit the link's registers.
    """
    host.require_no_exponents(algorithm)
    scale, problem, parameters = fixed_scale(host.parameters), host.problem, host.parameters
    curve, path = problem.curve, host.path
    link = AbsoluteLink(curve, path, parameters.step, host.data_scale, scale, problem.responses)
    z: Words = np.zeros(problem.shape[1], np.int64)
    while True:
        w = scale * z.astype(np.float64)
        gradient = problem.gradient(w)
        if not math.isfinite(norm(gradient)):
            yield Point(problem, w, gradient, done=True)
            return
        h, seen = host.gradient_words(problem.ridge * w, scale)
        job = host.job(z, h, link.record)
        moved = host.row_bytes(job.steps)
        result = yield Point(problem, w, gradient, job, scale, {"h": seen.overflows}, moved, noise=host.noise)
        if result is None:
            return
        z = result.z


def fixed_scale(parameters: Parameters) -> float:
    """Return δ, or raise an InputError where there is none."""
    if parameters.delta is None:
        raise InputError("delta: got none; allowed: a positive number, the worth of the model's last bit")
    return parameters.delta
