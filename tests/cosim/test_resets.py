"""A reset defines every output at once: under Icarus, where it is installed, from undefined registers."""

from pathlib import Path

import msgspec
import pytest

from rtl_models.benches.resets import ResetPlan
from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.build import Design, build, simulate
from rtl_models.elaborate import Unit, sources
from rtl_models.tables import prefix, table_top
from rtl_models.toolchain import has_icarus

pytestmark = pytest.mark.cosim

SIMULATORS = ["verilator", *(["icarus"] if has_icarus() else [])]
UNITS = [unit for unit in BENCHES if not unit.endswith("_table")]  # a table is undefined until it is written


def check(name: str, units: list[Unit], folder: Path, simulator: str) -> None:
    """Run the bench of resets on a table of units."""
    text = table_top(f"{name}_resets", units)
    simulation = build(Design(f"{name}_resets", sources(text=text), text), simulator=simulator)
    inputs = [{p.name: p.width for p in u.ports if p.is_input and p.name not in ("clk_i", "rst_ni")} for u in units]
    outputs = [[port.name for port in u.ports if not port.is_input] for u in units]
    names = [prefix(number) for number in range(len(units))]
    folder.mkdir()
    plan = folder / "plan.json"
    plan.write_bytes(msgspec.json.encode(ResetPlan(names, inputs, outputs, 1, simulator == "icarus")))
    simulate(simulation, "rtl_models.benches.resets", folder, environment={ResetPlan.VARIABLE: str(plan)}, seed=1)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_reset_defines_every_output(simulator: str, tmp_path: Path) -> None:
    units = [bench.unit for unit in UNITS for bench in BENCHES[unit].benches(CONFIGURATIONS[unit][:5])]
    check("all", units, tmp_path / "run", simulator)
