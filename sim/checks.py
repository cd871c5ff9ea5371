"""Checks of one datapath: what its roundings do on average, what may overflow, what one engine step is expected to do.

Every expectation is over all random words, enumerated; nothing here is a statistical test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, Registers, run
from sim.errors import whole_number
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import INTERMEDIATE_BITS, Requantizer, mode_of
from sim.random_bits import RandomWords, Xorshift32
from sim.ranges import analyse
from sim.rows import RawRows

BUDGET = 1 << 24
"""Roundings evaluated by one check; with more values than that allows, boundary and evenly spaced values stand in."""
TOP_BITS = 16
"""Wider random words are enumerated in their top bits, for fractions of no more bits: all lower ones change nothing."""
NOMINAL_CUT = 8
"""Bits that the coefficient's rounding is checked at; the real shift is a register of the link."""


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: what was checked, stable, as stage.property.
        passed: whether it holds.
        found: the measured value, in words.
        required: what has to hold.
        coverage: what was enumerated.
    """

    name: str
    passed: bool
    found: str
    required: str
    coverage: str


def check_datapath(datapath: TrainingDatapath, columns: int = 784, link: Link = Link.AFFINE) -> list[Check]:
    """Return the outcome of every check of a datapath.

    Args:
        datapath: what to check.
        columns: values in a row, d, for the range proof.
        link: the unit between dot product and coefficient, for the range proof.

    Example:
        >>> all(check.passed for check in check_datapath(TrainingDatapath.preset("halp8"), columns=100))
        True
    """
    columns, link = whole_number("columns", columns, 1, 1 << 24), mode_of(Link, "link", link)
    return [
        *_model_rounding(datapath),
        _nearest("coefficient", datapath.coefficient.rounding, NOMINAL_CUT),
        _nearest("product", datapath.product.rounding, datapath.product.cut),
        *_ranges(datapath, columns, link),
        _engine_step(datapath),
    ]


def check_names() -> list[str]:
    """Return the names of all checks.

    Example:
        >>> check_names()[:2]
        ['model.bias', 'model.variance']
    """
    return [check.name for check in check_datapath(TrainingDatapath(), columns=1)]


def _model_rounding(path: TrainingDatapath) -> Iterator[Check]:
    """Mean and variance of the rounding of increments, over all words, at the largest cut."""
    stage, cut = path.model, path.largest_cut
    bits = stage.random_bits if stage.rounding.is_stochastic else 0
    residues, coverage = _residues(cut, bits)
    results = _round_all(stage.rounding, residues, cut, bits, stage.centered)
    errors = [
        Fraction(int(total), results.shape[1]) - Fraction(int(x), 1 << cut)
        for total, x in zip(results.sum(axis=1), residues, strict=True)
    ]
    worst, allowed = max(errors, key=abs), _allowed_bias(path)
    required = f"at most {float(allowed):g} last bits (biased_ok)" if allowed else "0: unbiased"
    yield Check("model.bias", abs(worst) <= allowed, f"{float(worst):+.6g} last bits", required, coverage)

    ideal = residues / 2.0**cut  # exact: a cut has at most 47 bits
    variances = ((results - ideal[:, None]) ** 2).mean(axis=1)
    found = f"at most {float(variances.max()):.6g}"
    if stage.rounding is Rounding.STOCHASTIC and bits >= cut:
        fraction = ideal - np.floor(ideal)
        passed = bool(np.allclose(variances, fraction * (1 - fraction), rtol=0, atol=1e-12))
        yield Check("model.variance", passed, found, "φ(1 − φ) at every fraction φ", coverage)
    else:
        yield Check("model.variance", bool(variances.max() <= 1.0), found, "at most 1 (squared last bits)", coverage)


def _allowed_bias(path: TrainingDatapath) -> Fraction:
    """Return the bias that the model rounding may have, in last bits: none, unless the datapath says biased_ok."""
    stage = path.model
    if not path.biased_ok or (stage.rounding is Rounding.STOCHASTIC and not path.is_biased):
        return Fraction(0)
    if stage.rounding is Rounding.STOCHASTIC:
        return Fraction(1, 1 << (stage.random_bits + stage.centered))
    return Fraction(1, 2) if stage.rounding.name.startswith("TIES") else Fraction(1)


def _nearest(stage: str, rounding: Rounding, cut: int) -> Check:
    """Mean error of a stage over all values that it cuts, positive and negative apart: a drift is a fault."""
    name = f"{stage}.drift"
    if cut == 0:
        return Check(name, rounding is not Rounding.JAM, "nothing is cut", "no drift", "–")
    depth = min(cut, TOP_BITS)
    bits = NOMINAL_CUT if rounding.is_stochastic else 0
    period = 1 << (depth + 2)  # four last bits: every tie, even and odd
    worst = Fraction(0)
    for values in (np.arange(period), np.arange(-period, 0)):
        results = _round_all(rounding, values, depth, bits, True)
        mean = Fraction(int(results.sum()), results.size) - Fraction(int(values.sum()), values.size << depth)
        worst = max(worst, mean, key=abs)
    bound = Fraction(1, 1 << (depth + 1))  # what ties cost that always go the same way
    return Check(
        name,
        abs(worst) <= bound,
        f"{float(worst):+.6g} last bits",
        f"at most {float(bound):.3g} last bits on average",
        f"{2 * period} values, each sign apart, {depth}{f' of {cut}' if depth < cut else ''} bits cut",
    )


def _ranges(path: TrainingDatapath, columns: int, link: Link) -> Iterator[Check]:
    nodes = analyse(path, columns, link)
    widest = max(nodes.nodes, key=lambda node: node.needed)
    yield Check(
        "ranges.representable",
        widest.needed <= INTERMEDIATE_BITS,
        f"{widest.needed} bits at {widest.name}",
        f"at most {INTERMEDIATE_BITS} bits at every node",
        f"all data and models, {link}",
    )
    yield Check(
        "ranges.accumulator",
        not nodes["t"].may_overflow,
        f"{path.accumulator.width} bits",
        f"at least {nodes.safe_accumulator} bits: cannot overflow",
        "all data and models",
    )


def _engine_step(path: TrainingDatapath) -> Check:
    """One step of the engine: its mean over all words of every lane, against the step in exact real numbers.

    The increment's ideal value is −c·x·2^−sp − h, with the h that was to be rounded; p and h are each off by at most
    half a last bit of an increment, δ_g, so the mean may be off by δ_g, and by what the model's rounding may be biased.
    """
    stage, lanes = path.model, path.lanes
    columns = lanes + lanes // 2 + 1
    if any(node.needed > INTERMEDIATE_BITS for node in analyse(path, columns).nodes):
        return Check("engine.step", False, "cannot be computed", f"at most {INTERMEDIATE_BITS} bits at every node", "–")
    draw = Xorshift32(2024)
    x = draw.words(columns) % (2 * QFormat(path.data.width, 0).high) - QFormat(path.data.width, 0).high
    z = draw.words(columns) % (1 << (path.model.width - 1)) - (1 << (path.model.width - 2))
    spread = max(min(path.increment.fraction, path.increment.width - 3), 0)
    ideal_h = [Fraction(int(word), 1 << 31) * (1 << spread) - (1 << spread) for word in draw.words(columns)]
    h = np.array([round(value) for value in ideal_h])
    total = max(int(np.abs(x * z).sum()), 1)  # aim at a coefficient a quarter of its range at most
    aim = min(1 << max(path.coefficient.width - 3, 0), 1 << max(spread + path.product.cut - path.data.width, 0))
    shift = max((total * ((1 << path.link.multiplier_bits) - 1) // max(aim, 1)).bit_length(), 0)
    registers = Registers((1 << path.link.multiplier_bits) - 1, min(shift, INTERMEDIATE_BITS))
    beats = -(-columns // lanes)
    exponents = np.arange(beats) % (path.exponents.maximum + 1)
    job = EpochJob(path, Link.AFFINE, RawRows(x[None, :]), np.zeros(1, np.int64), z, h, registers, exponents=exponents)
    result = run(job, trace=range(1))
    trace: Any = result.trace
    c, a = int(trace.coefficient[0]), trace.increment[0]

    bits = stage.random_bits if stage.rounding.is_stochastic else 0
    worst, same = Fraction(0), True
    step = Requantizer(QFormat(path.increment.width + 1, 0), stage.rounding, Overflow.SAT, bits, stage.centered)
    for j in range(columns):
        cut = path.increment.fraction + int(exponents[j // lanes])
        ideal = -Fraction(c * int(x[j]), 1 << path.product.cut) - ideal_h[j]
        rounded = _round_all(stage.rounding, a[j : j + 1], cut, bits, stage.centered)[0]
        words = [int(trace.random[0, j])] if bits else [0]
        moved = step([int(a[j])], QFormat(path.increment.width, cut), RandomWords(words, bits) if bits else None)
        same &= int(result.z[j]) == int(z[j]) + int(moved[0]) or result.counts["model"] > 0
        mean = Fraction(int(rounded.sum()), rounded.size)
        off = abs(mean * (1 << cut) - ideal) / (1 << (cut - path.increment.fraction))
        worst = max(worst, off if result.counts["increment"] == 0 else Fraction(0))
    bias = _allowed_bias(path) * (1 << path.increment.fraction)
    if path.largest_cut > TOP_BITS < bits:  # the words left out
        bias += Fraction(1 << path.increment.fraction, 1 << TOP_BITS)
    return Check(
        "engine.step",
        same and worst <= 1 + bias,
        f"off by {float(worst):.4g} δ_g" + ("" if same else "; engine and requantizer differ"),
        f"at most {float(1 + bias):g} δ_g",
        f"{columns} columns, {rounded.size} words a lane",
    )


def _residues(cut: int, bits: int) -> tuple[NDArray[np.int64], str]:
    """Return values over one last bit on both sides of 0, all of them if the budget allows, and what they cover."""
    period, words = 1 << cut, len(_words(bits))
    shown = f"all {words} words" if bits <= TOP_BITS else f"all values of the top {TOP_BITS} of {bits} random bits"
    shown = shown if bits else "no random words"
    if 2 * period * words <= BUDGET:
        return np.arange(-period, period), f"all {2 * period} fractions × {shown}"
    count = max(BUDGET // words // 2, 8)
    spaced = np.linspace(-period, period - 1, count).astype(np.int64)
    half = period // 2
    ends = np.array([-period, -half - 1, -half, -half + 1, -1, 0, 1, half - 1, half, half + 1, period - 1])
    residues = np.concatenate([spaced, ends])
    if cut > TOP_BITS < bits:
        residues = residues >> (cut - TOP_BITS) << (cut - TOP_BITS)
    residues = np.unique(residues)
    return residues, f"{len(residues)} of {2 * period} fractions × {shown}"


def _words(bits: int) -> NDArray[np.int64]:
    """Return all random words, of wide ones those with any top bits and no others."""
    top = min(bits, TOP_BITS)
    return np.arange(1 << top) << (bits - top)


def _round_all(rounding: Rounding, values: NDArray[np.int64], cut: int, bits: int, centered: bool) -> NDArray[np.int64]:
    """Return every value rounded with every word, shape (values, words), through the requantizer's kernel."""
    width = max(int(np.abs(values).max()).bit_length() + 2, 2)
    words = _words(bits)
    unit = Requantizer(QFormat(max(width - cut, 1) + 2, 0), rounding, Overflow.SAT, bits, centered)
    random = RandomWords(np.tile(words, len(values)), bits) if bits else None
    rounded = unit(np.repeat(values, len(words)), QFormat(width, cut), random)
    return rounded.astype(np.int64).reshape(len(values), len(words))
