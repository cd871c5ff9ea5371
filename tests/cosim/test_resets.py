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

OWN_BUILD = ("requantizer", "lfsr", "random_lanes", "xorshift32")  # their benches' simulations serve here, too
ICARUS = [[unit for unit in BENCHES if not unit.endswith("_table")]] if has_icarus() else []  # a table starts undefined


def check(name: str, units: list[Unit], folder: Path, simulator: str, seed: int) -> None:
    """Run the bench of resets on a table of units."""
    text = table_top(name, units)
    simulation = build(Design(name, sources(text=text), text), simulator=simulator)
    inputs = [{p.name: p.width for p in u.ports if p.is_input and p.name not in ("clk_i", "rst_ni")} for u in units]
    outputs = [[port.name for port in u.ports if not port.is_input] for u in units]
    names = [prefix(number) for number in range(len(units))]
    folder.mkdir()
    plan = folder / "plan.json"
    plan.write_bytes(msgspec.json.encode(ResetPlan(names, inputs, outputs, seed, simulator == "icarus")))
    simulate(simulation, "rtl_models.benches.resets", folder, environment={ResetPlan.VARIABLE: str(plan)}, seed=seed)


@pytest.mark.parametrize(
    ("simulator", "units"),
    [*(("verilator", [unit]) for unit in OWN_BUILD), *(("icarus", units) for units in ICARUS)],
    ids=[*OWN_BUILD, *("icarus" for _ in ICARUS)],
)
def test_a_reset_defines_every_output(simulator: str, units: list[str], seed: int, tmp_path: Path) -> None:
    most = None if simulator == "verilator" else 5
    table = [bench.unit for unit in units for bench in BENCHES[unit].benches(CONFIGURATIONS[unit][:most])]
    check(f"{units[0]}_table" if simulator == "verilator" else "resets", table, tmp_path / "run", simulator, seed)
