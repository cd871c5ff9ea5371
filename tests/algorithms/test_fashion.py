"""HALP on Fashion-MNIST: one class against the rest, T = N, with the settings of the study fashion-mnist.

The study itself has all classes and three seeds; its figures are in the README.
"""

from functools import cache

import pytest

from algorithms.data import load
from algorithms.multiclass import OneVsRest
from algorithms.trace import State, Trace
from algorithms.training import train
from reports.study import Study

pytestmark = [pytest.mark.fashion, pytest.mark.slow]
CLASS, EPOCHS = 0, 20


@cache
def run(series: str) -> Trace:
    """The run of one class with the parameters of a series of the study."""
    problem, _ = load("fashion-mnist")
    assert isinstance(problem, OneVsRest)
    (point,) = [point for point in Study.load("fashion-mnist").points if point.series == series]
    parameters = {**point.parameters, "epoch_length": problem.shape[0]}
    assert parameters["epochs"] == EPOCHS
    return train(problem.binaries[CLASS], point.algorithm, point.datapath, seed=0, **parameters)


@pytest.mark.parametrize("series", ["HALP 8/16/12", "HALP 8/16/8 blocks"])
def test_the_gradient_norm_falls_300_fold_and_the_accuracy_is_that_of_svrg(series: str) -> None:
    trace, svrg = run(series), run("SVRG float64")
    assert trace.gradient_norms[-1] * 300 <= trace.gradient_norms[0]
    assert trace.state is State.CONVERGED
    assert trace.accuracy >= svrg.accuracy - 0.003


@pytest.mark.parametrize("series", ["HALP 8/16/8", "HALP 8/8/8"])
def test_one_scale_is_not_enough_for_an_8_bit_model(series: str) -> None:
    trace = run(series)
    assert trace.state is not State.CONVERGED
    assert trace.gradient_norms[-1] * 300 > trace.gradient_norms[0]
