"""ZipML in floating point: every sampling; few bits of data, model and gradient; averages."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import HINGE_KIND, SMOOTHED_HINGE_KIND, Floats
from algorithms.points import Parameters, Point, Points, SampleLevels, Sampling
from algorithms.problems import Problem
from algorithms.svrg import FloatRun, require_no_datapath
from algorithms.zipml.epochs import Epochs
from algorithms.zipml.nonlinear import chebyshev
from algorithms.zipml.sampling import BLOCK, HostWords, LargestLevel, Sampler
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.formats import QFormat

DEFAULT_BITS = 8
DEFAULT_DEGREE, DEFAULT_RADIUS = 5, 16.0
ALONE = (Sampling.NAIVE, Sampling.NEAREST)
"""Samplings of one rounding a value."""
FLAT = (HINGE_KIND, SMOOTHED_HINGE_KIND)
"""Curves whose slope is constant but for a short way, so that an interval of margins may tell it."""
BUCKET = 128
"""Values of a gradient that share a norm."""
LEVEL_WORDS = QFormat(16, 0)
"""What optimal levels are rounded to."""


def sample_count(sampling: Sampling, degree: int | None = None) -> int:
    """Return the samples of a value that a step takes, k; `degree` is that of polynomial sampling.

    Example:
        >>> sample_count(Sampling.DOUBLE), sample_count(Sampling.NAIVE), sample_count(Sampling.POLYNOMIAL, 7)
        (2, 1, 8)
    """
    if sampling is Sampling.POLYNOMIAL:
        return (DEFAULT_DEGREE if degree is None else degree) + 1
    return 1 if sampling in ALONE else 2


def step_bits(columns: int, model_bits: int | None = None, gradient_bits: int | None = None) -> int:
    """Return the bits of model and gradient that a step of `zipml_float` moves, 64 a value where they are not rounded.

    The model goes to the dot product, with its norm if it is rounded, and the gradient to where the model is kept, with
    a norm for every 128 values.

    Example:
        >>> step_bits(784), step_bits(784, 8, 8)
        (100352, 13056)
    """
    model = columns * 64 if model_bits is None else columns * model_bits + 64
    gradient = columns * 64 if gradient_bits is None else columns * gradient_bits + 64 * -(-columns // BUCKET)
    return model + gradient


class FloatSamples:
    """Samples of a problem's rows as real numbers, fresh ones for every epoch; uniform levels are scaled by column.

    Args:
        problem: whose rows are sampled.
        parameters: seed, sampling, sample bits, levels, degree and radius.

    Attributes:
        sampler: what draws; None where the rows themselves are read.
        form: what a step does with the samples of a row, a number of `algorithms.kernels`.
        coefficients: of the polynomial in place of Φ'; empty where there is none.
        widths: largest interval of each column, shape (d,); empty where nothing is refetched.
    """

    def __init__(self, problem: Problem, parameters: Parameters) -> None:
        from algorithms import kernels

        self.rows: Floats = np.ascontiguousarray(problem.rows)
        self.sampling = parameters.sampling
        self.sampler: Sampler | None = None
        self.drawn = 0
        self.form, self.coefficients, self.widths = kernels.PAIR, np.zeros(0), np.zeros(0)
        polynomial = self.sampling is Sampling.POLYNOMIAL
        if self.sampling is Sampling.FULL:
            _require_unset(parameters, sample_bits=None, levels=SampleLevels.UNIFORM)
        if not polynomial:
            _require_unset(parameters, degree=None, radius=None)
        if self.sampling is Sampling.FULL:
            return
        degree = DEFAULT_DEGREE if parameters.degree is None else parameters.degree
        bits = DEFAULT_BITS if parameters.sample_bits is None else parameters.sample_bits
        count = sample_count(self.sampling, degree)
        if parameters.levels is SampleLevels.UNIFORM and bits < 2:
            raise InputError(f"sample_bits: got {bits}; allowed: 2 to 8 with uniform levels")
        rows, levels = self.rows, parameters.levels

        def sampler() -> Sampler:
            if levels is SampleLevels.OPTIMAL:
                return Sampler.with_levels(rows, bits, LEVEL_WORDS, samples=count)
            return Sampler.uniform(rows, bits, scaling=LargestLevel.COLUMN, samples=count)

        self.epochs = Epochs.of(rows, parameters.seed, sampler, "float", bits, count, levels)
        self.sampler = self.epochs.sampler
        if polynomial:
            radius = DEFAULT_RADIUS if parameters.radius is None else parameters.radius
            self.form, self.coefficients = (
                kernels.POLYNOMIAL,
                chebyshev(problem.curve.response, degree, radius).coefficients,
            )
        elif self.sampling is Sampling.REFETCH:
            if problem.curve.kind not in FLAT:
                loss = type(problem).__name__
                raise InputError(f"sampling: got refetch with the loss {loss}; allowed: with a hinge or smoothed hinge")
            self.form, self.widths = kernels.REFETCH, self.sampler.widths()
        elif self.sampling is Sampling.SYMMETRIC:
            self.form = kernels.MEAN

    def draw(self) -> Floats:
        """Return the samples of all rows, shape (k, N, d): the first for the dot product, the last the direction."""
        if self.sampler is None:
            return self.rows[None]
        if self.sampling is Sampling.NEAREST:
            return self.sampler.nearest()[None]
        self.drawn += 1
        return self.epochs.values(self.drawn - 1)

    def noise(self) -> float | None:
        """Return the mean variance of a sample in units of the values' mean square; None without random samples."""
        if self.sampler is None or self.sampling is Sampling.NEAREST:
            return None
        return self.epochs.noise

    def row_bytes(self) -> int:
        """Return the bytes of a stored row."""
        if self.sampler is None:
            return self.real_bytes()
        return self.sampler.fmt.row_bytes(self.rows.shape[1])

    def real_bytes(self) -> int:
        """Return the bytes of a row as it is."""
        return int(self.rows.shape[1] * self.rows.itemsize)


