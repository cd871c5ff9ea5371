"""Where two backends part: the first step, stage, beat and lane in which their stage traces differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.engine.job import EpochJob, StageTrace
from sim.errors import InputError

STAGES = {
    "accumulator": "dot",
    "index": "link",
    "coefficient": "link",
    "random": "random word",
    "product": "update",
    "increment": "update",
    "model": "update",
}
"""The stage of the loop that makes each array of a trace, in the order of a step."""
_BY_COLUMN = ("random", "product", "increment", "model")


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first value that differs.

    Attributes:
        stage: dot, link, random word or update.
        node: the array of the trace, say accumulator.
        step: number of the step within the loop.
        beat: beat of the row; None for the link, which has one value a step.
        lane: lane of the beat; None for the dot product and the link.
        got: value in the first trace.
        expected: value in the second trace.
        width: bits of the value; of a product, the fewest that hold both sides.
    """

    stage: str
    node: str
    step: int
    beat: int | None
    lane: int | None
    got: int
    expected: int
    width: int

    def __str__(self) -> str:
        """Return where it is, and both sides in decimal and binary."""
        place = [f"step {self.step}"]
        place += [f"{name} {n}" for name, n in (("beat", self.beat), ("lane", self.lane)) if n is not None]
        mask = (1 << self.width) - 1
        sides = (f"{value} (0b{value & mask:0{self.width}b})" for value in (self.got, self.expected))
        got, expected = sides
        return f"{self.stage}, {self.node}: {', '.join(place)}: got {got}, expected {expected}"


def first_difference(job: EpochJob, got: StageTrace | None, expected: StageTrace | None) -> FirstDifference | None:
    """Return the first difference of two traces of a job, None if they are equal.

    The walk is that of the circuit: step by step; the dot product's beats, the link, then the update beat by beat, each
    with its random words first.

    Args:
        job: what both ran.
        got: trace of the side in question.
        expected: trace of the other.

    Raises:
        InputError: if there are not two traces of the same steps.
    """
    if got is None or expected is None or (got.first, len(got.index)) != (expected.first, len(expected.index)):
        raise InputError("traces: got none, or of different steps; allowed: two traces of the same steps")
    path, lanes = job.datapath, job.datapath.lanes
    widths = {
        "accumulator": path.accumulator.width,
        "index": path.link.index_bits,
        "coefficient": path.coefficient.width,
        "random": max(path.model.random_bits, 1),
        "increment": path.increment.width,
        "model": path.model.width,
    }

    def found(node: str, at: int, beat: int | None = None, column: int | None = None) -> FirstDifference:
        place = (at,) if beat is None else (at, beat if column is None else column)
        one, other = (int(getattr(trace, node)[place]) for trace in (got, expected))
        lane = None if column is None else column % lanes
        width = widths.get(node) or 1 + max((~n if n < 0 else n).bit_length() for n in (one, other))
        return FirstDifference(STAGES[node], node, got.first + at, beat, lane, one, other, width)

    differs = {node: getattr(got, node) != getattr(expected, node) for node in STAGES}
    steps = np.array([array.reshape(len(got.index), -1).any(axis=1) for array in differs.values()]).any(axis=0)
    if not steps.any():
        return None
    at = int(np.argmax(steps))
    if differs["accumulator"][at].any():
        return found("accumulator", at, int(np.argmax(differs["accumulator"][at])))
    for node in ("index", "coefficient"):
        if differs[node][at]:
            return found(node, at)
    columns = np.array([differs[node][at] for node in _BY_COLUMN])
    beat = int(np.argmax(columns.any(axis=0))) // lanes
    for node in _BY_COLUMN:
        span = differs[node][at][beat * lanes : (beat + 1) * lanes]
        if span.any():
            return found(node, at, beat, beat * lanes + int(np.argmax(span)))
    raise AssertionError("a step differs, but none of its values")
