"""The training engine in SystemVerilog: every model word, every count and every cycle is the model's."""

import shutil
import subprocess
from pathlib import Path

import pytest

from reports.circuit_bench import circuit_ratios, epoch
from reports.engine_waveforms import keep_waves
from rtl_models.elaborate import RTL, elaborate
from rtl_models.engine_backend import run_rtl
from sim.datapath import Link
from sim.engine import COUNTED, latency, run
from sim.engine.first_difference import FirstDifference, first_difference
from sim.errors import InputError
from sim.modes import Rounding
from tests.cosim.engine_jobs import JOBS, assert_equal, job, play_buses

pytestmark = [pytest.mark.cosim, pytest.mark.training_engine]

PATCHES = Path(__file__).parent / "engine_bugs"
BUGS = {
    "row_buffer_off_by_one_beat": ("four_beats", 0, "update, product: step 0, beat 0, lane 0: "),
    "gradient_twice_on_back_pressure": ("fifteen_beats", 128, "update, increment: step "),
    "random_word_advanced_while_stalled": ("four_beats", 128, "random word, random: step "),
    "model_not_cleared": ("from_zero", 0, "dot, accumulator: step 0, beat 0: "),
    "second_row_used_for_the_dot": ("double_rows", 0, "dot, accumulator: step 0, beat 0: "),
}
"""Job and stalls that show a bug, and where the first difference is."""


def test_the_latency_of_the_package_is_that_of_the_cycle_model() -> None:
    for lanes in (1, 2, 4, 16, 64, 256):
        units = elaborate("training_engine", [{"Lanes": lanes, "Link": link} for link in Link])
        assert [unit.constants["Latency"] for unit in units] == [latency(lanes, link) for link in Link]


def test_every_stage_overflows_in_some_job() -> None:
    counts = [run(given).counts for given in JOBS.values()]
    assert all(any(count[stage] for count in counts) for stage in COUNTED)


@pytest.mark.parametrize("name", JOBS)
def test_an_epoch_has_the_words_the_counts_the_stages_and_the_cycles_of_the_model(name: str) -> None:
    given = JOBS[name]
    traced = range(given.steps) if given.steps else None
    assert_equal(given, run_rtl(given, traced))


def test_a_million_cycles() -> None:
    given = job(columns=64, steps=56_000)
    got = run_rtl(given)
    assert_equal(given, got)
    assert got.cycles == 1_008_000


@pytest.mark.parametrize(("name", "stalls"), [("four_beats", 128), ("block_exponents", 250), ("halp8", 250)])
def test_stalls_of_the_stream_cost_cycles_and_change_no_bit(name: str, stalls: int) -> None:
    given = JOBS[name]
    got = run_rtl(given, range(given.steps), stalls=stalls)
    assert_equal(given, got, cycles=False)
    assert got.cycles > run(given).cycles


def test_a_loop_starts_clean_after_resets_in_the_middle_of_others() -> None:
    given = JOBS["four_beats"]
    assert_equal(given, run_rtl(given, range(given.steps), resets=(1, 7, 100, 333), stalls=16), cycles=False)
    assert_equal(given, run_rtl(given, range(given.steps), resets=(251,)))


def test_beats_from_python_are_the_same_epoch() -> None:
    given = JOBS["double_rows"]
    assert_equal(given, run_rtl(given, from_python=True))


def test_the_speed_of_model_and_circuit_is_measured_on_one_epoch() -> None:
    given = epoch()
    assert_equal(given, run_rtl(given))
    ratios = circuit_ratios(quick=True)
    assert [ratio.baseline.rpartition(", ")[2] for ratio in ratios] == ["rows from a file", "beats from cocotbext-axi"]
    for ratio in ratios:
        assert ratio.name == f"compiled model, epoch of {run(given).cycles:,} cycles"
        assert ratio.value == pytest.approx(ratio.rate / ratio.baseline_rate)


def test_a_difference_that_does_not_come_again_is_told(tmp_path: Path) -> None:
    given = JOBS["one_column"]
    claimed = FirstDifference("update", "model", 4, 0, 0, got=1, expected=2, width=8)
    told = [f"waves   {tmp_path / 'dump.vcd'}", "no picture: the first 6 steps by themselves give no difference"]
    assert keep_waves(given, claimed, tmp_path) == told


@pytest.mark.parametrize("bug", BUGS)
def test_the_first_difference_names_the_stage_of_a_bug(bug: str, tmp_path: Path) -> None:
    name, stalls, place = BUGS[bug]
    given = JOBS[name]
    rtl = tmp_path / "rtl"
    shutil.copytree(RTL, rtl)
    subprocess.run(["git", "apply", "-p1", str(PATCHES / f"{bug}.patch")], cwd=rtl, check=True)
    steps = range(given.steps)
    expected = run(given, trace=steps).trace
    assert first_difference(given, run_rtl(given, steps, stalls=stalls).trace, expected) is None
    difference = first_difference(given, run_rtl(given, steps, stalls=stalls, rtl=rtl).trace, expected)
    assert str(difference).startswith(place)
    assert difference is not None
    assert difference.got != difference.expected


def test_every_patch_is_a_bug_of_the_table() -> None:
    assert {patch.stem for patch in PATCHES.glob("*.patch")} == set(BUGS)


def test_what_the_circuit_has_not_is_refused() -> None:
    wide = job(fields={"generator.kind": "lfsr", "generator.width": 48})
    with pytest.raises(InputError, match="first_step: got 1000 with an lfsr of 48 bits; allowed: 0"):
        run_rtl(wide)
    with pytest.raises(InputError, match="training_engine MaxBeats: got 32769; allowed: 1 to 32768"):
        elaborate("training_engine", [{"MaxBeats": 32_769}])
    truncating = job(fields={"coefficient.rounding": Rounding.TRN_MAG})
    with pytest.raises(InputError, match="CoefficientRounding: got TRN_MAG; allowed: any other mode"):
        run_rtl(truncating)
    with pytest.raises(InputError, match="waves: got 3 without a folder"):
        run_rtl(job(), waves=3)


def test_the_buses_keep_their_protocol(tmp_path: Path) -> None:
    """Registers, refusals, rows by cocotbext-axi with pauses, a loop behind a loop, wrong lasts."""
    play_buses(JOBS["four_beats"], tmp_path)
