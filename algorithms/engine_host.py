"""The host of the engine: what every low-precision algorithm prepares for its inner loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.curves import Floats
from algorithms.links import CentredLink
from algorithms.points import Draws, Parameters
from algorithms.problems import Problem
from sim.datapath import TrainingDatapath
from sim.engine import EpochJob
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow
from sim.quantize import quantize
from sim.rows import RawRows, Rows
from sim.statistics import Statistics

Words = NDArray[np.int64]


class EngineHost:
    """What stays the same over the epochs of a run: quantized rows, the row draws, positions of the random streams.

    Args:
        algorithm: its name, for errors.
        problem: what to minimise, on real samples.
        datapath: the arithmetic.
        parameters: step size, lengths, seed.

    Raises:
        InputError: without a datapath, or for a problem that the engine cannot run.
    """

    noise: float | None = None
    """Of a sample of a value, as `Point` has it; None where rows are no samples."""

    def __init__(
        self, algorithm: str, problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters
    ) -> None:
        self._prepare(algorithm, problem, datapath, parameters)
        quantized = problem.quantized(self.path.data_format)
        self.problem, self.data_scale = quantized.problem, quantized.scale
        self.store: Rows = RawRows(quantized.raw)
        self.raw = self.store.dot

    def _prepare(
        self, algorithm: str, problem: Problem, datapath: TrainingDatapath | None, parameters: Parameters
    ) -> None:
        """Check problem and datapath, and set up what does not depend on the rows."""
        if not isinstance(datapath, TrainingDatapath):
            raise InputError(
                f"datapath: got {datapath!r}; allowed: a TrainingDatapath, since {algorithm} runs on the engine"
            )
        if not isinstance(problem, Problem):
            raise InputError(
                f"problem: got {type(problem).__name__}; allowed: a problem of one margin a sample with {algorithm} "
                "(one-vs-rest instead of softmax)"
            )
        self.path, self.parameters = datapath, parameters
        self.draws = Draws(parameters, problem.shape[0])
        self.epoch = 0

    def centred_link(self) -> CentredLink:
        """Return the link of algorithms that subtract the gradient at a centre."""
        return CentredLink(self.problem.curve, self.path, self.parameters.step, self.data_scale)

    def gradient_words(self, gradient: Floats, scale: float) -> tuple[Words, Statistics]:
        """Return h, α times a gradient in increments' last bits, to nearest even, and its overflows.

        Args:
            gradient: the full gradient, shape (d,).
            scale: δ_z.
        """
        seen, fmt = Statistics(), QFormat(self.path.increment.width, 0)
        worth = math.ldexp(scale, -self.path.increment.fraction)
        step = self.parameters.step
        h = quantize(step * gradient, fmt, overflow=Overflow.SAT, scale=worth, statistics=seen)
        return h.astype(np.int64), seen

    def job(self, z: Words, h: Words, record: dict[str, Any], exponents: Words | None = None) -> EpochJob:
        """Return the next epoch's inner loop.

        Args:
            z: model or offset words at the start, shape (d,).
            h: gradient words, shape (d,).
            record: the link's part.
            exponents: block exponents, shape (B,).
        """
        position = self.epoch * self.parameters.epoch_length
        self.epoch += 1
        blocks: dict[str, Any] = {} if exponents is None else {"exponents": exponents}
        return EpochJob(
            self.path,
            rows=self.store,
            indices=self.draws.epoch(),
            z=z,
            h=h,
            seed=self.parameters.seed,
            first_step=position,
            **blocks,
            **record,
        )

    def offset_words(self, z: Words) -> tuple[Words, int]:
        """Return β, −x_i·z of all raw rows in the accumulator's format, shape (N,), and how many saturated.

        Args:
            z: model words, shape (d,).
        """
        fmt = QFormat(self.path.accumulator.width, 0)
        exact: Words = -np.einsum("ij,j->i", self.raw, z)  # in 64-bit integers
        words = np.clip(exact, fmt.low, fmt.high)
        return words, int((words != exact).sum())

    def row_bytes(self, rows: int) -> int:
        """Return the bytes of a number of stored rows."""
        return rows * -(-self.problem.shape[1] * self.path.data.width // 8)

    def outer_bytes(self) -> int:
        """Return the bytes of all rows, which a full gradient reads."""
        return self.row_bytes(self.problem.shape[0])

    def require_no_exponents(self, algorithm: str) -> None:
        """Raise an InputError if the datapath has block exponents, which only HALP sets."""
        maximum = self.path.exponents.maximum
        if maximum:
            raise InputError(f"exponents.maximum: got {maximum}; allowed: 0 with {algorithm}, whose scale stays")
