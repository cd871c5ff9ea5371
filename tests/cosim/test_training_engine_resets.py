"""A reset defines every output of the engine's units at once; under Icarus, where it is installed, from undefined ones."""

from pathlib import Path

import pytest

from rtl_models.elaborate import elaborate
from rtl_models.toolchain import has_icarus
from sim.datapath import Link
from tests.cosim.test_resets import check

pytestmark = pytest.mark.cosim

NARROW = {"Lanes": 2}
UNITS = [
    ("axil_words", {}),
    ("engine_sequencer", {}),
    ("engine_intake", {"RowWidth": 16}),
    ("engine_random", NARROW),
    ("engine_random", {"RandomBits": 0}),
    ("engine_link", {"Link": Link.AFFINE}),
    ("engine_counters", NARROW),
    ("saturating_counter", {}),
    ("beat_counter", {}),
]
"""Those without a memory: what a memory gives is undefined until it was written, and no reset changes that."""


@pytest.mark.parametrize("simulator", ["verilator", *(["icarus"] if has_icarus() else [])])
def test_a_reset_defines_every_output(simulator: str, tmp_path: Path) -> None:
    units = [elaborate(name, [parameters])[0] for name, parameters in UNITS]
    check("engine_resets", units, tmp_path / "run", simulator)
