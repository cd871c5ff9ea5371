"""What theory promises of SVRG, LP-SVRG, HALP and LP-SGD: step size, epoch lengths, bits, contractions, floors.

Every sample's loss is convex and L-smooth, f is μ-strongly convex, κ = L/μ; rounding is unbiased and independent, and
the next centre is a random iterate (option II). F stands for E f(w̃) − f*, m for 2^(b−1) − 1. docs/theory.md has
statements and proofs; the section each formula comes from is named with it. The bounds are loose: use them one-sided.
"""

from __future__ import annotations

import math
from fractions import Fraction

from sim.errors import InputError, whole_number
from sim.quantize import positive_real

LARGEST_BITS = 64
"""Bound on the bits of an offset, as of any word."""


def step_size(smoothness: float, gamma: float) -> float:
    """Return α = γ/(4L(1 + γ)), the step size of the theorems of SVRG, LP-SVRG and HALP.

    Source: docs/theory.md, Step size and epoch length.

    Args:
        smoothness: L, of every sample's loss.
        gamma: γ, the factor an epoch is to bring F down by, between 0 and 1.

    Raises:
        InputError: for an L that is not positive, or a γ not between 0 and 1.

    Example:
        >>> step_size(1.0, 0.5) * 12
        1.0
    """
    gamma = _fraction_of_one("gamma", gamma)
    return gamma / (4.0 * positive_real("smoothness", smoothness) * (1.0 + gamma))


def epoch_length_svrg(kappa: float, gamma: float) -> int:
    """Return the least T ≥ 8κ(1 + γ)/γ², with which SVRG's F falls by γ an epoch; LP-SVRG's down to its floor.

    Source: docs/theory.md, Step size and epoch length.

    Args:
        kappa: κ = L/μ, at least 1.
        gamma: γ, between 0 and 1.

    Raises:
        InputError: for a κ below 1, or a γ not between 0 and 1.

    Example:
        >>> epoch_length_svrg(10.0, 0.5)
        480
    """
    exact, share = Fraction(_condition(kappa)), Fraction(_fraction_of_one("gamma", gamma))
    return math.ceil(8 * exact * (1 + share) / share**2)


def halp_bits(kappa: float, gamma: float, columns: int) -> int:
    """Return the fewest bits b of an offset with 2^(b−1) − 1 > √(2κ²d(1 + γ))/γ, which HALP's theorem asks for.

    Source: docs/theory.md, HALP has no floor.

    Args:
        kappa: κ = L/μ, at least 1.
        gamma: γ, between 0 and 1.
        columns: d.

    Raises:
        InputError: for a κ below 1, a γ not between 0 and 1, or where 64 bits are not enough.

    Example:
        >>> halp_bits(10.0, 0.5, 16)
        9
    """
    least = _least_square(kappa, gamma, columns)
    for bits in range(2, LARGEST_BITS + 1):
        if _largest(bits) ** 2 > least:
            return bits
    raise InputError(f"kappa: got {kappa}; allowed: a condition number that {LARGEST_BITS} bits are enough for")


def halp_epoch_length(kappa: float, gamma: float, columns: int, bits: int) -> int:
    """Return the least T ≥ 8κ(1 + γ)/(γ² − 2κ²d(1 + γ)/m²), with which HALP's F falls by γ an epoch.

    Source: docs/theory.md, HALP has no floor.

    Args:
        kappa: κ = L/μ, at least 1.
        gamma: γ, between 0 and 1.
        columns: d.
        bits: of an offset word, b.

    Raises:
        InputError: where the bits are too few for any T: it names the bits needed.

    Example:
        >>> halp_epoch_length(10.0, 0.5, 16, 9), halp_epoch_length(10.0, 0.5, 16, 16)
        (682, 481)
        >>> halp_epoch_length(10.0, 0.5, 16, 8)
        Traceback (most recent call last):
        ...
        sim.errors.InputError: model.width: got 8; allowed: at least 9 with κ = 10, γ = 0.5 and 16 columns, by
        theory
    """
    bits = whole_number("bits", bits, 2, LARGEST_BITS)
    needed = halp_bits(kappa, gamma, columns)
    if bits < needed:
        raise InputError(
            f"model.width: got {bits}; allowed: at least {needed} with κ = {kappa:g}, γ = {gamma:g} and {columns} "
            "columns, by theory"
        )
    exact, share = Fraction(kappa), Fraction(gamma)
    noise = 2 * exact**2 * columns * (1 + share) / _largest(bits) ** 2
    return math.ceil(8 * exact * (1 + share) / (share**2 - noise))


