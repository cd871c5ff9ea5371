"""What theory promises of HALP and LP-SVRG on the engine: the theorems' bounds with every rounding of a datapath.

They hold for least squares without a ridge term (the affine link), while no accumulator, coefficient, increment or h
saturates; the model may. Source of all formulas: docs/theory.md, On the engine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from algorithms.curves import Floats
from algorithms.links import CentredLink
from algorithms.problems import Quantized
from algorithms.theory import slack_of
from sim.datapath import TrainingDatapath
from sim.errors import InputError, whole_number
from sim.modes import Rounding
from sim.quantize import positive_real
from sim.random_bits import WORD_BITS
from sim.reference import round_shift

_SHARES = np.concatenate([[0.0], np.geomspace(1e-4, 1.9, 60)])
"""Values tried for τ and β: any gives a bound, and the least of all counts."""


@dataclass(frozen=True, slots=True)
class StepErrors:
    """How far a step of the engine may be from the theorems', in last bits of the model.

    Attributes:
        drift: bound on the length of the error's mean over samples and coefficient words, D.
        spread: bound on the error's root mean square, S.
        variance: bound on the variance of the model's rounding, summed over columns, V.
    """

    drift: float
    spread: float
    variance: float


def sample_errors(
    quantized: Quantized, datapath: TrainingDatapath, step: float, *, centred: bool = True, exponent: int | None = None
) -> Floats:
    """Return, for every sample, a bound on the length of the step's error that no randomness averages out, shape (N,).

    Args:
        quantized: least squares on quantized samples.
        datapath: the arithmetic.
        step: α.
        centred: whether the model is an offset that starts at 0 (HALP), or a model (LP-SVRG).
        exponent: largest block exponent of the epoch; by default the datapath's largest.

    Raises:
        InputError: for a problem that is not least squares, or has a ridge term.
    """
    problem = quantized.problem
    if not problem.curve.is_quadratic or problem.ridge:
        raise InputError(
            f"problem: got {problem.name} with ridge {problem.ridge}; allowed: least squares without a ridge term"
        )
    sh, sp, columns = datapath.increment.fraction, datapath.product.cut, problem.shape[1]
    squares = np.square(quantized.raw.astype(np.float64)).sum(axis=1)
    link = CentredLink(problem.curve, datapath, step, quantized.scale)
    multiplier, shift = link.register
    off = abs(math.ldexp(multiplier, -shift) / link.factor - 1.0)
    unit = 2.0 ** (datapath.exponents.maximum if exponent is None else exponent)
    span = unit * 2.0 ** (datapath.model.width - centred)
    parts = [
        _largest_error(datapath.coefficient.rounding, shift) * np.sqrt(squares) * 2.0 ** -(sh + sp),
        _largest_error(datapath.product.rounding, sp) * math.sqrt(columns) * 2.0**-sh,
        0.5 * math.sqrt(columns) * 2.0**-sh,  # h, to nearest
        unit * _model_bias(datapath) * math.sqrt(columns),
        off * step * squares * quantized.scale**2 * span * math.sqrt(columns),
    ]
    total: Floats = np.zeros(len(squares)) + sum(parts)
    return total


def step_errors(
    quantized: Quantized, datapath: TrainingDatapath, step: float, *, centred: bool = True, exponent: int | None = None
) -> StepErrors:
    """Return bounds on the errors of a step; arguments and errors as `sample_errors`.

    Example:
        >>> from algorithms.problems import LeastSquares
        >>> path = TrainingDatapath.preset("halp16")
        >>> quantized = LeastSquares(np.eye(2), np.ones(2)).quantized(path.data_format)
        >>> errors = step_errors(quantized, path, 0.1)
        >>> errors.variance, errors.drift < 1.1
        (0.5, True)
    """
    fixed = sample_errors(quantized, datapath, step, centred=centred, exponent=exponent)
    spread = float(np.sqrt(np.mean(fixed**2)))
    if datapath.coefficient.rounding.is_stochastic:
        squares = np.square(quantized.raw.astype(np.float64)).sum(axis=1)
        cuts = datapath.increment.fraction + datapath.product.cut
        spread += 0.5 * math.sqrt(float(np.mean(squares))) * 2.0**-cuts
    random = datapath.model.rounding.is_stochastic and datapath.largest_cut > 0
    unit = 2.0 ** (datapath.exponents.maximum if exponent is None else exponent)
    variance = 0.25 * quantized.problem.shape[1] * unit**2 if random else 0.0
    return StepErrors(float(fixed.mean()), spread, variance)


def model_outcomes(path: TrainingDatapath, a: int, cut: int) -> list[tuple[float, int]]:
    """Return what the model's rounding makes of an increment: shares of the random words, and results.

    Args:
        path: for the rounding and its random bits.
        a: the increment.
        cut: bits that the rounding drops.

    Example:
        >>> model_outcomes(TrainingDatapath.preset("halp8"), 5, 2)
        [(0.75, 1), (0.25, 2)]
    """
    model = path.model
    if not model.rounding.is_stochastic:
        return [(1.0, round_shift(a, cut, model.rounding))]
    low, rest, bits = a >> cut, a & ((1 << cut) - 1), model.random_bits
    if rest == 0:
        return [(1.0, low)]
    if model.rounding is not Rounding.STOCHASTIC:  # up or down alike
        up = 0.5
    elif bits >= cut:
        up = math.ldexp(rest, -cut)
    else:  # the words that carry: rest + (word << (cut − bits)) + half a step reaches 2^cut
        half = 1 << (cut - bits - 1) if model.centered else 0
        up = math.ldexp((rest + half) >> (cut - bits), -bits)
    return [(1.0 - up, low), (up, low + 1)]


def halp_bound(
    quantized: Quantized,
    datapath: TrainingDatapath,
    *,
    step: float,
    epoch_length: int,
    mu: float | None = None,
    exponent: int | None = None,
) -> float:
    """Return the factor that an epoch of HALP on the engine brings F to at most; 1 or more promises nothing.

    Args:
        quantized: least squares on quantized samples, strongly convex.
        datapath: the arithmetic.
        step: α, below 1/(2L).
        epoch_length: T, at least 1.
        mu: HALP's μ; by default the strong convexity, and at most that.
        exponent: largest block exponent of the epoch; by default the datapath's largest.

    Raises:
        InputError: for a problem or parameters that the bound does not cover.
    """
    convexity = quantized.problem.strong_convexity
    used = convexity if mu is None else positive_real("mu", mu)
    if not 0.0 < used <= convexity:
        raise InputError(f"mu: got {used}; allowed: positive, and at most the strong convexity {convexity}")
    errors = step_errors(quantized, datapath, step, exponent=exponent)
    gain, noise = _terms(quantized, errors, step, epoch_length)
    worth = 2.0 * quantized.problem.smoothness / (used * datapath.model_format.high) ** 2  # δ² ≤ worth·F
    return float((gain + worth * noise).min())


def lp_svrg_bound(
    quantized: Quantized, datapath: TrainingDatapath, *, step: float, epoch_length: int, delta: float
) -> tuple[float, float]:
    """Return ρ and a floor: after K epochs of LP-SVRG on the engine F is at most ρ^K·F_0 + floor.

    Args:
        quantized: least squares on quantized samples, strongly convex, with the optimum in the model's range.
        datapath: the arithmetic, without block exponents.
        step: α, below 1/(2L).
        epoch_length: T, at least 1.
        delta: δ, the worth of the model's last bit.

    Returns:
        Both infinite where no choice of the bound's constants gives a ρ below 1.

    Raises:
        InputError: for a problem or parameters that the bound does not cover.
    """
    worth = positive_real("delta", delta) ** 2
    errors = step_errors(quantized, datapath, step, centred=False)
    gain, noise = _terms(quantized, errors, step, epoch_length)
    with np.errstate(divide="ignore", invalid="ignore"):
        floors = np.where(gain < 1.0, worth * noise / (1.0 - gain), math.inf)
    best = np.unravel_index(int(floors.argmin()), floors.shape)
    floor = float(floors[best])
    return (float(gain[best]), floor) if floor < math.inf else (math.inf, math.inf)


def _terms(quantized: Quantized, errors: StepErrors, step: float, epoch_length: int) -> tuple[Floats, Floats]:
    """Return, for all τ and β, what multiplies F and what multiplies δ² in the bound of an epoch."""
    problem = quantized.problem
    smoothness, convexity = problem.smoothness, positive_real("strong convexity", problem.strong_convexity)
    slack_of(step, smoothness)
    steps = whole_number("epoch_length", epoch_length, 1, 1 << 62)
    share, stretch = _SHARES[:, None], _SHARES[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        drift = 2.0 * errors.drift**2 / (step * convexity * share) if errors.drift else 0.0 * share
        spread = (1.0 + 1.0 / stretch) * errors.spread**2 if errors.spread else 0.0 * stretch
    slack = 1.0 - share / 2.0 - 2.0 * smoothness * step * (1.0 + stretch)
    total = np.where(slack > 0.0, 2.0 * step * slack, math.nan)
    gain = (2.0 / (convexity * steps) + 4.0 * smoothness * step**2 * (1.0 + stretch)) / total
    noise = (errors.variance + drift + spread) / total
    return np.nan_to_num(gain, nan=math.inf), np.nan_to_num(noise, nan=math.inf, posinf=math.inf)


def _largest_error(rounding: Rounding, cut: int) -> float:
    """Return the largest error of a rounding, in last bits; of a stochastic one the largest bias."""
    if rounding is Rounding.STOCHASTIC:  # of the coefficient: a word of 32 bits, centred
        return 0.0 if cut <= WORD_BITS else 2.0 ** -(WORD_BITS + 1)
    if cut == 0:
        return 1.0 if rounding is Rounding.JAM else 0.0
    return 0.5 if rounding.startswith("TIES") or rounding is Rounding.STOCHASTIC_EQUAL else 1.0


def _model_bias(path: TrainingDatapath) -> float:
    """Return the largest bias of the model's rounding, in its last bits."""
    model = path.model
    if model.rounding is not Rounding.STOCHASTIC:
        return _largest_error(model.rounding, path.largest_cut)
    return 2.0 ** -(model.random_bits + model.centered) if path.is_biased else 0.0
