"""`bittrue explore` on data that cannot be used: one line, and no record is lost."""

import gzip

import pytest

from reports.store import opened
from tests.cli.test_explore import RECORD, assert_refused, write


def data_files(folder):
    """A file for every way that data can be bad."""
    good = "1,2,0\n3,4,1\n5,7,0\n6,6,1\n"
    (folder / "torn.csv").write_text(good + "7,8", encoding="utf-8")
    (folder / "words.csv").write_text(good + "7,x,1\n", encoding="utf-8")
    (folder / "empty.csv").write_text("", encoding="utf-8")
    (folder / "nan.csv").write_text(good + "nan,1,1\n", encoding="utf-8")
    (folder / "torn.npz").write_bytes(b"PK\x03\x04 and no more")
    (folder / "torn.npy").write_bytes(b"\x93NUMPY")
    (folder / "torn.svm").write_text("1 1:0.5 2:\n", encoding="utf-8")
    (folder / "data.xls").write_text(good, encoding="utf-8")
    (folder / "real.csv").write_text("1,2,0.5\n3,4,1.5\n", encoding="utf-8")
    (folder / "one_class.csv").write_text("1,2,1\n3,4,1\n", encoding="utf-8")
    (folder / "constant.csv").write_text("1,2,0\n1,2,1\n", encoding="utf-8")
    (folder / "one_constant.csv").write_text("1,2,0\n1,3,1\n", encoding="utf-8")
    (folder / "idx").mkdir()
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (folder / "idx" / name).write_bytes(gzip.compress(b"\0\0\x08\x03")[:-6])
    (folder / "half").mkdir()


BAD_DATA = {
    "missing": ({"source": "none.csv"}, "source: got 'none.csv', which is not there; allowed: "),
    "missing set": ({"source": "mnist"}, "source: got 'mnist', which is not there; allowed: reference, diabetes, "),
    "unknown ending": ({"source": "data.xls"}, "source: got 'data.xls'; allowed: reference, "),
    "torn CSV": ({"source": "torn.csv"}, "torn.csv line 5: got 2 cell(s); allowed: 3, "),
    "words": ({"source": "words.csv"}, "words.csv line 5, column 1 of 0 to 2: got 'x'; allowed: "),
    "empty file": ({"source": "empty.csv"}, "empty.csv: got "),
    "not finite": ({"source": "nan.csv"}, "got nan; allowed: finite numbers"),
    "torn npz": ({"source": "torn.npz"}, "torn.npz"),
    "torn npy": ({"source": "torn.npy"}, "torn.npy"),
    "torn svmlight": ({"source": "torn.svm"}, "torn.svm"),
    "torn idx": ({"source": "idx"}, "train-images-idx3-ubyte.gz"),
    "folder without files": ({"source": "half"}, "source: got the folder 'half' without train-images"),
    "labels that are no classes": ({"source": "real.csv"}, "targets of real: got 0.5; allowed: labels, "),
    "one class": ({"source": "one_class.csv"}, "got 1 different value(s); allowed: 2 to 1000 classes"),
    "constant columns": ({"source": "constant.csv"}, "got only constant columns over 2 training row(s); allowed: at "),
    "a constant column, scaled": ({"source": "one_constant.csv", "scale": "unit_variance"},
                                  "scale: got unit_variance with column(s) "),
    "no test split": ({"source": "digits", "held_out": "test"}, "held_out: got test, but digits has no test split"),
    "more folds than rows": ({"source": "real.csv", "held_out": "fold", "folds": 9}, "folds: got 9; allowed: at most "),
    "NUL in a path": ({"source": "a\0.csv"}, "source: got "),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_end_in_one_line_and_lose_no_record(program, tmp_path, case):
    data_files(tmp_path)
    data, message = BAD_DATA[case]
    folder = tmp_path / "explore" / "small"
    with opened(folder, "small", 'name = "small"\n') as store:
        store.records.append(RECORD)
    before = (folder / "records.jsonl").read_bytes()
    assert_refused(program("explore", write(tmp_path, data=data, loss="logistic")), message)
    assert (folder / "records.jsonl").read_bytes() == before
