"""A study: a TOML file that names data, algorithms, a datapath and what to vary, and the runs that follow from it."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import msgspec

from algorithms.data import Loss
from algorithms.points import Option, Parameters
from algorithms.samples import DataSpec, HeldOut
from algorithms.training import Algorithm, algorithm_of
from reports.shipped import study_text
from sim.configuration import Section, from_table
from sim.configuration import field as described
from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import TrainingDatapath, preset_names
from sim.errors import InputError
from sim.random_bits import LARGEST_SEED

OBJECTIVES = ("gradient_norm", "suboptimality", "error", "model_bits", "bits_moved", "gates", "cycles")
"""What a point can be judged by, all to be small: error is the share of held-out samples on the wrong side."""
TRAINING_KEYS = ("step", "epoch_length", "epochs", "gamma", "mu", "delta", "option", "power_of_two")
"""Parameters of `train` that a study sets or varies; other keys are fields of the datapath."""


class Head(Section, frozen=True):
    """What a study has besides its data and series."""

    name: Annotated[str, described("names the study and its folder")] = ""
    about: Annotated[str, described("one line, shown in figures")] = ""
    loss: Annotated[Loss, described("what is minimised")] = Loss.LEAST_SQUARES
    ridge: Annotated[float, described("λ of the ridge term", 0)] = 0.0
    seeds: Annotated[tuple[int, ...], described("a run each; all points of a seed draw the same samples")] = (0, 1, 2)
    splits: Annotated[int, described("with held_out = fold: runs on every fold of so many splits; 0: on one fold", 0,
                                     1000)] = 0  # fmt: skip
    objectives: Annotated[tuple[str, ...], described("the Pareto front's; the first one also chooses tuned values")] = (
        "gradient_norm",
        "gates",
    )
    budget_minutes: Annotated[float, described("no run starts later than this; 0: no limit", 0)] = 0.0
    follow: Annotated[
        bool, described("a set or varied model.width takes increment, product and accumulator with it")
    ] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name or not all(c.isalnum() or c in "-_." for c in self.name) or self.name.startswith("."):
            raise InputError(f"name: got {self.name!r}; allowed: letters, digits, '-', '_' and '.'")
        if not self.objectives or not set(self.objectives) <= set(OBJECTIVES):
            raise InputError(f"objectives: got {list(self.objectives)}; allowed: some of {', '.join(OBJECTIVES)}")
        seeds = self.seeds
        if not seeds or len(set(seeds)) < len(seeds) or not all(0 <= seed <= LARGEST_SEED for seed in seeds):
            raise InputError(f"seeds: got {list(seeds)}; allowed: different numbers from 0 to 2^62 − 1, at least one")
        if not math.isfinite(self.ridge):
            raise InputError(f"ridge: got {self.ridge}; allowed: a finite number of at least 0")


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


@dataclass(frozen=True, eq=False)
class Run:
    """A point on one replicate: a seed and, with folds, a part of the data."""

    point: Point
    data: DataSpec
    loss: Loss
    ridge: float
    seed: int
    file_digest: str = ""

    @cached_property
    def key(self) -> str:
        """Identity of the run: a hash of all that its result depends on."""
        content = {
            "arithmetic_version": ARITHMETIC_VERSION,
            "datapath": msgspec.to_builtins(self.point.datapath),
            "problem": {**self.problem, "file": self.file_digest},
            "algorithm": self.point.algorithm,
            "parameters": self.point.parameters,
            "seed": self.seed,
        }
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def problem(self) -> dict[str, Any]:
        """Data, loss and ridge as plain values."""
        return {"data": msgspec.to_builtins(self.data), "loss": str(self.loss), "ridge": self.ridge}


@dataclass(frozen=True, eq=False)
class Study:
    """A study read from TOML; `Study.load` finds shipped ones by name.

    Attributes:
        head: name, loss, seeds, objectives.
        data: which samples.
        points: every point, in the order of the file.
        text: the TOML it was read from.
    """

    head: Head
    data: DataSpec
    points: list[Point] = field(repr=False)
    text: str = field(default="", repr=False)

    @classmethod
    def load(cls, source: str) -> Study:
        """Return the study of a TOML file, or a shipped one by name.

        Raises:
            InputError: for a missing or broken file, unknown fields, values out of range, axes that contradict each
                other, or no point at all.

        Example:
            >>> study = Study.load("halp-linear")
            >>> study.head.name, study.runs[0].seed
            ('halp-linear', 0)
        """
        return cls.parse(study_text(source), source)

    @classmethod
    def parse(cls, text: str, source: str) -> Study:
        """Return the study that a TOML text describes; `source` names it in errors."""
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}: got broken TOML ({error}); allowed: a study in TOML") from None
        series = table.pop("series", [])
        data, common = table.pop("data", {}), table.pop("common", {})
        head = from_table(Head, table, source)
        if not isinstance(data, dict) or "source" not in data:
            raise InputError(f"{source}: data: got {data!r}; allowed: a table with at least source")
        spec = from_table(DataSpec, data, f"{source}: data")
        if head.splits and spec.held_out is not HeldOut.FOLD:
            raise InputError(f'{source}: splits: got {head.splits}; allowed: 0 unless data.held_out = "fold"')
        if not isinstance(series, list) or not series:
            raise InputError(f"{source}: series: got none; allowed: at least one [[series]] table: there are no points")
        folder = Path(source).parent
        points = [
            point
            for number, table in enumerate(series, 1)
            for point in _points(f"{source}: series {number}", table, common, head, folder)
        ]
        if not points:
            raise InputError(f"{source}: series: got no points; allowed: at least one")
        study = cls(head, spec, points, text)
        _require_different(source, study.runs)
        return study

    @cached_property
    def runs(self) -> list[Run]:
        """Every run: replicates outermost, so that all points have some before one has all."""
        digest = _file_digest(self.data.source)
        return [
            Run(point, data, self.head.loss, float(self.head.ridge), seed, digest)
            for data, seed in self.replicates
            for point in self.points
        ]

    @property
    def replicates(self) -> list[tuple[DataSpec, int]]:
        """The data and the seed of every replicate."""
        specs = [self.data]
        if self.head.splits:
            specs = [
                self.data.replace(split_seed=split, fold=fold)
                for split in range(self.head.splits)
                for fold in range(self.data.folds)
            ]
        return list(itertools.product(specs, self.head.seeds))


_SERIES = ("name", "algorithm", "datapath", "set", "vary", "tune")


def _points(where: str, table: Any, common: Any, head: Head, folder: Path) -> Iterator[Point]:
    """Yield the points of one [[series]] table."""
    if not isinstance(table, dict):
        raise InputError(f"{where}: got {table!r}; allowed: a table")
    for key in table:
        if key not in _SERIES:
            raise InputError(f"{where}: {key}: got an unknown field; allowed: {', '.join(_SERIES)}")
    if not isinstance(table.get("algorithm"), str):
        raise InputError(f"{where}: algorithm: got {table.get('algorithm')!r}; allowed: the name of an algorithm")
    try:
        algorithm = algorithm_of(table["algorithm"])
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    base = _base(where, table.get("datapath"), algorithm, folder)
    fixed = _flat(f"{where}: set", table.get("set", {}))
    vary, tune = (_axes(f"{where}: {name}", table.get(name, {})) for name in ("vary", "tune"))
    for one, other, keys in (("set", "vary", fixed), ("set", "tune", fixed), ("vary", "tune", vary)):
        for key in keys:
            if key in (vary if other == "vary" else tune):
                raise InputError(f"{where}: {key}: got it under {one} and {other}; allowed: one of them")
    shared = {
        key: value
        for key, value in _flat(f"{where}: common", common).items()
        if key not in vary and key not in tune and key not in fixed and _applies(key, algorithm)
    }
    for key in (*fixed, *vary, *tune):
        if not _applies(key, algorithm):
            raise InputError(f"{where}: {key}: got a value; allowed: none with algorithm {table['algorithm']}")
    name = table.get("name") or (table["algorithm"] if base is None else f"{table['algorithm']} {base.name}")
    for values in itertools.product(*vary.values(), *tune.values()):
        chosen = dict(zip((*vary, *tune), values, strict=True))
        changes = shared | fixed | chosen
        try:
            datapath = None if base is None else _changed(base, changes, head.follow)
            parameters = _parameters(changes)
        except InputError as error:
            at = ", ".join(f"{key} = {value!r}" for key, value in chosen.items())
            raise InputError(f"{where}{f' at {at}' if at else ''}: {error}") from None
        yield Point(
            str(name),
            table["algorithm"],
            datapath,
            parameters,
            {key: chosen[key] for key in vary},
            {key: chosen[key] for key in tune},
        )


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
        flat |= _flat(where, value, here) if isinstance(value, dict) else {here: value}
    return flat


def _axes(where: str, table: Any) -> dict[str, list[Any]]:
    axes = _flat(where, table)
    for key, values in axes.items():
        if not isinstance(values, list) or not values:
            raise InputError(f"{where}.{key}: got {values!r}; allowed: a list of at least one value")
        if len({json.dumps(value) for value in values}) < len(values):
            raise InputError(f"{where}.{key}: got {values!r}; allowed: different values")
    return axes


def _applies(key: str, algorithm: Algorithm) -> bool:
    """Whether an algorithm has a parameter, or a datapath whose field it may be."""
    if key in ("mu", "delta", "option", "power_of_two"):
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
    if "epochs" not in chosen:
        raise InputError("epochs: got none; allowed: a whole number")
    length = chosen.get("epoch_length")
    if isinstance(length, str):
        steps_of(length, 1)
    elif length is None and "gamma" not in chosen:
        raise InputError('epoch_length: got none; allowed: a whole number, "N", "2N", or gamma to have it from theory')
    if "step" not in chosen and "gamma" not in chosen:
        raise InputError("step: got none; allowed: a positive number, or gamma to have it from theory")
    own = {key: value for key, value in chosen.items() if key in ("mu", "delta", "option", "power_of_two")}
    steps = length if isinstance(length, int) else 1
    Parameters(chosen.get("step", 1.0), steps, chosen["epochs"], 0, **{"option": Option.LAST, **own})
    return chosen


def steps_of(length: str | int | None, samples: int) -> int | None:
    """Return an epoch length in steps; "N" stands for the number of samples, "2N" for twice that.

    Example:
        >>> steps_of("2N", 500), steps_of(100, 500)
        (1000, 100)
    """
    if not isinstance(length, str):
        return length
    factor = length.removesuffix("N")
    if not length.endswith("N") or not (factor == "" or factor.isdecimal()):
        raise InputError(f'epoch_length: got {length!r}; allowed: a whole number, "N", "2N" and so on')
    return samples * int(factor or 1)


def _require_different(source: str, runs: list[Run]) -> None:
    seen: dict[str, Run] = {}
    for run in runs:
        if run.key in seen:
            raise InputError(
                f"{source}: series: got {run.point.label!r} and {seen[run.key].point.label!r}, which are the same run; "
                "allowed: different points"
            )
        seen[run.key] = run


def _file_digest(source: str) -> str:
    """Return the SHA-256 of a data file; empty for shipped data."""
    path = Path(source)
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(key: str) -> str:
    """Return an axis' name for a label: model.width as "model"."""
    return key.removesuffix(".width")


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
