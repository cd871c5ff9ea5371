"""What a datapath costs: unit gates and bits moved a step. An estimate, not calibrated against any library.

Unit-gate model: a two-input gate counts 1, an exclusive-or or multiplexer bit 2, a half adder 3, a full adder 7, a
flip-flop 6. Memories are given in bits. Use it to compare datapaths, not to predict an area.
"""

from __future__ import annotations

from dataclasses import dataclass

from sim.datapath import Generator, Link, TrainingDatapath
from sim.modes import Overflow, Rounding
from sim.ranges import RangeAnalysis, analyse

LABEL = "estimate, uncalibrated"
MULTIPLEXER, HALF_ADDER, FULL_ADDER, FLIP_FLOP = 2, 3, 7, 6


@dataclass(frozen=True, slots=True)
class Cost:
    """Unit gates by stage, and bits moved by one step.

    Attributes:
        gates: unit gates of each stage, all lanes.
        row_bits: bits of the streamed row(s) of a step.
        local_bits: bits read and written in the memories of z and h in a step.
        memory_bits: size of those memories.
    """

    gates: dict[str, int]
    row_bits: int
    local_bits: int
    memory_bits: int

    @property
    def total_gates(self) -> int:
        """Unit gates of all stages."""
        return sum(self.gates.values())


def estimate(datapath: TrainingDatapath, columns: int, link: Link = Link.AFFINE) -> Cost:
    """Return the estimated cost of a datapath for rows of `columns` values.

    Args:
        datapath: the widths and modes.
        columns: values in a row, d.
        link: the unit between dot product and coefficient.

    Example:
        >>> small, large = (estimate(TrainingDatapath.preset(name), 100) for name in ("halp8", "halp16"))
        >>> small.total_gates < large.total_gates, small.row_bits
        (True, 800)
    """
    d, lanes, nodes = datapath, datapath.lanes, analyse(datapath, columns, link)
    link, multiplier_bits = nodes.link, d.link.multiplier_bits
    shifted = d.increment.width - d.increment.fraction
    v, index = nodes["v"].needed, 0
    product = {
        Link.AFFINE: (v, multiplier_bits),
        Link.CENTRED_TABLE: (v, d.link.slope_bits),
        Link.ABSOLUTE_TABLE: (d.link.table_bits + 1, multiplier_bits),
    }[link]
    if link is not Link.AFFINE:
        index = _multiplier(v, multiplier_bits) + _overflow(d.link.index_bits, Overflow.SAT)
    gates = {
        "dot multipliers": lanes * _multiplier(d.data.width, d.model.width),
        "adder tree": (lanes - 1) * FULL_ADDER * _tree_bits(nodes),
        "accumulator": FULL_ADDER * d.accumulator.width
        + _overflow(d.accumulator.width, d.accumulator.overflow)
        + FLIP_FLOP * d.accumulator.width
        + _shifter(nodes["s"].needed, d.exponents.maximum),
        "link": index
        + _multiplier(*product)
        + _shifter(nodes["k"].needed, 63)
        + _rounding(d.coefficient.rounding, d.coefficient.width)
        + _overflow(d.coefficient.width, d.coefficient.overflow),
        "update multipliers": lanes * _multiplier(d.coefficient.width, d.data.width),
        "increments": lanes
        * (
            (_rounding(d.product.rounding, nodes["p"].needed) if d.product.cut else 0)
            + 2 * FULL_ADDER * d.increment.width
            + _overflow(d.increment.width, d.increment.overflow)
        ),
        "model rounding": lanes
        * (
            _rounding(d.model.rounding, d.increment.width)
            + _shifter(d.increment.width, d.exponents.maximum)
            + FULL_ADDER * (max(shifted, d.model.width) + 1)
            + _overflow(d.model.width, d.model.overflow)
        ),
        "random generators": _generators(d),
    }
    return Cost(
        gates,
        columns * d.data.width,
        columns * (2 * d.model.width + d.increment.width) + columns * d.model.width,
        columns * (d.model.width + d.increment.width),
    )


def _multiplier(a: int, b: int) -> int:
    """An array multiplier: a·b gates and a row of full adders for every bit but one of the shorter operand."""
    return a * b + (min(a, b) - 1) * max(a, b) * FULL_ADDER


def _tree_bits(nodes: RangeAnalysis) -> int:
    return nodes["s"].needed - nodes.datapath.exponents.maximum


def _shifter(bits: int, largest: int) -> int:
    """A logarithmic shifter by 0 to `largest` places."""
    return largest.bit_length() * bits * MULTIPLEXER


def _overflow(bits: int, overflow: Overflow) -> int:
    return 0 if overflow is Overflow.WRAP else bits * (MULTIPLEXER + 1)


def _rounding(rounding: Rounding, bits: int) -> int:
    if rounding is Rounding.TO_NEG:
        return 0
    return bits * (FULL_ADDER if rounding is Rounding.STOCHASTIC else HALF_ADDER)


def _generators(d: TrainingDatapath) -> int:
    count = d.generators + d.coefficient.rounding.is_stochastic
    per_bit = FLIP_FLOP + (3 * MULTIPLEXER if d.generator.kind is Generator.XORSHIFT32 else d.generator.leap)
    return count * d.generator.width * per_bit
