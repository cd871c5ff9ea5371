"""Compiled kernels: the same arithmetic as `sim.reference`, bit for bit, at native speed. Private to `sim`.

Modes and shifts enter as run-time numbers, so that each kernel is compiled once for each dtype and never for a mode.
The engine's loop is written in vectors, and compiled once more for the short casts that most datapaths have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_FILES = sorted(Path(__file__).parent.glob("*.py"))
_SOURCES = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()
"""Digest of all kernel sources: part of every cache entry, so that no old arithmetic outlives a change."""
KERNELS: list[Any] = []
"""Every compiled function, for counting specialisations."""


def kernel(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function, cached on disk, without the interpreter lock; `options` are those of numba's njit."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    index = compiled._cache._cache_file  # numba watches a kernel's own file only, not those of the kernels it calls
    index._source_stamp = (index._source_stamp, _SOURCES)
    KERNELS.append(compiled)
    return compiled


def on_first_compilation(tell: Callable[[], None]) -> None:
    """Call `tell` once, just before the first kernel that is not in the disk cache is compiled."""
    from numba.core import event

    class Once(event.Listener):
        def on_start(self, event: Any) -> None:
            if not self.told:
                self.told = True
                tell()

        def on_end(self, event: Any) -> None:
            pass

        told = False

    event.register("numba:compile", Once())
