"""The tests that run inside the simulator: one for each configuration of the plan that the environment names."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

import cocotb
import msgspec
from cocotb.triggers import ClockCycles

from rtl_models.benches.bench import CHUNK, Bench, Configuration, Coverage, Result
from rtl_models.benches.stream import FLOWS, Difference, Script, StreamPlayer, flow
from rtl_models.benches.units import BENCHES
from rtl_models.tables import prefix


class Plan(msgspec.Struct):
    """What one simulation is to do.

    Args:
        unit: the module.
        configurations: those that the top instantiates, in order.
        transactions: outputs to compare, by configuration.
        seed: of the stimuli.
        results: file for the results.
    """

    unit: str
    configurations: list[Configuration]
    transactions: list[int]
    seed: int
    results: str


PLAN = "BITTRUE_PLAN"
"""Environment variable that names the plan's file."""


def _plan() -> tuple[Plan, list[Bench]]:
    plan = msgspec.json.decode(Path(os.environ[PLAN]).read_bytes(), type=Plan)
    return plan, BENCHES[plan.unit].benches(plan.configurations)


@cocotb.test()
async def every_configuration(dut: Any) -> None:
    """Check every configuration, one after the other; write what was found; fail if any failed."""
    plan, benches = _plan()
    results = []
    for number, (bench, transactions) in enumerate(zip(benches, plan.transactions, strict=True)):
        start = time.monotonic()
        result = Result(plan.unit, bench.configuration.name, bench.unit.parameters, plan.seed)
        random = Random(f"{plan.seed} {bench.configuration.name}")
        await check(dut, prefix(number), bench, random, transactions, result)
        result.seconds = time.monotonic() - start
        results.append(result)
        Path(plan.results).write_bytes(msgspec.json.encode(results))
    failures = [r.failure or f"{r.configuration}: not covered: {r.missed}" for r in results if not r.passed]
    assert not failures, "\n".join(failures)


async def check(dut: Any, ports: str, bench: Bench, random: Random, transactions: int, result: Result) -> None:
    """Play a bench's scripts through one instance, under every pair of flows; stop at the first difference."""
    player = StreamPlayer(dut, ports, bench.inputs, bench.outputs, bench.latency, bench.has_random)
    points = {"flows": [f"{source} to {sink}" for source in FLOWS for sink in FLOWS], "reset": ["in flight"]}
    coverage = Coverage({**points, **bench.points()})
    pairs = [(source, sink) for source in FLOWS for sink in FLOWS]
    chunk = 0
    script = Script()
    try:
        await player.start()
        for script in bench.scripts(random, transactions):
            await player.load(script)
            for start in range(0, len(script.outputs), CHUNK):
                span = range(start, min(start + CHUNK, len(script.outputs)))
                source, sink = pairs[chunk % len(pairs)] if chunk % 2 else ("steady", "steady")
                if chunk % 16 == 8:
                    await _interrupt(player, script, span, random)
                    coverage.add([("reset", "in flight")])
                is_steady = source == sink == "steady"
                await player.play(script, span, flow(source, random), flow(sink, random), is_steady)
                for hits in script.hits[span.start : span.stop]:
                    coverage.add(hits)
                coverage.add([("flows", f"{source} to {sink}")])
                result.transactions += len(span)
                chunk += 1
    except Difference as difference:
        result.failure = explain(bench, script, difference, result)
    coverage.close(result)


async def _interrupt(player: StreamPlayer, script: Script, span: range, random: Random) -> None:
    """Start to play, and reset while beats are under way: nothing of them may come out later."""
    task = cocotb.start_soon(player.play(script, span, flow("random", random), flow("random", random), False))
    await ClockCycles(player.port("clk_i"), random.randint(1, 2 * player.latency + 4))
    task.cancel()
    await player.reset()


def explain(bench: Bench, script: Script, difference: Difference, result: Result) -> str:
    """Return the report of a failure: where, with what, both values in decimal, binary and real."""
    lines = [
        f"{result.unit} {result.configuration}: {difference.reason}",
        f"  seed {result.seed}, transaction {result.transactions + difference.number % CHUNK}",
        "  parameters " + ", ".join(f"{name} {value}" for name, value in result.parameters.items()),
    ]
    got, expected = difference.got, difference.expected
    for part in bench.fields():
        if got is None or expected is None or part.of(got) != part.of(expected):
            lines.append(f"  {part.name}: got {part.text(got) if got else 'nothing'}")
            lines.append(f"  {' ' * len(part.name)}  expected {part.text(expected) if expected else 'nothing'}")
    if difference.number < len(script.completes):
        first = script.completes[difference.number - 1] + 1 if difference.number else 0
        for beat in script.inputs[first : script.completes[difference.number] + 1]:
            lines.append("  input " + ", ".join(f"{n} 0x{v:x}" for n, v in zip(bench.inputs, beat, strict=True)))
    return "\n".join(lines)
