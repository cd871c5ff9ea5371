"""What the records of a study say of each point: medians over replicates, cost, state, and the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.data import Loss
from algorithms.trace import State
from algorithms.training import link_of
from algorithms.zipml.floating import step_bits
from reports.explorer import REFUSED, solved
from reports.rtl_backend import circuit_digest
from reports.series import Point
from reports.store import Store
from reports.study import Study
from sim.cost import Cost, estimate

STATES = (*(str(state) for state in State), REFUSED)
"""All names that a run's end can have, from good to bad."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """A point with its runs.

    Attributes:
        point: the point.
        records: one a replicate, in the order of the study's replicates.
        minima: f* of each record's problem; NaN where it is not known.
        co_simulated: epochs of all runs that the circuit repeated, equal in every word.
    """

    point: Point
    records: list[dict[str, Any]] = field(repr=False)
    minima: list[float] = field(repr=False)
    co_simulated: int = 0

    @property
    def epochs(self) -> int:
        """Epochs of all runs."""
        return sum(map(trained_epochs, self.records))

    @property
    def state(self) -> str:
        """The state of most runs, the worse one if they tie."""
        states = [record["state"] for record in self.records]
        return max(reversed(STATES), key=states.count)

    def curves(self, quantity: str) -> NDArray[np.float64]:
        """Return a quantity per epoch, shape (runs, epochs + 1): gradient_norm, loss, accuracy or suboptimality.

        NaN where a run had ended, or was past all numbers.
        """
        length = max((len(record["epochs"]) for record in self.records), default=0)
        rows = np.full((len(self.records), length), np.nan)
        for row, record, least in zip(rows, self.records, self.minima, strict=True):
            name = "loss" if quantity == "suboptimality" else quantity
            values = np.array([_number(epoch[name]) for epoch in record["epochs"]])
            if quantity == "suboptimality" and len(values):
                start = values[0] - least
                values = (values - least) / (start if start > 0 else math.nan)
            row[: len(values)] = values
        return rows

    def finals(self, quantity: str) -> list[float]:
        """Return a quantity at the end of each run; infinite where it is no number (diverged, refused)."""
        ends = [
            _last(row, len(record["epochs"])) for row, record in zip(self.curves(quantity), self.records, strict=True)
        ]
        return [end if math.isfinite(end) else math.inf for end in ends]

    @cached_property
    def cost(self) -> Cost | None:
        """The estimated cost of the datapath; None for a float algorithm."""
        if self.point.datapath is None or not self.records:
            return None
        record = self.records[0]
        link = link_of(self.point.algorithm, Loss(record["problem"]["loss"]))
        return estimate(self.point.datapath, record["shape"][1], link)

    def value(self, objective: str) -> float:
        """Return an objective: the median over the runs, or the cost; NaN where the point has none."""
        if objective in ("gradient_norm", "suboptimality"):
            return median(self.finals(objective))
        if objective == "error":
            ends = [_number(record["epochs"][-1]["accuracy"]) for record in self.records if record["epochs"]]
            return 1.0 - median(ends) if ends else math.nan
        if objective == "model_bits":
            return float(self.point.datapath.model.width) if self.point.datapath is not None else math.nan
        if objective == "gates":
            return float(self.cost.total_gates) if self.cost is not None else math.nan
        if objective == "cycles":
            return self._total("cycles") if self.point.datapath is not None else math.nan
        return 8.0 * self._total("bytes_moved") + self._local_bits * self._total("steps")

    @property
    def _local_bits(self) -> int:
        """Bits of model and gradient that a step moves; of a float run, in its words."""
        if self.cost is not None:
            return self.cost.local_bits
        columns, parameters = int(self.records[0]["shape"][1]), self.point.parameters
        if self.point.algorithm == "zipml_float":
            return step_bits(columns, parameters.get("model_bits"), parameters.get("gradient_bits"))
        bits = 32 if self.point.algorithm.endswith("32") else 64
        words = 4 if self.point.algorithm.startswith("svrg") else 3  # w for the margin; w, g̃ for the update; w written
        return words * bits * columns

    def _total(self, name: str) -> float:
        """Return the median of a sum over the epochs, over the runs that were made; NaN if all were refused."""
        sums = [sum(epoch[name] for epoch in record["epochs"]) for record in self.records if record["epochs"]]
        return median(sums) if sums else math.nan


def trained_epochs(record: dict[str, Any]) -> int:
    """Return the epochs of a run: what a record has of each, less the one that only tells how it ended."""
    return max(len(record["epochs"]) - 1, 0)


def outcomes(study: Study, store: Store) -> list[Outcome]:
    """Return every point that has a record, in the study's order; of tuned values the best of each group.

    The best has the smallest median of the study's first objective, the first of equals.
    """
    by_key, repeated = store.by_key, store.repeated(circuit_digest())
    minima = {entry["key"]: _number(entry["minimum"]) for entry in store.minima.entries}
    runs: dict[int, list[Any]] = {id(point): [] for point in study.points}
    for run in study.runs:
        if run.key in by_key:
            runs[id(run.point)].append(run)
    every = [
        Outcome(
            point,
            [by_key[run.key] for run in runs[id(point)]],
            [minima.get(solved(run).key, math.nan) for run in runs[id(point)]],
            sum(min(repeated.get(run.key, 0), trained_epochs(by_key[run.key])) for run in runs[id(point)]),
        )
        for point in study.points
        if runs[id(point)]
    ]
    chosen: dict[str, Outcome] = {}
    for outcome in every:
        best = chosen.get(outcome.point.group)
        if best is None or _judged(outcome, study) < _judged(best, study):
            chosen[outcome.point.group] = outcome
    return list(chosen.values())


def paired_difference(study: Study, outcome: Outcome, baseline: Outcome) -> tuple[float, float]:
    """Return the mean over paired runs of accuracy minus the baseline's, and its standard error.

    Runs are paired by replicate. Training parts of different folds overlap, so that with folds the variance is that of
    C. Nadeau, Y. Bengio, Inference for the generalization error, 2003: (1/n + held out/trained on)·s².

    Args:
        study: for its folds.
        outcome: the point.
        baseline: what it is compared with.

    Returns:
        Mean and standard error, as shares of 1; NaN where there are not two pairs.
    """
    ends = [
        {_replicate(record): _number(record["epochs"][-1]["accuracy"]) for record in one.records if record["epochs"]}
        for one in (outcome, baseline)
    ]
    pairs = np.array([ends[0][key] - ends[1][key] for key in ends[0].keys() & ends[1].keys()])
    if len(pairs) < 2:
        return math.nan, math.nan
    overlap = 1 / (study.data.folds - 1) if study.head.splits else 0.0
    error = math.sqrt((1 / len(pairs) + overlap) * float(pairs.var(ddof=1)))
    return math.fsum(pairs) / len(pairs), error


def front(candidates: Sequence[Outcome], objectives: Sequence[str]) -> list[Outcome]:
    """Return the points that no other beats: at least as good in every objective and better in one.

    Points without a number in some objective are left out (a float algorithm has no gates), and so are those that
    diverged or were refused, however little they cost.

    Args:
        candidates: the points.
        objectives: all to be small.
    """
    table = {id(outcome): [outcome.value(name) for name in objectives] for outcome in candidates}
    finite = [
        outcome
        for outcome in candidates
        if outcome.state not in (State.DIVERGED, REFUSED) and all(map(math.isfinite, table[id(outcome)]))
    ]

    def beaten(outcome: Outcome) -> bool:
        own = table[id(outcome)]
        return any(
            all(a <= b for a, b in zip(table[id(other)], own, strict=True)) and table[id(other)] != own
            for other in finite
        )

    return [outcome for outcome in finite if not beaten(outcome)]


def median(values: Sequence[float]) -> float:
    """Return the median; infinite where two values in the middle add up to more than a float64."""
    with np.errstate(over="ignore"):
        return float(np.median(values))


def _replicate(record: dict[str, Any]) -> tuple[int, int, int]:
    data = record["problem"]["data"]
    return record["seed"], data["split_seed"], data["fold"]


def _judged(outcome: Outcome, study: Study) -> float:
    value = outcome.value(study.head.objectives[0])
    return value if not math.isnan(value) else math.inf


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _last(row: NDArray[np.float64], length: int) -> float:
    return float(row[length - 1]) if length else math.nan
