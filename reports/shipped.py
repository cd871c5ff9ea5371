"""The studies that come with the package."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from sim.errors import InputError


def study_names() -> list[str]:
    """Return the names of the shipped studies.

    Example:
        >>> "halp-linear" in study_names()
        True
    """
    folder = resources.files("reports") / "studies"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def study_text(source: str) -> str:
    """Return the TOML of a study: a file, or a shipped one by name."""
    if source in study_names():
        return (resources.files("reports") / "studies" / f"{source}.toml").read_text(encoding="utf-8")
    if not source or (not source.endswith(".toml") and not Path(source).exists()):
        raise InputError(f"study: got {source!r}; allowed: a TOML file, or one of {', '.join(study_names())}")
    try:
        return Path(source).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{source}: got {error.strerror or error}; allowed: a readable TOML file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: got broken TOML ({error}); allowed: a study in TOML") from None
