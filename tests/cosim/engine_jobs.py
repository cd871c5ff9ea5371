"""Loops of random words for the training engine, and what holds the circuit to the model on them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rtl_models.benches.engine_protocol import ProtocolPlan
from rtl_models.benches.training_engine import Plan
from rtl_models.build import build, simulate
from rtl_models.engine_backend import host_writes
from rtl_models.engine_design import Engine, beat_words
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, EpochResult, Registers, run
from sim.engine.first_difference import STAGES
from sim.modes import Overflow, Rounding
from sim.rows import RawRows

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


def play_buses(given: EpochJob, folder: Path, *, coverage: bool = False) -> None:
    """Play `rtl_models.benches.engine_protocol` with a loop, on single rows through the affine link."""
    engine, path = Engine.of_job(given), given.datapath
    loop = Plan(host_writes(given, engine), given.beats, str(folder / "outcome.json"), limit=0)
    words = engine.words_a_beat("MODEL")
    rows = [_beats(given.rows.decode(row)[0].tolist(), path.data.width, path.lanes) for row in given.indices]
    records = [int(given.offsets[row]) % (1 << path.accumulator.width) for row in given.indices]
    behind = run(given).z
    second = run(replace(given, z=behind, first_step=given.first_step + given.steps)).z
    model, later = (beat_words(z.tolist(), path.model.width, path.lanes, words) for z in (behind, second))
    columns = path.lanes * engine.unit.constants["MaxBeats"]
    plan = folder / "plan.json"
    plan.write_bytes(msgspec.json.encode(ProtocolPlan(loop, rows, records, model, later, columns)))
    simulate(
        build(engine.design(), coverage=coverage),
        "rtl_models.benches.engine_protocol",
        folder / "run",
        environment={ProtocolPlan.VARIABLE: str(plan), "COCOTB_LOG_LEVEL": "WARNING"},
    )


def _beats(row: list[int], width: int, lanes: int) -> list[int]:
    size = -(-lanes * width // 32)
    parts = beat_words(row, width, lanes, words=size)
    return [sum(word << 32 * k for k, word in enumerate(parts[n : n + size])) for n in range(0, len(parts), size)]
