"""A study: a TOML file that names data, algorithms, a datapath and what to vary, and the runs that follow from it."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import msgspec

from algorithms.data import Loss
from algorithms.readers import SOURCES
from algorithms.samples import DataSpec, HeldOut
from reports.series import Point, points_of
from reports.shipped import study_text
from sim.configuration import Section, from_table
from sim.configuration import field as described
from sim.conformance import ARITHMETIC_VERSION
from sim.errors import InputError
from sim.random_bits import LARGEST_SEED

OBJECTIVES = ("gradient_norm", "suboptimality", "error", "model_bits", "bits_moved", "gates", "cycles")
"""What a point can be judged by, all to be small: error is the share of held-out samples on the wrong side."""


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
    baseline: Annotated[str, described("series whose accuracy the others' is compared with, run by run")] = ""
    budget_minutes: Annotated[float, described("no run starts later than this; 0: no limit", 0)] = 0.0
    within: Annotated[float, described("with several problems: loss over the baseline's, less 1, up to which a point "
                                       "reaches it", 0)] = 0.01  # fmt: skip
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
        for name in ("ridge", "budget_minutes", "within"):
            number = getattr(self, name)
            if not math.isfinite(number):
                raise InputError(f"{name}: got {number}; allowed: a finite number of at least 0")


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
            "problem": self.problem_identity,
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

    @property
    def problem_identity(self) -> dict[str, Any]:
        """The problem with the digest of its data file, which may be moved but not changed."""
        data = msgspec.to_builtins(self.data)
        if self.file_digest:
            data["source"] = Path(self.data.source).name
        return self.problem | {"data": data, "file": self.file_digest}


@dataclass(frozen=True, eq=False)
class Study:
    """A study read from TOML; `Study.load` finds shipped ones by name.

    Attributes:
        head: name, loss, seeds, objectives.
        data: which samples.
        points: every point, in the order of the file.
        text: the TOML it was read from.
        file_digest: SHA-256 of its data file or folder; empty for shipped data and for a file that is not there.
    """

    head: Head
    data: DataSpec
    points: list[Point] = field(repr=False)
    text: str = field(default="", repr=False)
    file_digest: str = field(default="", repr=False)

    @classmethod
    def load(cls, source: str) -> Study:
        """Return the study of a TOML file, or a shipped one by name.

        Raises:
            InputError: for a missing or broken file, unknown fields, values out of range, axes that contradict each
                other, no point at all, or several problems.

        Example:
            >>> study = Study.load("halp-linear")
            >>> study.head.name, study.runs[0].seed
            ('halp-linear', 0)
        """
        return cls.parse(study_text(source), source)

    @classmethod
    def load_all(cls, source: str) -> list[Study]:
        """Return the studies of a TOML file, or of a shipped one: one for each table [[problem]], if it has any.

        Example:
            >>> [study.data.source for study in Study.load_all("zipml-claims")][:2]
            ['synthetic-10', 'synthetic-100']
        """
        return cls.parse_all(study_text(source), source)

    @classmethod
    def parse(cls, text: str, source: str) -> Study:
        """Return the study that a TOML text describes; `source` names it in errors."""
        studies = cls.parse_all(text, source)
        if len(studies) > 1:
            raise InputError(f"{source}: problem: got {len(studies)} tables; allowed: one [data] here, no [[problem]]")
        return studies[0]

    @classmethod
    def parse_all(cls, text: str, source: str) -> list[Study]:
        """Return the studies that a TOML text describes: the fields of a table [[problem]] go before those of all."""
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{source}: got broken TOML ({error}); allowed: a study in TOML") from None
        if "problem" not in table:
            return [cls._of(table, text, source)]
        studies = [cls._of(part, text, f"{source}: problem {k}") for k, part in enumerate(_problems(table, source), 1)]
        if not studies[0].head.baseline:
            raise InputError(f"{source}: baseline: got none; allowed: a series, with which each problem's are compared")
        _require_different(source, [run for study in studies for run in study.runs])
        return studies

    @classmethod
    def _of(cls, table: dict[str, Any], text: str, source: str) -> Study:
        series = table.pop("series", [])
        data, common = table.pop("data", {}), table.pop("common", {})
        head = from_table(Head, table, source)
        if not isinstance(data, dict) or "source" not in data:
            raise InputError(f"{source}: data: got {data!r}; allowed: a table with at least source")
        spec = from_table(DataSpec, data, f"{source}: data")
        if head.splits and (spec.fold, spec.split_seed) != (0, 0):
            raise InputError(
                f"{source}: splits: got {head.splits} with fold {spec.fold}, split_seed {spec.split_seed}; "
                "allowed: splits, which makes all folds of many seeds, or one fold"
            )
        if head.splits and spec.held_out is not HeldOut.FOLD:
            raise InputError(f'{source}: splits: got {head.splits}; allowed: 0 unless data.held_out = "fold"')
        if "error" in head.objectives and head.loss is Loss.LEAST_SQUARES:
            raise InputError(f"{source}: objectives: got error; allowed: others, since {head.loss} has no classes")
        folder = Path(source.partition(": problem ")[0]).parent
        points = points_of(source, series, common, head.follow, folder)
        if spec.source not in SOURCES:
            spec = spec.replace(source=str(folder / Path(spec.source).expanduser()))
        names = {point.series for point in points}
        if head.baseline and head.baseline not in names:
            raise InputError(f"{source}: baseline: got {head.baseline!r}; allowed: {', '.join(sorted(names))}")
        study = cls(head, spec, points, text, _file_digest(spec.source))
        _require_different(source, study.runs)
        return study

    @cached_property
    def runs(self) -> list[Run]:
        """Every run: replicates outermost, so that all points have some before one has all."""
        return [
            Run(point, data, self.head.loss, float(self.head.ridge), seed, self.file_digest)
            for data, seed in self.replicates
            for point in self.points
        ]

    def recalled(self, records: Sequence[dict[str, Any]]) -> Study:
        """Return the study with the data file that its records know, if the file itself is gone.

        Args:
            records: those of the study's folder, from which its figures can be drawn without the data.
        """
        if self.data.source in SOURCES or Path(self.data.source).exists() or not records:
            return self
        return replace(self, file_digest=records[-1].get("file", ""))

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


def _problems(table: dict[str, Any], source: str) -> list[dict[str, Any]]:
    """Return the table of a study of several problems once for each of them, with its own fields and chosen series."""
    problems, common, every = table.pop("problem"), table.get("common", {}), table.get("series", [])
    series = [entry for entry in every if isinstance(entry, dict)] if isinstance(every, list) else []
    if not isinstance(problems, list) or not problems or not all(isinstance(problem, dict) for problem in problems):
        raise InputError(f"{source}: problem: got {problems!r}; allowed: tables [[problem]]")
    names = [problem.get("about") for problem in problems]
    if None in names or len({repr(name) for name in names}) < len(names):
        raise InputError(f"{source}: problem: got about {names}; allowed: for each one a name of its own")
    merged = []
    for number, problem in enumerate(problems, 1):
        own, only = problem.get("common", {}), problem.pop("only", None)
        known = [entry.get("name") for entry in series]
        if only is not None and not (isinstance(only, list) and only and all(name in known for name in only)):
            raise InputError(f"{source}: problem {number}: only: got {only!r}; allowed: some of {known}")
        for key in problem.keys() - {"about", "loss", "ridge", "seeds", "splits", "data", "common"}:
            raise InputError(f"{source}: problem {number}: {key}: got one of its own; allowed: one for all problems")
        part = table | problem
        if isinstance(common, dict) and isinstance(own, dict):
            part["common"] = common | own
        if only is not None:
            part["series"] = [entry for entry in series if entry.get("name") in only]
        merged.append(part)
    return merged


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
    """Return the SHA-256 of a data file, or of the files of a folder; empty for shipped data and what is not there."""
    path, digest = Path(source), hashlib.sha256()
    files = sorted(path.iterdir()) if source not in SOURCES and path.is_dir() else [path]
    if source in SOURCES or not any(file.is_file() for file in files):
        return ""
    for entry in filter(Path.is_file, files):
        try:
            with entry.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest() + entry.name.encode())
        except OSError as error:
            raise InputError(f"{entry}: got {error.strerror or error}; allowed: a readable file") from None
    return digest.hexdigest()
