"""Plays a unit cycle by cycle: for units whose every output is known in every cycle, since nothing in them waits.

A row is one clock cycle. Its inputs, reset among them, are driven right after a rising edge, and its outputs compared
right before the next one: so a combinational output belongs to the inputs of its own row, a registered one to those of
earlier rows, and an asynchronous reset shows in its own row.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, ClassVar

from rtl_models.benches.bench import Bench, Coverage, Result
from rtl_models.benches.lockstep import NEXT_EDGE
from rtl_models.benches.port import Port
from rtl_models.benches.stream import Beat

SHOWN = 6
"""Rows that a failure shows."""
ENDLESS = 1 << 40
"""Rows asked of a bench that are taken as long as they are needed."""


@dataclass(slots=True)
class Row:
    """One clock cycle.

    Attributes:
        inputs: values of the input ports.
        outputs: what the output ports have to show; None if that may be anything.
        cause: the inputs that these outputs come from, for the report of a failure.
        hits: coverage bins, as (point, bin).
    """

    inputs: Beat
    outputs: Beat | None
    cause: str = ""
    hits: Sequence[tuple[str, Any]] = ()


class ClockedBench(Bench):
    """Stimuli and reference of a unit that never waits; `inputs` and `outputs` name all its ports but the clock.

    Attributes:
        untimed: names of the inputs that count in `vectors`; reset and enable do not.
        order: how rows of `vectors` hang together.
    """

    untimed: ClassVar[Sequence[str]]
    order: ClassVar[str]

    @abstractmethod
    def rows(self, random: Random, transactions: int) -> Iterator[Row]:
        """Yield so many rows, or some more, the first of them with the unit in reset."""

    @abstractmethod
    def vectors(self, random: Random, count: int) -> Iterator[Row]:
        """Yield inputs, one row a value that is taken, each with the outputs that it leads to, whatever the latency."""

    async def check(self, dut: Any, ports: str, random: Random, transactions: int, result: Result) -> None:
        """Play the rows through one instance; stop at the first difference."""
        inputs = [Port(getattr(dut, ports + name)) for name in self.inputs]
        outputs = [Port(getattr(dut, ports + name)) for name in self.outputs]
        coverage = Coverage(self.points())
        recent: deque[Row] = deque(maxlen=SHOWN)
        inputs[self.inputs.index("rst_ni")].drive(1)  # an asynchronous reset is an edge
        await NEXT_EDGE
        for row in islice(self.rows(random, transactions), transactions):
            for port, value in zip(inputs, row.inputs, strict=True):
                port.drive(value)
            recent.append(row)
            await NEXT_EDGE
            got = tuple([port.read() for port in outputs])
            if row.outputs is not None and got != row.outputs:
                result.failure = self._explain(recent, got, result)
                break
            coverage.add(row.hits)
            result.transactions += 1
        coverage.close(result)

    def _explain(self, recent: Sequence[Row], got: Beat, result: Result) -> str:
        """Return the report of a failure: where, with what, both values in decimal, binary and real."""
        row = recent[-1]
        assert row.outputs is not None
        lines = [
            f"{result.unit} {result.configuration}: a wrong output",
            f"  seed {result.seed}, cycle {result.transactions}{', ' if row.cause else ''}{row.cause}",
            "  parameters " + ", ".join(f"{name} {value}" for name, value in result.parameters.items()),
        ]
        for part in self.fields():
            if part.of(got) != part.of(row.outputs):
                result.differences.append((part.name, part.text(got), part.text(row.outputs)))
                lines.append(f"  {part.name}: got {part.text(got)}, expected {part.text(row.outputs)}")
        for before in recent:
            lines.append(
                "  inputs " + ", ".join(f"{n} {v:#x}" for n, v in zip(self.inputs, before.inputs, strict=True))
            )
        return "\n".join(lines)