def contraction(step: float, epoch_length: int, smoothness: float, convexity: float) -> float:
    """Return ρ = 1/(μα(1 − 2Lα)T) + 2Lα/(1 − 2Lα): an epoch of SVRG brings F to ρ·F at most; under 1 it converges.

    Source: docs/theory.md, One epoch.

    Args:
        step: α, below 1/(2L).
        epoch_length: T, at least 1.
        smoothness: L.
        convexity: μ, at most L.

    Raises:
        InputError: for values out of range.

    Example:
        >>> round(contraction(1 / 12, 480, 1.0, 0.1), 6)  # γ = 1/2, κ = 10
        0.5
    """
    slack, convexity = slack_of(step, smoothness), _convexity(convexity, smoothness)
    steps = whole_number("epoch_length", epoch_length, 1, 1 << 62)
    return 1.0 / (convexity * step * slack * steps) + 2.0 * smoothness * step / slack


def rounding_term(step: float, smoothness: float, columns: int, delta: float) -> float:
    """Return dδ²/(8α(1 − 2Lα)): what rounding the model to multiples of δ adds to F in an epoch, at most.

    Source: docs/theory.md, One epoch.

    Args:
        step: α, below 1/(2L).
        smoothness: L.
        columns: d.
        delta: δ, the worth of the model's last bit.

    Raises:
        InputError: for values out of range.

    Example:
        >>> round(rounding_term(1 / 12, 1.0, 16, 0.5), 6)
        7.2
    """
    columns = whole_number("columns", columns, 1, 1 << 24)
    return columns * positive_real("delta", delta) ** 2 / (8.0 * step * slack_of(step, smoothness))


def halp_contraction(
    step: float,
    epoch_length: int,
    smoothness: float,
    convexity: float,
    columns: int,
    bits: int,
    mu: float | None = None,
) -> float:
    """Return ρ + dL/(4α(1 − 2Lα)μ²m²): an epoch of HALP brings F to this times F at most, with no floor.

    Source: docs/theory.md, HALP has no floor.

    Args:
        step: α, below 1/(2L).
        epoch_length: T, at least 1.
        smoothness: L.
        convexity: μ, at most L.
        columns: d.
        bits: of an offset word, b.
        mu: what HALP's scale is computed with; by default μ. A smaller one makes a wider box and a coarser grid; a
            larger one is outside the theorem, since the box need not hold the optimum.

    Raises:
        InputError: for values out of range.

    Example:
        >>> round(halp_contraction(1 / 12, 682, 1.0, 0.1, 16, 9), 4)
        0.4997
    """
    rho = contraction(step, epoch_length, smoothness, convexity)
    used = convexity if mu is None else positive_real("mu", mu)
    if used > convexity:
        raise InputError(f"mu: got {used}; allowed: at most the strong convexity {convexity}, for the theorem to hold")
    end = _largest(whole_number("bits", bits, 2, LARGEST_BITS))
    # ‖g̃‖² ≤ 2L·F, and the scale is ‖g̃‖/(μ·m)
    return rho + 2.0 * smoothness * rounding_term(step, smoothness, columns, 1.0 / (used * end))


def lp_svrg_floor(delta: float, columns: int, smoothness: float, gamma: float) -> float:
    """Return dδ²L(1 + γ)²/(γ(2 + γ)(1 − γ)): what LP-SVRG's F falls to at most, with theory's step and epoch length.

    Source: docs/theory.md, LP-SVRG has a floor.

    Args:
        delta: δ, the worth of the model's last bit.
        columns: d.
        smoothness: L.
        gamma: γ, between 0 and 1.

    Raises:
        InputError: for values out of range.

    Example:
        >>> round(lp_svrg_floor(0.5, 4, 1.0, 0.5), 6), lp_svrg_floor_simple(0.5, 4, 1.0, 0.5)
        (3.6, 8.0)
    """
    gamma = _fraction_of_one("gamma", gamma)
    return rounding_term(step_size(smoothness, gamma), smoothness, columns, delta) / (1.0 - gamma)


def lp_svrg_floor_simple(delta: float, columns: int, smoothness: float, gamma: float) -> float:
    """Return 2dδ²L/(γ(1 − γ)), a weaker form of `lp_svrg_floor` that is easier to read.

    Source: docs/theory.md, LP-SVRG has a floor. Arguments and errors as there.

    Example:
        >>> lp_svrg_floor_simple(1.0, 1, 1.0, 0.5)
        8.0
    """
    gamma, columns = _fraction_of_one("gamma", gamma), whole_number("columns", columns, 1, 1 << 24)
    scaled = columns * positive_real("delta", delta) ** 2 * positive_real("smoothness", smoothness)
    return 2.0 * scaled / (gamma * (1.0 - gamma))


