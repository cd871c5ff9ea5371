"""The training engine in SystemVerilog: every model word, every count and every cycle is the model's."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from rtl_models.benches.engine_protocol import ProtocolPlan
from rtl_models.benches.training_engine import Plan
from rtl_models.build import build, simulate
from rtl_models.elaborate import RTL, elaborate
from rtl_models.engine_backend import host_writes, run_rtl
from rtl_models.engine_design import Engine, beat_words
from sim.datapath import Link, TrainingDatapath
from sim.engine import COUNTED, EpochJob, EpochResult, Registers, latency, run
from sim.engine.first_difference import STAGES, first_difference
from sim.errors import InputError
from sim.modes import Overflow, Rounding
from sim.rows import RawRows

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


MODERATE = Registers(40_000, 24, 50_000, 30)
"""Scales under which few things saturate."""


def job(
    preset: str = "halp8",
    link: Link = Link.AFFINE,
    columns: int = 10,
    steps: int = 60,
    *,
    registers: Registers = MODERATE,
    is_double: bool = False,
    fields: dict[str, Any] | None = None,
) -> EpochJob:
    """Return a loop of random words over the whole range of everything that it holds."""
    random = np.random.default_rng(7)
    path = TrainingDatapath.preset(preset).with_fields(fields or {})
    samples = 23

    def words(width: int, *shape: int) -> np.ndarray:
        return random.integers(-(1 << (width - 1)) + 1, 1 << (width - 1), shape)

    links = path.link
    tables = {
        Link.AFFINE: {},
        Link.CENTRED_TABLE: {
            "table": random.integers(0, 1 << links.slope_bits, (1 << links.grid_bits, 1 << links.index_bits)),
            "grid": random.integers(0, 1 << links.grid_bits, samples),
        },
        Link.ABSOLUTE_TABLE: {
            "table": words(links.table_bits, 1 << links.index_bits),
            "targets": words(links.table_bits, samples),
        },
    }
    beats = -(-columns // path.lanes)
    dot, update = (words(path.data.width, samples, columns) for _ in range(2))
    return EpochJob(
        path,
        link,
        RawRows(dot, update if is_double else None),
        indices=random.integers(0, samples, steps),
        z=words(path.model.width, columns),
        h=words(path.increment.width - 4, columns),
        registers=registers,
        exponents=random.integers(0, path.exponents.maximum + 1, beats),
        offsets=words(18, samples),
        seed=5,
        first_step=1_000,
        **tables[link],
    )


def assert_equal(given: EpochJob, got: EpochResult, *, cycles: bool = True) -> None:
    """Assert that a result is the model's, with its trace if it has one."""
    traced = None if got.trace is None else range(got.trace.first, got.trace.first + len(got.trace.coefficient))
    expected = run(given, trace=traced)
    for stage in STAGES if got.trace is not None else ():
        assert np.array_equal(getattr(got.trace, stage), getattr(expected.trace, stage)), stage
    assert got.z.tolist() == expected.z.tolist()
    assert (got.counts, got.extremes) == (expected.counts, expected.extremes)
    if cycles:
        assert got.cycles == expected.cycles


JOBS = {
    "halp8": job(),
    "four_beats": job(columns=60, steps=40),
    "fifteen_beats": job(columns=58, steps=30, fields={"lanes": 4}),
    "from_zero": replace(job(), z=np.zeros(10, np.int64), first_step=0),
    "block_exponents": job("halp8_blocks", Link.CENTRED_TABLE, columns=50),
    "halp16": job("halp16", columns=33, registers=Registers(40_000, 32)),
    "every_overflow": job(
        "halp8_blocks",
        Link.ABSOLUTE_TABLE,
        columns=48,
        registers=Registers(40_000, 14, 50_000, 24),
        fields={
            "accumulator.width": 18,
            "accumulator.overflow": Overflow.WRAP,
            "coefficient.width": 14,
            "coefficient.overflow": Overflow.SAT_SYM,
            "product.cut": 5,
            "model.overflow": Overflow.WRAP,
        },
    ),
    "four_lanes_of_an_lfsr": job(
        columns=11,
        fields={"lanes": 4, "generator.kind": "lfsr", "coefficient.rounding": Rounding.STOCHASTIC},
    ),
    "no_random_bits": job(
        columns=20,
        fields={
            "lanes": 8,
            "model.random_bits": 0,
            "model.rounding": Rounding.TIES_EVEN,
            "biased_ok": True,
            "product.rounding": Rounding.TO_NEG,
            "coefficient.rounding": Rounding.TIES_POS,
        },
    ),
    "one_column": job("lp_svrg8", Link.CENTRED_TABLE, columns=1, fields={"lanes": 1}),
    "double_rows": job("zipml4", Link.ABSOLUTE_TABLE, columns=30, is_double=True),
    "no_step": replace(job(), indices=np.zeros(0, np.int64)),
    "one_step": replace(job(), indices=np.array([3])),
}


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
    """Registers, refusals, rows by cocotbext-axi with pauses, wrong lasts: `rtl_models.benches.engine_protocol`."""
    given = JOBS["four_beats"]
    engine, path = Engine.of_job(given), given.datapath
    loop = Plan(host_writes(given, engine), given.beats, str(tmp_path / "outcome.json"))
    words = engine.words_a_beat("MODEL")
    rows = [_beats(given.rows.decode(row)[0].tolist(), path.data.width, path.lanes) for row in given.indices]
    records = [int(given.offsets[row]) % (1 << path.accumulator.width) for row in given.indices]
    model = beat_words(run(given).z.tolist(), path.model.width, path.lanes, words)
    columns = path.lanes * engine.unit.constants["MaxBeats"]
    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode(ProtocolPlan(loop, rows, records, model, columns)))
    simulate(
        build(engine.design()),
        "rtl_models.benches.engine_protocol",
        tmp_path / "run",
        environment={ProtocolPlan.VARIABLE: str(plan), "COCOTB_LOG_LEVEL": "WARNING"},
    )


def _beats(row: list[int], width: int, lanes: int) -> list[int]:
    parts = beat_words(row, width, lanes, words=lanes * width // 32)
    size = lanes * width // 32
    return [sum(word << 32 * k for k, word in enumerate(parts[n : n + size])) for n in range(0, len(parts), size)]
