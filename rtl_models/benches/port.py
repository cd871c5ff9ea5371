"""A port as a whole number, for loops that touch it in every cycle."""

from __future__ import annotations

from typing import Any


class Port:
    """A port of a simulated module.

    Args:
        handle: cocotb's; reading its `value` makes a LogicArray first, which takes eight times as long as all the rest.
    """

    __slots__ = ("_driven", "_handle", "_read")

    def __init__(self, handle: Any) -> None:
        self._handle, self._driven = handle, -1
        self._read = handle._handle.get_signal_val_binstr

    def read(self) -> int:
        """Return the present value, unsigned."""
        return int(self._read(), 2)

    def drive(self, value: int) -> None:
        """Set the value for what follows this time step's clock edges; one that is driven already is left alone."""
        if value != self._driven:
            self._handle.value = self._driven = value
