"""What a specification does to rows: splits, statistics of the training rows, labels."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_regression
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from algorithms.readers import SOURCES
from algorithms.samples import DataSpec, HeldOut, Samples, Scaling, load_samples
from sim.configuration import from_table
from sim.errors import InputError

Floats = NDArray[np.float64]

SHAPES = {"reference": (1000, 100), "diabetes": (442, 10), "digits": (1797, 64), "breast_cancer": (569, 30),
          "synthetic-10": (10_000, 10), "synthetic-100": (10_000, 100), "synthetic-1000": (10_000, 1000)}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def saved(folder: Path, features: Any, targets: Any = None) -> str:
    """The path of a file with these rows."""
    path = folder / "rows.npz"
    features = np.asarray(features, np.float64)
    np.savez(path, X=features, y=np.arange(len(features)) if targets is None else targets)
    return str(path)


@pytest.mark.parametrize("name", SHAPES)
def test_shipped_sets_have_their_shapes_names_and_the_same_bits_every_time(name: str) -> None:
    one, other = load_samples(DataSpec(source=name)), load_samples(DataSpec(source=name))
    assert (one.name, one.features.shape, one.targets.shape) == (name, SHAPES[name], SHAPES[name][:1])
    assert one.features.dtype == one.targets.dtype == np.float64
    assert one.held_out_features is None
    assert one.held_out_targets is None
    assert one.is_classes == (name in ("digits", "breast_cancer"))
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.targets, other.targets)


@pytest.mark.parametrize("columns", [10, 100, 1000])
def test_synthetic_sets_are_gaussian_with_a_tenth_of_noise(columns: int) -> None:
    """What is left of the targets is the noise; bounds of 6 standard errors."""
    samples = load_samples(DataSpec(source=f"synthetic-{columns}"))
    rows, count = samples.features, 10_000
    model = np.linalg.solve(rows.T @ rows, rows.T @ samples.targets)
    left = np.square(samples.targets - rows @ model).sum() / (count - columns)
    assert abs(left / 0.01 - 1) <= 6 * np.sqrt(2 / (count - columns))
    assert abs(model @ model - 1) <= 6 * np.sqrt(2 / columns) + 0.01
    assert abs(rows.mean()) <= 6 / np.sqrt(rows.size)
    assert abs(rows.var() - 1) <= 6 * np.sqrt(2 / rows.size)


def test_shipped_sets_are_those_of_scikit_learn() -> None:
    x, y = load_diabetes(return_X_y=True)
    expected = {
        "reference": make_regression(1000, 100, n_informative=10, noise=0, random_state=0),
        "diabetes": (x * np.sqrt(len(x)), y - y.mean()),
        "digits": load_digits(return_X_y=True),
        "breast_cancer": load_breast_cancer(return_X_y=True),
    }
    for name, (features, targets) in expected.items():
        samples = load_samples(DataSpec(source=name))
        np.testing.assert_array_equal(samples.features, features)
        np.testing.assert_array_equal(samples.targets, targets)


ROWS = hnp.arrays(
    np.float64, st.tuples(st.integers(4, 30), st.integers(1, 5)), elements=st.integers(-64, 64).map(lambda k: k / 8)
)


@settings(max_examples=150)
@given(rows=ROWS, center=st.booleans(), scale=st.sampled_from(Scaling), bias=st.booleans(), drop=st.booleans(),
       held_out=st.sampled_from([HeldOut.NONE, HeldOut.FOLD]), seed=st.integers(0, 9))  # fmt: skip
def test_statistics_come_from_the_training_rows_and_act_on_all(
    folder: Path, rows: Floats, center: bool, scale: Scaling, bias: bool, drop: bool, held_out: HeldOut, seed: int
) -> None:
    """Against scikit-learn's scalers, on the rows that the targets, which number them, say are in each part."""
    fold = {"folds": 2, "fold": seed % 2, "split_seed": seed} if held_out is HeldOut.FOLD else {}
    spec = DataSpec(source=saved(folder, rows), center=center, scale=scale, bias=bias, drop_constant=drop,
                    held_out=held_out, **fold)  # fmt: skip
    train = rows if held_out is HeldOut.NONE else rows[training_rows(rows, spec)]
    constant, zero = np.ptp(train, axis=0) == 0, (train == 0).all(axis=0)
    divides_by_zero = {
        Scaling.COLUMN: constant.any() if center else zero.any(),
        Scaling.UNIT_VARIANCE: constant.any(),
    }
    if constant.all() or (divides_by_zero.get(scale) and not drop):
        with pytest.raises(InputError, match="constant"):
            load_samples(spec)
        return
    samples = load_samples(spec)
    parts = [(samples.features, samples.targets)]
    if held_out is HeldOut.FOLD:
        parts.append((samples.held_out_features, samples.held_out_targets))
    order = np.concatenate([targets for _, targets in parts]).astype(int)
    assert sorted(order) == list(range(len(rows)))
    kept = ~constant if drop else np.ones(rows.shape[1], bool)
    train, width = train[:, kept], kept.sum()
    mean = train.mean(axis=0) if center else np.zeros(width)
    divisor = {
        Scaling.NONE: 1.0,
        Scaling.LARGEST: np.abs(train - mean).max(),
        Scaling.COLUMN: MaxAbsScaler().fit(train - mean).scale_,
        Scaling.UNIT_VARIANCE: StandardScaler().fit(train).scale_,
    }[scale]
    for features, targets in parts:
        assert features.shape == (len(targets), width + bias)
        np.testing.assert_allclose(
            features[:, :width], (rows[targets.astype(int)][:, kept] - mean) / divisor, rtol=1e-12, atol=1e-12
        )
        assert (features[:, width:] == 1.0).all()


