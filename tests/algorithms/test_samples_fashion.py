"""Fashion-MNIST as the Debian package has it."""

import numpy as np
import pytest

from algorithms.readers import FASHION_MNIST
from algorithms.samples import DataSpec, HeldOut, Scaling, load_samples

pytestmark = pytest.mark.fashion


@pytest.mark.parametrize("source", ["fashion-mnist", str(FASHION_MNIST)])
def test_the_shipped_name_and_its_folder_give_the_images_over_255(source: str) -> None:
    samples = load_samples(DataSpec(source=source, held_out=HeldOut.TEST))
    assert samples.name == "fashion-mnist"
    assert samples.features.shape == (60000, 784)
    assert samples.held_out_features.shape == (10000, 784)
    for features in (samples.features, samples.held_out_features):
        assert (features.min(), features.max()) == (0.0, 1.0)
        np.testing.assert_array_equal(np.rint(features * 255) / 255, features)
    classes, codes, held_out = samples.labels()
    assert samples.is_classes
    assert classes.tolist() == list(range(10))
    assert np.bincount(codes).tolist() == [6000] * 10
    assert np.bincount(held_out).tolist() == [1000] * 10


def test_known_pixels() -> None:
    """The first image, an ankle boot: its label and a row of pixels, as the data set's page shows it."""
    samples = load_samples(DataSpec(source="fashion-mnist"))
    assert samples.held_out_features is None
    assert samples.targets[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    image = np.rint(samples.features[0] * 255).astype(int).reshape(28, 28)
    assert image[3, 12:20].tolist() == [1, 0, 0, 13, 73, 0, 0, 1]


@pytest.mark.slow
def test_all_options_act_on_both_splits() -> None:
    spec = DataSpec(source="fashion-mnist", center=True, scale=Scaling.UNIT_VARIANCE, bias=True, held_out=HeldOut.TEST)
    plain, samples = load_samples(DataSpec(source="fashion-mnist", held_out=HeldOut.TEST)), load_samples(spec)
    assert samples.features.shape == (60000, 785)
    mean, deviation = plain.features.mean(axis=0), plain.features.std(axis=0)
    np.testing.assert_allclose(samples.features[:, :784], (plain.features - mean) / deviation, atol=1e-9)
    np.testing.assert_allclose(
        samples.held_out_features[:, :784], (plain.held_out_features - mean) / deviation, atol=1e-9
    )
    assert (samples.held_out_features[:, 784] == 1.0).all()


def test_a_fold_leaves_the_test_split_alone_and_halves_every_class() -> None:
    spec = DataSpec(source="fashion-mnist", held_out=HeldOut.FOLD, folds=2, fold=1, split_seed=3)
    _, codes, held_out = load_samples(spec).labels()
    assert np.bincount(codes).tolist() == np.bincount(held_out).tolist() == [3000] * 10
