"""Loops and bus plays go through every line and branch of the engine, and move every bit; reasons are for the rest."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtl_models.benches.units import BENCHES
from rtl_models.build import Design, build, simulate
from rtl_models.coverage import hits, missed, totals, waivers
from rtl_models.elaborate import PACKAGE, elaborate, sources
from rtl_models.engine_backend import run_rtl
from rtl_models.tables import table_top
from sim.datapath import Link
from sim.engine import Registers
from sim.modes import Overflow, Rounding
from tests.cosim.engine_jobs import assert_equal, job, play_buses

pytestmark = [pytest.mark.cosim, pytest.mark.training_engine]

OWN = {file.name for file in sources(text="training_engine")} - {f"{PACKAGE}.sv"}
OWN -= {file.name for file in sources(text=" ".join(BENCHES))}
"""What no bench of a unit reaches: the units' own coverage is in `test_coverage`."""
WIDE = job(
    "halp16",
    columns=15,
    steps=60,
    registers=Registers(40_000, 26),
    fields={
        "lanes": 4,
        "increment.fraction": 13,
        "increment.width": 28,
        "exponents.maximum": 1,
        "accumulator.width": 32,
        "accumulator.overflow": Overflow.WRAP,
    },
)
"""A beat of its model has more than one word."""
NARROW = {"lanes": 2, "product.cut": 5, "coefficient.width": 14}
SCALES = Registers(40_000, 14, 50_000, 20)
JOBS = {
    "affine": WIDE,
    "from_zero": replace(WIDE, z=np.zeros(15, np.int64), first_step=0),
    "centred_table": job(
        "halp8_blocks",
        Link.CENTRED_TABLE,
        columns=8,
        registers=SCALES,
        fields=NARROW | {"coefficient.rounding": Rounding.STOCHASTIC, "generator.kind": "lfsr"},
    ),
    "absolute_table": job(
        "zipml4",
        Link.ABSOLUTE_TABLE,
        columns=7,
        steps=400,
        registers=SCALES,
        is_double=True,
        fields=NARROW | {"model.random_bits": 0, "model.rounding": Rounding.TIES_EVEN, "biased_ok": True,
                         "accumulator.width": 18, "accumulator.overflow": Overflow.WRAP},
    ),
}  # fmt: skip


def test_every_line_branch_and_bit_of_the_engine_is_driven_or_waived(tmp_path: Path) -> None:
    for name, given in JOBS.items():
        assert_equal(given, run_rtl(given, coverage=True, folder=tmp_path / name))
    (tmp_path / "buses").mkdir()
    play_buses(WIDE, tmp_path / "buses", coverage=True)
    play_counter(tmp_path / "counter")
    files = sorted(tmp_path.rglob("coverage.dat"))
    assert len(files) == len(JOBS) + 2

    counts = Counter({item: count for item, count in hits(files).items() if item.file in OWN})
    assert {item.file for item in counts} == OWN
    assert set(totals(counts)) == {"line", "branch", "toggle"}
    left, unused = missed(counts, waivers(Path(__file__).parent / "engine_coverage_waivers.toml"))
    assert not left, "\n".join(map(str, left))
    assert not unused


def play_counter(folder: Path) -> None:
    """Play the bench of the counters with amounts so large that it comes to its end."""
    unit = elaborate("saturating_counter", [{"AmountWidth": 31}])[0]
    text = table_top("counter_table", [unit]).replace("c0_", "")
    design = Design("counter_table", sources(text=text), text)
    simulate(build(design, coverage=True), "tests.cosim.counter_bench", folder)
