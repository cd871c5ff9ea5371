"""The series of a study: an algorithm on a datapath, with parameters and fields set, varied or tuned; its points."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.points import LARGEST_EPOCH, Option, Parameters
from algorithms.training import UNSET, Algorithm, algorithm_of
from sim.configuration import from_table
from sim.datapath import TrainingDatapath, preset_names
from sim.errors import InputError
from sim.quantize import mode_of

TRAINING_KEYS = ("step", "epoch_length", "epochs", "gamma", *UNSET)
"""Parameters of `train` that a study sets or varies; other keys are fields of the datapath."""


@dataclass(frozen=True, eq=False)
class Point:
    """An algorithm with all its parameters and its datapath: what is run once for each replicate.

    Attributes:
        series: label of its series.
        algorithm: name of the algorithm.
        datapath: None for float algorithms.
        parameters: those of `train`.
        varied: values of the axes, by key.
        tuned: values of the tuned axes, by key.
    """

    series: str
    algorithm: str
    datapath: TrainingDatapath | None
    parameters: dict[str, Any]
    varied: dict[str, Any]
    tuned: dict[str, Any]

    @property
    def axes(self) -> str:
        """The values of the axes, as in "model 8, mu 2"; the tuned ones after the varied ones."""
        return ", ".join(f"{_short(key)} {_text(value)}" for key, value in (self.varied | self.tuned).items())

    @property
    def label(self) -> str:
        """The series with the values of its axes."""
        return f"{self.series} {self.axes}".rstrip()

    @property
    def group(self) -> str:
        """What tuned values compete within: the series and the varied values."""
        return json.dumps([self.series, self.varied], sort_keys=True)


_SERIES = ("name", "algorithm", "datapath", "set", "vary", "tune")


def points_of(where: str, tables: Any, common: Any, follow: bool, folder: Path) -> list[Point]:
    """Return the points of all series.

    Args:
        where: the study's source, named in errors.
        tables: the decoded [[series]] tables.
        common: the decoded [common] table: values for all series that have such a parameter and do not set it.
        follow: whether a set or varied model.width takes increment, product and accumulator with it.
        folder: where datapath files are.

    Raises:
        InputError: for unknown fields, values that are not allowed, axes that contradict each other, or no point.
    """
    if not isinstance(tables, list) or not tables:
        got = "none" if tables == [] else repr(tables)
        raise InputError(f"{where}: series: got {got}; allowed: at least one [[series]] table: there are no points")
    shared = _flat(f"{where}: common", common)
    points: list[Point] = []
    algorithms: list[Algorithm] = []
    for number, table in enumerate(tables, 1):
        here = f"{where}: series {number}"
        algorithms.append(_algorithm(here, table))
        own = _points(here, table, algorithms[-1], shared, follow, folder)
        if own[0].series in {point.series for point in points}:
            raise InputError(f"{here}: name: got {own[0].series!r} once more; allowed: a name of its own")
        points += own
    for key, value in shared.items():
        if not any(_applies(key, algorithm) for algorithm in algorithms):
            raise InputError(f"{where}: common: {key}: got {value!r}; allowed: what some series has, and none has this")
    return points


def _algorithm(where: str, table: Any) -> Algorithm:
    """Return the algorithm of a [[series]] table, whose fields are checked to be known."""
    if not isinstance(table, dict):
        raise InputError(f"{where}: got {table!r}; allowed: a table")
    for key in table:
        if key not in _SERIES:
            raise InputError(f"{where}: {key}: got an unknown field; allowed: {', '.join(_SERIES)}")
    for key in ("name", "algorithm"):
        if not isinstance(table.get(key, ""), str) or not table.get(key, "x"):
            raise InputError(f"{where}: {key}: got {table[key]!r}; allowed: text")
    try:
        return algorithm_of(table.get("algorithm", ""))
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _points(
    where: str, table: dict[str, Any], algorithm: Algorithm, common: dict[str, Any], follow: bool, folder: Path
) -> list[Point]:
    """Return the points of one [[series]] table."""
    base = _base(where, table.get("datapath"), algorithm, folder)
    fixed = _flat(f"{where}: set", table.get("set", {}))
    vary, tune = (_axes(f"{where}: {name}", table.get(name, {})) for name in ("vary", "tune"))
    for one, other, keys, others in (("set", "vary", fixed, vary), ("set", "tune", fixed, tune),
                                     ("vary", "tune", vary, tune)):  # fmt: skip
        for key in keys:
            if key in others:
                raise InputError(f"{where}: {key}: got it under {one} and {other}; allowed: one of them")
    chosen_by_series = fixed | vary | tune
    for key, value in chosen_by_series.items():
        if not _applies(key, algorithm):
            raise InputError(f"{where}: {key}: got {value!r}; allowed: none with algorithm {table['algorithm']}")
    shared = {key: value for key, value in common.items() if key not in chosen_by_series and _applies(key, algorithm)}
    name = table.get("name") or (table["algorithm"] if base is None else f"{table['algorithm']} {base.name}")
    points = []
    for values in itertools.product(*vary.values(), *tune.values()):
        chosen = dict(zip((*vary, *tune), values, strict=True))
        changes = shared | fixed | chosen
        try:
            datapath = None if base is None else _changed(base, changes, follow)
            parameters = _parameters(changes)
        except InputError as error:
            at = ", ".join(f"{key} = {value!r}" for key, value in chosen.items())
            raise InputError(f"{where}{f' at {at}' if at else ''}: {error}") from None
        varied, tuned = ({key: chosen[key] for key in axes} for axes in (vary, tune))
        points.append(Point(name, table["algorithm"], datapath, parameters, varied, tuned))
    return points


def _base(where: str, source: Any, algorithm: Algorithm, folder: Path) -> TrainingDatapath | None:
    """Return the datapath of a series: a preset's name, a TOML file beside the study, or a table."""
    if not algorithm.on_engine:
        if source is not None:
            raise InputError(f"{where}: datapath: got {source!r}; allowed: none with a float algorithm")
        return None
    if isinstance(source, dict):
        return from_table(TrainingDatapath, source, f"{where}: datapath")
    if source in preset_names():
        return TrainingDatapath.preset(source)
    if not isinstance(source, str) or not source.endswith(".toml"):
        presets = ", ".join(preset_names())
        raise InputError(f"{where}: datapath: got {source!r}; allowed: a TOML file, a table, or one of {presets}")
    return TrainingDatapath.from_toml(folder / source)