def _require_unset(parameters: Parameters, **unset: object) -> None:
    for name, nothing in unset.items():
        value = getattr(parameters, name)
        if value != nothing:
            raise InputError(f"{name}: got {value}; allowed: none with sampling {parameters.sampling}")


def zipml_float(problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters) -> Points:
    """Yield the points of ZipML in float64: w ← w − α·Q4(Q1(x)·(l'(Q2(x)·Q3(w)) + λ·Q3(w))), the Q unbiased roundings.

    Q1 and Q2 are samples of the row, drawn afresh every epoch; Q3 rounds the model and Q4 the gradient in every step.
    Source: H. Zhang et al., ZipML, arXiv 1611.05402. On losses that are no squares only polynomial sampling (for its
    polynomial) and refetching (on hinges) are unbiased.

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
    noise = samples.noise()
    model = _Rounding(parameters.model_bits, 2, parameters.seed, problem.shape[1])
    gradient = _Rounding(parameters.gradient_bits, 3, parameters.seed, BUCKET)
    w, shown = run.start, run.start
    sums: list[Floats] = []
    for epoch in range(parameters.epochs + 1):
        start, slope = shown, problem.gradient(shown)
        if epoch == parameters.epochs:
            yield Point(problem, start, slope)
            return
        indices, fetched = run.draws.epoch(), 0
        w, total, held = w.copy(), np.zeros_like(w), samples.draw()
        block = max(1, BLOCK // len(w))
        for first in range(0, len(indices), block):
            part = indices[first : first + block]
            shape = (len(part), len(w))
            fetched += kernels.sampled_loop(
                problem.curve.kind, samples.form, held, samples.rows, samples.widths, samples.coefficients,
                problem.responses, part, w, parameters.step, problem.ridge, model.words(shape), gradient.words(shape),
                total,
            )  # fmt: skip
        del held  # else samples of every class's last epoch stay
        sums.append(total)
        late = sums[len(sums) // 2 :]
        shown = np.sum(late, axis=0) / (len(late) * len(indices)) if parameters.averaged and len(indices) else w
        moved = len(indices) * samples.row_bytes() + fetched * samples.real_bytes()
        counts = {"refetched": fetched} if parameters.sampling is Sampling.REFETCH else None
        yield Point(problem, start, slope, counts=counts, bytes_moved=moved, steps=len(indices), noise=noise)


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
