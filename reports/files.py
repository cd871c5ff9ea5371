"""Writing results: one clear error where a file cannot be written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sim.errors import InputError, writable


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