def training_rows(rows: Floats, spec: DataSpec) -> NDArray[np.int64]:
    """The numbers of the training rows of a fold, whatever their features."""
    path = Path(spec.source).with_name("order.npz")
    np.savez(path, X=np.arange(len(rows))[:, None], y=np.arange(len(rows)))
    fold = {"folds": spec.folds, "fold": spec.fold, "split_seed": spec.split_seed}
    return load_samples(DataSpec(source=str(path), held_out=spec.held_out, **fold)).targets.astype(int)


@settings(max_examples=40)
@given(counts=st.lists(st.integers(5, 12), min_size=2, max_size=4), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_part_the_rows_and_every_class_evenly(folder: Path, counts: list[int], folds: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    source = saved(folder, np.arange(len(labels))[:, None], labels)
    seen = []
    for fold in range(folds):
        spec = DataSpec(source=source, held_out=HeldOut.FOLD, folds=folds, fold=fold, split_seed=seed)
        samples = load_samples(spec)
        assert samples.held_out_features is not None
        seen += [*samples.held_out_features[:, 0].tolist()]
        assert not set(samples.features[:, 0]) & set(samples.held_out_features[:, 0])
        for label, count in enumerate(counts):
            assert abs(np.sum(samples.held_out_targets == label) - count / folds) < 1
    assert sorted(seen) == list(range(len(labels)))


def test_another_seed_gives_another_split_and_the_same_seed_the_same() -> None:
    def held(seed: int) -> list[float]:
        spec = DataSpec(source="diabetes", held_out=HeldOut.FOLD, split_seed=seed)
        return load_samples(spec).held_out_targets.tolist()

    assert held(0) == held(0) != held(1)


def test_a_class_too_small_for_the_folds_is_shuffled_with_the_rest(folder: Path) -> None:
    """And where that puts a label into the rows held out alone, the labels say so."""
    source = saved(folder, np.arange(9)[:, None], np.array(["a"] * 4 + ["b"] * 4 + ["rare"]))
    messages = []
    for fold in range(3):
        samples = load_samples(DataSpec(source=source, held_out=HeldOut.FOLD, folds=3, fold=fold))
        try:
            samples.labels()
        except InputError as error:
            messages.append(str(error))
    assert messages == ["held-out targets of rows: got 'rare'; allowed: the 2 classes of the training rows"]


def test_a_constant_column_is_centred_to_zero_exactly(folder: Path) -> None:
    """0.1 summed three times over 3 is not 0.1."""
    rows = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]])
    assert (load_samples(DataSpec(source=saved(folder, rows), center=True)).features[:, 0] == 0.0).all()


