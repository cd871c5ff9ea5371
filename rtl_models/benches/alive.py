"""Shows from inside a simulation that its time goes on."""

from __future__ import annotations

from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from rtl_models.processes import SIGN

_PERIOD_NS = 1024


def show_alive() -> None:
    """Touch the sign of life now and then, up to the end of the test."""
    cocotb.start_soon(_touch())


async def _touch() -> None:
    while True:
        Path(SIGN).touch()
        await Timer(_PERIOD_NS, "ns")
