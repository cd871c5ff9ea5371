"""Worst-case range and width of every node of a datapath, by interval arithmetic on exact integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sim.datapath import Link, TrainingDatapath
from sim.errors import InputError, whole_number
from sim.formats import width_of
from sim.modes import Overflow, Rounding
from sim.quantize import INTERMEDIATE_BITS, mode_of
from sim.reference import limits, round_shift


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers from low to high."""

    low: int
    high: int

    @classmethod
    def of_width(cls, width: int, signed: bool = True, overflow: Overflow = Overflow.SAT) -> Interval:
        """Return the values of a register of `width` bits."""
        return cls(*limits(width, signed, overflow))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __mul__(self, other: Interval) -> Interval:
        corners = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(corners), max(corners))

    def times(self, count: int) -> Interval:
        """Return the range of a sum of `count` such values."""
        return Interval(count * self.low, count * self.high)

    def shifted(self, places: int) -> Interval:
        """Return the range after an exact left shift."""
        return Interval(self.low << places, self.high << places)

    def rounded(self, cut: int, rounding: Rounding) -> Interval:
        """Return the range after a rounding: deterministic modes are monotone, stochastic ones go either way."""
        if rounding.is_stochastic:
            return Interval(self.low >> cut, -(-self.high >> cut))
        return Interval(round_shift(self.low, cut, rounding), round_shift(self.high, cut, rounding))

    def clipped(self, other: Interval) -> Interval:
        """Return the part inside another interval."""
        return Interval(min(max(self.low, other.low), other.high), min(max(self.high, other.low), other.high))

    @property
    def bits(self) -> int:
        """Width of the signed format that holds every value."""
        return width_of(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the datapath.

    Attributes:
        name: its name in the engine's formulas.
        meaning: what it carries.
        exact: proven worst-case range before any overflow is applied.
        width: bits of its register; None for a wire, which is as wide as it needs to be.
        overflow: what its register does past its range; None for a wire.
        field: the datapath field that sets the width.
    """

    name: str
    meaning: str
    exact: Interval
    width: int | None = None
    overflow: Overflow | None = None
    field: str = ""

    @property
    def needed(self) -> int:
        """Bits (signed) that never overflow."""
        return self.exact.bits

    @property
    def may_overflow(self) -> bool:
        """Whether some input can change the value by overflow."""
        if self.width is None or self.overflow is None:
            return False
        register = Interval.of_width(self.width, True, self.overflow)
        return self.exact.low < register.low or self.exact.high > register.high


@dataclass(frozen=True, slots=True)
class RangeAnalysis:
    """The nodes of a datapath for rows of `columns` values through one link."""

    datapath: TrainingDatapath
    columns: int
    link: Link
    nodes: tuple[Node, ...]

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def safe_accumulator(self) -> int:
        """The narrowest accumulator, in bits, that cannot overflow whatever the data and the model are."""
        return self["t"].needed

    def require_representable(self) -> None:
        """Raise an InputError naming the first node that needs more than 62 bits."""
        for node in self.nodes:
            if node.needed > INTERMEDIATE_BITS:
                raise InputError(
                    f"{node.name} ({node.meaning}): an intermediate of {node.needed} bits with link {self.link} "
                    f"and {self.columns} columns; allowed: at most {INTERMEDIATE_BITS} bits"
                )


def analyse(datapath: TrainingDatapath, columns: int, link: Link = Link.AFFINE) -> RangeAnalysis:
    """Return the proven worst-case range of every node of a datapath.

    Args:
        datapath: the widths and modes.
        columns: values in a row, d.
        link: the unit between dot product and coefficient.

    Raises:
        InputError: for columns outside 1 to 2^24.

    Example:
        >>> analyse(TrainingDatapath.preset("halp8"), columns=100).safe_accumulator
        22
    """
    return _analysed(datapath, whole_number("columns", columns, 1, 1 << 24), mode_of(Link, "link", link))


@lru_cache(maxsize=256)
def _analysed(datapath: TrainingDatapath, columns: int, link: Link) -> RangeAnalysis:
    d, links = datapath, datapath.link
    x, z = Interval.of_width(d.data.width), Interval.of_width(d.model.width, True, d.model.overflow)
    register = Interval.of_width(d.accumulator.width, True, d.accumulator.overflow)
    beat = (x * z).times(min(d.lanes, columns)).shifted(d.exponents.maximum)
    total = (x * z).times(columns).shifted(d.exponents.maximum)
    t = total if total.clipped(register) == total else register
    v = t + Interval.of_width(d.accumulator.width)
    multiplier = Interval.of_width(links.multiplier_bits, signed=False)
    nodes = [
        Node("x", "data word", x, d.data.width, None, "data.width"),
        Node("s", "beat sum", beat),
        Node("t", "accumulator", total, d.accumulator.width, d.accumulator.overflow, "accumulator.width"),
        Node("t + s", "before overflow", t + beat),
        Node("v", "plus offset β", v),
    ]
    if link is Link.AFFINE:
        product = v * multiplier
    else:
        nodes += [
            Node("v·M", "index product", v * multiplier),
            Node("u", "table index", v * multiplier, links.index_bits, Overflow.SAT, "link.index_bits"),
        ]
        table = Interval.of_width(links.table_bits)
        slopes = Interval.of_width(links.slope_bits, signed=False)
        product = v * slopes if link is Link.CENTRED_TABLE else (table + -table) * multiplier
    c = Interval.of_width(d.coefficient.width, True, d.coefficient.overflow)
    h = Interval.of_width(d.increment.width)
    exact_p = c * x
    p = exact_p.rounded(d.product.cut, d.product.rounding)
    a = -p + -h
    increment = a.clipped(Interval.of_width(d.increment.width, True, d.increment.overflow))
    if d.increment.overflow is Overflow.WRAP:
        increment = h
    i = increment.rounded(d.increment.fraction, d.model.rounding)
    nodes += [
        Node("k", "link product", product),
        Node("c", "coefficient (S = 0)", product, d.coefficient.width,
             d.coefficient.overflow, "coefficient.width"),
        Node("c·x", "update product", exact_p),
        Node("p", "product, rounded", p),
        Node("h", "gradient × step", h, d.increment.width, None, "increment.width"),
        Node("a", "increment", a, d.increment.width, d.increment.overflow, "increment.width"),
        Node("i", "rounded increment", i),
        Node("z", "model word", z + i, d.model.width, d.model.overflow, "model.width"),
    ]  # fmt: skip
    return RangeAnalysis(datapath, columns, link, tuple(nodes))
