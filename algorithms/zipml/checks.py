"""Checks of a datapath with ZipML: its samples and its step have no bias but what the datapath's own roundings may add.

Everything is enumerated: the words of samples, the outcomes of both samples of a row, the model's random words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from algorithms.curves import Floats
from algorithms.engine_bound import model_outcomes, sample_errors
from algorithms.links import AbsoluteLink
from algorithms.problems import LeastSquares, Quantized
from algorithms.zipml.sampling import Sampler
from sim.checks import Check
from sim.datapath import TrainingDatapath
from sim.engine import EpochJob, run
from sim.errors import InputError
from sim.random_bits import RandomWords
from sim.rows import RawRows

WORD_BITS = 8
"""Bits of the random words of which all are tried."""
COEFFICIENT_WORDS = 8
"""Random words that a stochastic coefficient is averaged over."""
STEP = 0.05
"""α, or less where coefficients or increments have no room for it."""


def check_samples(path: TrainingDatapath, problem: LeastSquares) -> list[Check]:
    """Return the outcome of every check of a datapath with ZipML.

    Args:
        path: what to check, without block exponents.
        problem: least squares without a ridge term.

    Raises:
        InputError: for a datapath that ZipML does not run on.
    """
    if not 2 <= path.data.width <= 8:
        raise InputError(f"data.width: got {path.data.width}; allowed: 2 to 8 bits a sample with zipml")
    if path.exponents.maximum:
        raise InputError(f"exponents.maximum: got {path.exponents.maximum}; allowed: 0 with zipml")
    sampler = Sampler.uniform(problem.features, path.data.width, lanes=path.lanes)
    return [_words(sampler, problem), *_steps(sampler, problem, path)]


def _words(sampler: Sampler, problem: LeastSquares) -> Check:
    """The mean of both samples of every value over all random words, in intervals between levels."""
    count, words = 2 * problem.features.size, range(1 << WORD_BITS)
    means: Any = 0.0
    for word in words:
        rows = sampler.draw(RandomWords(np.full(count, word), WORD_BITS))
        means = means + np.stack([[rows.decode(i)[k] for i in range(problem.shape[0])] for k in (0, 1)])
    off = float(np.abs(means / len(words) - problem.features / sampler.step).max())
    return Check(
        "zipml.samples",
        off <= 2.0**-WORD_BITS,
        f"off by {off:.3g} intervals",
        f"at most 2^-{WORD_BITS} intervals: unbiased but for the end of the words",
        f"{problem.features.size} values × 2 samples × {len(words)} words",
    )


def _steps(sampler: Sampler, problem: LeastSquares, path: TrainingDatapath) -> list[Check]:
    """The mean of a step over both samples of every row and the model's words, against α times the real gradient."""
    scale, solution = float(sampler.step.item()), problem.solution()
    delta = 4.0 * float(np.abs(solution).max()) / path.model_format.high
    outcomes = [_outcomes(sampler, i) for i in range(problem.shape[0])]
    corners = np.concatenate([words for _, words in outcomes])
    largest = float(np.square(corners).sum(axis=1).max())
    step = _fitting(path, scale, delta, problem, largest)
    link = AbsoluteLink(problem.curve, path, step, scale, delta, problem.responses)
    offsets = link.record["offsets"]
    rounded = Quantized(LeastSquares(corners * scale, np.zeros(len(corners))), corners, scale)
    bound = float(sample_errors(rounded, path, step, centred=False, exponent=0).max())
    sloppy = 0.5 + 2.0 ** (1 - path.link.multiplier_bits) * float(np.abs(offsets).max())
    bound += sloppy * step * scale**2 * math.sqrt(largest)
    worst, overflows, tries = 0.0, 0, 0
    draws = COEFFICIENT_WORDS if path.coefficient.rounding.is_stochastic else 1
    for start in (np.zeros(problem.shape[1]), solution, -solution, 2.0 * solution[::-1]):
        z = np.rint(start / delta).astype(np.int64)
        mean = np.zeros(len(z))
        noise = 0.0
        for i, (chances, words) in enumerate(outcomes):
            for chance, a, b in _pairs(chances, words):
                for position in range(draws):
                    record = link.record | {"offsets": offsets[i : i + 1]}
                    job = EpochJob(path, rows=RawRows(a[None], b[None]), indices=np.zeros(1, np.int64), z=z,
                                   h=np.zeros_like(z), first_step=tries + position, **record)  # fmt: skip
                    result = run(job, trace=range(1))
                    trace: Any = result.trace
                    overflows += sum(result.counts[stage] for stage in ("accumulator", "coefficient", "increment"))
                    share = chance / draws / problem.shape[0]
                    moves = [
                        model_outcomes(path, move, path.increment.fraction) for move in trace.increment[0].tolist()
                    ]
                    mean += [share * sum(part * move for part, move in every) for every in moves]
                    noise += share**2 * float(b @ b)
                tries += draws
        exact = -step * problem.gradient(delta * z.astype(np.float64)) / delta
        cuts = path.increment.fraction + path.product.cut
        random = 6.0 * 0.5 * math.sqrt(noise) * 2.0**-cuts if draws > 1 else 0.0
        worst = max(worst, float(np.linalg.norm(mean - exact)) / (bound + random))
    coverage = f"{tries:,} steps: all outcomes of both samples × all words of the model, at 4 places"
    return [
        Check("zipml.saturation", overflows == 0, f"{overflows} overflows",
              "none of accumulator, coefficient and increment", coverage),
        Check("zipml.step", worst <= 1.0, f"bias of {worst:.3g} of its bound",
              "at most 1: what the datapath's roundings may add", coverage),
    ]  # fmt: skip


def _outcomes(sampler: Sampler, row: int) -> tuple[Floats, Any]:
    """Return every rounding of a row with its probability: shares, shape (2^d,), and data words, shape (2^d, d)."""
    phi, below = sampler.fractions[row], sampler.below[row].astype(np.int64)
    ups = np.array(list(itertools.product((0, 1), repeat=len(phi))))
    return np.where(ups, phi, 1.0 - phi).prod(axis=1), below + ups


def _pairs(chances: Floats, words: Any) -> Iterator[tuple[float, Any, Any]]:
    """Yield what both samples of a row may be, with its probability: they are independent."""
    for (p, a), (q, b) in itertools.product(zip(chances.tolist(), words, strict=True), repeat=2):
        if p * q > 0.0:
            yield p * q, a, b


def _fitting(path: TrainingDatapath, scale: float, delta: float, problem: LeastSquares, largest: float) -> float:
    """Return the largest step up to `STEP` at which coefficients and increments have room."""
    norm = scale * math.sqrt(largest)
    margin = norm * 3.0 * float(np.linalg.norm(problem.solution())) + float(np.abs(problem.responses).max())
    room = 2.0 ** (path.increment.width - 2 - path.increment.fraction) * delta / (margin * norm)
    cuts = path.increment.fraction + path.product.cut
    coefficient = 2.0 ** (path.coefficient.width - 2 - cuts) * delta / (scale * margin)
    return min(STEP, room, coefficient)
