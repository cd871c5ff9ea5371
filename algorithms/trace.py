"""What a training run did, epoch by epoch, and the name of the state it ended in."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import TrainingDatapath

SATURATING_SHARE = 0.01
"""A run whose last epoch changed more than this share of its updates or coefficients by overflow is saturating."""
CONVERGED_RATIO = 1e-3
"""A run whose gradient norm fell below this part of its first one has converged."""


class State(StrEnum):
    """How a run ended."""

    CONVERGED = "converged"
    """The gradient is 0, or its norm fell 1000-fold."""
    RUNNING = "running"
    """None of the others: more epochs may help."""
    SATURATING = "saturating"
    """More than 1 % of the updates of the last epoch hit the end of a format."""
    BIASED = "biased"
    """The model rounding has fewer random bits than it cuts."""
    FROZEN = "frozen"
    """An epoch did not move the model at all."""
    DIVERGED = "diverged"
    """The gradient is not finite, or its norm ended above its start."""


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """The state at the start of an epoch, and what its inner loop did (nothing after the last epoch).

    Of one-vs-rest, loss and gradient norm are means over the classes, the scale is the largest, exponents stand one
    class after the other, and all counts are sums.

    Attributes:
        epoch: number, from 0.
        loss: f at the start of the epoch.
        gradient_norm: ‖∇f‖ there.
        accuracy: share of samples on the right side, held-out ones if there are any; None for a regression.
        scale: δ_z, the worth of z's last bit; None for float algorithms.
        counts: overflows by stage of the engine; on the host h counts words of the full gradient, offset LP-SVRG's β;
            of ZipML in floating point refetched counts the steps that fetched the row itself.
        steps: inner steps, T.
        updates: words updated, T·d.
        cycles: clock cycles of the circuit.
        bytes_moved: bytes of rows read, by the steps and by the full gradient.
        exponents: block exponents, one a beat.
        moved: whether z moved.
        noise: mean variance of a sample of a value, in units of the values' mean square; None without samples.
    """

    epoch: int
    loss: float
    gradient_norm: float
    accuracy: float | None = None
    scale: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    updates: int = 0
    cycles: int = 0
    bytes_moved: int = 0
    exponents: tuple[int, ...] = ()
    moved: bool = True
    noise: float | None = None

    @property
    def refetched_share(self) -> float | None:
        """Share of the steps that fetched the row itself; None without refetching."""
        count = self.counts.get("refetched")
        return None if count is None else count / max(self.steps, 1)

    @property
    def saturated_share(self) -> float:
        """The larger of two shares that overflow changed: of increments and model words, and of coefficients."""
        words = self.counts.get("increment", 0) + self.counts.get("model", 0)
        coefficients = self.counts.get("coefficient", 0)
        return max(words / max(self.updates, 1), coefficients / max(self.steps, 1))


def merged(records: Sequence[EpochRecord]) -> EpochRecord:
    """Return one record for the classes of a one-vs-rest run.

    Example:
        >>> merged([EpochRecord(0, 1.0, 3.0, steps=5), EpochRecord(0, 2.0, 1.0, steps=5)])
        EpochRecord(epoch=0, loss=1.5, gradient_norm=2.0, accuracy=None, scale=None, counts={}, steps=10, updates=0,
        cycles=0, bytes_moved=0, exponents=(), moved=True, noise=None)
    """
    scales = [record.scale for record in records if record.scale is not None]
    noises = [record.noise for record in records if record.noise is not None]
    stages = {stage: None for record in records for stage in record.counts}
    return EpochRecord(
        epoch=max(record.epoch for record in records),
        loss=math.fsum(record.loss for record in records) / len(records),
        gradient_norm=math.fsum(record.gradient_norm for record in records) / len(records),
        scale=max(scales) if scales else None,
        counts={stage: sum(record.counts.get(stage, 0) for record in records) for stage in stages},
        steps=sum(record.steps for record in records),
        updates=sum(record.updates for record in records),
        cycles=sum(record.cycles for record in records),
        bytes_moved=sum(record.bytes_moved for record in records),
        exponents=tuple(exponent for record in records for exponent in record.exponents),
        moved=any(record.moved for record in records),
        noise=math.fsum(noises) / len(noises) if noises else None,
    )


@dataclass
class Trace:
    """A training run: its parameters, a record an epoch, and the final model.

    Attributes:
        algorithm: name of the algorithm.
        data: name of the problem.
        parameters: those of `train` that the algorithm has: step, epoch_length, epochs, seed, mu or delta, ...
        datapath: the datapath, None for float algorithms.
        epochs: the records; the last one holds the final loss and gradient norm.
        w: the final model, shape (d,), or (K, d) of a problem of K classes.
        minimum: f*, the least loss of the problem that the run solves; None where it was not asked for.
        classes: of one-vs-rest, the run of each class.
    """

    algorithm: str
    data: str
    parameters: dict[str, Any]
    datapath: TrainingDatapath | None = field(repr=False)
    epochs: list[EpochRecord] = field(default_factory=list, repr=False)
    w: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), repr=False)
    minimum: float | None = None
    classes: list[Trace] = field(default_factory=list, repr=False)

    @property
    def losses(self) -> list[float]:
        """F at the start of every epoch and at the end."""
        return [record.loss for record in self.epochs]

    @property
    def suboptimality(self) -> list[float]:
        """(f − f*)/(f0 − f*) at the start of every epoch and at the end; NaN without f*.

        Near 0 it is the difference of two nearly equal sums: past 1e-13 or so it is noise, and may be negative.
        """
        least = math.nan if self.minimum is None else self.minimum
        first = self.epochs[0].loss - least
        return [(record.loss - least) / first if first > 0 else math.nan for record in self.epochs]

    @property
    def accuracy(self) -> float | None:
        """Share of samples on the right side at the end; None for a regression."""
        return self.epochs[-1].accuracy

    @property
    def model_digest(self) -> str:
        """SHA-256 of the final model's float64 words: equal if and only if all bits are."""
        return hashlib.sha256(np.ascontiguousarray(self.w, "<f8").tobytes()).hexdigest()

    @property
    def gradient_norms(self) -> list[float]:
        """‖∇f‖ at the start of every epoch and at the end."""
        return [record.gradient_norm for record in self.epochs]

    @property
    def state(self) -> State:
        """How the run ended: the first that holds of diverged, frozen, biased, converged, saturating, running.

        A run on a datapath that is marked biased is never called converged.
        """
        norms, loops = self.gradient_norms, self.epochs[:-1]
        if not all(math.isfinite(norm) for norm in norms) or norms[-1] > norms[0]:
            return State.DIVERGED
        if norms[-1] > 0 and any(not record.moved for record in loops):
            return State.FROZEN
        if self.datapath is not None and self.datapath.is_biased:
            return State.BIASED
        if norms[-1] <= CONVERGED_RATIO * norms[0]:
            return State.CONVERGED
        if loops and loops[-1].saturated_share > SATURATING_SHARE:
            return State.SATURATING
        return State.RUNNING

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; numbers that are not finite become None (the state tells which)."""
        from msgspec import to_builtins

        path = None if self.datapath is None else to_builtins(self.datapath)
        return {
            "arithmetic_version": ARITHMETIC_VERSION,
            "algorithm": self.algorithm,
            "data": self.data,
            "parameters": self.parameters,
            "datapath": path,
            "state": str(self.state),
            "minimum": self.minimum,
            "epochs": [{key: _finite(value) for key, value in asdict(record).items()} for record in self.epochs],
            "w": _finite(self.w.tolist()),
        }


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
