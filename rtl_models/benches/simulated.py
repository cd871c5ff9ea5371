"""The test that runs inside the simulator: the benches of the plans that the environment names."""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

import cocotb
import msgspec
from cocotb.utils import get_sim_time

from rtl_models.benches.bench import Bench, Plan, Result
from rtl_models.benches.foreign import foreign_bench
from rtl_models.benches.units import BENCHES
from rtl_models.foreign import ForeignModule
from rtl_models.tables import prefix


@cocotb.test()
async def every_configuration(dut: Any) -> None:
    """Play every plan, one after the other; write what was found; fail if any configuration failed."""
    passed = True
    for file in os.environ[Plan.VARIABLE].split(os.pathsep):
        plan = msgspec.json.decode(Path(file).read_bytes(), type=Plan)
        passed &= all(result.passed for result in await _play(dut, plan))
    assert passed, "see the results"


async def _play(dut: Any, plan: Plan) -> list[Result]:
    """Check every configuration of a plan."""
    if plan.foreign:
        benches: list[Bench] = [foreign_bench(ForeignModule.load(plan.foreign))]
    else:
        benches = BENCHES[plan.unit].benches(plan.configurations)
    results = []
    for number, (bench, transactions) in enumerate(zip(benches, plan.transactions, strict=True)):
        start = time.monotonic()
        result = Result(
            plan.unit, bench.configuration.name, bench.unit.parameters, plan.seed, unchecked=bench.unchecked
        )
        random = Random(f"{plan.seed} {result.configuration}")
        await bench.check(dut, prefix(plan.first + number), random, transactions, result)
        result.seconds = time.monotonic() - start
        result.failed_at = int(get_sim_time("ns")) if result.failure else 0
        results.append(result)
        Path(plan.results).write_bytes(msgspec.json.encode(results))
    return results
