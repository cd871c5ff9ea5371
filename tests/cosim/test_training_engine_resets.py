"""A reset defines every register of the training engine at once, whatever it held."""

from pathlib import Path

import numpy as np
import pytest

from rtl_models.bulk import RESET, Bulk
from rtl_models.elaborate import elaborate
from rtl_models.engine_backend import host_writes
from rtl_models.engine_design import LEAST_BEATS, Engine, register_address
from rtl_models.toolchain import has_icarus
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, Registers
from sim.rows import RawRows
from tests.cosim.test_resets import check_random_starts, check_undefined, random_inputs

pytestmark = [pytest.mark.cosim, pytest.mark.training_engine]

CYCLES = 800
"""After each of two resets: room for all that the host writes, and for some steps."""
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


def test_nothing_is_left_in_the_training_engine(seed: int) -> None:
    """After each reset the host writes everything and starts a loop; it reads registers all the time."""
    random = np.random.default_rng(seed)
    path, columns = TrainingDatapath.preset("halp8_blocks").replace(lanes=2), 2 * LEAST_BEATS
    links = path.link
    job = EpochJob(
        path,
        Link.CENTRED_TABLE,
        RawRows(np.zeros((1, columns), np.int8)),
        indices=np.zeros(1 << 10, np.int64),
        z=random.integers(-99, 99, columns),
        h=random.integers(-99, 99, columns),
        table=random.integers(0, 1 << links.slope_bits, (1 << links.grid_bits, 1 << links.index_bits)),
        registers=Registers(0, 16, 1 << 15, 24),
    )
    engine = Engine.of_job(job)
    writes = np.array([
        (address + 4 * n, word) for address, words in host_writes(job, engine) for n, word in enumerate(words)
    ])  # fmt: skip
    inputs = random_inputs(engine.unit, 1, CYCLES, random)
    inputs |= {f"s_axil_{name}": np.ones(1, np.uint8) * value for name, value in (("wstrb", 15), ("bready", 1))}
    inputs["s_axil_araddr"] %= register_address("CYCLES") + 4
    is_written = np.zeros(len(inputs[RESET]), np.uint8)
    for start in (1, CYCLES + 2):
        at = slice(start, start + len(writes))
        is_written[at] = 1
        inputs["s_axil_awaddr"][at], inputs["s_axil_wdata"][at] = writes.T
    inputs |= {"s_axil_awvalid": is_written, "s_axil_wvalid": is_written}
    bulk = Bulk("engine_bulk", [engine.unit])
    check_random_starts(bulk, [inputs], {"m_axis_tdata": "m_axis_tvalid"})
    sent = bulk.run([inputs])[0]["s_axis_tready"]
    assert sent[CYCLES - 100 : CYCLES].any()
    assert sent[-100:].any()


@pytest.mark.skipif(not has_icarus(), reason="Icarus Verilog and pyosys, which know undefined values, are not here")
def test_a_reset_leaves_nothing_undefined(seed: int, tmp_path: Path) -> None:
    check_undefined([elaborate(name, [parameters])[0] for name, parameters in UNITS], seed, tmp_path)
