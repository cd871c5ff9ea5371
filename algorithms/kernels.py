"""Compiled loops of the float algorithms, and the losses' curves; one file, so that numba sees every change."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from algorithms.curves import HINGE_KIND, LOGISTIC_KIND, QUADRATIC_KIND, SMOOTHED_HINGE_KIND
from sim.kernels import kernel

ZERO, ONE = np.int8(0), np.int8(1)
"""They take the type of the float they meet, where a plain 0 or 1 would make float64 of a float32."""
PAIR, MEAN, POLYNOMIAL, REFETCH = 0, 1, 2, 3
"""What a step of ZipML does with the samples of a row."""


@kernel
def response(kind: Any, t: Any) -> Any:
    """Return Φ'(t), in the type of t."""
    one = t * ZERO + ONE
    if kind == LOGISTIC_KIND:
        if t >= 0:
            return one / (one + math.exp(-t))
        e = math.exp(t)
        return e / (one + e)
    if kind == SMOOTHED_HINGE_KIND:
        return min(max(t - one, -one), one * ZERO)
    if kind == HINGE_KIND:
        return -one if t < one else one * ZERO
    return t


@kernel
def response_change(kind: Any, t: Any, change: Any) -> Any:
    """Return Φ'(t + change) − Φ'(t): without cancellation where Φ' is linear."""
    if kind == QUADRATIC_KIND:
        return change
    return response(kind, t + change) - response(kind, t)


@kernel
def responses(kind: Any, margins: Any) -> Any:
    """Return Φ' of every margin."""
    out = np.empty_like(margins)
    for i in range(margins.shape[0]):
        out[i] = response(kind, margins[i])
    return out


@kernel
def losses(kind: Any, margins: Any, targets: Any) -> Any:
    """Return the loss of every sample."""
    out = np.empty_like(margins)
    for i in range(margins.shape[0]):
        t, y = margins[i], targets[i]
        if kind == LOGISTIC_KIND:
            out[i] = math.log1p(math.exp(-abs(t))) + max(t, 0.0) - y * t
        elif kind == SMOOTHED_HINGE_KIND:
            short = max(1.0 - t, 0.0)
            out[i] = 0.5 * short * short if short < 1.0 else short - 0.5
        elif kind == HINGE_KIND:
            out[i] = max(1.0 - t, 0.0)
        else:
            out[i] = 0.5 * (t - y) * (t - y)
    return out


@kernel
def svrg_loop(
    kind: Any, features: Any, margins: Any, indices: Any, w: Any, gradient: Any, step: Any, ridge: Any
) -> None:
    """Make the SVRG steps of an epoch in place on w (the snapshot at the start), in the type of w.

    `margins` are x_i·w at the snapshot.
    """
    snapshot = w.copy()
    for t in range(indices.shape[0]):
        x = features[indices[t]]
        inner = step * ZERO
        for j in range(x.shape[0]):
            inner += x[j] * (w[j] - snapshot[j])
        inner = response_change(kind, margins[indices[t]], inner)
        for j in range(x.shape[0]):
            w[j] -= step * (inner * x[j] + ridge * (w[j] - snapshot[j]) + gradient[j])


@kernel
def sgd_loop(kind: Any, features: Any, targets: Any, indices: Any, w: Any, step: Any, ridge: Any) -> None:
    """Make SGD steps in place on w, in the type of w."""
    for t in range(indices.shape[0]):
        x = features[indices[t]]
        margin = step * ZERO
        for j in range(x.shape[0]):
            margin += x[j] * w[j]
        slope = response(kind, margin) - targets[indices[t]]
        for j in range(x.shape[0]):
            w[j] -= step * (slope * x[j] + ridge * w[j])


@kernel
def softmax_row(scores: Any) -> None:
    """Replace the scores of a sample by their softmax, in place."""
    largest = scores[0]
    for k in range(1, scores.shape[0]):
        largest = max(largest, scores[k])
    total = largest * ZERO
    for k in range(scores.shape[0]):
        scores[k] = math.exp(scores[k] - largest)
        total += scores[k]
    for k in range(scores.shape[0]):
        scores[k] /= total


@kernel
def _scores(x: Any, w: Any, out: Any) -> None:
    for k in range(w.shape[0]):
        total = w[0, 0] * ZERO
        for j in range(x.shape[0]):
            total += x[j] * w[k, j]
        out[k] = total


