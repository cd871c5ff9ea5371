"""Configuration sections: frozen structs read from TOML, every field checked, every error naming its path.

A field is annotated once with its range, its meaning and the RTL parameter it drives; the check, the error text and the
table in the docs come from that annotation.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from sim.errors import InputError


def field(meaning: str, low: int | None = None, high: int | None = None, **extra: Any) -> msgspec.Meta:
    """Return the annotation of a field: what it means, its range, and under `rtl` and `allowed` what else is known."""
    return msgspec.Meta(ge=low, le=high, description=meaning, extra=extra)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a configuration file: checks its fields whichever way it is made."""

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            value = _checked(f"{type(self).__name__}.{name}", getattr(self, name), hint)
            msgspec.structs.force_setattr(self, name, value)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values in some fields, checked like any other.

        Raises:
            InputError: for an unknown field or a value that is not allowed.
        """
        for name in changes:
            if name not in self.__struct_fields__:
                allowed = ", ".join(self.__struct_fields__)
                raise InputError(f"{type(self).__name__}.{name}: got an unknown field; allowed: {allowed}")
        return msgspec.structs.replace(self, **changes)

    def with_fields(self, changes: dict[str, Any]) -> Self:
        """Return a copy with other values in fields of any depth, all checked together.

        Args:
            changes: values by dotted path, such as "model.width".

        Raises:
            InputError: for an unknown field, a value that is not allowed, or values that contradict each other.
        """
        table: dict[str, Any] = msgspec.to_builtins(self)
        for path, value in changes.items():
            *sections, name = path.split(".")
            inner = table
            for section in sections:
                if not isinstance(inner.get(section), dict):
                    raise InputError(f"{path}: got an unknown field; allowed: {', '.join(inner)}")
                inner = inner[section]
            inner[name] = value
        return from_table(type(self), table)


S = TypeVar("S", bound=Section)


class Row(NamedTuple):
    """A line of the table of fields."""

    path: str
    type: str
    default: str
    allowed: str
    rtl: str
    meaning: str


def from_table(kind: type[S], table: dict[str, Any], source: str = "") -> S:
    """Return a section read from a decoded TOML table.

    Args:
        kind: the section's class.
        table: nested dictionaries.
        source: name of the file, put before every error.

    Raises:
        InputError: naming the path of the field, its value and what is allowed.
    """
    prefix = f"{source}: " if source else ""
    try:
        _check_table(kind, table, "")
        return msgspec.convert(table, kind)
    except InputError as error:
        raise InputError(f"{prefix}{error}") from None
    except msgspec.ValidationError as error:  # a rule between fields, raised inside __post_init__
        raise InputError(f"{prefix}{str(error).split(' - at `$')[0]}") from None


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return the table of a TOML file.

    Raises:
        InputError: for a missing or unreadable file, or broken TOML.
    """
    if not isinstance(path, str | Path):
        raise InputError(f"path: got {path!r}; allowed: the path of a TOML file")
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: got {error.strerror or error}; allowed: a readable TOML file") from None
    except (ValueError, RecursionError) as error:  # broken syntax or encoding, endless numbers or nesting
        raise InputError(f"{path}: got broken TOML ({error}); allowed: a TOML file") from None


def from_toml(kind: type[S], path: str | Path) -> S:
    """Return a section read from a TOML file.

    Raises:
        InputError: for a missing or unreadable file, broken TOML, or a bad field.
    """
    return from_table(kind, read_toml(path), str(path))


def to_toml(section: Section) -> str:
    """Return a section as TOML, every field written out."""
    return msgspec.toml.encode(section).decode()


