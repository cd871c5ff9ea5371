"""What an algorithm is given and what it yields: parameters, and where it stands at the start of every epoch."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.datapath import TrainingDatapath
from sim.engine import EpochJob, EpochResult
from sim.errors import InputError, whole_number
from sim.quantize import mode_of, positive_real
from sim.random_bits import LARGEST_SEED, WORD_BITS, LinearGenerator, Role, Xorshift32, generator_seed, row_indices

Floats = NDArray[np.float64]
LARGEST_EPOCH = 1 << 26
"""Bound on the inner steps of an epoch."""
LARGEST_DEGREE = 15
"""Bound on the degree of polynomial sampling, whose D + 1 samples of a value fit a packed entry."""


class Option(StrEnum):
    """Which iterate of an inner loop of SVRG, LP-SVRG or HALP becomes the next centre."""

    LAST = "I"
    """Option I: the last one, w_T."""
    RANDOM = "II"
    """Option II: w_τ with τ uniform in 0 to T − 1, which the theorems assume; only those τ steps are made."""


class Sampling(StrEnum):
    """Which roundings of a row a step of ZipML takes."""

    DOUBLE = "double"
    """Two independent ones, one for the dot product and one for the update: unbiased."""
    NAIVE = "naive"
    """One for both: biased, it solves another problem. Kept to show what goes wrong."""
    SYMMETRIC = "symmetric"
    """The mean of both orders of two independent ones: unbiased, of no more variance. Float only."""
    POLYNOMIAL = "polynomial"
    """D + 1 of them, D for a polynomial of degree D in place of the slope: unbiased for the polynomial. Float only."""
    REFETCH = "refetch"
    """Two, and the row itself wherever they leave the slope open: unbiased on hinges. Float only."""
    NEAREST = "nearest"
    """The row rounded to the nearest levels, the same in every epoch: the plain rival. Float only."""
    FULL = "full"
    """The row itself. Float only."""


class SampleLevels(StrEnum):
    """Which levels rows are rounded to."""

    UNIFORM = "uniform"
    """Evenly spaced, symmetric around 0."""
    OPTIMAL = "optimal"
    """Those of least mean variance in each column."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What an algorithm is run with.

    Attributes:
        step: step size α.
        epoch_length: inner steps an epoch, T.
        epochs: number of epochs.
        seed: every random choice is a function of it.
        mu: HALP's μ; the offset's range is ‖∇f‖/μ.
        delta: LP-SGD's and LP-SVRG's δ, the worth of the model's last bit.
        option: which iterate becomes the next centre.
        power_of_two: HALP rounds the offset's scale to the nearest power of two (in log2).
        sampling: which roundings of a row a step of ZipML takes.
        sample_bits: bits of a rounding of a value; None: those of the datapath's data words, 8 in floating point.
        levels: which levels rows are rounded to.
        model_bits: bits that ZipML in floating point rounds the model to, for every dot product; None: none.
        gradient_bits: bits that it rounds every gradient to; None: none.
        degree: D of polynomial sampling; None: 5.
        radius: R of polynomial sampling, to which margins are expected; None: 16.
        averaged: it reports the mean of the iterates of the later half of all epochs so far.
    """

    step: float
    epoch_length: int
    epochs: int
    seed: int
    mu: float | None = None
    delta: float | None = None
    option: Option = Option.LAST
    power_of_two: bool = False
    sampling: Sampling = Sampling.DOUBLE
    sample_bits: int | None = None
    levels: SampleLevels = SampleLevels.UNIFORM
    model_bits: int | None = None
    gradient_bits: int | None = None
    degree: int | None = None
    radius: float | None = None
    averaged: bool = False

    def __post_init__(self) -> None:
        for name in ("step", "mu", "delta", "radius"):
            if name == "step" or getattr(self, name) is not None:
                object.__setattr__(self, name, positive_real(name, getattr(self, name)))
        for name, high in (("epoch_length", LARGEST_EPOCH), ("epochs", 1 << 20), ("seed", LARGEST_SEED)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 0, high))
        for name, low, high in (
            ("sample_bits", 1, 8), ("model_bits", 2, 16), ("gradient_bits", 2, 16), ("degree", 0, LARGEST_DEGREE),
        ):  # fmt: skip
            if getattr(self, name) is not None:
                object.__setattr__(self, name, whole_number(name, getattr(self, name), low, high))
        object.__setattr__(self, "sampling", mode_of(Sampling, "sampling", self.sampling))
        object.__setattr__(self, "levels", mode_of(SampleLevels, "levels", self.levels))
        for name in ("power_of_two", "averaged"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name}: got {getattr(self, name)!r}; allowed: True or False")


class Draws:
    """The host's random choices of a run: the rows of every epoch, and how many of its steps are made."""

    def __init__(self, parameters: Parameters, samples: int) -> None:
        self.parameters, self.samples = parameters, samples
        self.rows: LinearGenerator = Xorshift32(generator_seed(parameters.seed, Role.ROWS, 0))
        self.ends: LinearGenerator = Xorshift32(generator_seed(parameters.seed, Role.HOST, 0))

    def epoch(self) -> NDArray[np.int64]:
        """Return the rows of the next epoch's steps; with option II those of its first τ steps."""
        length = self.parameters.epoch_length
        indices = row_indices(self.rows, self.samples, length)
        if self.parameters.option is Option.LAST:
            return indices
        return indices[: self.ends.next() * length >> WORD_BITS]


@dataclass(frozen=True, eq=False)
class Point:
    """Where an algorithm stands at the start of an epoch, and the inner loop it asks for.

    Attributes:
        problem: the problem it solves (on quantized samples, if it quantizes them).
        w: the model, shape (d,), or (K, d) for softmax.
        gradient: the full gradient at w, in its shape.
        job: the engine's inner loop; None if the algorithm makes the epoch itself, or is done.
        scale: δ_z.
        counts: overflows of the host's quantization: of h, and of LP-SVRG's offsets.
        bytes_moved: bytes of rows that the epoch reads: those of its steps, and N for a full gradient.
        steps: inner steps of an epoch that the algorithm makes itself.
        noise: mean variance of a sample of a value, in units of the values' mean square; None without samples.
        done: whether the algorithm ends here: the gradient is 0, not finite, or too small for any scale.
    """

    problem: Any
    w: Floats
    gradient: Floats
    job: EpochJob | None = None
    scale: float | None = None
    counts: dict[str, int] | None = None
    bytes_moved: int = 0
    steps: int = 0
    noise: float | None = None
    done: bool = False


Points = Generator[Point, EpochResult | None, None]
Solver = Callable[[Any, TrainingDatapath | None, Parameters], Points]