@kernel
def softmax_svrg_loop(features: Any, indices: Any, w: Any, gradient: Any, step: Any, ridge: Any) -> None:
    """Make the SVRG steps of an epoch of softmax regression in place on w, shape (K, d)."""
    snapshot = w.copy()
    now, then = np.empty(w.shape[0], w.dtype), np.empty(w.shape[0], w.dtype)
    for t in range(indices.shape[0]):
        x = features[indices[t]]
        _scores(x, w, now)
        _scores(x, snapshot, then)
        softmax_row(now)
        softmax_row(then)
        for k in range(w.shape[0]):
            inner = now[k] - then[k]
            for j in range(x.shape[0]):
                w[k, j] -= step * (inner * x[j] + ridge * (w[k, j] - snapshot[k, j]) + gradient[k, j])


@kernel
def softmax_sgd_loop(features: Any, labels: Any, indices: Any, w: Any, step: Any, ridge: Any) -> None:
    """Make SGD steps of softmax regression in place on w, shape (K, d); `labels` are class numbers."""
    now = np.empty(w.shape[0], w.dtype)
    for t in range(indices.shape[0]):
        x = features[indices[t]]
        _scores(x, w, now)
        softmax_row(now)
        now[labels[indices[t]]] -= ONE
        for k in range(w.shape[0]):
            for j in range(x.shape[0]):
                w[k, j] -= step * (now[k] * x[j] + ridge * w[k, j])


@kernel
def _product(x: Any, w: Any) -> Any:
    total = 0.0
    for j in range(w.shape[0]):
        total += x[j] * w[j]
    return total


@kernel
def _rounded(values: Any, intervals: Any, bucket: Any, words: Any, bits: Any, out: Any) -> None:
    """Fill `out` with values rounded to sign and levels of each bucket's norm: `sampling.quantized_vector`."""
    for start in range(0, values.shape[0], bucket):
        stop = min(start + bucket, values.shape[0])
        norm = 0.0
        for j in range(start, stop):
            norm += values[j] * values[j]
        norm = np.sqrt(norm)
        for j in range(start, stop):
            if norm == 0.0:
                out[j] = 0.0
                continue
            size = min(abs(values[j]) / norm, 1.0) * intervals
            level = min(np.floor(size), intervals - 1.0)
            up = (size - level) * 2.0**bits >= 2.0**bits - words[j]
            out[j] = norm * np.sign(values[j]) * (level + up) / intervals


@kernel
def sampled_loop(
    kind: Any,
    form: Any,
    samples: Any,
    rows: Any,
    widths: Any,
    coefficients: Any,
    targets: Any,
    indices: Any,
    w: Any,
    step: Any,
    ridge: Any,
    model: Any,
    gradient: Any,
    total: Any,
) -> Any:
    """Make SGD steps in place on w, on samples of the rows, shape (k, N, d); `total` gathers the iterates.

    The first sample is for the dot product, the last one the direction. `form` says what else is done: `MEAN`, both
    orders; `POLYNOMIAL`, `coefficients` in place of Φ'; `REFETCH`, the row itself where `widths` leave Φ' open. `model`
    and `gradient` are (intervals, bucket, words, bits) of their rounding, words of shape (T, d); 0 intervals: none.
    Returns how many steps fetched the row itself.
    """
    columns, last, fetched = w.shape[0], samples.shape[0] - 1, 0
    near, direction, sent = w.copy(), np.empty(columns), np.empty(columns)
    for t in range(indices.shape[0]):
        i = indices[t]
        dot, update = samples[0, i], samples[last, i]
        if model[0] > 0:
            _rounded(w, model[0], model[1], model[2][t], model[3], near)
        else:
            near[:] = w
        margin = _product(dot, near)
        slope = response(kind, margin) - targets[i]
        if form == REFETCH:
            bound = 0.0
            for j in range(columns):
                bound += widths[j] * abs(near[j])
            if response(kind, margin - bound) != response(kind, margin + bound):
                fetched += 1
                update = rows[i]
                slope = response(kind, _product(update, near)) - targets[i]
        elif form == POLYNOMIAL:
            value, power = coefficients[0], 1.0
            for k in range(1, last + 1):
                power *= _product(samples[k - 1, i], near)
                value += coefficients[k] * power
            slope = value - targets[i]
        if form == MEAN:
            back = response(kind, _product(update, near)) - targets[i]
            for j in range(columns):
                direction[j] = 0.5 * (slope * update[j] + back * dot[j]) + ridge * near[j]
        else:
            for j in range(columns):
                direction[j] = slope * update[j] + ridge * near[j]
        if gradient[0] > 0:
            _rounded(direction, gradient[0], gradient[1], gradient[2][t], gradient[3], sent)
            for j in range(columns):
                w[j] -= step * sent[j]
        else:
            for j in range(columns):
                w[j] -= step * direction[j]
        for j in range(columns):
            total[j] += w[j]
    return fetched
