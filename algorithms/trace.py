"""What a training run did, epoch by epoch, and the name of the state it ended in."""

from __future__ import annotations

import math
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

    Attributes:
        epoch: number, from 0.
        loss: f at the start of the epoch.
        gradient_norm: ‖∇f‖ there.
        scale: δ_z, the worth of z's last bit; None for float algorithms.
        counts: overflows by stage of the engine; h counts words of the full gradient.
        steps: inner steps, T.
        updates: words updated, T·d.
        cycles: clock cycles of the circuit.
        bytes_moved: bytes of rows streamed.
        exponents: block exponents.
        moved: whether z moved.
    """

    epoch: int
    loss: float
    gradient_norm: float
    scale: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    steps: int = 0
    updates: int = 0
    cycles: int = 0
    bytes_moved: int = 0
    exponents: tuple[int, ...] = ()
    moved: bool = True

    @property
    def saturated_share(self) -> float:
        """The larger of two shares that overflow changed: of increments and model words, and of coefficients."""
        words = self.counts.get("increment", 0) + self.counts.get("model", 0)
        coefficients = self.counts.get("coefficient", 0)
        return max(words / max(self.updates, 1), coefficients / max(self.steps, 1))


@dataclass
class Trace:
    """A training run: its parameters, a record an epoch, and the final model.

    Attributes:
        algorithm: name of the algorithm.
        data: name of the problem.
        parameters: step, epoch_length, epochs, mu, seed, backend.
        datapath: the datapath, None for float algorithms.
        epochs: the records; the last one holds the final loss and gradient norm.
        w: the final model, shape (d,).
    """

    algorithm: str
    data: str
    parameters: dict[str, Any]
    datapath: TrainingDatapath | None = field(repr=False)
    epochs: list[EpochRecord] = field(default_factory=list, repr=False)
    w: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0), repr=False)

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
            "epochs": [{key: _finite(value) for key, value in asdict(record).items()} for record in self.epochs],
            "w": [_finite(value) for value in self.w.tolist()],
        }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
