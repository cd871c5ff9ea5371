"""Runs a tool as a group of processes of its own, which ends when it falls silent or when this program is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

SIGN = "alive"
"""File that a bench touches in its folder for as long as simulated time goes on."""
SILENCE = 600
"""Seconds without a sign of life after which, by default, a simulation is ended."""
TERMINATED = 128 + signal.SIGTERM
"""Exit code of a program that was told to end."""
_STEP = 0.5
"""Seconds between two looks at the sign."""


class SilenceError(AssertionError):
    """A simulation was ended because its time stood still."""


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    log: TextIO | None = None,
    silence: float | None = None,
) -> int:
    """Return a command's exit code; whatever ends the wait for it ends all that it started.

    Args:
        command: the program and its arguments.
        folder: where it works, and touches `SIGN`.
        environment: all of its variables.
        log: file for what it writes; by default it writes where this program does.
        silence: seconds without a sign after which it is ended; None for no limit.

    Raises:
        SilenceError: if it gave none for so long.
        SystemExit: with `TERMINATED`, if this program is told to end meanwhile.
    """
    with (
        _terminable(),
        subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
        ) as process,
    ):
        try:
            _wait(process, Path(folder) / SIGN, silence)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return process.returncode


def _wait(process: subprocess.Popen[bytes], sign: Path, silence: float | None) -> None:
    last, since = None, time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STEP)
            return
        now, touched = time.monotonic(), sign.stat().st_mtime_ns if sign.exists() else None
        if touched != last:
            last, since = touched, now
        elif silence is not None and now - since > silence:
            raise SilenceError(f"simulated time stood still for {silence:g} s, as in an endless loop")


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM raise SystemExit for a while, unless the program has a handler of its own."""
    is_main = threading.current_thread() is threading.main_thread()
    is_ours = is_main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if is_ours:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
