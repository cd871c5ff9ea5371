"""The backend `rtl`: an inner loop on the training engine's SystemVerilog, in a simulator."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from rtl_models.benches.training_engine import NO_WAVES, Outcome, Plan
from rtl_models.build import build, simulate
from rtl_models.elaborate import RTL
from rtl_models.engine_design import Engine, beat_words, bits, register_address, window_address
from rtl_models.processes import SILENCE
from sim.datapath import Link
from sim.engine import COUNTED, OBSERVED, EpochJob, EpochResult, StageTrace
from sim.engine.cycles import epoch_cycles
from sim.errors import InputError
from sim.random_bits import Role

PLAN, OUTCOME = "plan.json", "outcome.json"
_STREAMED = ("rows.bin", "indices.bin")
_PATIENCE = 20
"""Times as long as a loop and the writes before it take, after which it is given up."""
_BY_STEP = ("index", "coefficient")
_NODES = {"t": "accumulator", "u": "index", "c": "coefficient", "r": "random", "p": "product", "a": "increment",
          "z": "model"}  # fmt: skip
UNSIGNED = ("random",)
"""Arrays of a trace whose words have no sign."""


def run_rtl(
    job: EpochJob,
    traced: range | None = None,
    *,
    stalls: int = 0,
    resets: tuple[int, ...] = (),
    rtl: Path = RTL,
    folder: Path | None = None,
    waves: int | None = None,
    coverage: bool = False,
    from_python: bool = False,
) -> EpochResult:
    """Return the result of a job, as the circuit gives it.

    Args:
        job: the inner loop.
        traced: steps to record stage by stage.
        stalls: of 256 cycles, how many stall on average before a beat of a row.
        resets: cycles after which loops begun before this one are cut off by a reset.
        rtl: folder of the sources.
        folder: for the simulation's files; a temporary one by default.
        coverage: count lines, branches and toggles, in `coverage.dat` of the folder.
        from_python: send every beat of a row by cocotbext-axi.
        waves: record all signals in `dump.vcd` of the folder, from shortly before this step on.

    Raises:
        InputError: if the circuit cannot run the job, a tool is missing, or waves have no folder.
        AssertionError: if the circuit reports an error of the row stream, or the simulation ends early or stands still.
    """
    if folder is None and waves is not None:
        raise InputError(f"waves: got {waves} without a folder; allowed: with a folder that keeps them")
    if folder is None:
        with tempfile.TemporaryDirectory() as name:
            return run_rtl(
                job, traced, stalls=stalls, resets=resets, rtl=rtl, folder=Path(name), coverage=coverage,
                from_python=from_python,
            )  # fmt: skip
    engine = Engine.of_job(job, rtl)
    simulation = build(engine.design(), waves=waves is not None, coverage=coverage)
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    span = (traced.start, traced.stop) if traced is not None else (0, 0)
    recorded = NO_WAVES if waves is None else waves
    writes = host_writes(job, engine)
    cycles = epoch_cycles(job.datapath, job.link, job.beats, job.steps) * 256 // (256 - stalls)
    limit = _PATIENCE * (cycles + sum(len(words) for _, words in writes) + job.beats)
    plan = Plan(writes, job.beats, str(folder / OUTCOME), limit, stalls, span, recorded, from_python, list(resets))
    (folder / PLAN).write_bytes(msgspec.json.encode(plan))
    for name, content in zip(_STREAMED, (_rows(job, engine), job.indices.astype(">u4")), strict=True):
        content.tofile(folder / name)
    simulate(
        simulation,
        "rtl_models.benches.training_engine",
        folder,
        environment={Plan.VARIABLE: str(folder / PLAN), "COCOTB_LOG_LEVEL": "WARNING"},
        seed=1,
        silence=SILENCE,
    )
    outcome = msgspec.json.decode((folder / OUTCOME).read_bytes(), type=Outcome)
    trace = None if traced is None else _trace(job, engine, traced, folder / "trace.txt")
    return _result(job, outcome, trace)


def _seeds(job: EpochJob) -> list[int]:
    """Return the states from which the generators go on: those of the update, then the coefficient's if it has one."""
    path = job.datapath
    position = job.first_step * job.beats
    update = [path.generator.make(job.seed, Role.UPDATE, g, position) for g in range(path.generators)]
    states = [generator.state for generator in (*update, path.generator.make(
        job.seed, Role.COEFFICIENT, 0, job.first_step))]  # fmt: skip
    used = states if path.coefficient.rounding.is_stochastic else states[:-1]
    if any(state >> 32 for state in used):
        raise InputError(
            f"first_step: got {job.first_step} with an lfsr of {path.generator.width} bits; "
            "allowed: 0, since the circuit takes seeds of 32 bits"
        )
    return used


