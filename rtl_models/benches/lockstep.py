"""Runs many benches at once, each one step further at every clock edge.

To wait for an edge in cocotb takes longer than what a bench does in a cycle. So one task waits for all of them: a bench
is a coroutine that awaits nothing but `NEXT_EDGE`. The instances' clocks tick together, each as long as its bench runs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD_NS = 2


class NextEdge:
    """The next rising edge, right before it takes effect."""

    def __await__(self) -> Generator[None, None, None]:
        """Hand control back to `lockstep`."""
        yield


NEXT_EDGE = NextEdge()
Bench = Coroutine[None, None, None]


async def lockstep(clocks: Sequence[Any], benches: Sequence[Bench], ended: Callable[[int], None]) -> None:
    """Run benches to their ends.

    Args:
        clocks: cocotb's handle of each bench's clock.
        benches: coroutines that await nothing but `NEXT_EDGE`; each runs at once up to the first one.
        ended: called with a bench's number when it has ended.
    """
    ticking = [Clock(clock, PERIOD_NS, "ns") for clock in clocks]
    running = {number: bench.send for number, bench in enumerate(benches)}
    for clock in ticking:
        clock.start()
    while running:
        for number, send in list(running.items()):
            try:
                send(None)
            except StopIteration:
                del running[number]
                ticking[number].stop()
                ended(number)
        if running:
            await RisingEdge(clocks[next(iter(running))])
