"""Range analysis is sound and tight: at a few bits every input is tried, beyond that drawn loops stay inside.

Sound: no value leaves its interval. Tight: both ends are met, so that a node needs every bit it is given.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sim.datapath import (
    Accumulation,
    Coefficient,
    Data,
    Exponents,
    Increment,
    Link,
    Links,
    Model,
    Product,
    TrainingDatapath,
    preset_names,
)
from sim.engine import COUNTED, OBSERVED, EpochJob, Registers, run
from sim.errors import InputError
from sim.modes import Overflow, Rounding
from sim.ranges import Interval, analyse
from sim.rows import RawRows
from tests.definitions import CIRCUIT_OVERFLOWS, DETERMINISTIC, cut_off, fitted
from tests.engine.strategies import datapaths, jobs

STAGE_OF_NODE = dict(zip(("t", "u", "c", "a", "z"), COUNTED, strict=True))


def span(values: Iterable[int]) -> Interval:
    """The interval that the values fill."""
    met = set(values)
    return Interval(min(met), max(met))


def holds(outer: Interval, inner: Interval) -> bool:
    return outer.low <= inner.low and inner.high <= outer.high


def words(width: int, overflow: Overflow = Overflow.SAT) -> range:
    """Every word of a register."""
    high = 2 ** (width - 1) - 1
    return range(-high if overflow is Overflow.SAT_SYM else -high - 1, high + 1)


@dataclass(frozen=True)
class Dot:
    """A dot product small enough for every row, model and set of exponents."""

    data: int
    model: int
    columns: int
    lanes: int
    exponent: int
    overflow: Overflow = Overflow.SAT

    @property
    def path(self) -> TrainingDatapath:
        return TrainingDatapath(
            lanes=self.lanes,
            data=Data(width=self.data),
            model=Model(width=self.model, overflow=self.overflow),
            exponents=Exponents(maximum=self.exponent),
        )

    def beats(self) -> Iterator[list[int]]:
        """The shifted sums of the beats, for every input."""
        starts = range(0, self.columns, self.lanes)
        model = words(self.model, self.overflow)
        for x in product(words(self.data), repeat=self.columns):
            for z in product(model, repeat=self.columns):
                products = [a * b for a, b in zip(x, z, strict=True)]
                sums = [sum(products[start : start + self.lanes]) for start in starts]
                for exponents in product(range(self.exponent + 1), repeat=len(sums)):
                    yield [s << e for s, e in zip(sums, exponents, strict=True)]


DOTS = [
    Dot(data=2, model=2, columns=1, lanes=4, exponent=2),
    Dot(data=2, model=2, columns=3, lanes=1, exponent=1),
    Dot(data=2, model=2, columns=3, lanes=2, exponent=1),
    Dot(data=2, model=2, columns=3, lanes=2, exponent=0, overflow=Overflow.SAT_SYM),
    Dot(data=3, model=2, columns=2, lanes=1, exponent=1),
    Dot(data=2, model=3, columns=2, lanes=2, exponent=0, overflow=Overflow.WRAP),
    Dot(data=3, model=3, columns=2, lanes=1, exponent=0),
    Dot(data=3, model=3, columns=2, lanes=2, exponent=1, overflow=Overflow.SAT_SYM),
]


@pytest.mark.parametrize("dot", DOTS, ids=str)
def test_dot_product_ranges_are_those_of_all_inputs(dot: Dot) -> None:
    analysis = analyse(dot.path, dot.columns)
    beats = list(dot.beats())
    assert analysis["x"].exact == span(words(dot.data))
    assert analysis["s"].exact == span(s for sums in beats for s in sums)
    assert analysis["t"].exact == span(sum(sums) for sums in beats)
    prefixes = (sum(sums[:count]) for sums in beats for count in range(len(sums) + 1))
    assert holds(analysis["t"].exact, span(prefixes))


@pytest.mark.parametrize("width", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
def test_what_follows_a_narrow_accumulator_stays_in_its_ranges(overflow: Overflow, width: int) -> None:
    dot = Dot(data=2, model=2, columns=3, lanes=1, exponent=1)
    path = replace(
        dot.path, accumulator=Accumulation(width=width, overflow=overflow), link=Links(multiplier_bits=2, slope_bits=3)
    )
    before, after = set(), {0}
    for sums in set(map(tuple, dot.beats())):
        total = 0
        for s in sums:
            before.add(total + s)
            total = fitted(total + s, width, True, overflow)
            after.add(total)
    v = {t + offset for t in after for offset in words(width)}
    for link in (Link.AFFINE, Link.CENTRED_TABLE):
        analysis = analyse(path, dot.columns, link)
        assert holds(analysis["t + s"].exact, span(before))
        assert holds(analysis["v"].exact, span(v))
        factors = range(4) if link is Link.AFFINE else range(8)
        assert holds(analysis["k"].exact, span(value * factor for value in v for factor in factors))
        if not analysis["t"].may_overflow:
            assert before | {0} <= after
    indices = span(value * multiplier for value in v for multiplier in range(4))
    assert holds(analyse(path, dot.columns, Link.CENTRED_TABLE)["v·M"].exact, indices)


def test_absolute_link_range_is_that_of_all_tables_and_targets() -> None:
    path = TrainingDatapath(link=Links(multiplier_bits=3, table_bits=3))
    differences = [value - target for value in words(3) for target in words(3)]
    expected = span(multiplier * difference for multiplier in range(8) for difference in differences)
    assert analyse(path, 1, Link.ABSOLUTE_TABLE)["k"].exact == expected


@dataclass(frozen=True)
class Update:
    """An update small enough for every coefficient, data word, gradient word and model word."""

    cut: int
    fraction: int
    width: int = 4
    rounding: Rounding = Rounding.TIES_POS
    model_rounding: Rounding = Rounding.STOCHASTIC
    overflow: Overflow = Overflow.SAT

    @property
    def path(self) -> TrainingDatapath:
        return TrainingDatapath(
            data=Data(width=2),
            model=Model(
                width=3,
                rounding=self.model_rounding,
                random_bits=2 if self.model_rounding.is_stochastic else 0,
                overflow=self.overflow,
            ),
            coefficient=Coefficient(width=3),
            product=Product(cut=self.cut, rounding=self.rounding),
            increment=Increment(width=self.width, fraction=self.fraction, overflow=self.overflow),
            exponents=Exponents(maximum=self.width - 1 - self.fraction),
            biased_ok=True,
        )

    def nodes(self) -> dict[str, Interval]:
        """What every node meets."""
        path, model = self.path, self.path.model
        products = {c * x for c in words(3) for x in words(2)}
        p = {cut_off(value, self.cut, self.rounding) for value in products}
        exact = {-value - h for value in p for h in words(self.width)}
        a = {fitted(value, self.width, True, self.overflow) for value in exact}
        cuts = range(self.fraction, self.fraction + path.exponents.maximum + 1)
        fields = range(1 << model.random_bits)
        i = {
            cut_off(value, cut, model.rounding, field, model.random_bits)
            for value in a
            for cut in cuts
            for field in fields
        }
        z = {word + step for word in words(model.width, self.overflow) for step in i}
        return {"c·x": span(products), "p": span(p), "a": span(exact), "i": span(i), "z": span(z)}


SHAPES = [(0, 0), (0, 2), (1, 1), (2, 3), (5, 1)]


@pytest.mark.parametrize("rounding", DETERMINISTIC)
@pytest.mark.parametrize(("cut", "fraction"), SHAPES)
def test_no_rounding_of_the_product_leaves_the_ranges(cut: int, fraction: int, rounding: Rounding) -> None:
    update = Update(cut, fraction, rounding=rounding)
    analysis = analyse(update.path, 1)
    for node, met in update.nodes().items():
        assert holds(analysis[node].exact, met), node


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("cut", "fraction"), SHAPES)
@pytest.mark.parametrize("width", [4, 6])
def test_no_rounding_of_the_model_leaves_the_ranges(width: int, cut: int, fraction: int, rounding: Rounding) -> None:
    update = Update(cut, fraction, width, model_rounding=rounding)
    analysis = analyse(update.path, 1)
    for node, met in update.nodes().items():
        assert holds(analysis[node].exact, met), node


@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
@pytest.mark.parametrize(("cut", "fraction"), SHAPES)
@pytest.mark.parametrize("width", [4, 6])
def test_no_overflow_leaves_the_ranges(width: int, cut: int, fraction: int, overflow: Overflow) -> None:
    update = Update(cut, fraction, width, overflow=overflow)
    analysis = analyse(update.path, 1)
    for node, met in update.nodes().items():
        assert holds(analysis[node].exact, met), node


@pytest.mark.parametrize("overflow", [Overflow.SAT, Overflow.SAT_SYM])
@pytest.mark.parametrize(("cut", "fraction"), SHAPES)
@pytest.mark.parametrize("width", [4, 6])
def test_both_ends_of_every_update_range_are_met(width: int, cut: int, fraction: int, overflow: Overflow) -> None:
    for rounding, model_rounding in product(DETERMINISTIC, [Rounding.TO_NEG, Rounding.TO_POS, Rounding.TIES_EVEN]):
        update = Update(cut, fraction, width, rounding, model_rounding, overflow)
        analysis = analyse(update.path, 1)
        for node, met in update.nodes().items():
            assert analysis[node].exact == met, (node, rounding, model_rounding)


@settings(max_examples=300)
@given(jobs())
def test_a_stage_that_cannot_overflow_never_does_and_no_value_leaves_its_range(job: EpochJob) -> None:
    analysis = analyse(job.datapath, job.columns, job.link)
    result = run(job)
    for name in OBSERVED:
        if name == "u" and job.link is Link.AFFINE:
            continue
        node, stage = analysis[name], STAGE_OF_NODE.get(name)
        if stage is not None and not node.may_overflow:
            assert result.counts[stage] == 0, name
        if stage is None or result.counts[stage] == 0:
            assert holds(node.exact, Interval(*result.extremes[name])), name


@settings(max_examples=100)
@given(datapaths(), st.integers(1, 40))
def test_the_safe_accumulator_is_the_narrowest_that_cannot_overflow(path: TrainingDatapath, columns: int) -> None:
    path = replace(path, link=Links(multiplier_bits=2))
    safe = analyse(path, columns).safe_accumulator
    corners = [
        (x, z)
        for x in (path.data_format.low, path.data_format.high)
        for z in (words(path.model.width, path.model.overflow)[0], path.model_format.high)
    ]
    assert not any(overflows(path, columns, safe, *corner) for corner in corners)
    assert any(overflows(path, columns, safe - 1, *corner) for corner in corners)


def overflows(path: TrainingDatapath, columns: int, width: int, x: int, z: int) -> int:
    """Beats that overflow an accumulator of some bits, in a row of one data word times one model word throughout."""
    path = replace(path, accumulator=replace(path.accumulator, width=width))
    rows, beats = RawRows(np.full((1, columns), x)), -(-columns // path.lanes)
    job = EpochJob(
        path, Link.AFFINE, rows, [0], np.full(columns, z), np.zeros(columns, int), Registers(),
        exponents=np.full(beats, path.exponents.maximum),
    )  # fmt: skip
    return run(job).counts["accumulator"]


@pytest.mark.parametrize("maximum", range(7))
def test_exponents_up_to_6_keep_a_32_bit_accumulator_exact_on_784_columns(maximum: int) -> None:
    blocks = TrainingDatapath.preset("halp8_blocks")
    increment = replace(blocks.increment, fraction=8)
    path = replace(blocks, increment=increment, exponents=Exponents(maximum=maximum))
    assert path.accumulator.width == 32
    assert not analyse(path, 784)["t"].may_overflow


@pytest.mark.parametrize("name", preset_names())
def test_accumulators_of_the_presets_are_wide_enough_for_784_columns(name: str) -> None:
    assert not analyse(TrainingDatapath.preset(name), 784)["t"].may_overflow


def test_columns_outside_what_a_row_can_have_are_refused() -> None:
    for columns in (0, -1, 2.0, (1 << 24) + 1):
        with pytest.raises(InputError, match=r"columns: got .*; allowed: a whole number from 1 to 16777216"):
            analyse(TrainingDatapath(), columns)
