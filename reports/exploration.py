"""What an exploration shows: a table of the Pareto front, and two figures, from the records alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from reports.explorer import REFUSED
from reports.figures import new_figure, save, title
from reports.pareto import Outcome, median, paired_difference
from reports.study import Study
from reports.tables import styled
from sim.cost import LABEL

COLUMNS = {
    "gradient_norm": "gradient norm",
    "suboptimality": "suboptimality",
    "error": "error",
    "model_bits": "model bits",
    "bits_moved": "bits moved",
    "gates": "unit gates",
    "cycles": "cycles",
}
"""Objectives as tables and axes name them."""
CURVES = {"gradient_norm": "gradient norm", "suboptimality": "(f − f*) / (f0 − f*)"}
"""What curves show, as axes name it."""
LEAVES = 1e6
"""A run that diverged past so many times its start leaves the picture."""
LEAST_NEEDED = ("lowest", "highest"), ("bits moved",), ("subopt.",), ("on circuit",)
"""Columns of the table that go first where the terminal is narrow."""
WRAPPED = ("series", "point")
"""Columns of the table whose texts take more lines where the terminal is narrow."""
SURROGATE = "one-vs-rest (stands in for softmax)"


def exploration_table(study: Study, shown: Sequence[Outcome], title: str, width: int) -> Table:
    """Return a table with a line a point: median over the runs, lowest and highest, cost, state.

    Columns without a number are left out, and where not all fit, those of `LEAST_NEEDED`; the caption names the latter.
    What is still too wide wraps the names of points: a number is never cut.

    Args:
        study: for the names of its objectives.
        shown: the points.
        title: over the table.
        width: characters a line.
    """
    base = next((outcome for outcome in shown if outcome.point.series == study.head.baseline), None)
    cells = {name: values for name, values in _cells(study, shown, base).items() if set(values) != {"–"}}
    left_out: list[str] = []
    for names in LEAST_NEEDED:
        if _width(cells) > width:
            left_out += [name for name in names if cells.pop(name, None)]
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    notes = ["medians over the runs"]
    if "subopt." in cells:
        notes.append("subopt.: (f − f*)/(f0 − f*)")
    if "unit gates" in cells:
        notes.append(f"unit gates: {LABEL}")
    if "on circuit" in cells:
        notes.append("on circuit: epochs that it repeated word for word, of those of all runs")
    if left_out:
        notes.append(f"no room for: {', '.join(left_out)}")
    table.caption, table.caption_justify = "; ".join(notes), "left"
    for name, values in cells.items():
        justify: Literal["left", "right"] = "left" if name in (*WRAPPED, "state") else "right"
        least = None if name in WRAPPED else _column_width(name, values)
        table.add_column(_header(name), justify=justify, no_wrap=name not in WRAPPED, overflow="fold", min_width=least)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*(styled(cell) if name == "state" else Text(cell) for name, cell in zip(cells, row, strict=True)))
    return table


def _cells(study: Study, shown: Sequence[Outcome], base: Outcome | None) -> dict[str, list[str]]:
    """Return the columns of the table by name."""
    norms = [outcome.finals("gradient_norm") for outcome in shown]
    errors = [outcome.value("error") for outcome in shown]
    return {
        "series": [outcome.point.series for outcome in shown],
        "point": [outcome.point.axes or "–" for outcome in shown],
        "gradient norm": [_figure(median(ends)) for ends in norms],
        "lowest": [_figure(min(ends)) for ends in norms],
        "highest": [_figure(max(ends)) for ends in norms],
        "subopt.": [_figure(outcome.value("suboptimality")) for outcome in shown],
        "accuracy": ["–" if math.isnan(error) else f"{100 * (1 - error):.2f} %" for error in errors],
        f"− {study.head.baseline}": ["–" if base is None else _difference(study, outcome, base) for outcome in shown],
        "bits moved": [_figure(outcome.value("bits_moved")) for outcome in shown],
        "unit gates": ["–" if outcome.cost is None else f"{outcome.cost.total_gates:,}" for outcome in shown],
        "on circuit": [f"{o.co_simulated}/{o.epochs}" if o.co_simulated else "–" for o in shown],
        "state": [outcome.state for outcome in shown],
    }


def _header(name: str) -> str:
    """Return a column's header, in two lines if it has two words."""
    return name.replace("− ", "−\u00a0").replace(" ", "\n", 1)


def _width(cells: dict[str, list[str]]) -> int:
    """Return the width of a table, with two blanks between its columns."""
    return sum(2 + _column_width(name, values) for name, values in cells.items()) - 2


def _column_width(name: str, values: list[str]) -> int:
    return max(map(len, [*values, *_header(name).splitlines()]))


def refusals(every: Sequence[Outcome]) -> list[str]:
    """Return a line for each point with refused runs: how many, and the reason of the first."""
    lines = []
    for outcome in every:
        reasons = [record["reason"] for record in outcome.records if record["state"] == REFUSED]
        if reasons:
            lines.append(f"{outcome.point.label}: {len(reasons)} of {len(outcome.records)} runs refused: {reasons[0]}")
    return lines