def _flat(where: str, table: Any, path: str = "") -> dict[str, Any]:
    """Return a table's values by dotted key, whether it nests tables or quotes dotted keys."""
    if not isinstance(table, dict):
        raise InputError(f"{where}: got {table!r}; allowed: a table")
    flat: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        inner = _flat(where, value, here) if isinstance(value, dict) else {here: value}
        for twice in inner.keys() & flat.keys():
            raise InputError(f"{where}: {twice}: got {flat[twice]!r} and {inner[twice]!r}; allowed: one of them")
        flat |= inner
    return flat


def _axes(where: str, table: Any) -> dict[str, list[Any]]:
    axes = _flat(where, table)
    for key, values in axes.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"{where}: {key}: got {values!r}; allowed: a list of at least one value")
        if len({repr(value) for value in values}) < len(values):
            raise InputError(f"{where}: {key}: got {values!r}; allowed: different values")
    return axes


def _applies(key: str, algorithm: Algorithm) -> bool:
    """Whether an algorithm has a parameter, or a datapath whose field it may be."""
    if key in UNSET:
        return key in algorithm.own
    return key in TRAINING_KEYS or algorithm.on_engine


def _changed(base: TrainingDatapath, changes: dict[str, Any], follow: bool) -> TrainingDatapath:
    fields = {key: value for key, value in changes.items() if key not in TRAINING_KEYS}
    width = fields.get("model.width")
    if follow and width is not None:
        base.with_fields({"model.width": width, "biased_ok": True})  # names the field if the width is none
        base = base.with_model_width(width)
    return base.with_fields(fields)


def _parameters(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of `train` among the changes, checked as far as they can be without the data."""
    chosen = {key: value for key, value in changes.items() if key in TRAINING_KEYS}
    for key, what in (("step", "a positive number"), ("epoch_length", 'a whole number, "N", "2N"')):
        if key not in chosen and "gamma" not in chosen:
            raise InputError(f"{key}: got none; allowed: {what}, or gamma to have it from theory")
    if "gamma" in chosen:
        gamma = chosen["gamma"]
        if isinstance(gamma, bool) or not isinstance(gamma, int | float) or not 0 < gamma < 1:
            raise InputError(f"gamma: got {gamma!r}; allowed: a number between 0 and 1")
        if "step" in chosen and "epoch_length" in chosen:
            raise InputError(f"gamma: got {gamma!r}; allowed: none where step and epoch_length are given")
    if "epochs" not in chosen:
        raise InputError("epochs: got none; allowed: a whole number")
    own = {key: value for key, value in chosen.items() if key in UNSET}
    own["option"] = mode_of(Option, "option", chosen.get("option", Option.LAST))
    steps = steps_of(chosen.get("epoch_length", 1), 1)
    Parameters(chosen.get("step", 1.0), steps, chosen["epochs"], 0, **own)
    return chosen


def steps_of(length: str | int, samples: int) -> int:
    """Return an epoch length in steps; "N" stands for the number of samples, "2N" for twice that.

    Example:
        >>> steps_of("2N", 500), steps_of(100, 500)
        (1000, 100)
    """
    if isinstance(length, str) and re.fullmatch("[0-9]{0,9}N", length):
        length = samples * int(length[:-1] or 1)
    if isinstance(length, bool) or not isinstance(length, int) or not 1 <= length <= LARGEST_EPOCH:
        raise InputError(f'epoch_length: got {length!r}; allowed: a whole number from 1 to {LARGEST_EPOCH}, "N", "2N"')
    return length


def _short(key: str) -> str:
    """Return an axis' name for a label: model.width as "model"."""
    return key.removesuffix(".width")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
