"""The requantizer's circuit gives the bits and flags of the reference and of the kernels."""

from itertools import product

import numpy as np
import pytest

from rtl_models.benches.requantizer import CONFIGURATIONS, RequantizerBench, requantizer_parameters
from rtl_models.benches.units import BENCHES
from rtl_models.bulk import Bulk
from rtl_models.elaborate import elaborate
from rtl_models.verification import verify
from sim.datapath import TrainingDatapath
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import INTERMEDIATE_BITS, Requantizer
from sim.random_bits import RandomWords

pytestmark = pytest.mark.cosim

VECTORS = 1 << 15
"""Bulk vectors a call and configuration: as many as stay in the cache."""
CALLS = 11


@pytest.fixture(scope="module")
def benches() -> list[RequantizerBench]:
    return [bench for bench in BENCHES["requantizer"].benches(CONFIGURATIONS) if isinstance(bench, RequantizerBench)]


def test_every_configuration_equals_the_reference(seed: int) -> None:
    transactions = [10_000 if number % 6 == 0 else 2_500 for number in range(len(CONFIGURATIONS))]
    results = verify("requantizer", CONFIGURATIONS, transactions, seed)
    assert not [result.failure for result in results if result.failure]
    assert not {result.configuration: result.missed for result in results if result.missed}
    assert sum(result.transactions >= 10_000 for result in results) >= 6


def test_configurations_cover_modes_signs_and_widths(benches: list[RequantizerBench]) -> None:
    assert len(benches) >= 24
    assert {bench.rounding for bench in benches} == set(Rounding)
    assert {bench.overflow for bench in benches} == {Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM}
    assert {(b.source.signed, b.target.signed) for b in benches} == set(product((True, False), repeat=2))
    widths = {bench.source.width for bench in benches} | {bench.target.width for bench in benches}
    assert {2, 8, 16, 32} <= widths
    assert {bench.latency for bench in benches} >= {0, 1, 2, 5}


def test_directed_values_hit_every_bin_that_any_value_hits(benches: list[RequantizerBench]) -> None:
    narrow = [bench for bench in benches if bench.source.width + bench.random_bits <= 12]
    assert len(narrow) >= 8
    for bench in narrow:
        values, words = range(bench.source.low, bench.source.high + 1), range(1 << bench.random_bits)
        everything = {hit for value in values for word in words for hit in bench.bins(value, word)}
        points = bench.points()
        assert everything == {(point, hit) for point in ("case", "direction") for hit in points.get(point, [])}


def test_bulk_vectors_equal_the_kernels(seed: int) -> None:
    """More than 10^7 vectors: half of them anywhere, half of them near ties and near the ends of the target."""
    benches = RequantizerBench.benches(CONFIGURATIONS)
    bulk = Bulk("requantizer_bulk", [bench.unit for bench in benches])
    random = np.random.default_rng(seed)
    compared = 0
    for _ in range(CALLS):
        stimuli = [_stimuli(bench, random) for bench in benches]
        on = np.ones(1, np.int64)
        inputs = [{"rst_ni": on, "enable_i": on, "value_i": values, "random_i": words} for values, words in stimuli]
        for bench, (values, words), outputs in zip(benches, stimuli, bulk.run(inputs), strict=True):
            taken = len(values) - bench.latency
            results, flags = _expected(bench, values[:taken], words[:taken])
            mask = (1 << bench.target.width) - 1
            np.testing.assert_array_equal(outputs["value_o"][bench.latency :], results & mask, bench.configuration.name)
            np.testing.assert_array_equal(outputs["overflow_o"][bench.latency :], flags, bench.configuration.name)
            compared += taken
    assert compared >= 10**7


def _stimuli(bench: RequantizerBench, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return values and words; near ends and ties a value is a multiple of half a step, give or take one."""
    source, half = bench.source, 1 << max(bench.cut - 1, 0)
    values = random.integers(source.low, source.high, VECTORS, endpoint=True)
    span = range(-(1 << bench.target.width), 1 << bench.target.width)
    near = random.integers(span.start, span.stop, VECTORS) * (2 * half if bench.cut > 0 else 1)
    near += random.choice([0, half, half - 1, half + 1, -1, 1], VECTORS)
    values = np.where(random.random(VECTORS) < 0.5, values, np.clip(near, source.low, source.high))
    return values, random.integers(0, 1 << max(bench.random_bits, 1), VECTORS)


def _expected(bench: RequantizerBench, values: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernels' results, and whether they differ from the kernels' unbounded rounding."""
    block = bench.block
    wide = QFormat(INTERMEDIATE_BITS, 0)
    unbounded = Requantizer(wide, block.rounding, Overflow.WRAP, block.random_bits, block.centered)

    def run(requantizer: Requantizer) -> np.ndarray:
        random = RandomWords(words, block.random_bits) if block.random_bits else None
        return requantizer(values, bench.source, random).astype(np.int64)

    results = run(block)
    return results, results != run(unbounded)


def test_parameters_come_from_the_blocks_of_a_datapath() -> None:
    path = TrainingDatapath.preset("halp8_blocks")
    unit = elaborate("requantizer", [requantizer_parameters(path.increment_format, path.model_requantizer)])[0]
    assert unit.constants["InputWidth"] == path.increment.width
    assert unit.constants["Cut"] == path.increment.fraction
    assert list(Rounding)[unit.constants["Rounding"]] is path.model.rounding
    assert unit.width("random_i") == path.model.random_bits
