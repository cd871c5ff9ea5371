"""The units of the engine's loop give the bits and flags of the reference, whatever stalls, with every datapath."""

import pytest

from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.build import BuildError, Design, build
from rtl_models.elaborate import elaborate, instance, literal, sources
from rtl_models.verification import verify
from sim.datapath import Link
from sim.engine.cycles import latency, stages
from sim.errors import InputError
from sim.modes import Overflow, Rounding

pytestmark = pytest.mark.cosim

LEAST = {
    "mac": 12,
    "dot_product": 12,
    "model_update": 12,
    "link_affine": 6,
    "link_centred_table": 6,
    "link_absolute_table": 6,
}
"""Configurations a unit has at least."""
MANY, FEW = 10_000, 1_000
"""Transactions of the six configurations that are checked longest, and of all others."""


@pytest.mark.parametrize("unit", LEAST)
def test_every_configuration_equals_the_reference(unit: str, seed: int) -> None:
    configurations = CONFIGURATIONS[unit]
    lanes = sorted(range(len(configurations)), key=lambda n: configurations[n].datapath.lanes)
    transactions = [MANY if n in lanes[:6] else FEW for n in range(len(configurations))]
    results = verify(unit, configurations, transactions, seed)
    assert not [result.failure for result in results if result.failure]
    assert not {result.configuration: result.missed for result in results if result.missed}
    assert len(results) >= LEAST[unit]
    assert sum(result.transactions >= MANY for result in results) >= 6


@pytest.mark.parametrize("unit", LEAST)
def test_configurations_differ_in_what_a_datapath_names(unit: str) -> None:
    paths = [configuration.datapath for configuration in CONFIGURATIONS[unit]]
    field = {"mac": "accumulator", "dot_product": "accumulator", "model_update": "model"}.get(unit, "coefficient")
    assert {getattr(path, field).overflow for path in paths} == {Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM}
    if field in ("model", "coefficient"):
        roundings = {getattr(path, field).rounding for path in paths}
        assert {"TO_NEG", "TIES_POS", "TIES_EVEN", "STOCHASTIC"} <= roundings
    assert len({path.to_toml() for path in paths}) >= LEAST[unit] // 2
    if field == "accumulator":
        steered = [bench for bench in BENCHES[unit].benches(CONFIGURATIONS[unit]) if "edge" in bench.points()]
        assert len(steered) >= 9  # the others cannot overflow within a row that a bench plays


def test_the_cycle_model_has_the_latencies_of_the_package() -> None:
    """The loop of the engine's cycle model is read, dot product, link and update, as the units derive them."""
    for lanes in (1, 2, 4, 16, 64, 256):
        named = stages(lanes, Link.CENTRED_TABLE)
        groups = {
            "dot_product": ("dot multiply", "adder tree", "block exponent", "accumulate and saturate"),
            "model_update": (
                "update multiply",
                "product round, subtract gradient",
                "increment saturate, add random word",
                "model add, saturate, write",
            ),
        }
        for unit, names in groups.items():
            assert _latency(unit, Lanes=lanes) == sum(named[name] for name in names)
        for link, unit in (
            (Link.AFFINE, "link_affine"),
            (Link.CENTRED_TABLE, "link_centred_table"),
            (Link.ABSOLUTE_TABLE, "link_absolute_table"),
        ):
            units = _latency("dot_product", Lanes=lanes) + _latency(unit) + _latency("model_update", Lanes=lanes)
            assert latency(lanes, link) == named["read model"] + units


def _latency(unit: str, **parameters: int) -> int:
    return elaborate(unit, [parameters])[0].constants["Latency"]


@pytest.mark.parametrize("unit", LEAST)
def test_benches_name_every_port(unit: str) -> None:
    """No port of a unit is left undriven or unread."""
    bench = BENCHES[unit].benches(CONFIGURATIONS[unit][:1])[0]
    ports = {port.name for port in bench.unit.ports}
    if unit == "mac":
        assert ports == {"clk_i", *bench.inputs, *bench.outputs}
        return
    streams = {f"s_axis_{name}" for name in (*bench.inputs, "tvalid", "tready")}
    streams |= {f"m_axis_{name}" for name in (*bench.outputs, "tvalid", "tready")}
    registers = {"multiplier_i", "shift_i", "index_multiplier_i", "index_shift_i"}
    table = {"table_write_i", "table_address_i", "table_data_i"}
    assert streams <= ports
    assert ports - streams <= {"clk_i", "rst_ni", "random_i", "random_next_o", *registers, *table}


