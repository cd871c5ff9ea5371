"""Samples of all rows, epoch by epoch, shared by the runs of a thread on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import ClassVar
from weakref import WeakValueDictionary

import numpy as np

from algorithms.curves import Floats
from algorithms.zipml.sampling import HostWords, Sampler
from sim.packed_rows import PackedRows


class Epochs:
    """Samples of all rows, epoch by epoch, a function of the seed; those of the last epoch are kept.

    Classes trained against the rest side by side share them, as they share rows and seed.

    Attributes:
        sampler: what draws.
        noise: mean variance of a sample in units of the mean square of the values.
    """

    alive: ClassVar[WeakValueDictionary[tuple[object, ...], Epochs]] = WeakValueDictionary()

    def __init__(self, rows: Floats, sampler: Sampler, seed: int) -> None:
        self.rows, self.sampler, self.seed = rows, sampler, seed  # rows are held, so that their id stays theirs
        self.noise = sampler.noise()
        self._drawn, self._words = 0, HostWords(seed, 1)
        self._packed: PackedRows | None = None
        self._values: Floats | None = None

    @classmethod
    def of(cls, rows: Floats, seed: int, make: Callable[[], Sampler], *kind: object) -> Epochs:
        """Return those of a run of this thread on the same rows, or new ones.

        Args:
            rows: shape (N, d).
            seed: of the run.
            make: makes the sampler of the rows.
            kind: all that the sampler depends on besides them.
        """
        key = get_ident(), id(rows), seed, kind
        known = cls.alive.get(key)
        if known is None:
            known = cls.alive[key] = cls(rows, make(), seed)
        return known

    def packed(self, number: int) -> PackedRows:
        """Return the packed samples of an epoch, counted from 0."""
        if number < self._drawn - 1:
            self._drawn, self._words = 0, HostWords(self.seed, 1)
        while self._drawn <= number:
            self._packed, self._values = self.sampler.draw(self._words), None
            self._drawn += 1
        assert self._packed is not None
        return self._packed

    def values(self, number: int) -> Floats:
        """Return the samples of an epoch as real numbers, shape (k, N, d)."""
        packed = self.packed(number)
        if self._values is None:
            values = np.empty((packed.fmt.samples, *packed.shape))
            for k, sample in enumerate(values):
                np.multiply(packed.words(k), self.sampler.step, out=sample)
            self._values = values
        return self._values
