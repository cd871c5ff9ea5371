"""Every unit of every preset's datapath can be built, and gives the bits of the reference in the simulator."""

from pathlib import Path

import pytest

from rtl_models.benches.bench import Configuration
from rtl_models.benches.units import BENCHES
from rtl_models.verification import verify_together
from sim.datapath import TrainingDatapath, preset_names

pytestmark = pytest.mark.cosim

TRANSACTIONS = 60


def test_the_units_of_every_preset_equal_the_reference(seed: int, tmp_path: Path) -> None:
    """Presets under which a unit has the same parameters share an instance of it."""
    paths = [TrainingDatapath.preset(name) for name in preset_names()]
    tables, shared = {}, 0
    for unit, kind in BENCHES.items():
        benches = kind.benches([Configuration(path.name, path) for path in paths if not kind.unused(path)])
        different = {str(bench.unit.parameters): bench.configuration for bench in benches}
        shared += len(benches) - len(different)
        tables[unit] = list(different.values())
    results = verify_together(tables, TRANSACTIONS, seed, tmp_path)
    assert not [result.failure for result in results if result.failure]
    assert all(result.transactions >= TRANSACTIONS for result in results)
    units = len(BENCHES) - 1  # no preset has an lfsr
    assert len(results) + shared == units * len(paths)
