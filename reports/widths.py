"""The first exploration: which model width reaches what gradient norm, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from algorithms.data import Settings
from algorithms.problems import LeastSquares
from algorithms.trace import State, Trace
from algorithms.training import train
from reports.figures import new_figure, positive, save
from sim.cost import LABEL, estimate
from sim.datapath import TrainingDatapath

WIDTHS = tuple(range(4, 17))
"""Model widths explored, in bits."""
MU_FACTORS = (0.25, 0.5, 1.0, 2.0)
"""HALP's μ is tried at these multiples of the data set's; each width keeps the best."""


@dataclass(frozen=True, eq=False)
class WidthPoint:
    """A model width with the best μ of the grid: its runs over the seeds, and its cost.

    Attributes:
        datapath: the datapath.
        mu: the μ with the lowest median of the final gradient norm.
        traces: one run a seed.
        gates: unit gates, estimated.
        bits: bits moved a step, row and local memories.
    """

    datapath: TrainingDatapath
    mu: float
    traces: tuple[Trace, ...]
    gates: int
    bits: int

    @property
    def finals(self) -> list[float]:
        """Gradient norm at the end of each run; infinite where a run diverged past all numbers."""
        return [norm if math.isfinite(norm) else math.inf for norm in (t.gradient_norms[-1] for t in self.traces)]

    @property
    def median(self) -> float:
        """Median of the final gradient norms."""
        return float(np.median(self.finals))

    @property
    def state(self) -> State:
        """The state of most runs, the worse one if they tie."""
        states = [trace.state for trace in self.traces]
        return max(reversed(State), key=states.count)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "width": self.datapath.model.width,
            "mu": self.mu,
            "gates": self.gates,
            "bits": self.bits,
            "state": str(self.state),
            "runs": [trace.to_dict() for trace in self.traces],
        }


def with_model_width(base: TrainingDatapath, width: int) -> TrainingDatapath:
    """Return a datapath with another model width, and increments and products that keep up with it.

    In last bits of z, a wider model takes longer steps: an increment must span a quarter of the model's range, and the
    product cut shrinks by a bit for every model bit past 8, so that the coefficient's range grows likewise.

    Args:
        base: the datapath to vary.
        width: bits of a model word.
    """
    increment, accumulator = base.increment, base.accumulator
    return base.replace(
        name=f"{base.data.width}/{base.coefficient.width}/{width}",
        model=base.model.replace(width=width),
        increment=increment.replace(width=max(increment.width, increment.fraction + width - 2)),
        product=base.product.replace(cut=max(base.product.cut - max(width - 8, 0), 0)),
        accumulator=accumulator.replace(width=max(accumulator.width, base.data.width + width + 12)),
    )


def explore_widths(
    problem: LeastSquares,
    settings: Settings,
    base: TrainingDatapath,
    *,
    widths: Sequence[int] = WIDTHS,
    seeds: int = 3,
    on_width: Callable[[WidthPoint], None] | None = None,
) -> list[WidthPoint]:
    """Return a point for each model width: HALP trained over μ and seeds, the best μ kept.

    Args:
        problem: what to minimise.
        settings: step size, lengths and the μ around which to look.
        base: datapath whose model width is varied.
        widths: model widths in bits.
        seeds: runs of each width; all widths of a seed draw the same samples.
        on_width: called with each point as it is made.
    """
    points = []
    for width in widths:
        path = with_model_width(base, width)
        cost = estimate(path, problem.shape[1])
        candidates = [
            WidthPoint(
                path, mu, _runs(problem, path, settings, mu, seeds), cost.total_gates, cost.row_bits + cost.local_bits
            )
            for mu in (settings.mu * factor for factor in MU_FACTORS)
        ]
        best = min(candidates, key=lambda point: point.median)
        points.append(best)
        if on_width is not None:
            on_width(best)
    return points


def _runs(
    problem: LeastSquares, path: TrainingDatapath, settings: Settings, mu: float, seeds: int
) -> tuple[Trace, ...]:
    return tuple(
        train(problem, "halp", path, step=settings.step, epoch_length=settings.epoch_length, epochs=settings.epochs,
              mu=mu, seed=seed)
        for seed in range(seeds)
    )  # fmt: skip


def draw_widths(points: Sequence[WidthPoint], baseline: Trace, path: Path) -> None:
    """Draw gradient norms per epoch of some widths, and the final norm against width and cost.

    Args:
        points: the explored widths.
        baseline: float64 SVRG on the same problem.
        path: file to write.
    """
    from matplotlib import colormaps

    figure, (curves, against_width, against_gates) = new_figure(3, width=4.6)
    colours = colormaps["viridis"](np.linspace(0, 0.92, len(points)))
    epochs = np.arange(len(baseline.gradient_norms))
    for point, colour in zip(points, colours, strict=True):
        norms = np.array([[*t.gradient_norms, *[math.nan] * (len(epochs) - len(t.epochs))] for t in point.traces])
        norms[~np.isfinite(norms)] = np.nan
        curve = np.nanmedian(norms, axis=0) if np.isfinite(norms).any(axis=0).all() else norms[0]
        width = point.datapath.model.width
        curves.plot(epochs, positive(curve), color=colour, linewidth=1.3, label=f"{width} bits: {point.state}")
        curves.fill_between(epochs, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.2, linewidth=0)
        finals = np.array(positive(point.finals))
        middle, marker = np.median(finals), "o" if point.state is State.CONVERGED else "x"
        spread = [[middle - finals.min()], [finals.max() - middle]]
        for ax, x in ((against_width, float(width)), (against_gates, float(point.gates))):
            ax.errorbar(x, middle, yerr=spread, fmt=marker, color=colour, capsize=2)
            ax.annotate(f"{width}", (x, middle), textcoords="offset points", xytext=(5, 4), fontsize=7)
    curves.plot(epochs, positive(baseline.gradient_norms), "--", color="0.35", linewidth=1.3, label="float64 SVRG")
    for ax in (against_width, against_gates):
        ax.axhline(baseline.gradient_norms[-1], linestyle="--", color="0.35", linewidth=1)
        ax.set(ylabel="gradient norm at the end", yscale="log")
    curves.set(xlabel="epoch", ylabel="gradient norm", yscale="log")
    curves.legend(frameon=False, fontsize=6.5, ncols=2)
    against_width.set(xlabel="model width in bits (● converged, × not)")
    against_gates.set(xlabel=f"unit gates ({LABEL})")
    data, coefficient = points[0].datapath.data.width, points[0].datapath.coefficient.width
    figure.suptitle(
        f"HALP on {baseline.data}: {data}-bit data, {coefficient}-bit coefficient, model of 4 to 16 bits; "
        f"median and range over {len(points[0].traces)} seeds",
        fontsize=10,
    )
    save(figure, path)
