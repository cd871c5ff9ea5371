"""A picture of the cycles before a failure: waves in, timing diagram out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from rtl_models.benches.bench import Bench, Field, Result
from rtl_models.tables import prefix
from sim.errors import writable

CYCLES = 5
"""Clock cycles in a picture besides the unit's latency; the last one is the one that differs."""
LONGEST, LABEL = 14, 22
"""Characters of a value and of a name; longer values lose their middle, longer names their end."""
DECIMAL = 16
"""Bits of an unsigned value past which it is shown in hex."""
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


def cycles(waves: Path, clock: str, ports: Sequence[str], end: float, count: int | None) -> list[Cycle]:
    """Return the last cycles of a simulation.

    Args:
        waves: a VCD file.
        clock: name of the clock.
        ports: names of what to read; of several signals of a name the first is read, `scope.name` says which it is.
        end: time at which the last cycle ends, in ns; infinite for the end of the file.
        count: how many cycles; None for all.
    """
    from vcd.reader import TokenKind, tokenize

    names: dict[str, str] = {}
    values: Cycle = dict.fromkeys((clock, *ports))
    found: deque[Cycle] = deque(maxlen=count)
    changes: Cycle = {}
    scopes: list[str] = []
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
                case TokenKind.SCOPE:
                    scopes.append(token.scope.ident)
                case TokenKind.UPSCOPE:
                    scopes.pop()
                case TokenKind.VAR if (name := f"{scopes[-1]}.{token.var.reference}") in values:
                    names.setdefault(token.var.id_code, name)
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
    ports = [prefix(0) + port.name for port in bench.unit.ports]
    found = cycles(waves, f"{prefix(0)}clk_i", ports, result.failed_at, CYCLES + bench.latency)
    draw(diagram(bench, result, found), picture)


def draw(content: dict[str, Any], picture: Path) -> None:
    """Draw a diagram, as wide as its values need.

    Args:
        content: the diagram, as WaveDrom reads it.
        picture: SVG file to write.

    Raises:
        InputError: if the file cannot be written.
    """
    import json

    import wavedrom

    widest = max((len(text) for lane in content["signal"] for text in lane.get("data", ())), default=1)
    scaled = content | {"config": {"hscale": max(1, ceil((widest * CHARACTER + SLANTS) / BRICK))}}
    drawing = wavedrom.render(json.dumps(scaled))
    with writable(picture):
        drawing.saveas(str(picture))


def diagram(bench: Bench, result: Result, found: Sequence[Cycle]) -> dict[str, Any]:
    """Return the diagram of some cycles, as WaveDrom reads it."""
    parts = {bench.input_port(bench.inputs[part.port]): [part] for part in bench.input_fields()}
    for part in bench.fields():
        parts.setdefault(bench.output_port(bench.outputs[part.port]), []).append(part)
    lanes: list[dict[str, Any]] = [{"name": bench.shown_port("clk_i"), "wave": "p" + "." * (len(found) - 1)}]
    differing = {name: expected.partition(" ")[0] for name, _, expected in result.differences}
    for port in bench.unit.ports:
        shown = bench.shown_port(port.name)
        if port.name == "clk_i" or not shown:
            continue
        values = [cycle[prefix(0) + port.name] for cycle in found]
        known = parts.get(port.name) or [Field(shown, 0, 0, port.width)]
        lanes += _port_lanes(shown, known, values, differing)
    return {
        "signal": lanes,
        "head": {"text": f"{result.unit} {result.configuration}: the last cycle differs", "tick": 1 - len(found)},
        "foot": {"text": f"seed {result.seed}, after {result.transactions} equal outputs, at {result.failed_at} ns"},
    }


def _port_lanes(
    name: str, parts: Sequence[Field], values: Sequence[int | None], differing: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield the lines of a port: its parts where they are few, else the whole and the parts that differ."""
    shown = [part for part in parts if len(parts) <= MOST_PARTS or part.name in differing]
    if not 0 < len(parts) <= MOST_PARTS:
        yield value_lane(name, [None if v is None else hex(v) for v in values])
    for part in shown:
        label = name if len(parts) == 1 else part.name
        texts = [None if v is None else _text(part, part.of_port(v)) for v in values]
        if part.name in differing:
            yield value_lane(label, texts, is_marked=True)
            expected = differing[part.name]
            text = _text(part, int(expected)) if expected.lstrip("-").isdigit() else expected
            yield value_lane("expected", [*[None] * (len(values) - 1), text], is_marked=True)
        else:
            yield value_lane(label, texts, is_bit=part.width == 1)


def _text(part: Field, value: int) -> str:
    """Return the value of a part, in decimal where that is a number that one can read."""
    return str(value) if part.signed or part.width <= DECIMAL else hex(value)


def value_lane(
    name: str, texts: Sequence[str | None], *, is_bit: bool = False, is_marked: bool = False
) -> dict[str, Any]:
    """Return one line: a change of value starts a new piece; a marked line has a piece of its own at the end."""
    wave, data = "", []
    for number, text in enumerate(texts):
        last = is_marked and number == len(texts) - 1
        if number and text == texts[number - 1] and not last:
            wave += "."
        elif text is None:
            wave += "x"
        elif is_bit:
            wave += text
        else:
            wave += MARKED if last else "="
            data.append(text if len(text) <= LONGEST else f"{text[: LONGEST - 5]}…{text[-4:]}")
    return {"name": name if len(name) <= LABEL else f"{name[: LABEL - 1]}…", "wave": wave, "data": data}
