"""Whatever the datapath, the stimuli of a bench hit every bin that it asks for: a right unit passes."""

from itertools import islice
from random import Random

import pytest

from rtl_models.benches.bench import Configuration, StreamBench
from rtl_models.benches.clocked import ClockedBench
from rtl_models.benches.units import BENCHES
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.modes import Overflow, Rounding

pytestmark = pytest.mark.cosim

PATHS = 4
OUTPUTS = 5_000
"""As many as `bittrue verify` compares."""
WIDTHS = {
    "data.width": (2, 3, 4, 8, 16, 24),
    "model.width": (2, 3, 4, 8, 16, 32),
    "coefficient.width": (2, 3, 4, 8, 16, 32),
    "accumulator.width": (8, 16, 24, 32, 48, 60),
    "product.cut": (0, 1, 2, 4, 8),
    "increment.width": (4, 8, 16, 32),
    "increment.fraction": (0, 2, 4, 8, 16),
    "link.multiplier_bits": (2, 3, 8, 16, 24),
    "link.slope_bits": (2, 3, 12, 24),
    "link.table_bits": (2, 3, 8, 16, 24),
    "link.index_bits": (2, 3, 4, 6),
    "link.grid_bits": (0, 1, 4),
    "model.random_bits": (1, 2, 4, 8, 16, 32),
    "lanes": (1, 2, 4),
    "coefficient.rounding": tuple(mode for mode in Rounding if mode is not Rounding.TRN_MAG),
    "coefficient.overflow": (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM),
    "accumulator.overflow": (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM),
}


def any_datapath(random: Random) -> TrainingDatapath:
    while True:
        fields = {name: random.choice(values) for name, values in WIDTHS.items()}
        try:
            return TrainingDatapath().with_fields({**fields, "biased_ok": True})
        except InputError:
            continue


@pytest.mark.parametrize(
    "unit", ["mac", "dot_product", "model_update", "link_affine", "link_centred_table", "link_absolute_table"]
)
def test_stimuli_hit_what_is_asked_for(unit: str, seed: int) -> None:
    random = Random(seed)
    configurations = [Configuration(f"any{n}", any_datapath(random)) for n in range(PATHS)]
    for bench in BENCHES[unit].benches(configurations):
        if isinstance(bench, StreamBench):
            hits = {hit for script in bench.scripts(random, OUTPUTS) for beat in script.hits for hit in beat}
        else:
            assert isinstance(bench, ClockedBench)
            hits = {hit for row in islice(bench.rows(random, OUTPUTS), OUTPUTS) for hit in row.hits}
        asked = {(point, bin_) for point, bins in bench.points().items() for bin_ in bins}
        assert asked <= hits, bench.path.to_toml()
