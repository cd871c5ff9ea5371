"""The figure of a study that shows what its points cost: where runs end against bits and gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algorithms.trace import State
from reports.exploration import COLUMNS, heading, palette, run_ends
from reports.figures import new_figure, save, title
from reports.pareto import STATES, Outcome, median
from reports.study import Study
from sim.cost import LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = dict(zip(STATES, ("o", "s", "^", "v", "D", "X", "P"), strict=True))
"""A point's marker, by state."""
MOST_LOST = 6
"""Points without a mark that are named one by one."""
COSTS = {
    "model_bits": "model bits",
    "bits_moved": "bits moved in the run: rows, model and gradient",
    "gates": f"unit gates ({LABEL})",
}
"""What panels have on their axes; one that no point has a number for is left out."""


def draw_tradeoffs(study: Study, candidates: Sequence[Outcome], best: Sequence[Outcome], path: Path) -> None:
    """Draw the first objective against model bits, bits moved and unit gates; markers name the states.

    Args:
        study: for its first objective.
        candidates: every point.
        best: those on the Pareto front, joined by a line where gates are on the axis.
        path: file to write.
    """
    objective = study.head.objectives[0]
    numbers = {cost: [v for v in (o.value(cost) for o in candidates) if not math.isnan(v)] for cost in COSTS}
    panels = [cost for cost in COSTS if numbers[cost]] or ["bits_moved"]
    figure, axes = new_figure(len(panels), width=max(5.2, 10.4 / len(panels)), height=4.8)
    names = list(dict.fromkeys(outcome.point.series for outcome in candidates))
    colours = dict(zip(names, palette(len(names)), strict=True))
    used, lost = [], []
    for outcome in candidates:
        values = [v for v in run_ends(outcome, objective) if math.isfinite(v) and v > 0]
        colour, state = colours[outcome.point.series], outcome.state
        if not values:
            lost.append(f"not drawn: {outcome.point.label}, {state}")
            continue
        middle = median(values)
        for ax, cost in zip(axes, panels, strict=True):
            x = outcome.value(cost)
            if math.isnan(x):
                ax.axhline(middle, linestyle="--", color=colour, linewidth=1)
                continue
            spread = [[middle - min(values)], [max(values) - middle]]
            ax.errorbar(x, middle, yerr=spread, fmt=MARKERS[state], color=colour, markersize=5, capsize=2, linewidth=1)
            beside = (5, 4) if names.index(outcome.point.series) % 2 == 0 else (5, -9)
            ax.annotate(_point_label(outcome), (x, middle), textcoords="offset points", xytext=beside, fontsize=6.5)
            used.append(state)
    for ax, cost in zip(axes, panels, strict=True):
        ax.set(xlabel=COSTS[cost], ylabel=f"{COLUMNS[objective]} at the end", yscale="log")
        _set_ticks(ax, cost, sorted(set(numbers[cost])))
    chosen = sorted(best, key=lambda outcome: outcome.value("gates"))
    if len(chosen) > 1 and not any(math.isnan(outcome.value("gates")) for outcome in chosen):
        ends = [outcome.value(objective) for outcome in chosen]
        axes[panels.index("gates")].plot([o.value("gates") for o in chosen], ends, color="0.6", zorder=0)
    _keys(figure, colours, [state for state in STATES if state in used], lost)
    title(figure, heading(study, candidates))
    save(figure, path)


def _set_ticks(ax: Axes, cost: str, numbers: Sequence[float]) -> None:
    """Tick whole numbers of bits, round numbers of what is moved, and a single number by itself."""
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

    if cost == "bits_moved":
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(EngFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.tick_params(axis="x", labelsize=8)
    elif len(numbers) == 1:
        ax.set_xticks(numbers, [f"{numbers[0]:,.0f}"])
    elif cost == "model_bits":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _point_label(outcome: Outcome) -> str:
    """Return a short label: the axes' values, and the state where it is not a good one."""
    values = "/".join(
        f"{value:g}" if isinstance(value, float) else str(value) for value in outcome.point.varied.values()
    )
    state = "" if outcome.state in (State.CONVERGED, State.RUNNING) else f" {outcome.state}"
    return (values or outcome.point.series) + state


def _keys(figure: Figure, colours: dict[str, Any], states: Sequence[str], lost: Sequence[str]) -> None:
    """Explain colours (series) and markers (states) beside the axes, and name points that have no mark."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    marks = [Line2D([], [], color="0.3", marker=MARKERS[state], linestyle="", label=state) for state in states]
    texts = lost if len(lost) <= MOST_LOST else [*lost[:MOST_LOST], f"not drawn: {len(lost) - MOST_LOST} more"]
    notes = [Line2D([], [], linestyle="", label=text) for text in texts]
    figure.legend(handles=[*lines, *marks, *notes], loc="outside right upper", frameon=False, fontsize=7)