def lp_sgd_floor(step: float, convexity: float, variance: float, columns: int, delta: float) -> float:
    """Return 2ασ*²/μ + dδ²/(4αμ): what LP-SGD's E‖w − w*‖² falls to at most, for α ≤ 1/(2L).

    A smaller step helps the gradients' noise and hurts the rounding's; they are equal at `lp_sgd_best_step`.
    Source: docs/theory.md, LP-SGD.

    Args:
        step: α, at most 1/(2L).
        convexity: μ.
        variance: σ*², the mean of ‖∇f_i(w*)‖² over samples.
        columns: d.
        delta: δ, the worth of the model's last bit.

    Raises:
        InputError: for values out of range.

    Example:
        >>> lp_sgd_floor(0.25, 1.0, 4.0, 16, 0.5)
        6.0
    """
    step, convexity = positive_real("step", step), positive_real("convexity", convexity)
    columns, delta = whole_number("columns", columns, 1, 1 << 24), positive_real("delta", delta)
    if variance != 0.0:  # samples that all agree have none
        variance = positive_real("variance", variance)
    return 2.0 * step * variance / convexity + columns * delta**2 / (4.0 * step * convexity)


def lp_sgd_best_step(variance: float, columns: int, delta: float) -> float:
    """Return δ√(d/8)/σ*, the step at which `lp_sgd_floor` is least: √2·σ*δ√d/μ. Source: docs/theory.md, LP-SGD.

    Args:
        variance: σ*², the mean of ‖∇f_i(w*)‖² over samples, positive.
        columns: d.
        delta: δ, the worth of the model's last bit.

    Raises:
        InputError: for values out of range.

    Example:
        >>> lp_sgd_best_step(4.0, 32, 0.5)
        0.5
        >>> [round(lp_sgd_floor(step, 1.0, 4.0, 32, 0.5), 3) for step in (0.4, 0.5, 0.6)]
        [8.2, 8.0, 8.133]
    """
    columns, delta = whole_number("columns", columns, 1, 1 << 24), positive_real("delta", delta)
    return delta * math.sqrt(columns / 8.0) / math.sqrt(positive_real("variance", variance))


def floor_predictor(hessian_trace: float, delta: float) -> float:
    """Return tr(H)δ²/(4π), where LP-SVRG's F is expected to end with small steps: an estimate, not a bound.

    Source: docs/theory.md, Where LP-SVRG ends up.

    Args:
        hessian_trace: trace of the Hessian of f at the optimum.
        delta: δ, the worth of the model's last bit.

    Raises:
        InputError: for values out of range.

    Example:
        >>> round(floor_predictor(math.pi, 0.5), 6)
        0.0625
    """
    return positive_real("hessian_trace", hessian_trace) * positive_real("delta", delta) ** 2 / (4.0 * math.pi)


def _largest(bits: int) -> int:
    return (1 << (bits - 1)) - 1


def _least_square(kappa: float, gamma: float, columns: int) -> Fraction:
    """Return 2κ²d(1 + γ)/γ², exactly: m² has to be larger."""
    columns = whole_number("columns", columns, 1, 1 << 24)
    exact, share = Fraction(_condition(kappa)), Fraction(_fraction_of_one("gamma", gamma))
    return 2 * exact**2 * columns * (1 + share) / share**2


def slack_of(step: float, smoothness: float) -> float:
    """Return 1 − 2Lα, positive."""
    step, smoothness = positive_real("step", step), positive_real("smoothness", smoothness)
    slack = 1.0 - 2.0 * smoothness * step
    if not slack > 0.0:
        raise InputError(f"step: got {step}; allowed: below 1/(2L) = {0.5 / smoothness:g}")
    return slack


def _convexity(convexity: float, smoothness: float) -> float:
    if not positive_real("convexity", convexity) <= smoothness:
        raise InputError(f"convexity: got {convexity}; allowed: at most the smoothness {smoothness}")
    return float(convexity)


def _condition(kappa: float) -> float:
    if not positive_real("kappa", kappa) >= 1.0:
        raise InputError(f"kappa: got {kappa}; allowed: at least 1")
    return float(kappa)


def _fraction_of_one(name: str, value: float) -> float:
    if not positive_real(name, value) < 1.0:
        raise InputError(f"{name}: got {value}; allowed: a number between 0 and 1")
    return float(value)