@pytest.mark.parametrize(
    ("targets", "is_classes"),
    [(np.arange(4) % 2, True), (np.array(list("abab")), True), (np.arange(4) / 2, False), (np.ones(4), False)],
)
def test_text_and_a_few_whole_numbers_look_like_labels(folder: Path, targets: Any, is_classes: bool) -> None:
    assert load_samples(DataSpec(source=saved(folder, np.arange(4)[:, None], targets))).is_classes == is_classes


def test_many_whole_numbers_do_not(folder: Path) -> None:
    assert load_samples(DataSpec(source=saved(folder, np.arange(20)[:, None]))).is_classes
    samples = load_samples(DataSpec(source=saved(folder, np.arange(21)[:, None])))
    assert not samples.is_classes
    assert len(samples.labels()[0]) == 21  # labels can be had all the same


@given(targets=hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(-5, 5).map(float)))
def test_codes_number_the_classes_in_rising_order(targets: Floats) -> None:
    samples = Samples("some", np.zeros((len(targets), 1)), targets, np.zeros((len(targets), 1)), targets[::-1].copy())
    if len(set(targets)) < 2:
        with pytest.raises(
            InputError, match=r"targets of some: got 1 different value\(s\); allowed: 2 to 1000 classes"
        ):
            samples.labels()
        return
    classes, codes, held_out = samples.labels()
    assert classes.tolist() == sorted(set(targets))
    assert classes.dtype == codes.dtype == held_out.dtype == np.int64
    np.testing.assert_array_equal(classes[codes], targets)
    np.testing.assert_array_equal(classes[held_out], targets[::-1])


NO_LABELS: list[tuple[Any, Any, str]] = [
    ([0.0, 1.5], None, r"targets of some: got 1.5; allowed: labels, whole numbers or text"),
    ([0.0, 1e300], None, r"targets of some: got 1e\+300; allowed: labels"),
    ([3.0, 3.0], None, r"targets of some: got 1 different value"),
    (np.arange(1001.0), None, r"targets of some: got 1001 different value\(s\); allowed: 2 to 1000 classes"),
    ([0.0, 1.0], [2.0], r"held-out targets of some: got 2; allowed: the 2 classes of the training rows"),
    ([0.0, 1.0], [0.5], r"targets of some: got 0.5; allowed: labels"),
    (["a", "b"], ["c"], r"held-out targets of some: got 'c'; allowed: the 2 classes"),
]


@pytest.mark.parametrize(("targets", "held_out", "text"), NO_LABELS)
def test_what_are_no_labels_is_refused(targets: Any, held_out: Any, text: str) -> None:
    held_out = None if held_out is None else np.array(held_out)
    samples = Samples("some", np.zeros((len(targets), 1)), np.array(targets), None, held_out)
    with pytest.raises(InputError, match=text):
        samples.labels()