REFUSED = [
    ("mac", {"AWidth": 33}, "mac AWidth: got 33; allowed: 1 to 32"),
    ("mac", {"BWidth": 0}, "mac BWidth: got 0; allowed: 1 to 32"),
    ("mac", {"AccumulatorWidth": 1}, "mac AccumulatorWidth: got 1; allowed: 2 to 64"),
    ("mac", {"MultiplyStages": 5}, "mac MultiplyStages: got 5; allowed: 0 to 4"),
    ("dot_product", {"Lanes": 3}, "dot_product Lanes: got 3; allowed: a power of two"),
    ("dot_product", {"DataWidth": 33}, "dot_product DataWidth: got 33; allowed: 2 to 32"),
    ("dot_product", {"ModelWidth": 1}, "dot_product ModelWidth: got 1; allowed: 2 to 32"),
    ("dot_product", {"MaxExponent": 17}, "dot_product MaxExponent: got 17; allowed: 0 to 16"),
    ("dot_product", {"ExponentStages": 5}, "dot_product ExponentStages: got 5; allowed: 0 to 4"),
    ("model_update", {"Lanes": 6}, "model_update Lanes: got 6; allowed: a power of two"),
    ("model_update", {"RandomBits": 3}, "model_update RandomBits: got 3; allowed: a power of two to 32"),
    ("model_update", {"RandomBits": 0}, "model_update RandomBits: got 0; allowed: a power of two to 32"),
    ("model_update", {"IncrementFraction": 16}, "model_update IncrementFraction: got 16; allowed: with MaxExponent"),
    ("model_update", {"ProductCut": 49}, "model_update ProductCut: got 49; allowed: 0 to 48"),
    ("model_update", {"ProductRounding": Rounding.STOCHASTIC}, "model_update ProductRounding: got 13; allowed"),
    ("model_update", {"ModelStages": 0}, "model_update ModelStages: got 0; allowed: 1 to 4"),
    ("link_affine", {"CoefficientRounding": Rounding.TRN_MAG}, "link_affine CoefficientRounding: got TRN_MAG"),
    ("link_affine", {"MaxShift": 63}, "link_affine MaxShift: got 63; allowed: 0 to 62"),
    ("link_affine", {"SaturateStages": 0}, "link_affine SaturateStages: got 0; allowed: 1 to 4"),
    ("link_centred_table", {"SlopeWidth": 25}, "link_centred_table SlopeWidth: got 25; allowed: 2 to 24"),
    ("link_centred_table", {"GridWidth": 13}, "link_centred_table GridWidth: got 13; allowed: 0 to 12"),
    ("link_centred_table", {"IndexWidth": 1}, "link_centred_table IndexWidth: got 1; allowed: 2 to 12"),
    ("link_absolute_table", {"TableWidth": 25}, "link_absolute_table TableWidth: got 25; allowed: 2 to 24"),
    ("link_absolute_table", {"MultiplierWidth": 25}, "link_absolute_table MultiplierWidth: got 25; allowed: 2 to 24"),
]


@pytest.mark.parametrize(("unit", "parameters", "message"), REFUSED)
def test_a_parameter_out_of_range_stops_the_elaboration(unit: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        elaborate(unit, [parameters])


@pytest.mark.parametrize(
    ("unit", "parameters", "message"),
    [next(row for row in REFUSED if row[0] == unit) for unit in LEAST],
)
def test_verilator_stops_too(unit: str, parameters: dict[str, object], message: str) -> None:
    ports = [(port.name, "") for port in elaborate(unit, [{}])[0].ports]
    given = {name: literal(value) for name, value in parameters.items()}
    text = f"module refused;\n{instance(unit, given, 'u_unit', ports)}\nendmodule\n"
    with pytest.raises(BuildError, match=message):
        build(Design("refused", sources(), text))
