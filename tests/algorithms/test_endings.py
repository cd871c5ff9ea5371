"""Every run ends with its name and as valid JSON: no gradient, one too large, no steps, one sample, bad parameters."""

import json
import math
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from algorithms.problems import LeastSquares
from algorithms.trace import EpochRecord, State, Trace
from algorithms.training import train
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.modes import Rounding

HALP8 = TrainingDatapath.preset("halp8")
BLOCKS = TrainingDatapath.preset("halp8_blocks")
SETTINGS: dict[str, Any] = {"step": 0.02, "epoch_length": 30, "mu": 0.7, "seed": 3}


def problem_of(seed: int = 0, samples: int = 25, columns: int = 37, ridge: float = 0.0) -> LeastSquares:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(samples, columns))
    return LeastSquares(features, features @ rng.normal(size=columns) + 0.1 * rng.normal(size=samples), ridge)


def ended(norms: list[float], *, moved: bool = True, biased: bool = False, **overflows: int) -> State:
    """The state of a run with these gradient norms, and with overflows in its last loop of 100 steps of 10 columns."""
    loop = {"counts": overflows, "steps": 100, "updates": 1000, "moved": moved}
    loops = [EpochRecord(epoch, 1.0, norm, **loop) for epoch, norm in enumerate(norms[:-1])]
    path = replace(HALP8, model=replace(HALP8.model, random_bits=4), biased_ok=True) if biased else HALP8
    return Trace("halp", "none", {}, path, [*loops, EpochRecord(len(loops), 1.0, norms[-1])]).state


def test_a_run_bears_the_first_name_that_holds() -> None:
    assert ended([1.0, math.inf]) is ended([1.0, math.nan]) is State.DIVERGED
    assert ended([1.0, 0.5, 1.1], moved=False, biased=True, model=500) is State.DIVERGED
    assert ended([1.0, 1.0], moved=False, biased=True, model=500) is State.FROZEN
    assert ended([1.0, 1e-6], biased=True, model=500) is State.BIASED
    assert ended([1.0, 1e-3], model=500) is State.CONVERGED
    assert ended([1.0, 0.0], moved=False) is ended([0.0]) is State.CONVERGED
    assert ended([1.0, 1.1e-3], model=6, increment=5) is State.SATURATING
    assert ended([1.0, 1.1e-3], coefficient=2) is State.SATURATING
    assert ended([1.0, 1.1e-3], model=5, increment=5, coefficient=1, accumulator=99) is State.RUNNING
    assert ended([1.0, 7.0, 0.9]) is State.RUNNING


def strict_json(trace: Trace) -> dict[str, Any]:
    """The trace as JSON and back, without the NaN and Infinity that are no JSON."""
    return json.loads(json.dumps(trace.to_dict(), allow_nan=False))


@pytest.mark.parametrize(("algorithm", "path"), [("halp", HALP8), ("halp", BLOCKS), ("svrg", None)])
def test_no_gradient_at_the_start_ends_the_run_at_once(algorithm: str, path: TrainingDatapath | None) -> None:
    problem = LeastSquares(problem_of().features, np.zeros(25))
    given = {name: value for name, value in SETTINGS.items() if path is not None or name != "mu"}
    trace = train(problem, algorithm, path, epochs=5, **given)
    assert len(trace.epochs) == 1
    assert trace.state is State.CONVERGED
    assert trace.gradient_norms == [0.0]
    assert trace.w.tolist() == [0.0] * 37
    assert strict_json(trace)["state"] == "converged"


@pytest.mark.parametrize(
    ("size", "states"),
    [
        (1e-310, {State.CONVERGED}),  # its square is 0
        (1e-160, {State.RUNNING, State.SATURATING}),
        (1e150, {State.RUNNING, State.SATURATING}),
        (1e200, {State.DIVERGED}),  # its square is infinite
        (1e300, {State.DIVERGED}),
    ],
)
def test_gradients_at_the_ends_of_float64_end_with_a_name(size: float, states: set[State]) -> None:
    """Neither a norm that underflows nor one that overflows becomes an exception or a NaN."""
    problem = LeastSquares([[1.0, 0.5], [0.25, 1.0]], [size, -size])
    trace = train(problem, "halp", HALP8, epochs=3, **SETTINGS)
    assert trace.state in states
    assert not np.isnan(trace.w).any()
    assert strict_json(trace)["state"] == trace.state


@pytest.mark.parametrize("size", [5e-324, 1e150, 1e200, 1e300])
def test_samples_at_the_ends_of_float64_are_refused(size: float) -> None:
    """No register of the link holds a step that fits them."""
    problem = LeastSquares([[size, 0.0]], [1.0])
    with pytest.raises(InputError):
        train(problem, "halp", HALP8, epochs=3, **SETTINGS)


def test_a_run_that_diverges_is_called_diverged_and_leaves_no_nan() -> None:
    """Far past the stable step size the offset saturates at every step: the centre moves ever farther."""
    problem = problem_of(samples=40, columns=6)
    path = replace(HALP8, model=replace(HALP8.model, width=3))
    trace = train(problem, "halp", path, step=0.5, epoch_length=40, epochs=3000, mu=0.05, seed=0)
    assert trace.state is State.DIVERGED
    assert len(trace.epochs) < 3001
    assert math.isinf(trace.gradient_norms[-1])
    assert all(math.isfinite(norm) for norm in trace.gradient_norms[:-1])
    assert not np.isnan(trace.w).any()
    written = strict_json(trace)
    assert written["state"] == "diverged"
    assert written["epochs"][-1]["gradient_norm"] is None
    assert written["epochs"][0]["gradient_norm"] == trace.gradient_norms[0]


