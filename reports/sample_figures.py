"""The figure of a study on samples of few bits: where runs end, and how noisy their samples are, against the bits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from algorithms.points import Sampling
from algorithms.training import algorithm_of
from algorithms.zipml.floating import DEFAULT_BITS, sample_count
from reports.figures import new_figure, save
from reports.pareto import Outcome, median
from reports.study import Study
from sim.row_formats import RowFormat


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
    """Draw the first objective and the variance of samples against their bits; return whether there was anything.

    Args:
        study: for its first objective.
        shown: the points; those without samples are dashed lines.
        path: file to write.
    """
    from matplotlib.ticker import MaxNLocator

    from reports.exploration import COLUMNS

    names = list(dict.fromkeys(outcome.point.series for outcome in shown if sample_bits(outcome) is not None))
    if not names:
        return False
    objective = study.head.objectives[0]
    figure, axes = new_figure(2, width=6.4, height=4.8)
    for k, name in enumerate(names):
        own = sorted((o for o in shown if o.point.series == name), key=lambda o: sample_bits(o) or 0)
        bits = [float(sample_bits(outcome) or 0) for outcome in own]
        ends = [value if math.isfinite(value) else math.nan for value in (o.value(objective) for o in own)]
        noises = [_noise(outcome) for outcome in own]
        for ax, values in zip(axes, (ends, noises), strict=True):
            ax.plot(bits, values, marker="osv^D"[k % 5], markersize=4, linewidth=1.3, color=f"C{k}", label=name)
    for outcome in shown:
        if outcome.point.series == "full":
            axes[0].axhline(outcome.value(objective), linestyle="--", color="0.35", linewidth=1, label="full")
    axes[0].set(ylabel=f"{COLUMNS[objective]} at the end")
    axes[1].set(ylabel="mean variance of a sample / mean square of the values")
    for ax in axes:
        ax.set(xlabel="bits read for a sample of a value", yscale="log")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=7)
    figure.suptitle(study.head.name, fontsize=10)
    save(figure, path)
    return True


def _noise(outcome: Outcome) -> float:
    seen = [epoch.get("noise") for record in outcome.records for epoch in record["epochs"][:1]]
    numbers = [value for value in seen if value]
    return median(numbers) if numbers else math.nan
