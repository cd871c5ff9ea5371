"""HALP and LP-SVRG as the theorems have them: real numbers but for one rounding a step; and the exact law of an epoch.

Written from docs/theory.md and nothing of the packages, so that it can stand against them. Arrays are of R runs or
states at once: models of shape (R, d).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scale = Callable[[Floats], Floats]
"""δ of each run, shape (R, 1), from its full gradient, shape (R, d)."""


@dataclass(frozen=True, eq=False)
class Smooth:
    """f(w) = (1/N)·Σ l(x_i·w) + (λ/2)·‖w‖², the ridge inside every sample; l of least squares, or logistic."""

    rows: Floats
    targets: Floats
    ridge: float = 0.0
    logistic: bool = False

    def slopes(self, margins: Floats, targets: Floats) -> Floats:
        """Return l' of every margin."""
        return (0.5 * (1 + np.tanh(margins / 2)) if self.logistic else margins) - targets

    def losses(self, w: Floats) -> Floats:
        """Return f of every model, shape (R,)."""
        margins = w @ self.rows.T
        if self.logistic:
            values = np.logaddexp(0, margins) - margins * self.targets
        else:
            values = 0.5 * (margins - self.targets) ** 2
        return values.mean(axis=1) + 0.5 * self.ridge * (w**2).sum(axis=1)

    def gradients(self, w: Floats, i: NDArray[np.integer]) -> Floats:
        """∇f_i of every model at its own sample, shape (R, d)."""
        x = self.rows[i]
        return self.slopes((x * w).sum(axis=-1), self.targets[i])[..., None] * x + self.ridge * w

    def full(self, w: Floats) -> Floats:
        """∇f of every model, shape (R, d)."""
        return self.slopes(w @ self.rows.T, self.targets) @ self.rows / len(self.rows) + self.ridge * w

    def hessian(self, w: Floats) -> Floats:
        """The Hessian of f at one model, shape (d, d)."""
        curvature = 1 / (2 + 2 * np.cosh(self.rows @ w)) if self.logistic else np.ones(len(self.rows))
        return (self.rows.T * curvature) @ self.rows / len(self.rows) + self.ridge * np.eye(len(w))

    @cached_property
    def smoothness(self) -> float:
        """L of every sample's loss."""
        return float((0.25 if self.logistic else 1.0) * (self.rows**2).sum(axis=1).max() + self.ridge)

    @cached_property
    def convexity(self) -> float:
        """μ of f."""
        return self.ridge if self.logistic else float(np.linalg.eigvalsh(self.hessian(self.rows[0]))[0])

    @cached_property
    def optimum(self) -> Floats:
        """w*, by Newton steps, shape (d,); damped where the Hessian changes."""
        w = np.zeros(self.rows.shape[1])
        for _ in range(60):
            move = np.linalg.solve(self.hessian(w), self.full(w[None])[0])
            w = w - move / (max(1.0, np.sqrt(move @ self.hessian(w) @ move)) if self.logistic else 1.0)
        return w

    def excess(self, w: Floats) -> Floats:
        """Return f − f* of every model, shape (R,); for least squares without cancellation."""
        if not self.logistic:
            apart = w - self.optimum
            return 0.5 * ((apart @ self.hessian(self.optimum)) * apart).sum(axis=1)
        return self.losses(w) - self.losses(self.optimum[None])[0]


