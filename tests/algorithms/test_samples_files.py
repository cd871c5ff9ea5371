"""Files by path: what each format gives, and one clear line for what cannot be read."""

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file

from algorithms import file_formats, readers
from algorithms.readers import FASHION_MNIST, SHIPPED, SOURCES, fashion_mnist_is_there, read
from algorithms.samples import DataSpec, HeldOut, load_samples
from sim.errors import InputError


def written(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def archive(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def single(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(
    rows=st.lists(st.tuples(FINITE, FINITE, FINITE), min_size=2, max_size=8).filter(
        lambda r: len({x[0] for x in r}) > 1
    )
)
def test_every_format_gives_the_same_numbers(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    folder, matrix = tmp_path_factory.mktemp("formats"), np.array(rows)
    features, targets = matrix[:, :2], matrix[:, 2]
    lines = [",".join(map(repr, row)) for row in matrix.tolist()]
    svmlight = [f"{y!r} 1:{a!r} 2:{b!r}" for a, b, y in matrix.tolist()]
    sources = [
        written(folder, "rows.csv", "\n".join(lines)),
        written(folder, "named.csv", "\ufeffone,two,three\r\n" + "\r\n\r\n".join(lines) + "\r\n"),
        written(folder, "rows.npy", single(matrix)),
        written(folder, "columns.npy", single(np.asfortranarray(matrix))),
        written(folder, "rows.npz", archive(X=features, y=targets)),
        written(folder, "rows.NPZ", archive(features=features, targets=targets)),
        written(folder, "rows.svm", "\n".join(svmlight) + "\n"),
    ]
    for source in sources:
        raw = read(source)
        assert raw.name == Path(source).stem
        np.testing.assert_array_equal(raw.features, features)
        np.testing.assert_array_equal(raw.targets, targets)


@pytest.mark.parametrize("zero_based", [True, False])
@pytest.mark.parametrize("ending", [".svm", ".svmlight", ".libsvm", ".txt"])
def test_svmlight_as_scikit_learn_writes_it(tmp_path: Path, ending: str, zero_based: bool) -> None:
    features = np.array([[1.5, 0.0, -2.0], [0.0, 0.25, 0.0]])
    path = tmp_path / f"rows{ending}"
    dump_svmlight_file(features, [1.0, -1.0], str(path), zero_based=zero_based, comment="two rows", query_id=[1, 2])
    raw = read(str(path))
    np.testing.assert_array_equal(raw.features, features)
    assert raw.targets.tolist() == [1.0, -1.0]


CSV: list[tuple[str, str, Any, Any]] = [
    ("1,2,3\n4,5,6\n", "", [[1, 2], [4, 5]], [3, 6]),
    ("1,2,3\n4,5,6\n", "0", [[2, 3], [5, 6]], [1, 4]),
    ("1,2,3\n4,5,6\n", "-2", [[1, 3], [4, 6]], [2, 5]),
    ("a,b,c\n1,2,3\n4,5,6\n", "a", [[2, 3], [5, 6]], [1, 4]),
    ("a,b,c\n1,2,3\n4,5,6\n", "1", [[1, 3], [4, 6]], [2, 5]),
    ('"a, or b",c\n1,2\n4,5\n', "a, or b", [[2], [5]], [1, 4]),
    ("\ufeffa,b\n1,2\n4,5\n", "a", [[2], [5]], [1, 4]),
    ("1,cat\n 2 , dog \n", "", [[1], [2]], ["cat", "dog"]),
    ("x_1,kind\n1,a_1\n2,b_2\n", "kind", [[1], [2]], ["a_1", "b_2"]),
    ("0,1,y\n3,4,5\n6,7,8\n", "", [[3, 4], [6, 7]], [5, 8]),
    ("0,1,y\n3,4,5\n6,7,8\n", "y", [[3, 4], [6, 7]], [5, 8]),
    ("0,1,y\n3,4,z\n", "", [[0, 1], [3, 4]], ["y", "z"]),
    ("0,1,2\n3,4,5\n", "", [[0, 1], [3, 4]], [2, 5]),
]


@pytest.mark.parametrize(("text", "target", "features", "targets"), CSV)
def test_csv_with_and_without_names_and_with_labels(
    tmp_path: Path, text: str, target: str, features: Any, targets: Any
) -> None:
    raw = read(written(tmp_path, "rows.csv", text), target)
    assert raw.features.tolist() == features
    assert raw.targets.tolist() == targets
    assert raw.is_classes == isinstance(targets[0], str)


def test_columns_of_a_csv_file_go_by_their_names_in_errors(tmp_path: Path) -> None:
    source = written(tmp_path, "rows.csv", "age,size,y\n1,2,3\n1,3,4\n")
    with pytest.raises(InputError, match=r"with column\(s\) 'age' constant over the training rows"):
        load_samples(DataSpec(source=source, scale="unit_variance"))


def test_arrays_by_column_and_by_key(tmp_path: Path) -> None:
    assert read(written(tmp_path, "rows.npy", single(np.arange(6).reshape(2, 3))), "0").targets.tolist() == [0, 3]
    source = written(tmp_path, "rows.npz", archive(data=np.eye(2), kind=np.array(["a", "b"])))
    assert read(source, "kind").targets.tolist() == ["a", "b"]
    source = written(tmp_path, "one.npz", archive(pixels=np.eye(2, dtype=np.uint8), y=np.array([True, False])))
    assert load_samples(DataSpec(source=source)).targets.tolist() == [1.0, 0.0]


GOOD = archive(X=np.eye(3), y=np.arange(3))
PLACE = "rows.csv line 2, column 1"
BAD: list[tuple[str, str | bytes, str, str]] = [
    ("rows.csv", "", "", r"rows.csv: got an empty file; allowed: at least 2 cells a line"),
    ("rows.csv", "\n  \n", "", r"rows.csv: got an empty file"),
    ("rows.csv", "1;2;3\n", "", r"rows.csv: got 1 cell in the first line; allowed: at least 2 cells .* by commas"),
    ("rows.csv", "a,b\n", "", r"rows.csv: got 0 row\(s\) of 1 feature\(s\); allowed: at least one of each"),
    ("rows.csv", "1,2,3\n4,x,6\n", "", rf"{PLACE} of 0 to 2: got 'x'; allowed: a number"),
    ("rows.csv", "a,b,c\n4,x,6\n", "", rf"{PLACE} \(b\): got 'x'; allowed: a number"),
    ("rows.csv", "1,2,3\n4,,6\n", "", rf"{PLACE} of 0 to 2: got ''; allowed: a number"),
    ("rows.csv", "1,2,3\n4,1_0,6\n", "", rf"{PLACE} of 0 to 2: got '1_0'; allowed: a number"),
    ("rows.csv", "1,2,3\n4,nan,6\n", "", rf"{PLACE} of 0 to 2: got nan; allowed: finite numbers"),
    ("rows.csv", "1,2,3\n4,nan,6\n", "0", rf"{PLACE} of 0 to 2: got nan; allowed: finite numbers"),
    ("rows.csv", "5,6,y\n3,4,5\n", "", r"line 1, column 2 of 0 to 2: got 'y'; allowed: finite numbers, since other"),
    ("rows.csv", "1,2,3\n4,-inf,6\n", "", rf"{PLACE} of 0 to 2: got -inf; allowed: finite numbers"),
    ("rows.csv", "1,2,3\n4,1e999,6\n", "", rf"{PLACE} of 0 to 2: got inf; allowed: finite numbers"),
    ("rows.csv", "1,x,3\n4,5,6\n", "", r"rows.csv line 1, column 1 of 0 to 2: got 'x'; allowed: a number"),
    ("rows.csv", "1,2,3\n4,5,?\n", "", r"line 2, column 2 of 0 to 2: got '\?'; allowed: finite numbers, since other"),
    ("rows.csv", "1,2,3\n4,5,nan\n", "", r"line 2, column 2 of 0 to 2: got 'nan'; allowed: finite numbers"),
    ("rows.csv", "1,2,a\n4,5,\n", "", r"line 2, column 2 of 0 to 2: got ''; allowed: a label of 1 to 200 characters"),
    ("rows.csv", "1,2,a\n4,5," + "b" * 201, "", r"line 2, column 2 of 0 to 2: got 'b+'; allowed: a label of 1 to 200"),
    ("rows.csv", "1,2,3\n\n4,5\n", "", r"rows.csv line 3: got 2 cell\(s\); allowed: 3, as in line 1"),
    ("rows.csv", "1,2,3\n4,5,6,\n", "", r"rows.csv line 2: got 4 cell\(s\); allowed: 3, as in line 1"),
    ("rows.csv", '1,2\n3,"4', "", r"rows.csv: got broken CSV \(unexpected end of data\)"),
    ("rows.csv", b"1,2\n3,\xff\n", "", r"rows.csv: got bytes that are no UTF-8 \(invalid start byte\)"),
    ("rows.csv", b"1,2\n3,\0\n", "", r"rows.csv"),
    (
        "rows.csv",
        "a,b\n1,2\n",
        "c",
        r"target: got 'c'; allowed: the name of one column \(a, b\), or a number from -2 to 1",
    ),
    ("rows.csv", "a,a\n1,2\n", "a", r"target: got 'a'; allowed: the name of one column \(a, a\)"),
    ("rows.csv", "1,2\n3,4\n", "y", r"target: got 'y'; allowed: a number from -2 to 1 for .*rows.csv"),
    ("rows.csv", "1,2\n3,4\n", "2", r"target: got '2'; allowed: a number from -2 to 1"),
    ("rows.svm", "", "", r"rows.svm: got 0 row\(s\) without a value; allowed: rows `label column:value"),
    ("rows.svm", "1\n2\n", "", r"rows.svm: got 2 row\(s\) without a value"),
    ("rows.svm", "1 1:2\ncat 1:3\n", "", r"rows.svm line 2: got 'cat'; allowed: a finite number"),
    ("rows.svm", "1 1:2\n1 1:x\n", "", r"rows.svm line 2: got '1:x'; allowed: column:value with rising columns"),
    ("rows.svm", "1 1:2 # fine\n1 2:1 1:2\n", "", r"rows.svm line 2: got '1:2'; allowed"),
    ("rows.svm", "1 1:nan\n", "", r"rows.svm line 1: got '1:nan'; allowed"),
    ("rows.svm", "inf 1:1\n", "", r"rows.svm line 1: got 'inf'; allowed: a finite number"),
    ("rows.svm", "1 1:1e999\n", "", r"rows.svm line 1: got '1:1e999'"),
    ("rows.svm", "1 1:1_0\n", "", r"rows.svm line 1: got '1:1_0'"),
    ("rows.svm", "1 -1:1\n", "", r"rows.svm line 1: got '-1:1'"),
    ("rows.svm", "1 99999999999:1\n", "", r"rows.svm line 1: got '99999999999:1'"),
    (
        "rows.svm",
        "1 2000000000:1\n",
        "",
        r"rows.svm: got 1 rows of 2000000000 features; allowed: at most 268435456 val",
    ),
    ("rows.svm", b"\x1f\x8b\xff\0", "", r"rows.svm line 1: got"),
    ("rows.txt", "1,2 1:3\n", "", r"rows.txt line 1: got '1,2'; allowed: a finite number"),
    ("rows.svm", "1 1:2\n", "0", r"target: got '0'; allowed: none, since a .svm file says which its targets are"),
    ("rows.npy", b"", "", r"rows.npy: got .*; allowed: a whole npy file of numbers"),
    ("rows.npy", single(np.eye(9))[:-8], "", r"rows.npy: got .*; allowed: a whole npy file"),
    ("rows.npy", single(np.eye(9))[:40], "", r"rows.npy: got .*; allowed: a whole npy file"),
    ("rows.npy", "1,2,3\n", "", r"rows.npy: got .*; allowed: a whole npy file"),
    ("rows.npy", single(np.array([[1, "a"]], object)), "", r"rows.npy: got .*; allowed: a whole npy file"),
    ("rows.npy", GOOD, "", r"rows.npy: got .*; allowed: a whole npy file"),
    ("rows.npy", single(np.arange(4)), "", r"rows.npy: got shape \(4,\); allowed: an array of 2 dimension"),
    ("rows.npy", single(np.ones((4, 1))), "", r"rows.npy: got shape \(4, 1\); allowed: at least 2 columns"),
    ("rows.npy", single(np.array([["a", "b"]])), "", r"rows.npy: got dtype <U1; allowed: real numbers"),
    ("rows.npy", single(np.eye(2) * 1j), "", r"rows.npy: got dtype complex128; allowed: real numbers"),
    ("rows.npy", single(np.eye(2)), "2", r"target: got '2'; allowed: a number from -2 to 1"),
    ("rows.npz", b"", "", r"rows.npz: got .*; allowed: a whole npz file"),
    ("rows.npz", GOOD[:-30], "", r"rows.npz: got .*; allowed: a whole npz file"),
    ("rows.npz", GOOD[:200] + b"\xff\xff" + GOOD[202:], "", r"rows.npz: got .*; allowed: a whole npz file"),
    ("rows.npz", single(np.eye(2)), "", r"rows.npz: got a single array; allowed"),
    ("rows.npz", archive(X=np.eye(2)), "", r"rows.npz: got no key y or targets; allowed: a key of the file as .*: X"),
    ("rows.npz", GOOD, "z", r"target: got 'z'; allowed: a key of the file as target: X, y"),
    (
        "rows.npz",
        archive(a=np.eye(2), b=np.eye(2), y=np.ones(2)),
        "",
        r"got the keys a, b, y; allowed: features under X,",
    ),
    ("rows.npz", archive(y=np.ones(2)), "", r"got the keys y; allowed: features under X, x, features, data"),
    (
        "rows.npz",
        archive(X=np.eye(2), y=np.ones(3)),
        "",
        r"npz\[y\]: got shape \(3,\); allowed: \(2,\), one a row of X",
    ),
    ("rows.npz", archive(X=np.eye(2), y=np.eye(2)), "", r"npz\[y\]: got shape \(2, 2\); allowed: an array of 1"),
    (
        "rows.npz",
        archive(X=np.eye(2), y=np.array([b"a", b"b"])),
        "",
        r"npz\[y\]: got dtype \|S1; allowed: real numbers",
    ),
    ("rows.npz", archive(X=np.eye(2), y=np.array([[1], "a"], object)), "", r"rows.npz: got .*; allowed: a whole npz"),
    ("rows.npz", archive(X=np.ones((0, 2)), y=np.ones(0)), "", r"npz\[X\]: got 0 row\(s\) of"),
    (
        "rows.dat",
        "1,2\n",
        "",
        r"source: got '.*rows.dat'; allowed: reference, .* or a file that ends in .svm, .*, .npz",
    ),
]


@pytest.mark.parametrize(("name", "content", "target", "text"), BAD)
def test_what_cannot_be_read_is_one_clear_line(
    tmp_path: Path, name: str, content: str | bytes, target: str, text: str
) -> None:
    with pytest.raises(InputError, match=text) as error:
        load_samples(DataSpec(source=written(tmp_path, name, content), target=target))
    assert "\n" not in str(error.value)


def test_a_torn_archive_never_gives_rows(tmp_path: Path) -> None:
    for cut in range(len(GOOD)):
        with pytest.raises(InputError, match=r"rows\.npz: got .*; allowed: a whole npz file of numbers"):
            read(written(tmp_path, "rows.npz", GOOD[:cut]))


def test_what_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"source: got 'digit', which is not there; allowed: reference, diabetes, digits"
    ):
        read("digit")
    with pytest.raises(InputError, match=r"source: got '.*gone.csv', which is not there; allowed"):
        read(str(tmp_path / "gone.csv"))
    with pytest.raises(InputError, match=r"source: got the folder '.*' without train-images-idx3-ubyte.gz; allowed"):
        read(str(tmp_path))
    (tmp_path / "null.csv").symlink_to("/dev/null")
    with pytest.raises(InputError, match=r"source: got '.*null.csv', which is no file; allowed: a regular file"):
        read(str(tmp_path / "null.csv"))


@pytest.mark.parametrize("source", SOURCES)
def test_shipped_sets_have_no_target_to_choose(source: str) -> None:
    with pytest.raises(InputError, match=f"target: got 'y'; allowed: none, since {source} says which its targets are"):
        read(source, "y")


def test_what_no_memory_holds_is_refused_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from algorithms import csv_files

    for module in (file_formats, csv_files):
        monkeypatch.setattr(module, "MAX_VALUES", 5)
    with pytest.raises(InputError, match=r"rows.csv: got 3 rows of 2 features; allowed: at most 5 values"):
        read(written(tmp_path, "rows.csv", "1,2,3\n" * 3 + "x\n"))
    with pytest.raises(InputError, match=r"rows.npy: got 3 rows of 3 features; allowed: at most 5 values"):
        read(written(tmp_path, "rows.npy", single(np.ones((3, 3)))))


NAMES = [name for pair in readers._IDX.values() for name in pair]


def idx(array: Any) -> bytes:
    array = np.asarray(array, np.uint8)
    return struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def images(folder: Path, **changes: bytes | None) -> str:
    """A folder like Fashion-MNIST's with 4 + 2 images of 2×3 pixels; changed files go by the ends of their names."""
    rng = np.random.default_rng(0)
    content = [rng.integers(0, 256, (4, 2, 3)), [3, 1, 1, 0], rng.integers(0, 256, (2, 2, 3)), [1, 3]]
    for name, array in zip(NAMES, content, strict=True):
        key = name.split("-idx")[0].replace("-", "_")
        data = changes.get(key, gzip.compress(idx(array)))
        if data is not None:
            (folder / name).write_bytes(data)
    return str(folder)


def test_a_folder_of_idx_files_is_read(tmp_path: Path) -> None:
    samples = load_samples(DataSpec(source=images(tmp_path), held_out=HeldOut.TEST))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 2, 3))
    np.testing.assert_array_equal(samples.features, pixels.reshape(4, 6) / 255)
    assert samples.name == tmp_path.name
    assert samples.is_classes
    assert samples.held_out_features is not None
    assert samples.held_out_features.shape == (2, 6)
    classes, codes, held_out = samples.labels()
    assert (classes.tolist(), codes.tolist(), held_out.tolist()) == ([0, 1, 3], [2, 1, 1, 0], [1, 2])


WHOLE = gzip.compress(idx(np.zeros((4, 2, 3))))
TORN: list[tuple[dict[str, bytes | None], str]] = [
    ({"train_images": b""}, r"got a torn file of 0 bytes; allowed: a whole idx file"),
    ({"train_images": b"no gzip at all"}, r"train-images-idx3-ubyte.gz: got a torn file \(Not a gzipped file"),
    ({"train_images": WHOLE[:-9]}, r"train-images-idx3-ubyte.gz: got a torn file \(Compressed file ended"),
    ({"train_images": WHOLE[:12] + bytes([WHOLE[12] ^ 255]) + WHOLE[13:]}, r"train-images-idx3-ubyte.gz: got"),
    ({"train_images": WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:]}, r"got a torn file \(CRC check failed"),
    ({"train_images": gzip.compress(idx(np.zeros((4, 2, 3)))[:10])}, r"got a torn file of 10 bytes"),
    ({"train_images": gzip.compress(idx(np.zeros((4, 2, 3)))[:-1])}, r"got 23 bytes; allowed: 24, as its header says"),
    (
        {"train_images": gzip.compress(idx(np.zeros((4, 2, 3))) + b"\0")},
        r"got more than 24 bytes; allowed: 24, .*4×2×3",
    ),
    ({"train_images": gzip.compress(idx(np.zeros((4, 6))))}, r"got the magic number 0x00000802; allowed: 0x00000803"),
    (
        {"train_images": gzip.compress(struct.pack(">4I", 0x803, 1 << 31, 1 << 15, 1))},
        r"allowed: at most 268435456 val",
    ),
    ({"train_images": gzip.compress(idx(np.zeros((0, 2, 3))))}, r"got 0 row\(s\) of"),
    (
        {"train_labels": gzip.compress(idx([0, 1, 2]))},
        r"train-labels-idx1-ubyte.gz: got 3 labels; allowed: 4, one an im",
    ),
    ({"train_labels": None}, r"source: got the folder '.*' without train-labels-idx1-ubyte.gz; allowed"),
    (
        {"t10k_images": gzip.compress(idx(np.zeros((2, 2, 2))))},
        r"got test images of 4 pixels; allowed: 6 as in the train",
    ),
    ({"t10k_labels": WHOLE}, r"t10k-labels-idx1-ubyte.gz: got the magic number"),
]


@pytest.mark.parametrize(("changes", "text"), TORN)
def test_torn_idx_files_are_one_clear_line(tmp_path: Path, changes: dict[str, bytes | None], text: str) -> None:
    with pytest.raises(InputError, match=text) as error:
        read(images(tmp_path, **changes), with_test=True)
    assert "\n" not in str(error.value)


def test_fashion_mnist_that_is_missing_or_torn_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "FASHION_MNIST", tmp_path)
    with pytest.raises(InputError, match=r"but there is no .*gz; install it: apt-get install dataset-fashion-mnist$"):
        read("fashion-mnist")
    images(tmp_path, train_images=WHOLE[:-9])
    with pytest.raises(InputError, match=r"torn file .*apt-get install --reinstall dataset-fashion-mnist$"):
        read("fashion-mnist")


def test_the_data_are_there_only_if_all_files_are(tmp_path: Path) -> None:
    images(tmp_path)
    assert fashion_mnist_is_there(tmp_path)
    for name in NAMES:
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        assert not fashion_mnist_is_there(tmp_path)
        (tmp_path / name).write_bytes(content)
    assert FASHION_MNIST.name in SOURCES
    assert FASHION_MNIST.name not in SHIPPED
