"""HALP, LP-SVRG and LP-SGD as docs/engine.md has them, on Python floats, integers and fractions.

The host's part is on floats, sums in index order, and the circuit's part on integers; nothing of it comes from the
packages but the datapath's numbers. Coefficients round to nearest even, products half up, everything saturates.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

from sim.datapath import RandomGenerator, TrainingDatapath
from tests.engine.definition import UPDATE, generator_words

ROWS, HOST = 2, 3  # roles of generators
HALF = Fraction(1, 2)


def words_of(seed: int, role: int, number: int = 0) -> Iterator[int]:
    """The words of a generator."""
    return generator_words(RandomGenerator(), seed, role, number)


def half_even(value: Fraction | float) -> int:
    """The nearest integer, of two the even one: what Python's round does to fractions."""
    return round(Fraction(value))


def half_up(value: Fraction) -> int:
    """The nearest integer, of two the larger one."""
    return math.floor(value + HALF)


def clip(value: int, bits: int) -> int:
    """Saturate to a signed word."""
    return min(max(value, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def register(factor: float, bits: int) -> tuple[int, int]:
    """The normalised multiplier and the shift nearest to a factor; nothing for one below all shifts."""
    if factor < 2.0**-62:
        return 0, 0
    shift = min(bits - math.frexp(factor)[1], 62)
    multiplier = half_even(Fraction(factor) * 2**shift)
    return (multiplier // 2, shift - 1) if multiplier == 2**bits else (multiplier, shift)


def axis(bits: int) -> list[float]:
    """Points of a table: −8 and on, 2^bits to 8."""
    return [16.0 * k / 2**bits - 8.0 for k in range(2**bits)]


@dataclass(frozen=True)
class Loss:
    """A loss by name, of a sample x with a label or target."""

    name: str

    def sample(self, words: list[int], target: float) -> tuple[list[int], float]:
        """The row that multiplies the model, and the y of Φ(t) − y·t."""
        if self.name == "hinge":
            return [word if target > 0 else -word for word in words], 0.0
        return words, 2.0 * target - 1.0 if self.name == "least-squares SVM" else target

    @property
    def is_quadratic(self) -> bool:
        """Whether the engine takes the affine link."""
        return self.name.startswith("least-squares")

    @property
    def curvature(self) -> float:
        """The largest Φ''."""
        return 0.25 if self.name == "logistic" else 1.0

    def response(self, t: float) -> float:
        """Φ'(t)."""
        if self.name == "logistic":
            return 1.0 / (1.0 + math.exp(-t)) if t >= 0 else math.exp(t) / (1.0 + math.exp(t))
        return min(max(t - 1.0, -1.0), 0.0) if self.name == "hinge" else t

    def slope(self, t: float, change: float) -> float:
        """The secant slope of Φ', or Φ''."""
        if change:
            return (self.response(t + change) - self.response(t)) / change
        return self.response(t) * (1 - self.response(t)) if self.name == "logistic" else float(0 <= t < 1)


def dot(row: list[float], w: list[float]) -> float:
    """The sum of products in the order of the columns."""
    total = 0.0
    for a, b in zip(row, w, strict=True):
        total += a * b
    return total


def plain_run(
    algorithm: str,
    loss: Loss,
    problem: Any,
    path: TrainingDatapath,
    epochs: int,
    *,
    step: float,
    epoch_length: int,
    seed: int,
    mu: float = math.nan,
    delta: float = math.nan,
    option: str = "I",
    power_of_two: bool = False,
) -> list[list[float]]:
    """The model after every epoch."""
    features, targets = problem.features.tolist(), problem.targets.tolist()
    count, columns, lanes, bits = len(features), len(features[0]), path.lanes, path.model.random_bits
    sh, sp, b_z, b_u, b_c = (
        path.increment.fraction, path.product.cut, path.model.width, path.increment.width, path.coefficient.width
    )  # fmt: skip
    link = path.link
    beats = [range(start, min(start + lanes, columns)) for start in range(0, columns, lanes)]

    delta_x = max(abs(value) for row in features for value in row) / (2 ** (path.data.width - 1) - 1)
    quantized = [[half_even(value / delta_x) for value in row] for row in features]
    samples = [loss.sample(row, target) for row, target in zip(quantized, targets, strict=True)]
    words, y = [row for row, _ in samples], [response for _, response in samples]
    x = [[word * delta_x for word in row] for row in words]

    factor = step * delta_x * delta_x * 2.0 ** (sh + sp)
    rows, columns_of_table = axis(link.grid_bits), axis(link.index_bits)
    row_spacing, spacing = 16.0 / len(rows), 16.0 / len(columns_of_table)
    unit = 2.0 ** (link.table_bits - 2)
    m, shift = register(loss.curvature * factor, link.multiplier_bits if loss.is_quadratic else link.slope_bits)
    most = 2**link.slope_bits - 1
    slopes = [[loss.slope(t, change) for change in columns_of_table] for t in rows]
    secant = [[min(half_even(max(s, 0.0) * factor * 2.0**shift), most) for s in row] for row in slopes]
    absolute = [clip(half_even(loss.response(t) * unit), link.table_bits) for t in columns_of_table]

    drawn_rows, drawn_ends = words_of(seed, ROWS), words_of(seed, HOST)
    generators = [words_of(seed, UPDATE, number) for number in range(-(-lanes * bits // 32))]
    e = [min(1, path.exponents.maximum)] * len(beats)
    z, w, models = [0] * columns, [0.0] * columns, []
    for _ in range(epochs):
        margins = [dot(row, w) for row in x]
        gradient = [0.0] * columns
        for row, margin, response in zip(x, margins, y, strict=True):
            slope = loss.response(margin) - response
            gradient = [total + slope * a for total, a in zip(gradient, row, strict=True)]
        gradient = [total / count + problem.ridge * a for total, a in zip(gradient, w, strict=True)]

        if not any(gradient):  # the run is at its end
            models.append(w)
            continue
        if algorithm == "halp":
            z, delta_z = [0] * columns, math.sqrt(math.fsum(g * g for g in gradient)) / (mu * (2 ** (b_z - 1) - 1))
            delta_z = 2.0 ** round(math.log2(delta_z)) if power_of_two else delta_z
        else:
            delta_z = delta
        part = [problem.ridge * a for a in w] if algorithm == "lp_sgd" else gradient
        h = [clip(half_even(step * g / (delta_z * 2.0**-sh)), b_u) for g in part]

        index_register = register(delta_x * delta_z / spacing, link.multiplier_bits)
        q = [min(max(half_even(t / row_spacing) + len(rows) // 2, 0), len(rows) - 1) for t in margins]
        beta = [0] * count
        if algorithm == "lp_svrg":
            exact_beta = [-sum(a * b for a, b in zip(row, z, strict=True)) for row in words]
            beta = [clip(value, path.accumulator.width) for value in exact_beta]
        elif algorithm == "lp_sgd" and loss.is_quadratic:
            beta = [-half_even(response / (delta_x * delta_z)) for response in y]
        k, k_shift = register(step * delta_x * 2.0 ** (sh + sp) / (delta_z * unit), link.multiplier_bits)

        indices = [word * count >> 32 for word in islice(drawn_rows, epoch_length)]
        made = epoch_length if option == "I" else next(drawn_ends) * epoch_length >> 32
        for i in indices[:made]:
            t = 0
            for beat, span in enumerate(beats):
                t = clip(t + (sum(words[i][j] * z[j] for j in span) << e[beat]), path.accumulator.width)
            v = t + beta[i]
            u = clip(half_up(Fraction(v * index_register[0], 2 ** index_register[1])), link.index_bits)
            entry = u + 2 ** (link.index_bits - 1)
            if loss.is_quadratic:
                exact = Fraction(v * m, 2**shift)
            elif algorithm == "lp_sgd":
                exact = Fraction(k * (absolute[entry] - half_even(y[i] * unit)), 2**k_shift)
            else:
                exact = Fraction(v * secant[q[i]][entry], 2**shift)
            c = clip(half_even(exact), b_c)
            for beat, span in enumerate(beats):
                drawn, cut = [next(generator) for generator in generators], sh + e[beat]
                for lane, j in enumerate(span):
                    per_word = 32 // bits
                    word = drawn[lane // per_word] >> bits * (lane % per_word) & (2**bits - 1)
                    a = clip(-half_up(Fraction(c * words[i][j], 2**sp)) - h[j], b_u)
                    z[j] = clip(z[j] + math.floor(Fraction(a, 2**cut) + Fraction(word, 2**bits)), b_z)
        for generator in generators:
            for _ in range((epoch_length - made) * len(beats)):
                next(generator)

        if algorithm == "halp":
            w = [a + delta_z * (word * 2.0 ** e[j // lanes]) for j, (a, word) in enumerate(zip(w, z, strict=True))]
            for beat, span in enumerate(beats):
                end = 2 ** (b_z - 1) - 1
                largest = max(abs(z[j]) for j in span)
                moved = e[beat] + (largest >= end) - (Fraction(largest, end) < Fraction(50, 127))
                e[beat] = min(max(moved, 0), path.exponents.maximum)
        else:
            w = [delta_z * word for word in z]
        models.append(w)
    return models