def quantize(x: Floats, delta: Floats, bits: int, uniform: Floats) -> Floats:
    """Q of the theorems: floor(x/δ + U), saturated; where δ is 0 nothing is rounded."""
    with np.errstate(divide="ignore", invalid="ignore"):
        codes = np.clip(np.floor(x / delta + uniform), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        return np.where(delta > 0, delta * codes, x)


def epochs(
    problem: Smooth,
    w: Floats,
    scale: Scale,
    bits: int,
    centred: bool,
    *,
    step: float,
    length: int,
    rng: np.random.Generator,
    option: str = "II",
    nearest: bool = False,
) -> Iterator[tuple[Floats, Floats]]:
    """Yield models and δ at the start of every epoch of R runs: of HALP if centred, else of LP-SVRG."""
    while True:
        full = problem.full(w)
        delta = scale(full)
        yield w, delta
        base, chosen, v = w if centred else np.zeros_like(w), w.copy(), w
        last = rng.integers(length, size=len(w)) if option == "II" else np.full(len(w), length)
        for t in range(length):
            chosen[last == t] = v[last == t]
            i = rng.integers(len(problem.rows), size=len(w))
            u = v - step * (problem.gradients(v, i) - problem.gradients(w, i) + full)
            uniform = rng.random(u.shape)
            v = base + quantize(u - base, delta, bits, np.full(u.shape, 0.5) if nearest else uniform)
        w = v if option == "I" else chosen


def halp_scale(mu: float, bits: int) -> Scale:
    """HALP's δ = ‖g̃‖/(μ(2^(b−1) − 1))."""
    return lambda full: np.linalg.norm(full, axis=1, keepdims=True) / (mu * (2 ** (bits - 1) - 1))


def fixed_scale(delta: float) -> Scale:
    """δ for the whole run; 0 rounds nothing, which makes SVRG."""
    return lambda full: np.full((len(full), 1), delta)


def codes(bits: int, columns: int) -> NDArray[np.int64]:
    """All models of a grid, shape (2^(b·d), d), in the order of `outcomes`."""
    line = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    return np.array(list(product(line, repeat=columns)))


def outcomes(targets: Floats, bits: int) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """Yield the outcomes of unbiased rounding of points, in last bits, shape (..., d): probability and codes."""
    low = np.floor(targets)
    up = targets - low
    for choice in product((0, 1), repeat=targets.shape[-1]):
        probability = np.where(choice, up, 1 - up).prod(axis=-1)
        end = 2 ** (bits - 1)
        yield probability, np.clip(low + choice, -end, end - 1).astype(np.int64)


def transitions(targets: Floats, bits: int) -> Floats:
    """The law of one step: from each state of `codes` (S) to each, over samples and roundings, all exact.

    Args:
        targets: where every sample (N) takes every state before rounding, in last bits, shape (S, N, d).
        bits: of a code.
    """
    states, samples, columns = targets.shape
    law, width = np.zeros((states, states)), 2**bits
    for probability, reached in outcomes(targets, bits):
        index = np.zeros(reached.shape[:-1], np.int64)
        for j in range(columns):
            index = index * width + reached[..., j] + width // 2
        np.add.at(law, (np.arange(states)[:, None], index), probability / samples)
    return law


def epoch_law(law: Floats, start: int, length: int) -> Floats:
    """The law of option II's next centre, (1/T)·Σ_t p_t for t from 0 to T − 1, shape (S,)."""
    now, total = np.zeros(len(law)), np.zeros(len(law))
    now[start] = 1.0
    for _ in range(length):
        total += now
        now = now @ law
    return total / length


@st.composite
def problems(draw: st.DrawFn, columns: st.SearchStrategy[int] | None = None, logistic: bool | None = None) -> Smooth:
    """Strongly convex problems of a few samples: values of one decimal, so that failures read well."""
    d = draw(st.integers(1, 5) if columns is None else columns)
    count = draw(st.integers(1, 12))
    values = st.integers(-30, 30).map(lambda n: n / 10)
    rows = np.array(draw(st.lists(st.lists(values, min_size=d, max_size=d), min_size=count, max_size=count)))
    is_logistic = draw(st.booleans()) if logistic is None else logistic
    labels = st.sampled_from([0.0, 1.0]) if is_logistic else values
    targets = np.array(draw(st.lists(labels, min_size=count, max_size=count)))
    return Smooth(rows, targets, draw(st.sampled_from([0.05, 0.3, 1.0, 4.0])), is_logistic)
