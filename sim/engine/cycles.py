"""The cycle model: how long the circuit takes when its input stream never stalls.

The dot product of the next row starts on its first beat as soon as the update has written that beat, so a step takes
its B beats plus the latency L of the loop from dot product to written model. L depends on the lanes and the link only.
Stages are cut so that none is longer than one multiplier or two adder levels.
"""

from __future__ import annotations

from sim.datapath import Link, TrainingDatapath


def latency(lanes: int, link: Link) -> int:
    """Return L: cycles from the last beat's entry into the dot product to the first beat's written model word.

    Args:
        lanes: columns a beat, a power of two.
        link: the link unit.

    Example:
        >>> latency(16, Link.AFFINE), latency(16, Link.CENTRED_TABLE)
        (14, 17)
    """
    return sum(stages(lanes, link).values())


def stages(lanes: int, link: Link) -> dict[str, int]:
    """Return the register stages of the loop and the cycles of each, in order."""
    levels = (lanes - 1).bit_length()
    table = {} if link is Link.AFFINE else {"index multiply": 1, "index round and saturate": 1, "table read": 1}
    return {
        "read model": 1,
        "dot multiply": 1,
        "adder tree": -(-levels // 2),
        "block exponent": 1,
        "accumulate and saturate": 1,
        "add offset": 1,
        **table,
        "link multiply": 1,
        "coefficient round": 1,
        "coefficient saturate": 1,
        "update multiply": 1,
        "product round, subtract gradient": 1,
        "increment saturate, add random word": 1,
        "model add, saturate, write": 1,
    }


def epoch_cycles(datapath: TrainingDatapath, link: Link, beats: int, steps: int) -> int:
    """Return the cycles of an epoch: steps·(B + L).

    Args:
        datapath: for its lanes.
        link: the link unit.
        beats: beats a row, B.
        steps: steps of the loop, T.

    Example:
        >>> epoch_cycles(TrainingDatapath.preset("halp8"), Link.AFFINE, beats=7, steps=2000)
        42000
    """
    return steps * (beats + latency(datapath.lanes, link))