BAD_ROWS: list[tuple[Any, dict[str, Any], str]] = [
    ([[1, 2], [1, 2]], {}, r"rows: got only constant columns over 2 training row\(s\); allowed: at least one column"),
    ([[1, 2]], {}, r"rows: got only constant columns over 1 training row"),
    ([[1, 2], [1, 3]], {"scale": "unit_variance"},
     r"scale: got unit_variance with column\(s\) 0 constant over the training rows; allowed: drop_constant = true"),
    ([[0.1, 2], [0.1, 3], [0.1, 4]], {"scale": "column", "center": True}, r"scale: got column with column\(s\) 0 "),
    ([[0, 2], [0, 3]], {"scale": "column"}, r"scale: got column with column\(s\) 0 constant"),
    ([[0, 0, 0, 2, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0]], {"scale": "column"},
     r"with column\(s\) 0, 1, 2, 4, 5 and 1 more constant"),
    ([[0, 1e-200], [1, 0]], {"scale": "unit_variance"}, r"with column\(s\) 1 too small or too large to be divided"),
    ([[0, 1e200], [1, 0]], {"scale": "unit_variance"}, r"with column\(s\) 1 too small or too large"),
    ([[5, 0, 1e-200], [5, 1, 0]], {"scale": "unit_variance", "drop_constant": True}, r"with column\(s\) 2 too small"),
    ([[0, 1.5e308], [1, -1.5e308]], {"scale": "unit_variance"}, r"with column\(s\) 1 too small or too large"),
    ([[0, 1.5e308], [1, 1.6e308]], {"center": True}, r"rows, column 1: got values past float64 on the way"),
    ([[0, 1], [np.nan, 3]], {}, r"rows, features: got nan in row 1, column 0 \(counted from 0\); allowed: finite"),
    ([[0, 1], [2, -np.inf]], {}, r"rows, features: got -inf in row 1, column 1"),
    ([[0, 1], [2, 3], [4, 5]], {"held_out": "fold"}, r"folds: got 5; allowed: at most 3, the number of rows of rows"),
    ([[0, 1], [2, 3]], {"held_out": "test"}, r"held_out: got test, but .*rows.npz has no test split of its own"),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "options", "text"), BAD_ROWS)
def test_rows_that_cannot_be_prepared_are_refused(folder: Path, rows: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        load_samples(DataSpec(source=saved(folder, rows), **options))


def test_drop_constant_is_the_way_out(folder: Path) -> None:
    spec = DataSpec(source=saved(folder, [[1, 2], [1, 4]]), scale="unit_variance", center=True, drop_constant=True)
    assert load_samples(spec).features.tolist() == [[-1.0], [1.0]]


@pytest.mark.parametrize("name", SHAPES)
def test_a_test_split_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"held_out: got test, but {name} has no test split of its own"):
        load_samples(DataSpec(source=name, held_out=HeldOut.TEST))


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"center": True}, r"source: got nothing; allowed: text"),
    ({"source": ""}, rf"source: got ''; allowed: {', '.join(SOURCES)}, or a path"),
    ({"source": 3}, r"source: got 3; allowed: text"),
    ({"source": "digits", "target": 3}, r"target: got 3; allowed: text"),
    ({"source": "digits", "center": 1}, r"center: got 1; allowed: true, false"),
    ({"source": "digits", "scale": "max"}, r"scale: got 'max'; allowed: none, largest, column, unit_variance"),
    ({"source": "digits", "held_out": "validation"}, r"held_out: got 'validation'; allowed: none, test, fold"),
    ({"source": "digits", "held_out": "fold", "folds": 1}, r"folds: got 1; allowed: a whole number from 2 to 1000"),
    ({"source": "digits", "held_out": "fold", "fold": 5}, r"fold: got 5; allowed: 0 to 4, since folds is 5"),
    ({"source": "digits", "held_out": "fold", "split_seed": -1}, r"split_seed: got -1; allowed: a whole number from 0"),
    (
        {"source": "digits", "split_seed": 1},
        r"folds: got folds 5, fold 0, split_seed 1 with held_out none; allowed: none",
    ),
    ({"source": "digits", "centre": True}, r"centre: got an unknown field; allowed: source, target, center"),
]


@pytest.mark.parametrize(("table", "text"), BAD_FIELDS)
def test_fields_are_checked(table: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=f"study.toml: {text}"):
        from_table(DataSpec, table, "study.toml")


def test_equal_specifications_are_one_key() -> None:
    one, other = DataSpec(source="digits", scale="column"), DataSpec(source="digits", scale=Scaling.COLUMN)
    assert {one: 1}[other] == 1
    assert {one: 1}.get(one.replace(bias=True)) is None
