"""The folder of a study: records in JSON Lines, one line a run, appended by one writer and never lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sim.errors import InputError, writable

RECORDS, MINIMA, CHECKED, STUDY = "records.jsonl", "minima.jsonl", "cosimulated.jsonl", "study.toml"
LOCK, FRESH = ".lock", f".{STUDY}.new"
"""What a process that was killed as it made the folder may leave there."""
_RECORD = {"problem": object, "seed": int, "shape": list, "one_vs_rest": int, "state": str, "epochs": list}
_CHECKED = {"epochs": int, "co_simulated": bool}


class JsonLines:
    """A file of JSON objects, one a line, each written whole: flushed and synced before the next one starts.

    A line that a killed writer left incomplete is cut off when the file is opened; a write that fails (a full disk)
    is taken back, so that all lines before it stay.

    Args:
        path: the file; it need not exist.
        needed: keys that every line has, besides "key", and the types of their values.

    Raises:
        InputError: for a file that cannot be read or a broken line before the last.
    """

    def __init__(self, path: Path, needed: Mapping[str, Any] | None = None) -> None:
        self.path = path
        kinds = {"key": str, **(needed or {})}
        self.torn = 0
        self.entries: list[dict[str, Any]] = []
        try:
            content = path.read_bytes() if path.exists() else b""
        except OSError as error:
            raise InputError(f"{path}: got {error.strerror or error}; allowed: a readable file") from None
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                entry = json.loads(line)
                if not all(isinstance(entry[key], kind) for key, kind in kinds.items()):
                    raise ValueError
            except (ValueError, TypeError, KeyError, RecursionError):
                keys = ", ".join(kinds)
                raise InputError(
                    f"{path}, line {number}: got {_start(line)}; allowed: one JSON object a line, with {keys}"
                ) from None
            self.entries.append(entry)
        self.torn = len(content) - len(whole)
        if self.torn:
            with writable(path):
                os.truncate(path, len(whole))

    def append(self, entry: dict[str, Any]) -> None:
        """Write one line and wait until the disk has it.

        Raises:
            InputError: if it cannot be written; the file is then as it was before.
        """
        line = json.dumps(entry, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with writable(self.path), self.path.open("ab", buffering=0) as file:
            before = file.tell()
            try:
                written = file.write(line)
                if written != len(line):
                    raise OSError(28, "No space left on device")
                os.fsync(file.fileno())
            except BaseException:
                with suppress(OSError):  # then the next process cuts it off
                    file.truncate(before)
                raise
        self.entries.append(entry)


class Store:
    """The folder of one study, locked while it is open.

    Attributes:
        folder: where records and figures are.
        records: the runs' lines.
        minima: the least losses of the problems.
        checked: what became of runs on a circuit, by their key; the last line of a run and circuit counts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = JsonLines(folder / RECORDS, _RECORD)
        self.minima = JsonLines(folder / MINIMA, {"minimum": object})
        self.checked = JsonLines(folder / CHECKED, _CHECKED)

    @property
    def by_key(self) -> dict[str, dict[str, Any]]:
        """Records by their run's key."""
        return {record["key"]: record for record in self.records.entries}

    def repeated(self, circuit: str) -> dict[str, int]:
        """Return the epochs of each run that a circuit repeated, by the run's key.

        Args:
            circuit: digest of its sources; what others repeated does not count, nor does a run that differed later.
        """
        last = {entry["key"]: entry for entry in self.checked.entries if entry.get("circuit") == circuit}
        return {key: entry["epochs"] for key, entry in last.items() if entry["co_simulated"]}

    def only_of_others(self, circuit: str) -> set[str]:
        """Return the keys of runs that other circuits than this one were tried on, and this one not."""
        tried = {entry["key"] for entry in self.checked.entries if entry.get("circuit") == circuit}
        return {entry["key"] for entry in self.checked.entries} - tried


@contextmanager
def opened(folder: Path, name: str, text: str, field: str = "out") -> Iterator[Store]:
    """Give the store of a study to a block, and to no other process meanwhile.

    Args:
        folder: where to keep it; made if need be.
        name: the study's name.
        text: its TOML, kept beside the records.
        field: what named the folder, for messages.

    Raises:
        InputError: if the folder cannot be written, is that of another study, or is in use by another process.
    """
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    with writable(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:  # an OSError, too
            raise InputError(
                f"{folder}: got a folder in use by another process; allowed: one process a study"
            ) from None
    try:
        kept = folder / STUDY
        _require_same_study(folder, kept, name, field)
        store = Store(folder)
        if not kept.exists() or kept.read_text(encoding="utf-8") != text:
            _write_whole(kept, text)
        yield store
    finally:
        lock.release()


def _require_same_study(folder: Path, kept: Path, name: str, field: str) -> None:
    import tomllib

    if kept.exists():
        try:
            other = tomllib.loads(kept.read_text(encoding="utf-8-sig")).get("name")
        except (OSError, ValueError):
            other = None
        if other != name:
            raise InputError(
                f"{field}: got {folder}, the folder of study {other!r}; allowed: another folder for {name!r}"
            )
    elif any(entry.name not in (LOCK, FRESH) for entry in folder.iterdir()):
        raise InputError(
            f"{field}: got {folder}, which holds other files; allowed: a new, empty or this study's folder"
        )


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that it is either the old or the new one, whatever happens."""
    fresh = path.with_name(FRESH)
    with writable(path):
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


def _start(line: bytes) -> str:
    text = line.decode(errors="replace")
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
