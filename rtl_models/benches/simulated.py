"""The test that runs inside the simulator: the benches of the plans that the environment names."""

from __future__ import annotations

import os
import time
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import cocotb
import msgspec
from cocotb.utils import get_sim_time

from rtl_models.benches.alive import show_alive
from rtl_models.benches.bench import Bench, Plan, Result
from rtl_models.benches.foreign import foreign_bench
from rtl_models.benches.lockstep import lockstep
from rtl_models.benches.units import BENCHES
from rtl_models.foreign import ForeignModule
from rtl_models.tables import prefix


@cocotb.test()
async def every_configuration(dut: Any) -> None:
    """Play every configuration of every plan, all at once; write what was found; fail if any configuration failed."""
    show_alive()
    start = time.monotonic()
    plans = [
        msgspec.json.decode(Path(file).read_bytes(), type=Plan) for file in os.environ[Plan.VARIABLE].split(os.pathsep)
    ]
    results: list[list[Result]] = []
    clocks, checks = [], []
    for plan in plans:
        results.append([])
        for number, (bench, transactions) in enumerate(zip(_benches(plan), plan.transactions, strict=True)):
            configuration = bench.configuration.name
            result = Result(plan.unit, configuration, bench.unit.parameters, plan.seed, unchecked=bench.unchecked)
            ports, random = prefix(plan.first + number), Random(f"{plan.seed} {configuration}")
            results[-1].append(result)
            clocks.append(getattr(dut, f"{ports}clk_i"))
            checks.append(bench.check(dut, ports, random, transactions, result))
    every = list(chain.from_iterable(results))
    ends = [0] * len(every)

    def ended(number: int) -> None:
        ends[number] = int(get_sim_time("ns"))
        if every[number].failure and not every[number].failed_at:
            every[number].failed_at = ends[number]

    await lockstep(clocks, checks, ended)
    seconds = time.monotonic() - start
    for result, end in zip(every, ends, strict=True):
        result.seconds = seconds * end / sum(ends)
    for plan, found in zip(plans, results, strict=True):
        Path(plan.results).write_bytes(msgspec.json.encode(found))
    assert all(result.passed for result in every), "see the results"


def _benches(plan: Plan) -> list[Bench]:
    """Return the bench of every configuration of a plan."""
    if plan.foreign:
        return [foreign_bench(ForeignModule.load(plan.foreign))]
    return BENCHES[plan.unit].benches(plan.configurations)
