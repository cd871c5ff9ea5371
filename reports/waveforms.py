"""A picture of the cycles before a failure: waves in, timing diagram out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from reports.files import writable
from rtl_models.benches.bench import Bench, Field, Result
from rtl_models.tables import prefix

CYCLES = 5
"""Clock cycles in a picture besides the unit's latency; the last one is the one that differs."""
LONGEST = 14
"""Characters of a value; longer ones lose their middle."""
MOST_PARTS = 6
"""Parts of a port that are shown one by one."""
CHARACTER, SLANTS, BRICK = 7.5, 16, 40
"""Pixels of a character of a value, of the slants beside it, and of a clock cycle before it is stretched."""
MARKED = "9"
"""WaveDrom's code of a value in the colour that marks the difference."""

EXPONENTS = {"s": 0, "ms": -3, "us": -6, "ns": -9, "ps": -12, "fs": -15}
"""Powers of ten of the units of time."""

Cycle = dict[str, int | None]
"""Value of every port right before the clock edge that ends the cycle; None where it is undefined."""


def cycles(waves: Path, clock: str, ports: Sequence[str], end: int, count: int) -> list[Cycle]:
    """Return the last cycles of a simulation.

    Args:
        waves: a VCD file.
        clock: name of the clock.
        ports: names of what to read.
        end: time at which the last cycle ends, in ns.
        count: how many cycles.
    """
    from vcd.reader import TokenKind, tokenize

    names: dict[str, str] = {}
    values: Cycle = dict.fromkeys((clock, *ports))
    found: deque[Cycle] = deque(maxlen=count)
    changes: Cycle = {}
    scale, last = 1.0, -1.0

    def settle() -> None:
        """Apply the changes of one time; a rising clock ends the cycle before them."""
        if changes.get(clock) == 1 and values[clock] == 0:
            found.append(dict(values))
        values.update(changes)
        changes.clear()

    with waves.open("rb") as file:
        for token in tokenize(file):
            match token.kind:
                case TokenKind.TIMESCALE:
                    scale = token.timescale.magnitude * 10.0 ** (9 + EXPONENTS[token.timescale.unit.value])
                case TokenKind.VAR if token.var.reference in values:
                    names.setdefault(token.var.id_code, token.var.reference)
                case TokenKind.CHANGE_TIME:
                    settle()
                    if token.time_change * scale > end:
                        break
                    last = token.time_change * scale
                case TokenKind.CHANGE_SCALAR if token.scalar_change.id_code in names:
                    value = token.scalar_change.value
                    changes[names[token.scalar_change.id_code]] = int(value) if value in "01" else None
                case TokenKind.CHANGE_VECTOR if token.vector_change.id_code in names:
                    number = token.vector_change.value
                    changes[names[token.vector_change.id_code]] = number if isinstance(number, int) else None
    settle()
    if last < end:  # the edge that ends the last cycle is not in the file
        found.append(dict(values))
    return list(found)


def draw_failure(bench: Bench, result: Result, waves: Path, picture: Path) -> None:
    """Draw the cycles up to the first difference, the expected values beside those found.

    Args:
        bench: of the configuration that failed.
        result: of its run, in which it was alone.
        waves: its VCD file.
        picture: SVG file to write.

    Raises:
        InputError: if the file cannot be written.
    """
    import json

    import wavedrom

    ports = [prefix(0) + port.name for port in bench.unit.ports]
    found = cycles(waves, f"{prefix(0)}clk_i", ports, result.failed_at, CYCLES + bench.latency)
    drawing = wavedrom.render(json.dumps(diagram(bench, result, found)))
    with writable(picture):
        drawing.saveas(str(picture))


def diagram(bench: Bench, result: Result, found: Sequence[Cycle]) -> dict[str, Any]:
    """Return the diagram of some cycles, as WaveDrom reads it."""
    parts = {bench.input_port(bench.inputs[part.port]): [part] for part in bench.input_fields()}
    for part in bench.fields():
        parts.setdefault(bench.output_port(bench.outputs[part.port]), []).append(part)
    lanes: list[dict[str, Any]] = [{"name": "clk_i", "wave": "p" + "." * (len(found) - 1)}]
    differing = {name: expected.partition(" ")[0] for name, _, expected in result.differences}
    for port in bench.unit.ports:
        if port.name == "clk_i":
            continue
        values = [cycle[prefix(0) + port.name] for cycle in found]
        lanes += _port_lanes(port.name, port.width, parts.get(port.name, []), values, differing)
    widest = max((len(text) for lane in lanes for text in lane.get("data", ())), default=1)
    return {
        "signal": lanes,
        "config": {"hscale": max(1, ceil((widest * CHARACTER + SLANTS) / BRICK))},
        "head": {"text": f"{result.unit} {result.configuration}: the last cycle differs", "tick": 1 - len(found)},
        "foot": {"text": f"seed {result.seed}, after {result.transactions} equal outputs, at {result.failed_at} ns"},
    }


def _port_lanes(
    name: str, width: int, parts: Sequence[Field], values: Sequence[int | None], differing: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the lines of a port: its parts where they are few, and those that differ, else the whole in hex."""
    if len(parts) > MOST_PARTS or not parts:
        yield _lane(name, [None if v is None else f"0x{v:x}" if width > 1 else str(v) for v in values], width == 1)
        parts = [part for part in parts if part.name in differing]
    for part in parts:
        is_port = len(parts) == 1 and part.name in name
        texts = [None if v is None else str(part.of_port(v)) for v in values]
        marked = part.name in differing
        yield _lane(part.name if is_port else f"{name}: {part.name}", texts, part.width == 1, marked)
        if marked:
            yield _lane("expected", [*[None] * (len(values) - 1), differing[part.name]], False, True)


def _lane(
    name: str, texts: Sequence[str | None], is_bit: bool, is_marked: bool = False, gap: str = "x"
) -> dict[str, Any]:
    wave, data = "", []
    for number, text in enumerate(texts):
        last = number == len(texts) - 1
        if number and text == texts[number - 1] and not (last and is_marked):
            wave += "."
        elif text is None:
            wave += "x"
        elif is_bit and not (last and is_marked):
            wave += text
        else:
            wave += MARKED if last and is_marked else "="
            data.append(text if len(text) <= LONGEST else f"{text[: LONGEST - 6]}…{text[-5:]}")
    return {"name": name, "wave": wave, "data": data}
