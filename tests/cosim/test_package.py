"""What SystemVerilog and Python both say, they say alike: modes and kinds, latencies, constants."""

from enum import Enum

import pytest

from rtl_models.elaborate import elaborate, unit_parameters
from rtl_models.package import constants, enums
from sim.datapath import Generator, Link, TrainingDatapath
from sim.engine.cycles import latency, stages
from sim.modes import Overflow, Rounding
from sim.random_bits import REPLACEMENT_SEED, WORD_BITS
from sim.row_formats import Base

pytestmark = pytest.mark.cosim

ENUMS: dict[str, list[Enum]] = {
    "rounding_e": list(Rounding),
    "overflow_e": [mode for mode in Overflow if mode is not Overflow.ERROR],  # no circuit has it
    "generator_e": list(Generator),
    "link_e": list(Link),
    "base_e": list(Base),
}


def test_enums_have_the_names_and_the_order_of_python() -> None:
    expected = {name: {member.name: value for value, member in enumerate(members)} for name, members in ENUMS.items()}
    circuit_only = {"engine_window_e", "engine_register_e", "engine_command_e", "engine_status_e"}
    assert {name: members for name, members in enums().items() if name not in circuit_only} == expected


def test_constants_equal_those_of_the_simulator() -> None:
    circuit_only = {"WindowWidth", "EngineAddressWidth", "EngineRegisters", "DefaultStages", "DefaultLevels"}
    expected = {"WordBits": WORD_BITS, "ReplacementSeed": REPLACEMENT_SEED}
    assert {name: value for name, value in constants().items() if name not in circuit_only} == expected


@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16, 64, 256])
def test_latencies_of_the_units_add_up_to_the_cycle_model(lanes: int, link: Link) -> None:
    """The loop is: read the model, dot product, link, update."""
    path = TrainingDatapath.preset("halp8").replace(lanes=lanes)
    units = ("dot_product", f"link_{link.value}", "model_update")
    parts = [elaborate(unit, [unit_parameters(unit, path)])[0].constants["Latency"] for unit in units]
    assert stages(lanes, link)["read model"] + sum(parts) == latency(lanes, link)