def test_an_epoch_whose_increments_all_round_to_nothing_is_frozen() -> None:
    """A step so small that h and every coefficient are 0: no random word can move the offset."""
    trace = train(problem_of(), "halp", HALP8, epochs=3, **{**SETTINGS, "step": 1e-5})
    assert trace.state is State.FROZEN
    assert not trace.w.any()
    assert not any(record.moved for record in trace.epochs[:-1])


@pytest.mark.parametrize("rounding", [Rounding.STOCHASTIC, Rounding.TIES_EVEN])
def test_no_steps_an_epoch_leave_the_model_where_it_is(rounding: Rounding) -> None:
    bits = 8 if rounding.is_stochastic else 0
    path = replace(HALP8, model=replace(HALP8.model, rounding=rounding, random_bits=bits))
    trace = train(problem_of(), "halp", path, epochs=2, **{**SETTINGS, "epoch_length": 0})
    assert not trace.w.any()
    assert trace.gradient_norms == [trace.gradient_norms[0]] * 3
    assert [record.cycles for record in trace.epochs] == [0, 0, 0]
    assert strict_json(trace)


@pytest.mark.parametrize(("samples", "columns"), [(1, 1), (1, 5), (30, 1)])
def test_a_single_sample_or_column_converges(samples: int, columns: int) -> None:
    problem = problem_of(1, samples, columns)
    step = 0.1 / problem.smoothness
    mu = np.linalg.svd(problem.features, compute_uv=False)[-1] ** 2 / samples  # curvature on the rows' span
    trace = train(problem, "halp", HALP8, step=step, epoch_length=300, epochs=12, mu=mu, seed=0)
    assert trace.state is State.CONVERGED


def test_identical_samples_make_the_choice_of_row_irrelevant() -> None:
    one = problem_of(2, 1, 10)
    many = LeastSquares(np.tile(one.features, (8, 1)), np.tile(one.targets, 8))
    models = [train(problem, "halp", HALP8, epochs=3, **SETTINGS).w for problem in (one, many)]
    np.testing.assert_allclose(*models, rtol=1e-12)


def test_the_json_of_a_run_holds_what_replays_it() -> None:
    trace = train(problem_of(), "halp", BLOCKS, epochs=2, **SETTINGS)
    written = strict_json(trace)
    own = {"option": "I", "power_of_two": False, "backend": "kernel"}
    assert written["parameters"] == {**SETTINGS, "epochs": 2, **own}
    assert written["datapath"]["exponents"] == {"maximum": BLOCKS.exponents.maximum}
    assert written["w"] == trace.w.tolist()
    assert [record["gradient_norm"] for record in written["epochs"]] == trace.gradient_norms


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"step": 0.0}, "step: got 0.0; allowed: a positive finite number"),
        ({"step": math.nan}, "step: got nan"),
        ({"mu": -1.0}, "mu: got -1.0"),
        ({"mu": math.inf}, "mu: got inf"),
        ({"epoch_length": -1}, "epoch_length: got -1; allowed: a whole number from 0"),
        ({"epoch_length": 2.5}, "epoch_length: got 2.5"),
        ({"seed": -1}, "seed: got -1"),
        ({"backend": "verilog"}, "backend: got 'verilog'"),
        ({"step": 1e12}, r"step·\(data scale\)²·2\^\(sh \+ sp\): got"),
        ({"step": 1e-30}, r"step·\(data scale\)²·2\^\(sh \+ sp\): got"),
    ],
)
def test_bad_parameters_are_refused_by_name(change: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        train(problem_of(), "halp", HALP8, epochs=1, **{**SETTINGS, **change})


def test_halp_needs_a_datapath_and_training_an_algorithm() -> None:
    with pytest.raises(InputError, match="datapath: got None; allowed: a TrainingDatapath"):
        train(problem_of(), "halp", epochs=1, **SETTINGS)
    with pytest.raises(
        InputError,
        match="algorithm: got 'adam'; allowed: halp, lp_svrg, lp_sgd, zipml, halp_zipml, zipml_float, "
        "svrg, svrg32, sgd, sgd32",
    ):
        train(problem_of(), "adam", HALP8, epochs=1, **SETTINGS)


@pytest.mark.parametrize("change", [{"backend": "reference"}, {"profiled": True}])
@pytest.mark.parametrize("algorithm", ["svrg", "sgd32", "zipml_float"])
def test_a_float_algorithm_takes_no_backend_and_has_no_profile(algorithm: str, change: dict[str, Any]) -> None:
    """Neither is accepted and ignored."""
    (field,) = change
    with pytest.raises(
        InputError, match=f"{field}: got .*; allowed: none, since {algorithm} does not run on the engine"
    ):
        train(problem_of(), algorithm, step=0.01, epoch_length=1, epochs=1, **change)
