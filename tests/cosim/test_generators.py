"""The circuits of the random generators give the streams and the lanes' fields of the simulator."""

import numpy as np
import pytest

from rtl_models.benches.generators import (
    LFSR_CONFIGURATIONS,
    RANDOM_LANES_CONFIGURATIONS,
    XORSHIFT32_CONFIGURATIONS,
    LfsrBench,
)
from rtl_models.bulk import Bulk
from rtl_models.verification import verify
from sim.random_bits import generator_seed

pytestmark = pytest.mark.cosim

CONFIGURATIONS = {
    "xorshift32": XORSHIFT32_CONFIGURATIONS,
    "lfsr": LFSR_CONFIGURATIONS,
    "random_lanes": RANDOM_LANES_CONFIGURATIONS,
}


@pytest.mark.parametrize("unit", CONFIGURATIONS)
def test_every_configuration_equals_the_reference(unit: str) -> None:
    configurations = CONFIGURATIONS[unit]
    transactions = 4_000 if unit == "random_lanes" else 10_000
    results = verify(unit, configurations, [transactions] * len(configurations), seed=1)
    assert not [result.failure for result in results if result.failure]
    assert not {result.configuration: result.missed for result in results if result.missed}
    assert {result.transactions for result in results} == {transactions}


def test_a_million_words_of_each_lfsr_equal_the_stream() -> None:
    benches = [bench for bench in LfsrBench.benches(LFSR_CONFIGURATIONS) if isinstance(bench, LfsrBench)]
    bulk = Bulk("lfsr_bulk", [bench.unit for bench in benches])
    count, on = 1 << 20, np.ones(1, np.int64)
    load = np.zeros(count + 1, np.int64)
    load[0] = 1
    seeds = [generator_seed(3, 0, number) for number in range(len(benches))]
    inputs = [{"rst_ni": on, "load_i": load, "enable_i": on, "seed_i": on * seed} for seed in seeds]
    for bench, seed, outputs in zip(benches, seeds, bulk.run(inputs), strict=True):
        expected = bench.generator(seed).words(count)
        np.testing.assert_array_equal(outputs["word_o"][1:], expected, bench.configuration.name)
