"""Data sets by name or path: those that are shipped, and files. Nothing is downloaded, nothing stands in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from algorithms.csv_files import read_csv
from algorithms.file_formats import Raw, no_target, read_idx, read_npy, read_npz, read_svmlight
from sim.errors import InputError
from sim.host import row_products

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
PACKAGE = "dataset-fashion-mnist"
INSTALL = f"apt-get install {PACKAGE}"

_IDX = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
_READERS: dict[str, Callable[[Path, str], Raw]] = {
    **dict.fromkeys((".svm", ".svmlight", ".libsvm", ".txt"), read_svmlight),
    ".csv": read_csv,
    ".npy": read_npy,
    ".npz": read_npz,
}


def read(source: str, target: str = "", with_test: bool = False) -> Raw:
    """Return the rows of a shipped data set, of a file or of a folder of idx files.

    Args:
        source: a shipped name or a path; a shipped name goes before a path that is spelled alike.
        target: column or key of the targets, in a CSV, npy or npz file.
        with_test: whether to read the data set's own test split as well.

    Raises:
        InputError: if it is not there, cannot be read as its ending says, or has no test split that is asked for.

    Example:
        >>> read("digits").features.shape
        (1797, 64)
    """
    path = Path(source).expanduser()
    ending = path.suffix.lower()
    if source == "fashion-mnist" or (source not in SHIPPED and path.is_dir()):
        no_target(source, target)
        return _idx_set(source, FASHION_MNIST if source == "fashion-mnist" else path, with_test)
    if with_test:
        raise InputError(
            f"held_out: got test, but {source} has no test split of its own; allowed: none, fold (only fashion-mnist "
            "and folders of idx files have one)"
        )
    if source in SHIPPED:
        no_target(source, target)
        return SHIPPED[source]()
    if ending not in _READERS or not path.exists():
        missing = "" if path.exists() else ", which is not there"
        raise InputError(
            f"source: got {source!r}{missing}; allowed: {', '.join(SOURCES)}, a folder of four idx files, or a file "
            f"that ends in {', '.join(_READERS)}"
        )
    if not path.is_file():
        raise InputError(f"source: got {source!r}, which is no file; allowed: a regular file")
    try:
        return _READERS[ending](path, target)
    except OSError as error:
        raise InputError(f"source: got {source!r} ({error.strerror or error}); allowed: a readable file") from None


def fashion_mnist_is_there(folder: Path = FASHION_MNIST) -> bool:
    """Return whether the files of Fashion-MNIST are in a folder, whole or not."""
    return all((folder / name).exists() for pair in _IDX.values() for name in pair)


def _reference() -> Raw:
    from sklearn.datasets import make_regression

    return Raw("reference", *make_regression(1000, 100, n_informative=10, noise=0, random_state=0))


def _diabetes() -> Raw:
    from sklearn.datasets import load_diabetes

    features, targets = load_diabetes(return_X_y=True)  # columns come centred, with a sum of squares of 1
    return Raw("diabetes", features * np.sqrt(len(features)), targets - targets.mean())


def _digits() -> Raw:
    from sklearn.datasets import load_digits

    features, targets = load_digits(return_X_y=True)
    return Raw("digits", features, targets.astype(np.float64), is_classes=True)


def _breast_cancer() -> Raw:
    from sklearn.datasets import load_breast_cancer

    features, targets = load_breast_cancer(return_X_y=True)
    return Raw("breast_cancer", features, targets.astype(np.float64), is_classes=True)


def _synthetic(columns: int) -> Raw:
    """The regression of ZipML's experiments: a ~ N(0, I), b = a·x + noise, the signal ten times the noise."""
    random = np.random.default_rng(0)
    features = random.normal(size=(10_000, columns))
    model = random.normal(size=columns) / np.sqrt(columns)
    targets = row_products(features, model) + 0.1 * random.normal(size=len(features))
    return Raw(f"synthetic-{columns}", features, targets)


SHIPPED: dict[str, Callable[[], Raw]] = {
    "reference": _reference,
    "diabetes": _diabetes,
    "digits": _digits,
    "breast_cancer": _breast_cancer,
    **{f"synthetic-{columns}": partial(_synthetic, columns) for columns in (10, 100, 1000)},
}
"""Data sets that are made, or come with scikit-learn, by name."""
SOURCES = (*SHIPPED, "fashion-mnist")
"""Every data set that has a name."""


def _idx_set(source: str, folder: Path, with_test: bool) -> Raw:
    """Images of a folder of idx files, a row each, in units of 1/255."""
    splits = ["train", "test"] if with_test else ["train"]
    for name in (name for split in splits for name in _IDX[split]):
        if not (folder / name).exists():
            if source == "fashion-mnist":
                raise InputError(f"source: got {source!r}, but there is no {folder / name}; install it: {INSTALL}")
            raise InputError(f"source: got the folder {source!r} without {name}; allowed: a folder of four idx files")
    repair = f"install it anew: apt-get install --reinstall {PACKAGE}" if source == "fashion-mnist" else "get it anew"
    read_splits = []
    for images_name, labels_name in (_IDX[split] for split in splits):
        images, labels = read_idx(folder / images_name, 3, repair), read_idx(folder / labels_name, 1, repair)
        if len(images) != len(labels):
            raise InputError(
                f"{folder / labels_name}: got {len(labels)} labels; allowed: {len(images)}, one an image; {repair}"
            )
        read_splits.append((images.reshape(len(images), -1), labels.astype(np.float64)))
    (features, targets), test = read_splits[0], read_splits[1] if with_test else None
    if test is not None and test[0].shape[1] != features.shape[1]:
        raise InputError(
            f"{folder}: got test images of {test[0].shape[1]} pixels; allowed: {features.shape[1]} as in the training "
            f"images; {repair}"
        )
    return Raw(source if source == "fashion-mnist" else folder.resolve().name, features, targets, True, 255.0, test)
