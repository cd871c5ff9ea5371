"""Figures of a study on samples of few bits: how runs converge, where they end, and how noisy their samples are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algorithms.points import Sampling
from algorithms.training import algorithm_of
from algorithms.zipml.floating import DEFAULT_BITS, sample_count
from reports.exploration import COLUMNS, CURVES, drawn, heading, run_ends
from reports.explorer import REFUSED
from reports.figures import new_figure, save, title
from reports.pareto import Outcome, median
from reports.study import Study
from sim.row_formats import RowFormat

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BITS = {"sample_bits"}
"""What a panel's series may vary."""
FULL = "the rows themselves"


def sample_bits(outcome: Outcome) -> int | None:
    """Return the bits read for a sample of a value; None where rows are read as they are."""
    point = outcome.point
    if "sample_bits" not in algorithm_of(point.algorithm).own or point.parameters.get("sampling") == "full":
        return None
    given: int | None = point.parameters.get("sample_bits")
    if given is not None:
        return given
    return DEFAULT_BITS if point.datapath is None else point.datapath.data.width


def stored_bits(outcome: Outcome) -> int | None:
    """Return the bits stored for all samples of a value, on a shared base; None where there are no samples."""
    bits, parameters = sample_bits(outcome), outcome.point.parameters
    if bits is None:
        return None
    count = sample_count(Sampling(parameters.get("sampling", Sampling.DOUBLE)), parameters.get("degree"))
    return RowFormat(bits=bits, samples=count).stored_bits


def draw_samples(study: Study, shown: Sequence[Outcome], path: Path) -> bool:
    """Draw where runs end against the bits of samples, both read and stored, and how noisy the samples are.

    Marks are medians over the runs, bars go from the lowest to the highest; a cross at the upper edge tells of runs
    that diverged, which neither has. What a series varies besides bits stands beside its marks.

    Args:
        study: for its first objective.
        shown: the points; those on the rows themselves are dashed lines.
        path: file to write.

    Returns:
        Whether there was anything to draw.
    """
    from matplotlib.ticker import MaxNLocator

    names = _sampled(shown)
    if not names:
        return False
    objective = study.head.objectives[0]
    figure, axes = new_figure(3, width=4.6, height=4.8)
    for k, name in enumerate(names):
        own = sorted((o for o in shown if o.point.series == name), key=lambda o: sample_bits(o) or 0)
        ends = [[value for value in run_ends(o, objective) if math.isfinite(value)] or [math.nan] for o in own]
        noises = [_noises(outcome) for outcome in own]
        shift = 0.05 * (k - (len(names) - 1) / 2)  # so that bars stand beside each other
        for ax, bits, values in zip(axes, (sample_bits, stored_bits, sample_bits), (ends, ends, noises), strict=True):
            middles = [median(each) for each in values]
            spread = [[m - min(each) for m, each in zip(middles, values, strict=True)],
                      [max(each) - m for m, each in zip(middles, values, strict=True)]]  # fmt: skip
            places = [(bits(o) or 0) + shift for o in own]
            joined = "-" if len(set(places)) == len(places) else ""
            ax.errorbar(places, middles, yerr=spread, marker="osv^D"[k % 5], markersize=4, linestyle=joined,
                        linewidth=1.3, capsize=2, elinewidth=1.3, color=f"C{k}", label=name)  # fmt: skip
            for outcome, place, middle in zip(own, places, middles, strict=True):
                if ax is not axes[2] and math.isfinite(middle):
                    ax.annotate(_besides(outcome), (place, middle), textcoords="offset points", xytext=(5, -3),
                                fontsize=6.5, color=f"C{k}")  # fmt: skip
        for ax, bits in zip(axes, (sample_bits, stored_bits), strict=False):
            _cross_out(ax, [(o, (bits(o) or 0) + shift) for o in own], objective, f"C{k}")
    for outcome in shown:
        if outcome.point.parameters.get("sampling") == Sampling.FULL:
            for ax in axes[:2]:
                ax.axhline(outcome.value(objective), linestyle="--", color="0.35", linewidth=1, label=FULL)
    for ax in axes[:2]:
        ax.set(ylabel=f"{COLUMNS[objective]} at the end")
    axes[2].set(ylabel="mean variance of a sample\n/ mean square of the values")
    for ax, what in zip(axes, ("read for a sample", "stored for all samples", "read for a sample"), strict=True):
        ax.set(xlabel=f"bits {what} of a value", yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=7)
    title(figure, f"{heading(study, shown)}\nmedians over the runs, bars from the lowest to the highest")
    save(figure, path)
    return True


