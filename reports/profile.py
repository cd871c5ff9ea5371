"""Profiles of runs: collecting them, tables of observed and proposed widths, a histogram of every node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from algorithms.trace import EpochRecord
from reports.figures import new_figure, save
from reports.tables import short
from sim.engine import EpochJob, EpochResult
from sim.errors import InputError
from sim.modes import Overflow
from sim.profile import NodeProfile, Profile
from sim.proposal import Proposal
from sim.ranges import Interval, Node, analyse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW = 4
"""Histograms in a row of the figure, at most."""
WINDOW, BARS, EDGE = "#dcebd8", "#3b6ea5", "#6a9a5b"
"""Colours: the values that a register can hold, the observed ones, and the window's ends."""


@dataclass
class Collector:
    """Adds up the profiles of a run's inner loops.

    Attributes:
        profile: their sum; None before the first loop.
    """

    profile: Profile | None = None

    def add(self, job: EpochJob, result: EpochResult) -> None:
        """Take the profile of one inner loop; to be given to `train` as `on_result`.

        Args:
            job: the loop.
            result: what came of it, with its profile.
        """
        if result.profile is not None:
            self.profile = result.profile if self.profile is None else self.profile.merged(result.profile)

    def total(self, records: Sequence[EpochRecord]) -> Profile:
        """Return the profile of the whole run.

        Args:
            records: its epochs, whose counts have the words of h that the host saturated.

        Raises:
            InputError: if there was no inner loop.
        """
        if self.profile is None:
            raise InputError("profile: got a run without inner loops; allowed: at least one epoch with steps to make")
        return self.profile.with_overflows("h", sum(record.counts.get("h", 0) for record in records))


def picture_of(path: Path, *taken: Path | None) -> Path:
    """Return the file of a profile's picture, beside the profile.

    Args:
        path: the profile's file.
        taken: other files that will be written.

    Raises:
        InputError: for a file that does not end in .json, or one that, as its picture, is taken.
    """
    if path.suffix.lower() != ".json":
        raise InputError(f"profile: got {str(path)!r}; allowed: a file ending in .json")
    picture = path.with_suffix(".png")
    for own in (path, picture):
        if own in taken:
            raise InputError(f"profile: got {str(path)!r}, but {own} is written as well; allowed: another name")
    return picture


def profile_table(profile: Profile) -> Table:
    """Return a table of what the nodes held."""
    table = _table(f"observed in {_about(profile)}")
    for name in ("node", "carries", "values", "low", "high", "zero", "bits", "has", "overflows", "share"):
        table.add_column(name, justify="left" if name in ("node", "carries") else "right", overflow="fold")
    for node, held in _nodes(profile):
        counts = f"{held.count:,}", f"{held.overflows:,}"
        low, high = short(held.low), short(held.high)
        has = "–" if node.width is None else str(node.width)
        table.add_row(
            node.name, _carries(node), counts[0], low, high, _share(held.zeros, held), _bits(held), has, counts[1],
            _share(held.overflows, held),
        )  # fmt: skip
    return table


def proposal_table(proposal: Proposal) -> Table:
    """Return a table of observed range, proven range, present and proposed width of every node."""
    path = proposal.datapath
    table = _table(f"widths of {path.name} from {_about(proposal.profile)}")
    names = "node", "carries", "observed", "bits", "proven", "bits", "field", "has", "proposed", "overflows"
    for name in names:
        table.add_column(name, justify="left" if name in ("node", "carries", "field") else "right", overflow="fold")
    for entry in proposal.nodes:
        node, held = entry.node, entry.held
        observed = f"{short(held.low)} … {short(held.high)}" if held.count else "–"
        proven = f"{short(node.exact.low)} … {short(node.exact.high)}"
        has = "–" if node.width is None else str(node.width)
        width = "–" if entry.proposed is None else str(entry.proposed)
        if entry.proposed is not None and entry.proposed != node.width:
            width = f"[bold]{width}[/]"
        table.add_row(
            node.name, _carries(node), observed, _bits(held), proven, str(node.needed), node.field or "a wire", has,
            width, _share(held.overflows, held),
        )  # fmt: skip
    return table


def proposal_notes(proposal: Proposal) -> list[str]:
    """Return what has to be known of the proposed widths, a line each."""
    profile, path = proposal.profile, proposal.datapath
    notes = [f"kept back: {reason}" for reason in proposal.kept_back.values()]
    clipped = [node.name for node, held in _nodes(profile) if held.overflows and node.name != "u"]
    if clipped:
        notes.append(f"overflowed: {', '.join(clipped)}; what would not fit is not known, so the margin is a guess")
    if "u" in (entry.node.name for entry in proposal.nodes):
        notes.append("u saturates by design: link.index_bits is the size of a table")
    if profile.offsets != (0, 0):
        notes.append(f"the accumulator also holds the offsets β, {profile.offsets[0]} … {profile.offsets[1]}")
    old, new = profile.datapath.model_format, path.model_format
    if old != new:
        ratio = old.high / new.high
        changed = f"model.width {old.width} → {new.width}"
        notes.append(f"{changed}: with HALP, μ times {ratio:.4g} leaves z's last bit what it is worth")
    return notes


