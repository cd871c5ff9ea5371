"""A reset defines every register at once, whatever it held: from any start the same outputs, and none undefined."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from rtl_models.benches.resets import ResetPlan
from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.build import Design, build, simulate
from rtl_models.bulk import CLOCK, RESET, Bulk
from rtl_models.elaborate import RTL, Unit, sources
from rtl_models.tables import prefix, table_top
from rtl_models.toolchain import has_icarus

pytestmark = pytest.mark.cosim

STARTS = 64
"""Random values of all registers that a unit starts from."""
CYCLES = 200
"""After each of two resets, the second of them in flight."""
Arrays = dict[str, NDArray[np.unsignedinteger]]


def check_random_starts(bulk: Bulk, inputs: Sequence[Arrays], valid: Mapping[str, str] = MappingProxyType({})) -> None:
    """Assert that outputs differ before a reset and do not from it on, whatever the registers held.

    `valid` names outputs that show a memory, and the output that says when they count.
    """
    free = [bulk.run([{**arrays, RESET: np.ones(1, np.uint8)} for arrays in inputs], start) for start in (1, 2)]
    assert any((one[port][0] != other[port][0]).any() for one, other in zip(*free, strict=True) for port in one)
    expected, *others = (bulk.run(inputs, registers=start) for start in range(1, STARTS + 1))
    for start, run in enumerate(others, 2):
        for unit, got, wanted in zip(bulk.units, run, expected, strict=True):
            for port in wanted:
                counts = wanted[valid[port]] == 1 if port in valid else slice(None)
                where = f"{unit.name} {unit.parameters}: {port} depends on registers {start}"
                np.testing.assert_array_equal(got[port][counts], wanted[port][counts], where)


def inputs_of(units: Sequence[Unit], seed: int) -> list[Arrays]:
    """Return any values for every input; tables have no reset, and are written during the first one."""
    random = np.random.default_rng(seed)
    tables = [port.width for unit in units for port in unit.ports if port.name == "table_address_i"]
    return [random_inputs(unit, 1 << max(tables, default=0), CYCLES, random) for unit in units]


def random_inputs(unit: Unit, first: int, cycles: int, random: np.random.Generator) -> Arrays:
    """Return any values for every input; reset is low in the first cycles, and once more `cycles` later."""
    ports = {port.name: port.width for port in unit.ports if port.is_input and port.name != CLOCK}
    inputs = {name: _words(width, first + 2 * cycles, random) for name, width in ports.items()}
    inputs[RESET] = np.ones(first + 2 * cycles, np.uint8)
    inputs[RESET][:first] = inputs[RESET][first + cycles] = 0
    if unit.constants.get("TableColumns"):
        inputs["s_axis_tlast"] = np.ones(1, np.uint8)  # a longer row could end behind the table
    if "table_write_i" in ports:
        inputs["table_write_i"] = 1 - inputs[RESET]
        inputs["table_address_i"][:first] = np.arange(first) % (1 << ports["table_address_i"])
    return inputs


def _words(width: int, cycles: int, random: np.random.Generator) -> NDArray[np.unsignedinteger]:
    if width <= 64:
        return random.integers(0, 1 << width, cycles, np.uint64)
    words = random.integers(0, 1 << 32, (cycles, -(-width // 32)), np.uint32)
    words[:, -1] &= (1 << (width - 1) % 32 + 1) - 1
    return words


@pytest.mark.parametrize("unit", BENCHES)
def test_nothing_is_left_of_what_registers_held_before_a_reset(unit: str, seed: int) -> None:
    bulk = Bulk(f"{unit}_bulk", [bench.unit for bench in BENCHES[unit].benches(CONFIGURATIONS[unit])])
    check_random_starts(bulk, inputs_of(bulk.units, seed))


LOST = {
    "delay_line": ("stages_q <= (Stages * Width)'(0);", "model_update"),
    "row_accumulator": ("sum_q   <= AccumulatorWidth'(0);", "dot_product"),
    "lfsr": ("state_q <= ResetState;", "lfsr"),
}
"""A register, and the unit that shows that it has lost its reset."""


@pytest.mark.parametrize("module", LOST)
def test_a_register_without_a_reset_is_found(module: str, seed: int, tmp_path: Path) -> None:
    reset, unit = LOST[module]
    shutil.copytree(RTL, tmp_path / "rtl")
    source = tmp_path / "rtl" / f"{module}.sv"
    assert source.read_text().count(reset) == 1
    source.write_text(source.read_text().replace(reset, ""))
    benches = BENCHES[unit].benches(CONFIGURATIONS[unit][:1])
    bulk = Bulk(f"{unit}_bulk", [bench.unit for bench in benches], tmp_path / "rtl")
    with pytest.raises(AssertionError, match=rf"{unit} \{{.*depends on registers \d+"):
        check_random_starts(bulk, inputs_of(bulk.units, seed))


@pytest.mark.skipif(not has_icarus(), reason="Icarus Verilog and pyosys, which know undefined values, are not here")
def test_a_reset_leaves_nothing_undefined(seed: int, tmp_path: Path) -> None:
    names = [unit for unit in BENCHES if not unit.endswith("_table")]  # a table starts undefined
    check_undefined([bench.unit for unit in names for bench in BENCHES[unit].benches(CONFIGURATIONS[unit][:5])],
                     seed, tmp_path)  # fmt: skip


def check_undefined(units: Sequence[Unit], seed: int, folder: Path) -> None:
    """Run the bench of resets on a table of units."""
    text = table_top("resets", units)
    simulation = build(Design("resets", sources(text=text), text), simulator="icarus")
    inputs = [{p.name: p.width for p in u.ports if p.is_input and p.name not in ("clk_i", "rst_ni")} for u in units]
    outputs = [[port.name for port in u.ports if not port.is_input] for u in units]
    plan = folder / "plan.json"
    plan.write_bytes(msgspec.json.encode(ResetPlan([prefix(n) for n in range(len(units))], inputs, outputs, seed)))
    simulate(simulation, "rtl_models.benches.resets", folder, environment={ResetPlan.VARIABLE: str(plan)}, seed=seed)