def draw_convergence(study: Study, shown: Sequence[Outcome], path: Path) -> bool:
    """Draw the first objective per epoch of float series on samples, a panel for each number of bits read.

    Args:
        study: for its first objective.
        shown: the points; those on the rows themselves are in every panel.
        path: file to write.

    Returns:
        Whether there was anything to draw.
    """
    objective = study.head.objectives[0]
    floats = [o for o in shown if o.point.datapath is None and objective in ("gradient_norm", "suboptimality")]
    panels = sorted({sample_bits(outcome) or 0 for outcome in floats} - {0})
    if len(panels) < 2:
        return False
    full = [o for o in floats if o.point.parameters.get("sampling") == Sampling.FULL]
    names = _sampled(floats)
    figure, axes = new_figure(len(panels), width=2.9, height=4.0)
    for ax, bits in zip(axes, panels, strict=True):
        for outcome in [*full, *(o for o in floats if sample_bits(o) == bits and not o.point.varied.keys() - BITS)]:
            series = outcome.point.series
            style: dict[str, Any] = (
                {"color": "0.2", "linestyle": "--"} if outcome in full else {"color": f"C{names.index(series)}"}
            )
            rows = drawn(outcome.curves(objective))
            epochs = np.arange(rows.shape[1])
            ax.plot(epochs, np.median(rows, axis=0), linewidth=1.3, label=FULL if outcome in full else series, **style)
            ax.fill_between(epochs, rows.min(axis=0), rows.max(axis=0), color=style["color"], alpha=0.2, linewidth=0)
        ax.set(xlabel="epoch", yscale="log")
        ax.set_title(f"{bits} bits a sample", fontsize=9)
        ax.sharey(axes[0])
        ax.label_outer()
    axes[0].set(ylabel=CURVES[objective])
    entries = {text: line for ax in axes for line, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(list(entries.values()), list(entries), loc="outside right upper", frameon=False, fontsize=8)
    title(figure, f"{heading(study, shown)}\nmedians over the runs, bands from the lowest to the highest")
    save(figure, path)
    return True


def _besides(outcome: Outcome) -> str:
    """Return what a point's series varies besides the bits of samples: names and values."""
    varied = outcome.point.varied.items()
    return ", ".join(f"{name} {value}" for name, value in varied if name not in {*BITS, "data.width"})


def _cross_out(ax: Axes, places: Sequence[tuple[Outcome, float]], objective: str, colour: str) -> None:
    """Mark at the upper edge how many runs of a point diverged, or were refused, and so are in no mark."""
    lines = 0
    for outcome, place in places:
        lost = len(outcome.records) - sum(map(math.isfinite, run_ends(outcome, objective)))
        if lost:
            height = 0.98 - 0.045 * lines
            ax.plot([place], [height], "x", color=colour, markersize=6, transform=ax.get_xaxis_transform())
            text = f"{lost} of {len(outcome.records)} diverged" if outcome.state != REFUSED else "refused"
            ax.annotate(": ".join(filter(None, (_besides(outcome), text))), (place, height), ha="right", va="center",
                        xycoords=ax.get_xaxis_transform(), xytext=(-6, 0), textcoords="offset points", fontsize=6.5,
                        color=colour)  # fmt: skip
            lines += 1


def _sampled(shown: Sequence[Outcome]) -> list[str]:
    """Return the series that read samples, in the study's order."""
    return list(dict.fromkeys(outcome.point.series for outcome in shown if sample_bits(outcome) is not None))


def _noises(outcome: Outcome) -> list[float]:
    """Return the noise of each run's samples; NaN where there is none."""
    seen = [epoch.get("noise") for record in outcome.records for epoch in record["epochs"][:1]]
    return [value for value in seen if value] or [math.nan]