def headline(study: Study, shown: Sequence[Outcome]) -> str:
    """Return what a study is about, on which data."""
    record = next((outcome.records[0] for outcome in shown if outcome.records), None)
    if record is None:
        return study.head.name
    samples, columns = record["shape"]
    kind = f", {SURROGATE}" if record["one_vs_rest"] else ""
    loss = str(study.head.loss).replace("_", " ")
    data = f"{study.data.source} ({samples} × {columns}), {loss}{kind}"
    return f"{study.head.name}: {data}, {len(study.replicates)} runs a point"


def draw_curves(study: Study, shown: Sequence[Outcome], path: Path) -> None:
    """Draw gradient norm and suboptimality per epoch: medians, with bands from the lowest to the highest run.

    Args:
        study: for the title.
        shown: the points to draw.
        path: file to write.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = new_figure(2, width=6.4, height=4.8)
    for outcome, colour in zip(shown, _colours(shown), strict=True):
        style = "--" if outcome.point.datapath is None else "-"
        for ax, quantity in zip(axes, CURVES, strict=True):
            rows = drawn(outcome.curves(quantity))
            seen = ~np.isnan(rows).all(axis=0)
            if not seen.any():
                continue
            epochs = np.arange(rows.shape[1])[seen]
            rows = rows[:, seen]
            ax.plot(epochs, np.nanmedian(rows, axis=0), style, color=colour, linewidth=1.3,
                    label=f"{outcome.point.label}: {outcome.state}")  # fmt: skip
            ax.fill_between(
                epochs, np.nanmin(rows, axis=0), np.nanmax(rows, axis=0), color=colour, alpha=0.2, linewidth=0
            )
    for ax, name in zip(axes, CURVES.values(), strict=True):
        ax.set(xlabel="epoch", ylabel=name, yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=7)
    title(figure, heading(study, shown))
    save(figure, path)


def summary(study: Study, every: Sequence[Outcome], best: Sequence[Outcome]) -> dict[str, Any]:
    """Return the points of a study as plain values for JSON; what is no number is None."""
    chosen = {id(outcome) for outcome in best}
    return {
        "study": study.head.name,
        "objectives": list(study.head.objectives),
        "points": [
            {
                "series": outcome.point.series,
                "algorithm": outcome.point.algorithm,
                "varied": outcome.point.varied,
                "tuned": outcome.point.tuned,
                "runs": [record["key"] for record in outcome.records],
                "state": outcome.state,
                "on_front": id(outcome) in chosen,
                "epochs": outcome.epochs,
                "co_simulated_epochs": outcome.co_simulated,
                **{name: _plain(outcome.value(name)) for name in COLUMNS},
            }
            for outcome in every
        ],
    }


def heading(study: Study, shown: Sequence[Outcome]) -> str:
    """Return the lines over a figure: what the study asks, and on which data."""
    return "\n".join(filter(None, (study.head.about, headline(study, shown))))


def drawn(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return curves with NaN for what a logarithmic axis cannot show, or would show nothing but."""
    return np.where((rows > 0) & (rows <= _highest(rows)), rows, np.nan)


def _highest(rows: NDArray[np.float64]) -> float:
    return LEAVES * float(np.nanmax(rows[:, :1], initial=0.0))


def run_ends(outcome: Outcome, objective: str) -> list[float]:
    """Return an objective at the end of each run, without runs that left the picture."""
    if objective in ("gradient_norm", "suboptimality"):
        highest = _highest(outcome.curves(objective))
        return [end for end in outcome.finals(objective) if end <= highest]
    if objective == "error":
        return [1.0 - accuracy for accuracy in outcome.finals("accuracy")]
    return [outcome.value(objective)]


def palette(count: int) -> list[Any]:
    """Return colours of series."""
    from matplotlib import colormaps

    return [colormaps["tab10"](k % 10) for k in range(count)]


def _colours(shown: Sequence[Outcome]) -> list[Any]:
    """Return a colour a point: a hue a series, from light to dark along its axis."""
    from matplotlib.colors import to_rgb

    names = list(dict.fromkeys(outcome.point.series for outcome in shown))
    hues = dict(zip(names, palette(len(names)), strict=True))
    counts = {name: sum(outcome.point.series == name for outcome in shown) for name in names}
    seen = dict.fromkeys(names, 0)
    colours = []
    for outcome in shown:
        name = outcome.point.series
        share = 1.0 if counts[name] == 1 else 0.35 + 0.65 * seen[name] / (counts[name] - 1)
        seen[name] += 1
        colours.append(tuple(1 - share * (1 - part) for part in to_rgb(hues[name])))
    return colours


def _difference(study: Study, outcome: Outcome, base: Outcome) -> str:
    """Return the difference in accuracy to the baseline with its standard error, in points."""
    mean, error = paired_difference(study, outcome, base)
    return "–" if outcome is base or math.isnan(mean) else f"{100 * mean:+.2f} ± {100 * error:.2f}"


def _figure(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.3g}"


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
