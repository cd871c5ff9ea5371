"""ZipML in floating point: naive, double, symmetric, full sampling; few bits of data, model and gradient; averages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import Floats
from algorithms.points import Parameters, Point, Points, SampleLevels, Sampling
from algorithms.problems import Problem
from algorithms.svrg import FloatRun, require_no_datapath
from algorithms.zipml.sampling import BLOCK, HostWords, Sampler, Scaling
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.formats import QFormat

DEFAULT_BITS = 8
BUCKET = 128
"""Values of a gradient that share a norm."""
LEVEL_WORDS = QFormat(16, 0)
"""What optimal levels are rounded to."""


class FloatSamples:
    """Fresh samples of a problem's rows for every epoch, as real numbers, with uniform levels scaled by column.

    Args:
        problem: whose rows are sampled.
        parameters: seed, sampling, sample bits, levels.
    """

    def __init__(self, problem: Problem, parameters: Parameters) -> None:
        self.rows: Floats = np.ascontiguousarray(problem.rows)
        self.sampling = parameters.sampling
        self.words = HostWords(parameters.seed, 1)
        self.sampler: Sampler | None = None
        if self.sampling is Sampling.FULL:
            for name, unset in (("sample_bits", None), ("levels", SampleLevels.UNIFORM)):
                value = getattr(parameters, name)
                if value != unset:
                    raise InputError(f"{name}: got {value}; allowed: none with sampling full")
            return
        bits = DEFAULT_BITS if parameters.sample_bits is None else parameters.sample_bits
        count = 1 if self.sampling is Sampling.NAIVE else 2
        if parameters.levels is SampleLevels.OPTIMAL:
            self.sampler = Sampler.with_levels(self.rows, bits, LEVEL_WORDS, samples=count)
        elif bits < 2:
            raise InputError(f"sample_bits: got {bits}; allowed: 2 to 8 with uniform levels")
        else:
            self.sampler = Sampler.uniform(self.rows, bits, scaling=Scaling.COLUMN, samples=count)

    def draw(self) -> tuple[Floats, Floats]:
        """Return update rows and dot rows, each of shape (N, d)."""
        if self.sampler is None:
            return self.rows, self.rows
        packed = self.sampler.draw(self.words)
        dot = self.sampler.values(packed.dot)
        return (dot if packed.update is None else self.sampler.values(packed.update)), dot

    def row_bytes(self) -> int:
        """Return the bytes of a stored row."""
        if self.sampler is None:
            return int(self.rows.shape[1] * self.rows.itemsize)
        return self.sampler.fmt.row_bytes(self.rows.shape[1])


def zipml_float(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of ZipML in float64: w ← w − α·Q4(Q1(x)·(l'(Q2(x)·Q3(w)) + λ·Q3(w))), the Q unbiased roundings.

    Q1 and Q2 are samples of the row, drawn afresh every epoch; Q3 rounds the model and Q4 the gradient in every step.
    Source: H. Zhang et al., ZipML, arXiv 1611.05402. On losses that are no squares no sampling is unbiased.

    Args:
        problem: what to minimise.
        datapath: must be None: everything is floating point.
        parameters: step size, lengths, seed, sampling, bits of data, model and gradient, averaging.

    Raises:
        InputError: with a datapath, for softmax, or for bits that do not fit the sampling.
    """
    from algorithms import kernels

    require_no_datapath("zipml_float", datapath)
    if not isinstance(problem, Problem):
        raise InputError(
            f"problem: got {type(problem).__name__}; allowed: a problem of one margin a sample with zipml_float "
            "(one-vs-rest instead of softmax)"
        )
    run, samples = FloatRun(problem, parameters, np.float64), FloatSamples(problem, parameters)
    model = _Rounding(parameters.model_bits, 2, parameters.seed, problem.shape[1])
    gradient = _Rounding(parameters.gradient_bits, 3, parameters.seed, BUCKET)
    w, shown = run.start, run.start
    sums: list[Floats] = []
    both = parameters.sampling is Sampling.SYMMETRIC
    while True:
        indices = run.draws.epoch()
        moved = len(indices) * samples.row_bytes()
        yield Point(problem, shown, problem.gradient(shown), bytes_moved=moved, steps=len(indices))
        w, total = w.copy(), np.zeros_like(w)
        updates, dots = samples.draw()
        block = max(1, BLOCK // len(w))
        for start in range(0, len(indices), block):
            part = indices[start : start + block]
            shape = (len(part), len(w))
            kernels.sampled_loop(
                problem.curve.kind, updates, dots, problem.responses, part, w, parameters.step, problem.ridge, both,
                model.words(shape), gradient.words(shape), total,
            )  # fmt: skip
        sums.append(total)
        late = sums[len(sums) // 2 :]
        shown = np.sum(late, axis=0) / (len(late) * len(indices)) if parameters.averaged and len(indices) else w


class _Rounding:
    """Levels and random words of the rounding of a vector."""

    def __init__(self, bits: int | None, number: int, seed: int, bucket: int) -> None:
        self.intervals = 0 if bits is None else (1 << (bits - 1)) - 1
        self.bucket, self.source = bucket, HostWords(seed, number)

    def words(self, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.int64], int]:
        """Return what the compiled loop takes for a block of steps."""
        if not self.intervals:
            return 0, 1, np.zeros((0, 0), np.int64), 0
        words: Any = self.source.take(shape[0] * shape[1])[0].reshape(shape)
        return self.intervals, self.bucket, words, self.source.bits
