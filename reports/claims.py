"""What a study of several problems says: the loss of every series over the baseline's, problem by problem."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from algorithms.trace import State
from reports.figures import new_figure, save, title
from reports.files import write_json
from reports.pareto import Outcome, median, outcomes
from reports.sample_figures import sample_bits, stored_bits
from reports.store import Store
from reports.study import Study


@dataclass(frozen=True, slots=True)
class Claim:
    """How near a series came to the baseline on one problem.

    Attributes:
        problem: the problem's name.
        outcome: the point with its runs.
        ratios: of each run, its loss at the end over that of the baseline's run with the same data and seed; infinite
            where it diverged.
        within: ratio less 1 up to which a run reaches the baseline.
    """

    problem: str
    outcome: Outcome
    ratios: list[float]
    within: float

    @property
    def holds(self) -> bool:
        """Whether every run reaches the baseline."""
        return max(self.ratios) <= 1.0 + self.within


def claims_of(studies: Sequence[Study], store: Store) -> list[Claim]:
    """Return what is known of every point but the baseline's, in the order of the file.

    Args:
        studies: one a problem.
        store: their records.
    """
    claims = []
    for study in studies:
        points = outcomes(study, store)
        bases = [point for point in points if point.point.series == study.head.baseline]
        ends = {place: end for base in bases for place, end in _ends(base)}
        for point in points:
            pairs = [(end, ends.get(place, math.nan)) for place, end in _ends(point)]
            ratios = [end / base for end, base in pairs if 0.0 < base < math.inf]
            if ratios and point not in bases:
                claims.append(Claim(study.head.about, point, ratios, study.head.within))
    return claims


def claims_table(studies: Sequence[Study], claims: Sequence[Claim]) -> Table:
    """Return a table with a line a problem and a column a point; what does not reach the baseline is marked.

    Args:
        studies: one a problem.
        claims: those of `claims_of`.
    """
    head = studies[0].head
    table = Table(title=Text(f"{head.name}: loss at the end over that of {head.baseline}"), title_justify="left",
                  box=None, pad_edge=False, header_style="bold")  # fmt: skip
    table.caption_justify = "left"
    table.caption = (f"medians over the runs; ✗: some run ends more than {100 * head.within:g} % above; "
                     "bits: read for a sample / stored for all samples of a value")  # fmt: skip
    table.add_column("problem", overflow="fold")
    labels = list(dict.fromkeys(claim.outcome.point.label for claim in claims))
    for label in labels:
        own = next(claim.outcome for claim in claims if claim.outcome.point.label == label)
        bits = "" if sample_bits(own) is None else f"\n{sample_bits(own)} / {stored_bits(own)} bits"
        table.add_column(label + bits, justify="right", overflow="fold", min_width=9)
    by_place = {(claim.problem, claim.outcome.point.label): claim for claim in claims}
    for study in studies:
        table.add_row(Text(study.head.about), *(_cell(by_place.get((study.head.about, label))) for label in labels))
    return table


def draw_claims(studies: Sequence[Study], claims: Sequence[Claim], path: Path) -> None:
    """Draw how far above the baseline each point ends, a group of marks a problem, bars from lowest to highest run.

    Args:
        studies: one a problem.
        claims: those of `claims_of`.
        path: file to write.
    """
    names = [study.head.about for study in studies]
    labels = list(dict.fromkeys(claim.outcome.point.label for claim in claims))
    figure, (ax,) = new_figure(1, width=max(8.0, 2.0 + 0.9 * len(names)), height=5.2)
    for k, label in enumerate(labels):
        own = [claim for claim in claims if claim.outcome.point.label == label and max(claim.ratios) < math.inf]
        places = [names.index(claim.problem) + 0.12 * (k - (len(labels) - 1) / 2) for claim in own]
        middles, lows, highs = ([100 * (of(claim.ratios) - 1) for claim in own] for of in (median, min, max))
        spread = [[m - low for m, low in zip(middles, lows, strict=True)],
                  [high - m for m, high in zip(middles, highs, strict=True)]]  # fmt: skip
        ax.errorbar(places, middles, yerr=spread, fmt="osv^D"[k % 5], color=f"C{k}", markersize=5, capsize=2,
                    linewidth=1, label=label)  # fmt: skip
    limit = 100 * studies[0].head.within
    ax.axhline(limit, linestyle="--", color="0.35", linewidth=1, label=f"{limit:g} %")
    ax.set_yscale("symlog", linthresh=limit)
    seen = [100 * (ratio - 1) for claim in claims for ratio in claim.ratios if ratio < math.inf]
    ax.set_ylim(min(*seen, 0.0) - limit, 2 * max(*seen, limit))
    ax.set_ylabel(f"loss at the end above that of {studies[0].head.baseline}, in %")
    ax.set_xticks(
        range(len(names)),
        [name.replace(", ", ",\n") for name in names],
        rotation=25,
        ha="right",
        rotation_mode="anchor",
    )
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    title(figure, f"{studies[0].head.name} (points that diverged are left out)")
    save(figure, path)


def show_claims(studies: Sequence[Study], store: Store, folder: Path, json: Path | None) -> list[Path]:
    """Show the table of a study of several problems and draw its figure; return the figures, none where no run is done.

    Args:
        studies: one a problem.
        store: their records.
        folder: where figures go.
        json: file for the claims as data, if any.
    """
    from reports.command_line import out

    claims = claims_of(studies, store)
    if not claims:
        out.print("no run is done: give it more time and call it again")
        return []
    out.print(claims_table(studies, claims))
    draw_claims(studies, claims, folder / "claims.png")
    if json is not None:
        write_json(json, {"study": studies[0].head.name, "claims": [_plain(claim) for claim in claims]})
    return [folder / "claims.png"]


def _ends(outcome: Outcome) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield seed, split and fold of each run with its loss at the end, infinite if it diverged."""
    for record, end in zip(outcome.records, outcome.finals("loss"), strict=True):
        data = record["problem"]["data"]
        place = record["seed"], data["split_seed"], data["fold"]
        yield place, math.inf if record["state"] == State.DIVERGED else end


def _cell(claim: Claim | None) -> Text:
    if claim is None:
        return Text("–")
    middle = median(claim.ratios)
    shown = "diverges" if math.isinf(middle) else f"{middle:.3f}" if middle < 10 else f"{middle:.3g}"
    return Text(shown) if claim.holds else Text(f"{shown} ✗", style="yellow")


def _plain(claim: Claim) -> dict[str, Any]:
    """Return a claim as plain values for JSON; what is no number is None."""
    ratios = [ratio if math.isfinite(ratio) else None for ratio in claim.ratios]
    return {
        "problem": claim.problem, "series": claim.outcome.point.series, "varied": claim.outcome.point.varied,
        "bits_read": sample_bits(claim.outcome), "bits_stored": stored_bits(claim.outcome), "ratios": ratios,
        "within": claim.within, "holds": claim.holds,
    }  # fmt: skip
