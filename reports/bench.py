"""Speeds as ratios: each block against the best plain code for the same data, on one thread of this machine."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # published without types

from sim.accumulate import Accumulator, matmul
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, Registers, run
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.packed_rows import PackedRows
from sim.quantize import quantize
from sim.random_bits import Xorshift32, row_indices
from sim.row_formats import Base, RowFormat, unpacked
from sim.rows import RawRows

VALUES = 10_000_000
"""Numbers quantized: 80 MB of float64, so that they come from main memory."""
ROWS, COLUMNS = 60_000, 784
"""Samples of the engine's rows: 47 MB of int8, 188 MB of float32."""
_VALUES = "M values/s"


@dataclass(frozen=True, slots=True)
class Ratio:
    """How fast something is, as a multiple of its baseline's speed.

    Attributes:
        name: what was measured.
        baseline: what it is compared with.
        value: median over the repeats of the ratio of speeds; above 1 is faster than the baseline.
        low: first quartile of that ratio.
        high: third quartile.
        rate: median speed, in `unit`.
        baseline_rate: median speed of the baseline, in `unit`.
        unit: unit of both.
    """

    name: str
    baseline: str
    value: float
    low: float
    high: float
    rate: float
    baseline_rate: float
    unit: str


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    work: float
    run: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str
    of_seconds: Callable[[float], float]
    """The rate at a given number of seconds a piece of work."""


def run_bench(quick: bool = False) -> list[Ratio]:
    """Return the measured ratios, each within one run and on one thread, from interleaved repeats.

    Args:
        quick: 3 repeats instead of 15, on the same sizes.
    """
    repeats = 3 if quick else 15
    with threadpool_limits(1):
        return [*_quantize_ratios(repeats), *_matmul_ratios(repeats), *_row_ratios(repeats), *_engine_ratios(repeats)]