def draw_profile(profile: Profile, path: Path) -> None:
    """Draw a histogram of every node: sizes on a logarithmic scale with a sign, and the window of its register.

    Args:
        profile: what the nodes held.
        path: file to write.
    """
    from matplotlib.patches import Patch

    nodes = list(_nodes(profile))
    columns = min(ROW, -(-len(nodes) // 2))
    figure, axes = new_figure(columns, width=3.6, height=5.8, rows=-(-len(nodes) // columns))
    for ax, (node, held) in zip(axes, nodes, strict=False):
        _draw_node(ax, node, held)
    for ax in axes[len(nodes) :]:
        ax.set_axis_off()
    for ax in axes[::columns]:
        ax.set_ylabel("share of values")
    figure.suptitle(f"{profile.datapath.name}: {_about(profile)}", fontsize=11)
    handles = [Patch(color=BARS, label="observed"), Patch(facecolor=WINDOW, edgecolor=EDGE, label="register can hold")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    save(figure, path)


def _draw_node(ax: Axes, node: Node, held: NodeProfile) -> None:
    """Draw one histogram: bin k holds magnitudes of k bits, 2^(k−1) to 2^k − 1, negative ones left of zero."""
    ends = [-len(held.negative), len(held.positive)]
    if node.width is not None:
        register = Interval.of_width(node.width, True, node.overflow or Overflow.SAT)
        window = [-abs(register.low).bit_length(), register.high.bit_length()]
        ax.axvspan(window[0] - 0.5, window[1] + 0.5, color=WINDOW, zorder=0.5)
        for edge in (window[0] - 0.5, window[1] + 0.5):
            ax.axvline(edge, color=EDGE, linewidth=1.0, zorder=0.6)
        ends = [min(ends[0], window[0]), max(ends[1], window[1])]
    bins = list(held.bins())
    at = [sign * size for sign, size, _ in bins]
    ax.bar(at, [count / held.count for _, _, count in bins], width=0.86, color=BARS, zorder=2)
    reach = max(-ends[0], ends[1], 1) + 1
    spacing = next(step for step in (2, 4, 8, 16, 32) if reach / step <= 4)
    powers = range(spacing, reach, spacing)
    ticks = [(-power - 0.5, f"$-2^{{{power}}}$") for power in reversed(powers)]
    ticks += [(0.0, "0"), *((power + 0.5, f"$2^{{{power}}}$") for power in powers)]
    ax.set_xticks([place for place, _ in ticks], [label for _, label in ticks], fontsize=8)
    ax.set(
        xlim=(-reach, reach), yscale="log", ylim=(0.4 * min((n for *_, n in bins), default=1) / max(held.count, 1), 2)
    )
    ax.tick_params(axis="y", labelsize=8)
    ax.grid(visible=False, axis="x")
    ax.set_title(f"{node.name}   {_carries(node)}", loc="left", fontsize=10, fontweight="bold", pad=18)
    has = "a wire" if node.width is None else f"of {node.width} bits"
    text = f"{held.bits} {'bits, ' if node.width is None else ''}{has}" if held.count else "never observed"
    if node.width is not None:
        text += f", overflows: {_share(held.overflows, held)}"
    colour = "#b03a2e" if held.overflows else "0.35"
    ax.text(0.0, 1.02, text, transform=ax.transAxes, fontsize=8.5, color=colour, va="bottom")


def _nodes(profile: Profile) -> list[tuple[Node, NodeProfile]]:
    """Return the nodes of a datapath that a profile has, in the datapath's order; without u where there is none."""
    analysis = analyse(profile.datapath, profile.columns, profile.link)
    return [(node, profile[node.name]) for node in analysis.nodes if node.name in profile.nodes]


def _about(profile: Profile) -> str:
    loops = f"{profile.loops:,} inner loop{'s' * (profile.loops != 1)}"
    return f"{loops}, {profile.steps:,} steps, {profile.columns:,} columns, link {profile.link}"


def _carries(node: Node) -> str:
    """Return what a node carries, without what the range proof adds to it."""
    return node.meaning.partition(" (")[0]


def _bits(held: NodeProfile) -> str:
    return str(held.bits) if held.count else "–"


def _share(count: int, held: NodeProfile) -> str:
    """Return a part of all values, in per cent; 0 only where it is."""
    if not count:
        return "0"
    return f"{100 * count / held.count:.2g} %" if count < held.count else "100 %"


def _table(title: str) -> Table:
    return Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
