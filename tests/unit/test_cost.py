"""The cost estimate: more bits never cost less, and bits moved are counted from the rows and memories themselves."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import bittrue as bt
from sim.cost import LABEL
from sim.datapath import Generator, Links, Model
from sim.modes import Overflow, Rounding

PRESETS = [bt.TrainingDatapath.preset(name) for name in bt.preset_names()]
STAGES = [
    "dot multipliers",
    "adder tree",
    "accumulator",
    "link",
    "update multipliers",
    "increments",
    "model rounding",
    "random generators",
]
WIDTHS = [
    ("data", "width", range(2, 25)),
    ("model", "width", range(2, 33)),
    ("model", "random_bits", (16, 32)),
    ("coefficient", "width", range(2, 33)),
    ("accumulator", "width", range(2, 62)),
    ("increment", "width", range(20, 49)),
    ("exponents", "maximum", range(6)),
    ("link", "multiplier_bits", range(2, 25)),
    ("generator", "width", range(32, 65)),
]
"""Every width of a datapath: section, field and values that go with any of the datapaths below."""


def varied(path, section, field, value):
    return replace(path, **{section: replace(getattr(path, section), **{field: value})})


def roomy(path):
    """The datapath with increments and random bits for every value of WIDTHS, and generators that have a width."""
    path = varied(path, "increment", "width", 32)
    path = varied(path, "model", "random_bits", 32)
    return varied(path, "generator", "kind", Generator.LFSR)


@pytest.mark.parametrize(("section", "field", "values"), WIDTHS)
@pytest.mark.parametrize("link", bt.Link)
@pytest.mark.parametrize("preset", ["halp12", "halp8_blocks"])
def test_no_stage_gets_cheaper_as_a_width_grows_and_the_whole_gets_dearer(preset, link, section, field, values):
    path = roomy(bt.TrainingDatapath.preset(preset))
    costs = [bt.estimate(varied(path, section, field, value), 100, link) for value in values]
    for stage in STAGES:
        gates = [cost.gates[stage] for cost in costs]
        assert gates == sorted(gates), stage
    assert costs[0].total_gates < costs[-1].total_gates


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_what_every_lane_has_costs_in_proportion_to_the_lanes(path):
    costs = [bt.estimate(replace(path, lanes=1 << k), 784) for k in range(9)]
    for few, many in pairwise(costs):
        for stage in ("dot multipliers", "update multipliers", "increments", "model rounding"):
            assert many.gates[stage] == 2 * few.gates[stage]
        assert many.gates["adder tree"] > 2 * few.gates["adder tree"] or few.gates["adder tree"] == 0
        assert many.total_gates > few.total_gates


@given(st.integers(1, 1 << 24), st.integers(2, 24), st.integers(2, 32), st.integers(11, 48))
def test_bits_moved_are_those_of_the_row_and_of_z_and_h(columns, data, model, increment):
    """A step streams x; it reads z for the dot product, z and h for the update, and writes z."""
    path = varied(varied(bt.TrainingDatapath(), "data", "width", data), "model", "width", model)
    cost = bt.estimate(varied(path, "increment", "width", increment), columns)
    assert cost.row_bits == columns * data
    assert cost.local_bits == columns * (model + model + increment + model)
    assert cost.memory_bits == columns * (model + increment)


def test_row_bits_are_those_that_an_epoch_reports_as_moved():
    problem, settings = bt.load("reference")
    path = bt.TrainingDatapath.preset("zipml4")  # two words a byte
    trace = bt.train(problem, "halp", path, step=settings.step, epoch_length=30, epochs=1, mu=settings.mu)
    rows = 30 + problem.shape[0]  # those of the steps, and all for the full gradient
    assert trace.epochs[0].bytes_moved * 8 == rows * bt.estimate(path, problem.shape[1]).row_bits


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_total_is_the_sum_of_the_stages(path):
    cost = bt.estimate(path, 784)
    assert list(cost.gates) == STAGES
    assert cost.total_gates == sum(cost.gates.values())
    assert all(type(gates) is int and gates > 0 for gates in cost.gates.values())


def test_multipliers_of_one_lane_and_few_bits_by_hand():
    """3 by 5 bits: 15 ands and two rows of five full adders of 7 gates each."""
    path = varied(varied(replace(bt.TrainingDatapath(), lanes=1), "data", "width", 3), "model", "width", 5)
    cost = bt.estimate(path, 1)
    assert cost.gates["dot multipliers"] == 15 + 2 * 5 * 7
    assert cost.gates["adder tree"] == 0


def test_modes_that_need_no_gates_cost_none():
    """Wrapping needs no comparison, dropping bits no adder, deterministic rounding no generator."""
    path = bt.TrainingDatapath.preset("halp12")
    saturating = bt.estimate(path, 100)
    for section, stage in (("accumulator", "accumulator"), ("coefficient", "link"), ("increment", "increments"),
                           ("model", "model rounding")):  # fmt: skip
        wrapping = bt.estimate(varied(path, section, "overflow", Overflow.WRAP), 100)
        assert wrapping.gates[stage] < saturating.gates[stage]
    floor = bt.estimate(varied(path, "coefficient", "rounding", Rounding.TO_NEG), 100)
    assert floor.gates["link"] < saturating.gates["link"]
    nearest = bt.estimate(replace(path, model=Model(width=12, rounding=Rounding.TIES_EVEN, random_bits=0)), 100)
    assert nearest.gates["random generators"] == 0
    assert nearest.total_gates < saturating.total_gates


def test_table_links_cost_more_than_the_affine_one():
    path = bt.TrainingDatapath.preset("halp12")
    affine, centred, absolute = (bt.estimate(path, 100, link).total_gates for link in bt.Link)
    assert affine < min(centred, absolute)


def test_the_multiplier_of_the_centred_table_is_as_wide_as_its_slopes():
    """With c = v·R, each bit of a slope more takes an and gate for every bit of v, adders apart."""
    narrow, wide = (bt.TrainingDatapath(link=Links(slope_bits=bits)) for bits in (12, 24))
    costs = [bt.estimate(path, 100, bt.Link.CENTRED_TABLE).gates["link"] for path in (narrow, wide)]
    v = bt.analyse(narrow, 100, bt.Link.CENTRED_TABLE)["v"].needed
    assert costs[1] - costs[0] >= 12 * v


def test_a_link_may_be_given_by_its_name_and_a_wrong_name_is_refused():
    path = bt.TrainingDatapath.preset("halp12")
    for link in bt.Link:
        assert bt.estimate(path, 100, str(link)) == bt.estimate(path, 100, link)
    with pytest.raises(bt.InputError, match=r"^link: got 'table'; allowed: affine, "):
        bt.estimate(path, 100, "table")


def test_the_label_says_that_it_is_an_estimate():
    assert LABEL == "estimate, uncalibrated"