def bench_table(ratios: Sequence[Ratio]) -> Table:
    """Return a table of ratios, with the machine as its title."""
    table = Table(title=machine(), title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.caption = "medians and quartiles of interleaved repeats, CPU time"
    if any(ratio.unit == _VALUES for ratio in ratios):
        table.caption += "; an array is read at 8 bytes a value"
    table.caption_justify = "left"
    for name in ("speed of", "ratio", "quartiles", "rate", "to that of", "rate"):
        table.add_column(name, justify="left" if name in ("speed of", "to that of") else "right")
    for ratio in ratios:
        quartiles = f"{_shown(ratio.low)} – {_shown(ratio.high)}"
        rate, other = (f"{rate:,.{rate < 100:d}f} {ratio.unit}" for rate in (ratio.rate, ratio.baseline_rate))
        table.add_row(ratio.name, f"[bold]{_shown(ratio.value)}[/]", quartiles, rate, ratio.baseline, other)
    return table


def machine() -> str:
    """Return one line that names the processor, the versions that matter, and the number of threads."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = (line.partition(":") for line in information.read_text(encoding="utf-8").splitlines())
        model = next((value.strip() for key, _, value in names if key.strip() == "model name"), model)
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    return f"{model}, Python {platform.python_version()}, {versions}, 1 thread"


def _quantize_ratios(repeats: int) -> list[Ratio]:
    values = np.random.default_rng(0).normal(scale=4.0, size=VALUES)  # 5 % of them saturate
    words, read = values.view(np.uint64).reshape(8, -1), _compiled(_xor)
    fmt, generator = QFormat(8, 4), Xorshift32(1)
    return _compare(
        _Unit(_VALUES, lambda seconds: 1e-6 / seconds),
        repeats,
        _Case("reading the same array", VALUES, lambda: read(words)),
        _Case("quantize to 8 bits, TIES_EVEN", VALUES, lambda: quantize(values, fmt)),
        _Case("… other modes (TIES_POS)", VALUES, lambda: quantize(values, fmt, Rounding.TIES_POS)),
        _Case(
            "… STOCHASTIC, 32 bits of Xorshift32",
            VALUES,
            lambda: quantize(values, fmt, Rounding.STOCHASTIC, random=generator),
        ),
    )


def _matmul_ratios(repeats: int) -> list[Ratio]:
    rows, depth, columns = 512, 2048, 512
    random = np.random.default_rng(0)
    # Sums end around 2^23: a fifth of them saturates 24 bits, and no row is proven not to.
    a, b = random.integers(0, 128, (rows, depth)), random.integers(0, 128, (depth, columns))
    real_a, real_b = a.astype(np.float32), b.astype(np.float32)
    work = rows * depth * columns

    def case(name: str, accumulator: Accumulator, scale: int = 1) -> _Case:
        left, right = scale * a, scale * b
        return _Case(name, work, lambda: matmul(left, right, accumulator))

    return _compare(
        _Unit("GMAC/s", lambda seconds: 1e-9 / seconds),
        repeats,
        _Case("numpy float32 matmul", work, lambda: real_a @ real_b),
        case("matmul, 24-bit SAT at every product", Accumulator(24, Overflow.SAT)),
        case("… at every beat of 16", Accumulator(24, Overflow.SAT, lanes=16)),
        case("… 28-bit SAT at every product", Accumulator(28, Overflow.SAT), scale=4),
        case("… 32-bit SAT, proven never to saturate", Accumulator(32, Overflow.SAT)),
        case("… 16-bit WRAP", Accumulator(16, Overflow.WRAP)),
    )


def _row_ratios(repeats: int) -> list[Ratio]:
    """Packing and unpacking of two samples a value, in bytes of unpacked samples."""
    formats = {
        "2 bits, signed": RowFormat(bits=2, signed=True),
        "3 bits, 4 stored": RowFormat(bits=3),
        "8 bits": RowFormat(bits=8),
        "2 bits each, independent": RowFormat(bits=2, base=Base.INDEPENDENT),
        "8 bits each, independent": RowFormat(bits=8, base=Base.INDEPENDENT),
    }
    random, count = np.random.default_rng(0), ROWS // 3
    cases = []
    for name, fmt in formats.items():
        samples = random.integers(fmt.low, fmt.high, (1, count, COLUMNS), np.int8 if fmt.signed else np.uint8)
        samples = samples + random.integers(0, 2, (2, count, COLUMNS), np.int8).view(samples.dtype)
        data = PackedRows.pack(samples, fmt).data
        cases.append(_Case(f"unpack {name}", samples.nbytes, partial(unpacked, data, fmt, COLUMNS, (0, 1))))
        cases.append(_Case(f"pack {name}", samples.nbytes, partial(PackedRows.pack, samples, fmt)))
    target = np.empty_like(samples)
    copy = _Case("copying the samples", samples.nbytes, lambda: np.copyto(target, samples))
    return _compare(_Unit("GB/s", lambda seconds: 1e-9 / seconds), repeats, copy, *cases)


def _engine_ratios(repeats: int) -> list[Ratio]:
    steps, few = 20_000, 5
    random = np.random.default_rng(0)
    rows = random.integers(-127, 128, (ROWS, COLUMNS), np.int8)
    indices = row_indices(Xorshift32(1), ROWS, steps)

    def job(preset: str, count: int) -> EpochJob:
        path = TrainingDatapath.preset(preset)
        blocks = np.full(-(-COLUMNS // path.lanes), min(1, path.exponents.maximum))
        z, h, link = np.zeros(COLUMNS, np.int64), random.integers(-99, 100, COLUMNS), Registers(1 << 15, 25)
        return EpochJob(path, Link.AFFINE, RawRows(rows), indices[:count], z, h, link, exponents=blocks)

    halp8, blocks = job("halp8", steps), job("halp8_blocks", steps)
    real_rows = rows.astype(np.float32)
    real_rows /= 127
    w, shift = np.zeros(COLUMNS, np.float32), random.normal(scale=1e-6, size=COLUMNS).astype(np.float32)
    margins, step, textbook = np.zeros(ROWS, np.float32), np.float32(1e-4), _compiled(_svrg_steps, fastmath=True)
    unit = _Unit("ns/step", lambda seconds: 1e9 * seconds)
    fast = _Case("engine step of 784 columns, halp8", steps, lambda: run(halp8))
    ratios = _compare(
        unit,
        repeats,
        _Case("SVRG in float32, textbook loops", steps, lambda: textbook(real_rows, indices, w, shift, margins, step)),
        fast,
        _Case("… halp8_blocks", steps, lambda: run(blocks)),
    )
    short = job("halp8", few)
    slow = _Case("reference backend", few, lambda: run(short, "reference"))
    return ratios + _compare(unit, repeats, slow, fast)


def _compare(unit: _Unit, repeats: int, baseline: _Case, *cases: _Case) -> list[Ratio]:
    """Return the ratio of each case to the baseline; a repeat runs them all, in an order of its own."""
    everything = (baseline, *cases)
    seconds = np.empty((repeats, len(everything)))
    for case in everything:
        case.run()  # compiles, touches the memory
    for repeat, times in enumerate(seconds):
        for i in np.random.default_rng(repeat).permutation(len(everything)):
            start = thread_time()
            everything[i].run()
            times[i] = (thread_time() - start) / everything[i].work
    rates = [unit.of_seconds(median) for median in np.median(seconds, axis=0).tolist()]
    ratios = []
    for i, case in enumerate(cases, start=1):
        low, value, high = np.quantile(seconds[:, 0] / seconds[:, i], (0.25, 0.5, 0.75)).tolist()
        ratios.append(Ratio(case.name, baseline.name, value, low, high, rates[i], rates[0], unit.name))
    return ratios


def _shown(ratio: float) -> str:
    if ratio < 1:
        return f"{100 * ratio:.2g} %"
    return f"{ratio:.2g}×" if ratio < 100 else f"{ratio:,.0f}×"


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    import numba

    return numba.njit(**options)(function)


def _xor(words: Any) -> Any:
    """Return the XOR of all words, read at eight places in turn: as fast as any plain reader of memory found."""
    total = np.uint64(0)
    for i in range(words.shape[1]):
        for place in range(8):
            total ^= words[place, i]
    return total


def _svrg_steps(rows: Any, indices: Any, w: Any, shift: Any, margins: Any, step: Any) -> None:
    """Make SVRG steps on w; `shift` is step·gradient and `margins` are x_i·w̃ of the snapshot, from the full pass."""
    for t in range(indices.shape[0]):
        x = rows[indices[t]]
        inner = -margins[indices[t]]
        for j in range(x.shape[0]):
            inner += x[j] * w[j]
        for j in range(x.shape[0]):
            w[j] -= step * inner * x[j] + shift[j]
