"""The conformance set pins the arithmetic: the package computes it, and a port written from the design passes it."""

import tomllib
from collections import Counter
from fractions import Fraction
from itertools import islice, product

import numpy as np
import pytest

from sim.configuration import from_table
from sim.conformance import ARITHMETIC_VERSION, DIGESTS, computed_set, conformance_set, digest
from sim.datapath import Link, TrainingDatapath
from sim.engine import COUNTED, OBSERVED, EpochJob, Registers, run
from sim.engine.job import RECORDS
from sim.modes import Overflow, Rounding
from sim.random_bits import MAXIMAL_TAPS, Role
from sim.rows import RawRows
from tests.definitions import CIRCUIT_OVERFLOWS, cut_off, fitted, rounded
from tests.engine import definition

SET = conformance_set()
MASK = 0xFFFFFFFF


def test_the_package_computes_the_shipped_set():
    assert computed_set() == SET


def test_the_digest_belongs_to_the_version():
    """Who changes the arithmetic raises the version; who raises it adds a digest."""
    assert digest(SET) == DIGESTS[ARITHMETIC_VERSION]
    assert list(DIGESTS) == list(range(1, ARITHMETIC_VERSION + 1))
    assert len(set(DIGESTS.values())) == ARITHMETIC_VERSION


@pytest.mark.parametrize("section", ["casts", "quantize", "accumulators", "generators", "engine"])
def test_the_digest_notices_a_last_bit(section):
    changed = conformance_set()
    vector = changed[section][-1]
    if section == "engine":
        vector["out"]["z"][-1] ^= 1
    else:
        vector[{"accumulators": "total_after_beat", "generators": "words"}.get(section, "out")][-1] ^= 1
    assert digest(changed) != digest(SET)


# What is in it


def test_every_mode_meets_every_overflow_at_every_kind_of_cut():
    for rounding, overflow in product(Rounding, CIRCUIT_OVERFLOWS):
        cuts = {
            (vector["cut"] > vector["random_bits"], vector["cut"] > 0, vector["centered"])
            for vector in SET["casts"]
            if (vector["rounding"], vector["overflow"]) == (rounding, overflow)
        }
        assert {(True, True, True), (False, False, True)} <= cuts
        assert not rounding.is_stochastic or {(True, True, False), (False, True, True)} <= cuts
    assert {vector["rounding"] for vector in SET["quantize"]} == set(Rounding)


def test_every_link_and_every_overflow_counter_occurs_in_the_engine():
    assert {vector["link"] for vector in SET["engine"]} == set(Link)
    totals: Counter[str] = Counter()
    for vector in SET["engine"]:
        totals.update(vector["out"]["counts"])
    assert set(totals) == set(COUNTED)
    assert all(totals[stage] > 0 for stage in COUNTED), totals


def test_accumulators_of_every_overflow_keep_the_exact_sum_and_leave_it():
    for overflow in CIRCUIT_OVERFLOWS:
        kept = []
        for vector in (vector for vector in SET["accumulators"] if vector["overflow"] == overflow):
            products = [x * y for x, y in zip(vector["a"], vector["b"], strict=True)]
            ends = [*range(vector["lanes"], len(products), vector["lanes"]), len(products)]
            kept.append(vector["total_after_beat"] == [sum(products[:end]) for end in ends])
        assert any(kept)
        assert not all(kept)


# A port: what a user would write from the design's page


def xorshift32(state):
    while True:
        state ^= state << 13 & MASK
        state ^= state >> 17
        state ^= state << 5 & MASK
        yield state


def lfsr(state, width, leap):
    mask = sum(1 << tap - 1 for tap in MAXIMAL_TAPS[width])
    while True:
        for _ in range(leap):
            state = state >> 1 ^ (mask if state & 1 else 0)
        yield state & MASK


def fit(vector, value):
    return fitted(value, vector["width"], True, Overflow(vector["overflow"]))


def cast(vector, value, word):
    shift, mode, bits = vector["cut"], Rounding(vector["rounding"]), vector["random_bits"]
    return fit(vector, cut_off(value, shift, mode, word, bits, vector["centered"]))


def beats(vector):
    total, lanes = 0, vector["lanes"]
    for start in range(0, len(vector["a"]), lanes):
        pairs = zip(vector["a"][start : start + lanes], vector["b"][start : start + lanes], strict=True)
        total = fit(vector, total + sum(x * y for x, y in pairs))
        yield total


def port_of(vector):
    makers = {"xorshift32": xorshift32, "lfsr32": lambda s: lfsr(s, 32, 32), "lfsr48 leap 8": lambda s: lfsr(s, 48, 8)}
    return makers[vector["generator"]](vector["seed"])


def test_a_port_passes_the_casts():
    for vector in SET["casts"]:
        pairs = product(range(-32, 32), range(1 << vector["random_bits"]))
        assert vector["out"] == [cast(vector, value, word) for value, word in pairs], vector


def test_a_port_passes_quantization():
    for vector in SET["quantize"]:
        steps = [Fraction(float.fromhex(text)) * 4 for text in vector["in"]]
        whole = [rounded(step, Rounding(vector["rounding"]), vector["word"], 3) for step in steps]
        assert vector["out"] == [fitted(value, 6, True, Overflow.SAT) for value in whole], vector
        assert vector["format"] == "sfix6_En2"


def test_a_port_passes_the_accumulators():
    for vector in SET["accumulators"]:
        assert vector["total_after_beat"] == list(beats(vector)), vector


def test_a_port_passes_the_generators():
    assert {vector["role"] for vector in SET["generators"]} == {role.name for role in Role}
    for vector in SET["generators"]:
        words = list(islice(port_of(vector), 8))
        assert vector["words"] == words
        assert vector["row_indices_of_1000"] == [word * 1000 >> 32 for word in words]
        assert vector["seed"] == seed_of(vector["run_seed"], Role[vector["role"]], vector["index"])


def seed_of(run_seed, role, index):
    inner = definition.splitmix64(4 * run_seed + int(role))
    return definition.splitmix64((inner + index) % 2**64) >> 32


@pytest.mark.parametrize("vector", SET["generators"][:1] + SET["generators"][2:3], ids=lambda v: v["generator"])
def test_a_port_that_walks_reaches_the_words_far_ahead(vector):
    far = islice(port_of(vector), vector["position"], vector["position"] + 4)
    assert vector["words_at_position"] == list(far)


@pytest.mark.parametrize("vector", SET["engine"], ids=lambda v: v["link"])
def test_a_port_and_the_kernel_pass_the_engine(vector):
    job = EpochJob(
        from_table(TrainingDatapath, tomllib.loads(vector["datapath"])),
        Link(vector["link"]),
        RawRows(np.array(vector["rows"]), np.array(vector["update_rows"]) if vector["update_rows"] else None),
        registers=Registers(**vector["registers"]),
        seed=vector["seed"],
        first_step=vector["first_step"],
        **{name: vector[name] for name in ("indices", "z", "h", "exponents", *RECORDS[Link(vector["link"])])},
    )
    out, steps = vector["out"], list(definition.steps(job))
    assert out["z"] == steps[-1].model
    assert out["counts"] == {stage: sum(step.overflows[stage] for step in steps) for stage in COUNTED}
    kernel = run(job, "kernel")
    assert out["z"] == kernel.z.tolist()
    assert (out["counts"], out["cycles"]) == (kernel.counts, kernel.cycles)
    assert {node: tuple(out["extremes"][node]) for node in OBSERVED} == kernel.extremes
