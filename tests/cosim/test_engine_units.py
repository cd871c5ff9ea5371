"""The units of the engine's loop give the bits and flags of the reference, whatever stalls, with every datapath."""

import pytest

from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.elaborate import elaborate
from rtl_models.verification import verify
from sim.datapath import Link
from sim.engine.cycles import latency, stages
from sim.modes import Overflow

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