def host_writes(job: EpochJob, engine: Engine) -> list[tuple[int, list[int]]]:
    """Return what the host writes: memories, seeds, registers, and the start, as (byte address, words)."""
    path = job.datapath
    clears = not job.z.any()
    writes = [
        (window_address("GRADIENT"), beat_words(
            job.h.tolist(), path.increment.width, path.lanes, engine.words_a_beat("GRADIENT"))),
        (window_address("EXPONENTS"), job.exponents.tolist()),
        (window_address("SEEDS"), _seeds(job)),
    ]  # fmt: skip
    if not clears:
        model = beat_words(job.z.tolist(), path.model.width, path.lanes, engine.words_a_beat("MODEL"))
        writes.append((window_address("MODEL"), model))
    if job.link is not Link.AFFINE:
        writes.append((window_address("TABLE"), [int(word) & 0xFFFFFFFF for word in job.table.reshape(-1)]))
    registers = job.registers
    commands = ("START", "SEED", "SEND", *(["CLEAR"] if clears else []))
    for name, value in {
        "COLUMNS": job.columns,
        "STEPS": job.steps,
        "MULTIPLIER": registers.multiplier,
        "SHIFT": registers.shift,
        "INDEX_MULTIPLIER": registers.index_multiplier,
        "INDEX_SHIFT": registers.index_shift,
        "CONTROL": bits("engine_command_e", *commands),
    }.items():
        writes.append((register_address(name), [value]))
    return [(address, words) for address, words in writes if words]


def _fields(values: NDArray[Any], width: int) -> NDArray[np.uint8]:
    """Return the bits of integers, the highest first, behind the last axis."""
    shifts = np.arange(width - 1, -1, -1)
    return ((values[..., None].astype(np.int64) >> shifts) & 1).astype(np.uint8)


def _rows(job: EpochJob, engine: Engine) -> NDArray[np.uint8]:
    """Return the beats of all samples as the row streamer reads them, shape (N·B, bytes).

    Only the record beside a row's last beat counts; the others are its complement.
    """
    path, beats = job.datapath, job.beats
    dot, update = job.rows.arrays(path.data_format)
    count = len(dot)

    def lanes(rows: NDArray[Any]) -> NDArray[np.uint8]:
        padded = np.zeros((count, beats * path.lanes), np.int64)
        padded[:, : job.columns] = rows
        highest_first = padded.reshape(count, beats, path.lanes)[..., ::-1]
        return _fields(highest_first, path.data.width).reshape(count, beats, -1)

    record = [_fields(job.offsets, path.accumulator.width)]
    if job.link is Link.CENTRED_TABLE:
        record.insert(0, _fields(job.grid, max(path.link.grid_bits, 1)))
    if job.link is Link.ABSOLUTE_TABLE:
        record.insert(0, _fields(job.targets, path.link.table_bits))
    records = np.repeat(np.concatenate(record, axis=1)[:, None], beats, axis=1)
    records[:, :-1] ^= 1
    parts = [records, *([lanes(update)] if engine.unit.constants["DoubleRows"] else []), lanes(dot)]
    joined = np.concatenate(parts, axis=2).reshape(count * beats, -1)
    filled = np.zeros((len(joined), -joined.shape[1] % 8), np.uint8)
    return np.packbits(np.concatenate([filled, joined], axis=1), axis=1)


def _result(job: EpochJob, outcome: Outcome, trace: StageTrace | None) -> EpochResult:
    """Return what the circuit reports, as a backend does."""
    status, low, high, *counts = outcome.status
    if status != bits("engine_status_e", "DONE"):
        raise AssertionError(f"training_engine: got status {status:#b}; expected done and no error")
    path = job.datapath
    z = [word for beat in outcome.model for word in _signed(beat, path.model.width, path.lanes)]
    ends = zip(outcome.extremes[::2], outcome.extremes[1::2], strict=True)
    extremes = dict(zip(OBSERVED, ends if job.steps else [(0, 0)] * len(OBSERVED), strict=True))
    return EpochResult(
        np.array(z[: job.columns], np.int64), dict(zip(COUNTED, counts, strict=True)), extremes, high << 32 | low, trace
    )


def _signed(word: int, width: int, lanes: int) -> list[int]:
    values = [word >> width * lane & ((1 << width) - 1) for lane in range(lanes)]
    return [value - (1 << width) if value >> (width - 1) else value for value in values]


def node_widths(job: EpochJob, engine: Engine) -> dict[str, int]:
    """Return the bits of a word of each array of a trace, in the order of a step."""
    path = job.datapath
    return {
        "accumulator": path.accumulator.width,
        "index": path.link.index_bits,
        "coefficient": path.coefficient.width,
        "product": engine.product_width,
        "random": max(path.model.random_bits, 1),
        "increment": path.increment.width,
        "model": path.model.width,
    }


def _trace(job: EpochJob, engine: Engine, traced: range, file: Path) -> StageTrace:
    """Return the stage trace that the monitor wrote."""
    trace, lanes = StageTrace.empty(job, traced), job.datapath.lanes
    widths = node_widths(job, engine)
    loops = file.read_text().split("start\n")  # what came before is of loops that a reset cut off
    for line in loops[-1].splitlines():
        stage, step, beat, digits = line.split()
        node, at, number = _NODES[stage], int(step) - traced.start, int(beat)
        array, width = getattr(trace, node), widths[node]
        if node in _BY_STEP:
            array[at] = _signed(int(digits, 16), width, 1)[0]
        elif node == "accumulator":
            array[at, number] = _signed(int(digits, 16), width, 1)[0]
        else:
            values = _signed(int(digits, 16), width, lanes)
            if node in UNSIGNED:
                values = [value % (1 << width) for value in values]
            span = slice(number * lanes, min((number + 1) * lanes, job.columns))
            array[at, span] = values[: span.stop - span.start]
    return trace
