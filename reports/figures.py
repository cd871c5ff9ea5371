"""Figures of training runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algorithms.trace import Trace
from sim.errors import InputError, writable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


KINDS = (".png", ".svg", ".pdf")
"""Endings of figures' files."""


def new_figure(columns: int, width: float = 5.5, height: float = 4.2, rows: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure with rows of axes, drawn without a display.

    Args:
        columns: number of axes in a row.
        width: of each, in inches.
        height: of the figure, in inches.
        rows: number of rows; the axes are returned row by row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(rows * columns)]
    for ax in axes:
        ax.grid(visible=True, which="major", color="0.9", linewidth=0.8)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def title(figure: Figure, text: str) -> None:
    """Set a figure's title, from its left edge on, so that it stays clear of a legend at the right."""
    figure.suptitle(text, fontsize=10, x=0.01, ha="left")


def check_figure_path(path: Path) -> None:
    """Raise an InputError if a file's ending names no kind of figure; to be called before a long run."""
    if path.suffix.lower() not in KINDS:
        raise InputError(f"figure: got {str(path)!r}; allowed: a file ending in {', '.join(KINDS)}")


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file; its ending names the kind (png, svg, pdf).

    Raises:
        InputError: for an unknown ending or a file that cannot be written.
    """
    check_figure_path(path)
    legends = [*(ax.get_legend() for ax in figure.axes), *figure.legends]
    names = [text for legend in legends if legend is not None for text in legend.get_texts()]
    for text in (*figure.texts, *names):
        text.set_parse_math(False)  # the name of a datapath is text, whatever it looks like
    with writable(path):
        figure.savefig(path, dpi=150)


def draw_traces(traces: Iterable[Trace], path: Path) -> None:
    """Draw gradient norm and loss of runs against epochs.

    Args:
        traces: the runs; each is labelled with its algorithm, datapath and state.
        path: file to write.
    """
    figure, (left, right) = new_figure(2)
    for trace in traces:
        label = trace.algorithm if trace.datapath is None else f"{trace.algorithm} {trace.datapath.name}"
        style: dict[str, Any] = {"color": "0.35", "linestyle": "--"} if trace.datapath is None else {"marker": "o"}
        epochs = [record.epoch for record in trace.epochs]
        label = f"{label}: {trace.state}"
        left.plot(epochs, positive(trace.gradient_norms), markersize=3.5, linewidth=1.4, label=label, **style)
        losses = positive(record.loss for record in trace.epochs)
        right.plot(epochs, losses, markersize=3.5, linewidth=1.4, label=label, **style)
    left.set(xlabel="epoch", ylabel="gradient norm", yscale="log")
    right.set(xlabel="epoch", ylabel="loss", yscale="log")
    left.legend(frameon=False, fontsize=8)
    figure.suptitle(trace.data, fontsize=11)
    save(figure, path)


def positive(values: Iterable[float]) -> list[float]:
    """Return values for a logarithmic axis: what is not positive and finite leaves a gap."""
    return [value if np.isfinite(value) and value > 0 else float("nan") for value in values]
