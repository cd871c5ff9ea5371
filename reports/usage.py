"""What the command line says to a call that no command takes."""

from __future__ import annotations

import re
from typing import Any

import typer

SUGGESTION = re.compile(r"\. Did you mean (.+)\?$| \(Possible options: (.+)\)$")
WORDS = {"a valid integer": "a whole number", "a valid number": "a number", "greater than or equal to": "at least"}
"""The house's words for those of the types of options."""


def refusal(error: typer.TyperException) -> str:
    """Return typer's complaint about a call as one line, as an `InputError` has it.

    Args:
        error: of a bad value, its cause is what the option's type said.

    Returns:
        Field, value and what is allowed; an empty line where a call without a command has already shown the help.

    Example:
        >>> refusal(typer.TyperException("No such command 'trane'. Did you mean 'train'?"))
        "No such command 'trane'; allowed: what bittrue COMMAND --help shows (did you mean 'train'?)"
    """
    cause: Any = error.__cause__
    if cause is not None:
        (fault, *_) = cause.errors()
        allowed = fault["msg"].removeprefix("Input should be ").partition(",")[0]
        for word, own in WORDS.items():
            allowed = allowed.replace(word, own)
        return f"{_field(error)}: got {fault['input']!r}; allowed: {allowed}"
    complaint = error.format_message()
    if not complaint:
        return ""
    context = getattr(error, "ctx", None)  # the parser of options knows none
    where, path = ("", "bittrue COMMAND") if context is None else (f"{context.command_path}: ", context.command_path)
    found = SUGGESTION.search(complaint)
    meant = f" (did you mean {found[1] or found[2]}?)" if found else ""
    return f"{where}{SUGGESTION.sub('', complaint).rstrip('.')}; allowed: what {path} --help shows{meant}"


def _field(error: Any) -> str:
    """Return the name of the option as files and results write it: `--epoch-length` is `epoch_length`."""
    return str(max(error.param.opts, key=len)).lstrip("-").replace("-", "_")
