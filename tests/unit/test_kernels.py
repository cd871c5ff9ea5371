"""Kernels are compiled for dtypes, never for modes: a session of every kind of work needs few of them.

The loop of the engine takes some: it is compiled for each width of its arithmetic, its data words, its random fields.
"""

import json
import os
import subprocess
import sys

import pytest

LARGEST_NUMBER_OF_SPECIALISATIONS = 40

EVERYTHING = """
import json
import numpy as np
import bittrue as bt
from sim.kernels import KERNELS

raw = np.arange(-128, 128)
for rounding in bt.Rounding:
    random = bt.RandomWords([5], 3) if rounding.is_stochastic else None
    for overflow in ("WRAP", "SAT", "SAT_SYM"):
        for dtype in ("i1", "i2", "i4", "i8"):
            bt.requantize(raw.astype(dtype), bt.QFormat(8, 4), bt.QFormat(5, 1), rounding, overflow, random)
        for width, signed in ((8, True), (8, False), (16, True), (16, False), (32, True), (32, False), (48, True)):
            bt.quantize(raw / 16, bt.QFormat(width, 2, signed), rounding, overflow, random=random)
            bt.quantize(raw.astype("f4"), bt.QFormat(width, 0, signed), rounding, overflow, 0.3, random)
for width in (10, 24, 30, 50):
    for overflow in ("WRAP", "SAT", "SAT_SYM"):
        for lanes in (1, 4, 5):
            for large in (1, 1 << 10, 1 << 20):
                a = raw.reshape(8, 32) * large
                bt.matmul(a, a.T, bt.Accumulator(width, overflow, lanes))
                bt.matmul(a, a.T, bt.Accumulator(width, overflow, lanes), statistics=bt.Statistics())
for name in bt.preset_names():
    for data in ("reference", "diabetes"):
        problem, settings = bt.load(data)
        options = dict(step=settings.step, epoch_length=20, epochs=2)
        bt.train(problem, "halp", bt.TrainingDatapath.preset(name), mu=settings.mu, **options)
        bt.train(problem, "svrg", **options)
    bt.check_datapath(bt.TrainingDatapath.preset(name))
wide = bt.TrainingDatapath().replace(data=bt.Data(width=20), product=bt.Product(cut=20))
bt.check_datapath(wide)
lfsr = bt.Lfsr(1, width=48)
lfsr.words(10)
print(json.dumps({f"{kernel.py_func.__module__}.{kernel.__name__}": len(kernel.signatures) for kernel in KERNELS}))
"""


@pytest.mark.slow
def test_all_work_needs_few_compiled_specialisations(tmp_path):
    """Compiled afresh: what comes from the cache brings no inner functions along."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", EVERYTHING]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == 0, result.stderr
    every = json.loads(result.stdout)
    counts = {name.rpartition(".")[2]: count for name, count in every.items() if name.startswith("sim.")}
    assert {"run_epoch", "cast_array", "quantize_array", "quantize_nearest", "saturate", "generate"} <= set(counts)
    assert sum(counts.values()) <= LARGEST_NUMBER_OF_SPECIALISATIONS, counts
    floats = {name: count for name, count in every.items() if name.startswith("algorithms.")}
    assert max(floats.values()) <= 2, floats  # float64, and rows of words under float64 sums