def rows(kind: type[Section], path: str = "") -> Iterator[Row]:
    """Yield a line for every field of a section and its subsections, for the table in the docs."""
    defaults = {
        info.name: info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
        for info in msgspec.structs.fields(kind)
    }
    for name, hint in _hints(kind).items():
        here = f"{path}.{name}" if path else name
        base, meta = _split(hint)
        if isinstance(base, type) and issubclass(base, Section):
            yield from rows(base, here)
            continue
        needed = defaults[name] is msgspec.NODEFAULT
        default = None if needed else msgspec.to_builtins(defaults[name])
        default = list(default) if isinstance(default, tuple) else default
        extra = (meta.extra or {}) if meta else {}
        meaning = (meta.description or "") if meta else ""
        text = str(default).lower() if isinstance(default, bool) else repr(default).replace("'", '"')
        yield Row(here, _type_name(base), "–" if needed else text, _allowed(hint), extra.get("rtl", "–"), meaning)


@cache
def _hints(kind: type[Section]) -> dict[str, Any]:
    return {
        name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name in kind.__struct_fields__
    }


@cache
def _required(kind: type[Section]) -> list[str]:
    return [info.name for info in msgspec.structs.fields(kind) if info.required]


def _split(hint: Any) -> tuple[Any, msgspec.Meta | None]:
    if get_origin(hint) is Annotated:
        base, *metas = get_args(hint)
        return base, next((meta for meta in metas if isinstance(meta, msgspec.Meta)), None)
    return hint, None


def _type_name(base: Any) -> str:
    if isinstance(base, type) and issubclass(base, StrEnum):
        return "name"
    if get_origin(base) is tuple:
        return "texts" if get_args(base)[0] is str else "integers"
    if get_origin(base) is dict:
        return "table"
    return {int: "integer", bool: "boolean", str: "text", float: "number"}[base]


def _allowed(hint: Any) -> str:
    base, meta = _split(hint)
    extra = (meta.extra or {}) if meta else {}
    if "allowed" in extra:
        return ", ".join(str(value) for value in extra["allowed"])
    if isinstance(base, type) and issubclass(base, Section):
        return "a table"
    if isinstance(base, type) and issubclass(base, StrEnum):
        return ", ".join(base)
    if base is bool:
        return "true, false"
    if base is int and meta is not None:
        return f"{meta.ge} to {meta.le}"
    if base is float:
        return "a finite number" if meta is None or meta.ge is None else f"a finite number of at least {meta.ge}"
    if get_origin(base) is tuple:
        return "a list of texts" if get_args(base)[0] is str else "whole numbers"
    if get_origin(base) is dict:
        values = {str: "texts", int: "whole numbers"}.get(get_args(base)[1], "whole numbers and texts")
        return f"a table of {values}"
    return "text"


def _checked(path: str, value: Any, hint: Any) -> Any:
    """Return the value of a field in its own type: a mode for its name, a tuple for a list."""
    base, meta = _split(hint)
    extra = (meta.extra or {}) if meta else {}
    if isinstance(base, type) and issubclass(base, Section):
        if isinstance(value, base):
            return value
    else:
        try:
            converted = msgspec.convert(msgspec.to_builtins(value), hint)
            if "allowed" not in extra or converted in extra["allowed"]:
                return converted
        except (msgspec.ValidationError, TypeError):
            pass
    number = "a whole number from " if base is int and "allowed" not in extra else ""
    raise InputError(f"{path}: got {value!r}; allowed: {number}{_allowed(hint)}")


def _check_table(kind: type[Section], table: Any, path: str) -> None:
    if not isinstance(table, dict):
        raise InputError(f"{path}: got {table!r}; allowed: a table")
    hints = _hints(kind)
    for name, value in table.items():
        here = f"{path}.{name}" if path else name
        if name not in hints:
            raise InputError(f"{here}: got an unknown field; allowed: {', '.join(hints)}")
        base, _ = _split(hints[name])
        if isinstance(base, type) and issubclass(base, Section):
            _check_table(base, value, here)
        else:
            _checked(here, value, hints[name])
    for name in _required(kind):
        if name not in table:
            here = f"{path}.{name}" if path else name
            raise InputError(f"{here}: got nothing; allowed: {_allowed(hints[name])}")
