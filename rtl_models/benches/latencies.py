"""Finds out under which latency the outputs of a module would be the right ones, whatever its valid signals say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cocotb.utils import get_sim_time

from rtl_models.benches.bench import Result
from rtl_models.benches.lockstep import NEXT_EDGE
from rtl_models.benches.port import Port
from rtl_models.benches.stream import Beat

LARGEST = 16
"""The last latency that is tried."""
PROBED = 200
"""Outputs that are compared."""


async def watch(inputs: Sequence[Port], rows: Iterable[Beat], outputs: Sequence[Port]) -> list[Beat]:
    """Return the outputs of every cycle: of one a row of inputs, and of `LARGEST` more in which they stay."""
    seen: list[Beat] = []

    async def cycle() -> None:
        await NEXT_EDGE
        seen.append(tuple([port.read() for port in outputs]))

    for row in rows:
        for port, value in zip(inputs, row, strict=True):
            port.drive(value)
        await cycle()
    for _ in range(LARGEST):
        await cycle()
    return seen


def delays(seen: Sequence[Beat], expected: Iterable[tuple[int, Beat]]) -> list[int]:
    """Return by how many cycles, at most `LARGEST`, expected outputs may be late to be those seen.

    Args:
        seen: the outputs of every cycle.
        expected: cycles and their outputs.

    Example:
        >>> delays([(7,), (8,), (9,)], [(0, (8,)), (1, (9,))])
        [1]
    """
    pairs = list(expected)
    tried = range(LARGEST + 1)
    return [late for late in tried if all(seen[at + late : at + late + 1] == [beat] for at, beat in pairs)]


def stop_clock_of(result: Result) -> None:
    """Keep the time of a failure, since the simulation goes on."""
    result.failed_at = int(get_sim_time("ns"))


def tell(result: Result, found: Sequence[int], stated: int) -> None:
    """Add to a failure that another latency explains it, if just one does."""
    if len(found) == 1 and found[0] != stated:
        result.failure += f"\n  these are the values of latency {found[0]}, where the binding says {stated}"
