"""Writing results: one clear error where a file cannot be written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sim.errors import InputError


@contextmanager
def writable(path: Path) -> Iterator[Path]:
    """Give the path to a block that writes it; an OSError inside becomes an InputError.

    Args:
        path: the file to write.

    Raises:
        InputError: if the file cannot be written.

    Example:
        >>> with writable(Path("no/such/folder/x.json")) as path:
        ...     _ = path.write_text("")
        Traceback (most recent call last):
        ...
        sim.errors.InputError: no/such/folder/x.json: got No such file or directory; allowed: a file that can be written
    """
    try:
        yield path
    except OSError as error:
        raise InputError(f"{path}: got {error.strerror or error}; allowed: a file that can be written") from None


def check_writable(*paths: Path | None) -> None:
    """Raise an InputError if a file could not be written, or would be written twice; to be called before a long run.

    Args:
        paths: the files; None for those that were not asked for.
    """
    asked = [path for path in paths if path is not None]
    for number, path in enumerate(asked):
        if path in asked[:number]:
            raise InputError(f"{path}: got two results for this file; allowed: a file for each")
        if path.is_dir():
            raise InputError(f"{path}: got Is a directory; allowed: a file that can be written")
        if not path.parent.is_dir():
            raise InputError(f"{path}: got No such file or directory; allowed: a file that can be written")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise InputError(f"{path}: got Permission denied; allowed: a file that can be written")


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON; NaN and infinities are refused (they have to be None with a state beside them)."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    with writable(path):
        path.write_text(text + "\n", encoding="utf-8")
