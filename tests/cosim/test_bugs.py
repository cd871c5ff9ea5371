"""Bugs of the kind that circuits really have, kept as patches: each is found by the bench of its unit, by name."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rtl_models.benches.bench import Configuration
from rtl_models.benches.units import CONFIGURATIONS
from rtl_models.elaborate import RTL
from rtl_models.verification import verify

pytestmark = pytest.mark.cosim

PATCHES = Path(__file__).parent / "bugs"
BUGS = {
    "wrong_tie_rule": ("requantizer", "sfix32_En16_to_sfix16_TIES_EVEN_SAT", "value_o: got"),
    "saturation_bound_off_by_one": ("mac", "signed", "sum: got -131072"),
    "lost_carry_in_the_tree": ("dot_product", "narrow", "sum"),
    "unsigned_sum": ("mac", "signed", "sum"),
    "sticky_flag_cleared": ("mac", "wrapping", "overflow: got 0 (0b0, 0), expected 1"),
    "lfsr_tap": ("lfsr", "48_bits", "word"),
    "lane_slice_swapped": ("model_update", "one_random_bit", "z of lane"),
    "ready_ignored": ("dot_product", "two_lanes", "a waiting output"),
    "last_one_beat_early": ("dot_product", "two_lanes", "a wrong output"),
    "double_sampler_rows_swapped": ("double_sampler", "unsigned", "xa of lane"),
    "double_sampler_top_level_wraps": ("double_sampler", "unsigned", "expected 4 (0b00000100, 4)"),
    "double_sampler_last_lane_of_its_neighbour": ("double_sampler", "unsigned", "xa of lane 7: got"),
    "double_sampler_beats_counted_on": ("double_sampler", "column_levels", "a wrong output"),
    "double_sampler_sign_lost": ("double_sampler", "zipml4", "xa of lane"),
    "seed_zero_accepted": ("xorshift32", "xorshift32", "word_o: got 0 "),
}
"""Unit and configuration that show a bug, and what the report of the failure names."""


@pytest.mark.parametrize("bug", BUGS)
def test_bug_is_found(bug: str, seed: int, tmp_path: Path) -> None:
    unit, name, named = BUGS[bug]
    rtl = tmp_path / "rtl"
    shutil.copytree(RTL, rtl)
    subprocess.run(["git", "apply", "-p1", str(PATCHES / f"{bug}.patch")], cwd=rtl, check=True)
    [result] = verify(unit, [_configuration(unit, name)], [2_000], seed, rtl=rtl)
    assert result.failure.startswith(f"{unit} {name}: ")
    assert named in result.failure
    assert result.transactions < 2_000


def test_every_patch_is_a_bug_of_the_table() -> None:
    assert {patch.stem for patch in PATCHES.glob("*.patch")} == set(BUGS)


def _configuration(unit: str, name: str) -> Configuration:
    return next(configuration for configuration in CONFIGURATIONS[unit] if configuration.name == name)
