"""What the nodes of a datapath held in real runs, as plain data: extremes, histograms of sizes, overflows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import msgspec

from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import Link, TrainingDatapath
from sim.errors import InputError
from sim.formats import width_of

NODES = ("t", "u", "c", "p", "a", "z", "h")
"""The nodes of a profile, named as in the engine's formulas."""
KIND, VERSION = "bittrue profile", 1
"""What a file of this kind says it is, and the version of its layout."""


class NodeProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one node held: every observed value is counted once.

    Args:
        low: smallest value; 0 if nothing was observed.
        high: largest value; 0 if nothing was observed.
        zeros: how many values were 0.
        negative: how many negative values had a magnitude of 1, 2, 3, … bits: entry k counts −2^(k+1) < x ≤ −2^k. The
            last entry is not 0.
        positive: the same of positive values: entry k counts 2^k ≤ x < 2^(k+1).
        overflows: how many values were changed by the overflow mode of the node's register.

    Raises:
        InputError: for counts and extremes that contradict each other.

    Example:
        >>> node = NodeProfile.of([3, -128, 0, 2])
        >>> node.low, node.high, node.zeros, node.positive, node.negative
        (-128, 3, 1, (0, 2), (0, 0, 0, 0, 0, 0, 0, 1))
        >>> node.count, node.bits
        (4, 8)
    """

    low: int = 0
    high: int = 0
    zeros: int = 0
    negative: tuple[int, ...] = ()
    positive: tuple[int, ...] = ()
    overflows: int = 0

    def __post_init__(self) -> None:
        counts = (self.zeros, *self.negative, *self.positive)
        ends_in_zero = any(bins and bins[-1] == 0 for bins in (self.negative, self.positive))
        if min(counts) < 0 or ends_in_zero or not 0 <= self.overflows <= sum(counts):
            raise InputError(f"node: got counts {counts} and {self.overflows} overflows; allowed: those of a run")
        met = [sign * size for sign, size, _ in self.bins()] or [0]
        if [_signed_size(self.low), _signed_size(self.high)] != [met[0], met[-1]] or self.low > self.high:
            raise InputError(f"node: got extremes {self.low} and {self.high}; allowed: those of its histogram")

    @classmethod
    def of(cls, values: Iterable[int], overflows: int = 0) -> NodeProfile:
        """Return the profile of plain integers.

        Args:
            values: what the node held.
            overflows: how many of them overflowed.
        """
        values = list(values)
        sizes = Counter(map(_signed_size, values))
        largest = max(map(abs, sizes), default=0)
        negative, positive = ([sizes[sign * size] for size in range(largest + 1)] for sign in (-1, 1))
        return cls.of_bins(positive, negative, min(values, default=0), max(values, default=0), overflows)

    @classmethod
    def of_bins(
        cls, positive: Sequence[int], negative: Sequence[int], low: int, high: int, overflows: int = 0
    ) -> NodeProfile:
        """Return the profile of counted values.

        Args:
            positive: number of values of at least 0 by the bits of their magnitude; entry 0 counts zeros.
            negative: the same of negative values; entry 0 has no meaning.
            low: smallest value; ignored if nothing was counted.
            high: largest value; ignored if nothing was counted.
            overflows: how many values overflowed.
        """
        anything = any(positive) or any(negative[1:])
        return cls(
            low=low if anything else 0,
            high=high if anything else 0,
            zeros=positive[0],
            negative=_trimmed(negative[1:]),
            positive=_trimmed(positive[1:]),
            overflows=overflows,
        )

    @property
    def count(self) -> int:
        """Number of observed values."""
        return self.zeros + sum(self.negative) + sum(self.positive)

    @property
    def bits(self) -> int:
        """Width of the signed format that holds every observed value."""
        return width_of(self.low, self.high)

    def bins(self) -> Iterator[tuple[int, int, int]]:
        """Return sign, bits of the magnitude and count of every bin that is not empty, from the most negative on."""
        negative = ((-1, k + 1, n) for k, n in reversed([*enumerate(self.negative)]))
        positive = ((1, k + 1, n) for k, n in enumerate(self.positive))
        return (entry for entry in chain(negative, [(1, 0, self.zeros)], positive) if entry[2])

    def merged(self, other: NodeProfile) -> NodeProfile:
        """Return the profile of all values of two."""
        if not self.count or not other.count:
            return self if self.count else other
        return NodeProfile(
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            zeros=self.zeros + other.zeros,
            negative=_sums(self.negative, other.negative),
            positive=_sums(self.positive, other.positive),
            overflows=self.overflows + other.overflows,
        )


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the nodes of a datapath held in some inner loops.

    t is observed after every beat; u (of the table links only) and c at every step; p, a and z at every step and
    column, without padding lanes; h at every column, once a loop.

    Args:
        datapath: the datapath that ran.
        link: its link.
        columns: values in a row, d.
        loops: number of inner loops.
        steps: their steps, added up.
        nodes: the profile of each node, keys as `NODES`.
        offsets: smallest and largest of 0 and the offsets β, which the accumulator's width has to hold as well.

    Raises:
        InputError: for other nodes.
    """

    datapath: TrainingDatapath
    link: Link
    columns: int
    loops: int
    steps: int
    nodes: dict[str, NodeProfile]
    offsets: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if tuple(self.nodes) != NODES:
            raise InputError(f"nodes: got {', '.join(self.nodes)}; allowed: {', '.join(NODES)}")
        if self.columns < 1 or self.loops < 0 or self.steps < 0:
            numbers = f"{self.columns} columns, {self.loops} loops, {self.steps} steps"
            raise InputError(f"profile: got {numbers}; allowed: at least 1 column, and no negative numbers")
        if self.offsets[0] > self.offsets[1]:
            raise InputError(f"offsets: got {self.offsets}; allowed: the smaller one first")

    def __getitem__(self, node: str) -> NodeProfile:
        return self.nodes[node]

    def merged(self, other: Profile) -> Profile:
        """Return the profile of the loops of two, of several epochs or classes for instance.

        Raises:
            InputError: if they differ in datapath (but for its name), link or columns.
        """
        self.require_same(other.datapath, other.link, other.columns)
        nodes = {node: self[node].merged(other[node]) for node in NODES}
        return Profile(
            datapath=self.datapath,
            link=self.link,
            columns=self.columns,
            loops=self.loops + other.loops,
            steps=self.steps + other.steps,
            nodes=nodes,
            offsets=(min(self.offsets[0], other.offsets[0]), max(self.offsets[1], other.offsets[1])),
        )

    def with_overflows(self, node: str, more: int) -> Profile:
        """Return the profile with more overflows of a node: the host, which saturates h, counts them, not the engine.

        Args:
            node: its name.
            more: how many.
        """
        changed = msgspec.structs.replace(self[node], overflows=self[node].overflows + more)
        return msgspec.structs.replace(self, nodes={**self.nodes, node: changed})

    def renamed(self, name: str) -> Profile:
        """Return the profile with another name of its datapath, which is free text."""
        return msgspec.structs.replace(self, datapath=self.datapath.replace(name=name))

    def require_same(
        self, datapath: TrainingDatapath, link: Link | None = None, columns: int | None = None, source: str = "profile"
    ) -> None:
        """Raise an InputError unless this is a profile of a datapath, whatever its name.

        Args:
            datapath: the datapath.
            link: its link, if that matters.
            columns: values in a row, if that matters.
            source: what the profile is called in the error.
        """
        own, other = _fields(msgspec.to_builtins(self.datapath)), _fields(msgspec.to_builtins(datapath))
        differing = [f"{name} {own[name]} (not {other[name]})" for name in own if name != "name"
                     if own[name] != other[name]]  # fmt: skip
        if link is not None and link is not self.link:
            differing.append(f"link {self.link} (not {link})")
        if columns is not None and columns != self.columns:
            differing.append(f"{self.columns} columns (not {columns})")
        if differing:
            raise InputError(f"{source}: got a profile with {', '.join(differing)}; allowed: one of this datapath")

    def save(self, path: str | Path) -> None:
        """Write the profile to a JSON file that `load` reads back.

        Raises:
            OSError: if the file cannot be written.
        """
        head = {"kind": KIND, "version": VERSION, "arithmetic_version": ARITHMETIC_VERSION}
        text = msgspec.json.format(msgspec.json.encode({**head, **msgspec.to_builtins(self)}), indent=1)
        Path(path).write_bytes(text + b"\n")

    @classmethod
    def load(cls, path: str | Path) -> Profile:
        """Return a saved profile.

        Raises:
            InputError: for a missing, torn or foreign file, or one of another version.
        """
        try:
            table = msgspec.json.decode(Path(path).read_bytes(), type=dict[str, Any])
        except OSError as error:
            raise InputError(f"{path}: got {error.strerror or error}; allowed: a saved profile") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{path}: got broken JSON ({error}); allowed: a saved profile") from None
        for name, wanted in (("kind", KIND), ("version", VERSION), ("arithmetic_version", ARITHMETIC_VERSION)):
            if (given := table.pop(name, None)) != wanted:
                raise InputError(f"{path}: got {name} {given!r}; allowed: {wanted!r}")
        try:
            return msgspec.convert(table, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"{path}: got a broken profile ({error}); allowed: a saved profile") from None


def _signed_size(value: int) -> int:
    """Return the bits of a magnitude, with the sign of the value."""
    return -value.bit_length() if value < 0 else value.bit_length()


def _trimmed(bins: Sequence[int]) -> tuple[int, ...]:
    """Return counts without the zeros at their end."""
    used = max((k + 1 for k, count in enumerate(bins) if count), default=0)
    return tuple(int(count) for count in bins[:used])


def _sums(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip_longest(one, other, fillvalue=0))


def _fields(table: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the values of nested tables by dotted path."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        found |= _fields(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return found
