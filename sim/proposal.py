"""Widths from a run: what every node held, what it can hold at worst, and the width that suffices with some margin."""

from __future__ import annotations

from dataclasses import dataclass

from sim.datapath import TrainingDatapath
from sim.errors import InputError, whole_number
from sim.formats import width_of
from sim.profile import NODES, NodeProfile, Profile
from sim.ranges import Node, analyse

LARGEST_MARGIN = 16
"""Bits that may be added to an observed width."""
BY_DESIGN = ("u",)
"""Nodes that are meant to saturate: their width sets the size of a table, not a range."""


@dataclass(frozen=True, slots=True)
class NodeProposal:
    """What is proposed for one node.

    Attributes:
        node: the node with its proven range, present width and the field that sets it.
        held: what it held.
        proposed: width of its field in the proposed datapath; None where no width is proposed.
    """

    node: Node
    held: NodeProfile
    proposed: int | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """Proposed widths.

    Attributes:
        profile: what they come from.
        nodes: the nodes of the datapath, in its order.
        datapath: the datapath with all proposed widths.
        kept_back: why a field did not get the width that was wanted, by field.
    """

    profile: Profile
    nodes: tuple[NodeProposal, ...]
    datapath: TrainingDatapath
    kept_back: dict[str, str]


def propose(profile: Profile, margin: int = 1) -> Proposal:
    """Return the widths that hold what was observed, plus a margin, and are at most those proven to be enough.

    A field gets the largest width that one of its nodes wants: `accumulator.width` of t (and must hold the offsets β),
    `coefficient.width` of c, `increment.width` of a and h, `model.width` of z. Where that width breaks a rule between
    fields, the field gets the nearest one that does not. p is a wire, and u saturates by design.

    Args:
        profile: what the nodes held.
        margin: bits added to the observed ones, 0 to 16.

    Raises:
        InputError: for a margin out of range.

    Example:
        >>> from sim.datapath import Link
        >>> held = {node: NodeProfile.of([-3, 90]) for node in NODES}
        >>> path = TrainingDatapath.preset("halp8")
        >>> profile = Profile(datapath=path, link=Link.AFFINE, columns=100, loops=1, steps=2, nodes=held)
        >>> proposal = propose(profile)
        >>> [(entry.node.name, entry.node.width, entry.proposed) for entry in proposal.nodes]
        [('t', 32, 9), ('c', 8, 9), ('p', None, None), ('h', 16, 9), ('a', 16, 9), ('z', 8, 9)]
        >>> proposal.datapath.accumulator.width
        9
    """
    margin = whole_number("margin", margin, 0, LARGEST_MARGIN)
    analysis = analyse(profile.datapath, profile.columns, profile.link)
    nodes = [node for node in analysis.nodes if node.name in NODES]
    wanted: dict[str, int] = {}
    for node in nodes:
        held = profile[node.name]
        if node.width is None or node.name in BY_DESIGN or not held.count:
            continue
        # What the host clipped in h is not in its range: the register bounds it, nothing proves it.
        proven = held.bits + margin if node.name == "h" and held.overflows else node.needed
        wanted[node.field] = max(wanted.get(node.field, 0), min(held.bits + margin, proven))
    t = analysis["t"]
    if t.field in wanted:
        wanted[t.field] = max(wanted[t.field], width_of(*profile.offsets))

    path, kept_back = profile.datapath, dict[str, str]()
    present = {node.field: node.width for node in nodes if node.width is not None}
    proposed = {}
    # What gets narrower first: what gets wider then finds the room that is left of 62 bits.
    for field, width in sorted(wanted.items(), key=lambda item: item[1] > present[item[0]]):
        step = 1 if width < present[field] else -1
        for tried in range(width, present[field] + step, step):
            try:
                changed = path.with_fields({field: tried})
                analyse(changed, profile.columns, profile.link).require_representable()
            except InputError as error:
                kept_back.setdefault(field, f"{field} of {width} bits: {error}")
                continue
            path, proposed[field] = changed, tried
            break
    entries = tuple(
        NodeProposal(node, profile[node.name], None if node.name in BY_DESIGN else proposed.get(node.field))
        for node in nodes
    )
    return Proposal(profile, entries, path, kept_back)
