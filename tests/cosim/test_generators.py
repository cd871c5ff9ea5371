"""The circuits of the random generators give the streams and the lanes' fields of the simulator."""

import numpy as np
import pytest

from rtl_models.benches.generators import (
    LFSR_CONFIGURATIONS,
    RANDOM_LANES_CONFIGURATIONS,
    XORSHIFT32_CONFIGURATIONS,
    GeneratorBench,
)
from rtl_models.benches.units import BENCHES
from rtl_models.bulk import Bulk
from rtl_models.verification import verify
from sim.random_bits import WORD_BITS, Role, generator_seed
from tests.cosim.bulk_words import packed

pytestmark = pytest.mark.cosim

VECTORS = 10**7
CYCLES = 1 << 18
"""Cycles after the seeds are loaded, in one call."""

CONFIGURATIONS = {
    "xorshift32": XORSHIFT32_CONFIGURATIONS,
    "lfsr": LFSR_CONFIGURATIONS,
    "random_lanes": RANDOM_LANES_CONFIGURATIONS,
}


@pytest.mark.parametrize("unit", CONFIGURATIONS)
def test_every_configuration_equals_the_reference(unit: str, seed: int) -> None:
    configurations = CONFIGURATIONS[unit]
    transactions = 10_000
    results = verify(unit, configurations, [transactions] * len(configurations), seed)
    assert not [result.failure for result in results if result.failure]
    assert not {result.configuration: result.missed for result in results if result.missed}
    assert {result.transactions for result in results} == {transactions}


@pytest.mark.parametrize("unit", CONFIGURATIONS)
def test_ten_million_words_equal_the_streams(unit: str, seed: int) -> None:
    """A call resets every circuit, the next loads seed 0, all others load seeds; then a word leaves in every cycle."""
    benches = [bench for bench in BENCHES[unit].benches(CONFIGURATIONS[unit]) if isinstance(bench, GeneratorBench)]
    bulk = Bulk(f"{unit}_bulk", [bench.unit for bench in benches])
    on, first = np.ones(1, np.uint8), np.arange(CYCLES + 1) == 0
    compared, call = 0, 0
    while compared < VECTORS:
        is_reset = call == 0
        seeds = [
            [generator_seed(seed + call, Role.UPDATE, number) if call > 1 else 0 for number in range(bench.count)]
            for bench in benches
        ]
        ports = [packed([(np.array([row]), bench.seed_bits)]) for bench, row in zip(benches, seeds, strict=True)]
        levels = {"rst_ni": ~first if is_reset else on, "load_i": first & ~is_reset, "enable_i": on}
        inputs = [{**levels, benches[0].inputs[2]: port} for port in ports]
        for bench, row, outputs in zip(benches, seeds, bulk.run(inputs), strict=True):
            started = [bench.reset_seed if is_reset else start or bench.zero_seed for start in row]
            words = np.stack([bench.generator(start).words(CYCLES) for start in started], 1)
            expected = packed([(words, WORD_BITS)])  # the lanes' fields in a row are the words in a row
            if bench.output_bits < 2 * WORD_BITS:
                expected &= np.uint64((1 << bench.output_bits) - 1)
            assert np.array_equal(outputs[bench.outputs[0]][1:], expected), bench.configuration.name
            compared += CYCLES
        call += 1
