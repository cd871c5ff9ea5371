"""The benches go through every line and branch, and every bit goes up and down; the rest is listed with reasons."""

import re
from pathlib import Path

import pytest

from rtl_models.benches.bench import Configuration
from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.coverage import hits, missed, totals, waivers
from rtl_models.elaborate import PACKAGE, sources
from rtl_models.verification import verify_together

pytestmark = pytest.mark.cosim

TRANSACTIONS = 1_000
NARROW = {
    "mac": ("unsigned_a", "unsigned_b", "smallest", "narrow", "unregistered", "deep"),
    "dot_product": ("smallest", "one_lane", "two_lanes", "unregistered", "deep"),
    "model_update": ("smallest", "one_random_bit", "odd", "jam", "whole_increments", "few_random_bits"),
    "link_affine": ("narrow", "unregistered", "deep"),
    "link_centred_table": ("narrow", "unregistered", "deep"),
    "link_absolute_table": ("narrow", "unregistered", "deep"),
    "double_sampler": (
        "one_bit",
        "five_samples",
        "one_sample",
        "independent",
        "independent_levels",
        "two_beats",
        "one_lane",
    ),
    "xorshift32": ("xorshift32",),
    "lfsr": ("33_bits",),
    "random_lanes": ("1_lane_of_4", "4_lanes_of_32"),
}
"""Configurations small enough that every bit of theirs moves; those of the requantizer, one a mode at least, follow."""


def test_every_line_branch_and_bit_is_driven_or_waived(seed: int, tmp_path: Path) -> None:
    tables = {unit: [c for c in CONFIGURATIONS[unit] if c.name in names] for unit, names in NARROW.items()}
    tables["requantizer"] = [c for c in CONFIGURATIONS["requantizer"] if _is_narrow(c)]
    results = verify_together(tables, TRANSACTIONS, seed, tmp_path, coverage=True)
    assert not [result.failure for result in results if result.failure]

    counts = hits([tmp_path / "coverage.dat"])
    kinds = totals(counts)
    assert set(kinds) == {"line", "branch", "toggle"}
    assert {item.file for item in counts} == {file.name for file in sources(text=" ".join(BENCHES))} - {f"{PACKAGE}.sv"}
    left, unused = missed(counts, waivers(Path(__file__).parent / "coverage_waivers.toml"))
    assert not left, "\n".join(map(str, left))
    assert not unused


def _is_narrow(configuration: Configuration) -> bool:
    return not re.search("32|62|20|24", configuration.name)
