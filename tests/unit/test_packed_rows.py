"""Packed rows: the format against its definition for every width, both accountings, files and what they refuse."""

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim import row_formats
from sim.errors import InputError
from sim.formats import QFormat
from sim.packed_rows import PackedRows
from sim.row_formats import Base, RowFormat, unpack_row

FORMATS = [
    RowFormat(bits=bits, samples=samples, base=base, signed=signed, lanes=lanes)
    for bits, samples, base, signed, lanes in itertools.product(
        range(1, 9), (1, 2, 3, 4, 9), Base, (False, True), (1, 8)
    )
    if not (signed and bits == 1) and (base is Base.SHARED or bits * samples <= 32)
]


def some_samples(fmt: RowFormat, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed)
    if fmt.is_shared:
        base = values.integers(fmt.low, fmt.high, (1, rows, columns))
        return base + values.integers(0, 2, (fmt.samples, rows, columns))
    return values.integers(fmt.low, fmt.high, (fmt.samples, rows, columns), endpoint=True)


def pair(**own: Any) -> PackedRows:
    """One value of two samples."""
    return PackedRows.pack([[[0]], [[1]]], RowFormat(bits=2), **own)


def refusal(make) -> str:
    with pytest.raises(InputError) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_packed_samples_come_back_by_definition_and_at_speed(fmt: RowFormat) -> None:
    for columns in (1, 8, 13, 41):
        samples = some_samples(fmt, 5, columns)
        rows = PackedRows.pack(samples, fmt)
        assert rows.data.shape == (5, fmt.row_bytes(columns))
        for i in range(5):
            assert unpack_row(rows.data[i].tobytes(), fmt, columns) == samples[:, i].tolist()
        for k in range(fmt.samples):
            assert rows.samples(k).tolist() == samples[k].tolist()
        dot, update = rows.arrays(QFormat(16, 0))
        assert (dot.tolist(), update.tolist()) == (samples[0].tolist(), samples[min(1, fmt.samples - 1)].tolist())


@pytest.mark.parametrize("columns", [1, 41])
@pytest.mark.parametrize("fmt", [f for f in FORMATS if f.samples == 2 and f.lanes == 8], ids=str)
def test_rows_of_many_blocks_are_those_of_one(fmt: RowFormat, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = some_samples(fmt, 23, columns)
    whole = PackedRows.pack(samples, fmt)
    monkeypatch.setattr(row_formats, "BLOCK", 5 * columns)
    parts = PackedRows.pack(samples, fmt)
    assert parts.data.tolist() == whole.data.tolist()
    for k in range(2):
        assert parts.samples(k).tolist() == samples[k].tolist()


@pytest.mark.parametrize("fmt", [f for f in FORMATS if f.samples <= 3 and f.stored_bits <= 6], ids=str)
def test_every_entry_is_packed_where_the_format_says(fmt: RowFormat) -> None:
    """All values of an entry, written down bit by bit, in a row that has every one of them."""
    if fmt.is_shared:
        bases = range(fmt.low, fmt.high)
        entries = [[b + u for u in ups] for b in bases for ups in itertools.product((0, 1), repeat=fmt.samples)
                   if fmt.high - 1 == b or not all(ups)]  # fmt: skip
    else:
        entries = [list(e) for e in itertools.product(range(fmt.low, fmt.high + 1), repeat=fmt.samples)]
    word = 0
    for j, entry in enumerate(entries):
        if fmt.is_shared:
            base = min(*entry, fmt.high - 1)
            bits = base % (1 << fmt.base_bits) + sum((s - base) << (fmt.base_bits + k) for k, s in enumerate(entry))
        else:
            bits = sum(s % (1 << fmt.bits) << (fmt.bits * k) for k, s in enumerate(entry))
        word += bits << (j * fmt.stored_bits)
    rows = PackedRows.pack(np.array(entries).T[:, None, :], fmt)
    assert rows.data[0].tobytes() == word.to_bytes(fmt.row_bytes(len(entries)), "little")


def test_both_accountings() -> None:
    """Bits read for one sample, and bits stored for two with a shared base."""
    affine = {s: RowFormat(bits=bits) for s, bits in ((1, 1), (2, 2), (4, 3))}
    assert {s: (f.bits, f.stored_bits, f.low, f.high) for s, f in affine.items()} == {
        1: (1, 2, 0, 1), 2: (2, 3, 0, 2), 4: (3, 4, 0, 4)
    }  # fmt: skip
    signed = RowFormat(bits=2, signed=True)
    assert (signed.bits, signed.stored_bits, signed.low, signed.high) == (2, 3, -1, 1)
    assert 32 // signed.bits == 16
    assert [RowFormat(bits=b, samples=2, base="independent").stored_bits for b in (1, 2, 8)] == [2, 4, 16]
    assert [RowFormat(bits=3, samples=k).stored_bits for k in (1, 2, 5)] == [3, 4, 7]
    assert 7 * RowFormat(bits=3).row_bytes(784) < 784 * 4


@pytest.mark.parametrize("shape", ["common", "columns"])
def test_a_level_table_gives_each_code_its_word(shape: str) -> None:
    fmt, columns = RowFormat(bits=3), 11
    samples = some_samples(fmt, 4, columns)
    table = np.random.default_rng(1).integers(-128, 128, (1 if shape == "common" else columns, fmt.levels))
    rows = PackedRows.pack(samples, fmt, table)
    expected = [[table[j if len(table) > 1 else 0, code] for j, code in enumerate(row)] for row in samples[1].tolist()]
    assert rows.arrays(QFormat(8, 0))[1].tolist() == expected == [rows.decode(i)[1].tolist() for i in range(4)]
    assert rows.limits() == [("rows.table", table.min(), table.max())]


@pytest.mark.parametrize("end", [sign * (1 << bits) for bits in (7, 8, 15, 16, 31, 32) for sign in (1, -1)])
@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_words_of_a_level_table_at_the_ends_of_a_dtype(end: int, beyond: int) -> None:
    table = np.array([[0, end + beyond]])
    rows = PackedRows.pack([[[0, 1]]], RowFormat(bits=1, samples=1), table)
    assert rows.words(0).tolist() == [rows.decode(0)[0].tolist()] == table.tolist()


def test_a_file_is_mapped_and_gives_the_rows_back(tmp_path: Path) -> None:
    fmt = RowFormat(bits=3, samples=3)
    rows = PackedRows.pack(some_samples(fmt, 9, 20), fmt, np.arange(5)[None] * 7, (2, 0))
    rows.save(tmp_path / "rows.bin")
    loaded = PackedRows.load(tmp_path / "rows.bin")
    assert (loaded.fmt, loaded.columns, loaded.uses) == (fmt, 20, (2, 0))
    assert (loaded.table.tolist(), loaded.data.tobytes()) == (rows.table.tolist(), rows.data.tobytes())
    assert not loaded.data.flags.writeable
    assert not loaded.data.flags.owndata
    assert [words.tolist() for words in loaded.decode(3)] == [words.tolist() for words in rows.decode(3)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 20), (9, 1)])
def test_a_file_keeps_what_its_words_are_worth(tmp_path: Path, shape: tuple[int, int]) -> None:
    fmt = RowFormat(bits=3)
    samples, scale = some_samples(fmt, 9, 20), np.random.default_rng(2).uniform(0.1, 3.0, shape)
    table = np.arange(5)[None] * 7
    replace(PackedRows.pack(samples, fmt, table), scale=scale).save(tmp_path / "rows.bin")
    loaded = PackedRows.load(tmp_path / "rows.bin")
    assert loaded.scale.tolist() == scale.tolist()
    assert loaded.values(1).tolist() == (7 * samples[1] * scale).tolist()
    assert loaded.nbytes == loaded.data.nbytes + table.nbytes + scale.nbytes


def test_an_empty_table_is_none_in_memory_and_in_a_file(tmp_path: Path) -> None:
    rows = pair(table=np.zeros((0, 3), np.int64))
    rows.save(tmp_path / "rows.bin")
    for one in (rows, PackedRows.load(tmp_path / "rows.bin")):
        assert [words.tolist() for words in one.decode(0)] == [[0], [1]]


def test_without_a_scale_there_are_no_real_numbers() -> None:
    rows = PackedRows.pack([[[0]], [[1]]], RowFormat(bits=2))
    assert (
        refusal(lambda: rows.values(0)) == "rows.scale: got none; allowed: the worth of a data word, for real numbers"
    )
    for scale in ([[1.0, 1.0]], [1.0]):
        refused = refusal(lambda scale=scale: replace(rows, scale=scale))
        assert refused == f"rows.scale: got shape {np.shape(scale)}; allowed: (1, 1), or none"


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_not_positive_is_refused_by_its_place_and_value(bad: float) -> None:
    rows = PackedRows.pack([[[0, 1, 1]], [[1, 1, 0]]], RowFormat(bits=2))
    refused = refusal(lambda: replace(rows, scale=[[1.0, bad, 1.0]]))
    assert refused == f"rows.scale[0, 1]: got {bad}; allowed: positive finite numbers"


def test_a_file_that_is_not_what_it_says_is_refused_in_one_line(tmp_path: Path) -> None:
    fmt = RowFormat(bits=2)
    path = tmp_path / "rows.bin"
    rows = PackedRows.pack(some_samples(fmt, 40, 20), fmt)
    replace(rows, scale=np.linspace(0.1, 2.0, 20)[None]).save(path)
    good = path.read_bytes()

    def refused(content: bytes) -> str:
        path.write_bytes(content)
        return refusal(lambda: PackedRows.load(path)).removeprefix(f"{path}: ")

    for end in range(len(good)):
        assert "; allowed: " in refused(good[:end]), end
    assert refused(good[:-1]) == f"got {len(good) - 1} bytes; allowed: {len(good)}, as its header says"
    assert refused(good + b"x") == f"got {len(good) + 1} bytes; allowed: {len(good)}, as its header says"
    assert refused(b"PK" + good[2:]) == "got another kind of file; allowed: packed rows"
    assert refused(good[:8] + b"\1" + good[9:]) == "got packed rows of version 1; allowed: 2"
    for place in range(8, len(good)):  # whatever bit changes
        changed = good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :]
        assert "; allowed: " in refused(changed), place
    flipped = refused(good[:-1] + bytes([good[-1] ^ 1]))
    assert flipped.startswith("got content of digest ")
    header = json.loads(good[16 : 16 + int.from_bytes(good[12:16], "little")])
    assert len(header["digest"]) == 64
    path.unlink()
    assert "No such file" in refusal(lambda: PackedRows.load(path))


def test_a_file_that_cannot_be_written_is_refused_in_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    for path, what in ((tmp_path, "Is a directory"), (tmp_path / "none" / "rows.bin", "No such file or directory")):
        expected = f"{path}: got {what}; allowed: a file that can be written"
        assert refusal(lambda path=path: pair().save(path)) == expected
    assert not [*tmp_path.iterdir(), *tmp_path.parent.glob("*.part")]


def test_rows_may_be_saved_over_the_file_that_they_are_a_map_of(tmp_path: Path) -> None:
    path = tmp_path / "rows.bin"
    fmt = RowFormat(bits=8)
    PackedRows.pack(some_samples(fmt, 5000, 20), fmt).save(path)
    before, loaded = path.read_bytes(), PackedRows.load(path)
    loaded.save(path)
    assert path.read_bytes() == before
    assert PackedRows.load(path).data.tobytes() == loaded.data.tobytes()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: RowFormat(bits=0), "RowFormat.bits: got 0; allowed: a whole number from 1 to 8"),
        (lambda: RowFormat(bits=9), "RowFormat.bits: got 9; allowed: a whole number from 1 to 8"),
        (lambda: RowFormat(bits=1, signed=True), "RowFormat.bits: got 1; allowed: 2 to 8 where samples are signed"),
        (lambda: RowFormat(bits=8, samples=5, base="independent"), "RowFormat.samples: got 5, 40 bits a value"),
        (lambda: RowFormat(bits=2, base="both"), "RowFormat.base: got 'both'; allowed: independent, shared"),
        (lambda: RowFormat(bits=2, lanes=3), "RowFormat.lanes: got 3; allowed: 1, 2, 4"),
        (lambda: PackedRows.pack([[[0]], [[2]]], RowFormat(bits=2)), "samples: got some that are not neighbours"),
        (
            lambda: PackedRows.pack([[[0]], [[3]]], RowFormat(bits=2)),
            "samples: got values from 0 to 3; allowed: 0 to 2",
        ),
        (lambda: PackedRows.pack([[[0]]], RowFormat(bits=2)), "samples: got 1 of a value; allowed: 2"),
        (lambda: PackedRows.pack([[[0.5]], [[1.0]]], RowFormat(bits=2)), "samples: got dtype float64"),
        (lambda: PackedRows(RowFormat(bits=2), 4, np.zeros((1, 4), np.uint8)), "rows.data: got uint8 of shape (1, 4)"),
        (lambda: pair(table=[[0, 1]]), "rows.table: got shape (1, 2)"),
        (lambda: pair(uses=(0, 2)), "rows.uses: got 2; allowed"),
        (lambda: pair(uses=(0,)), "rows.uses: got (0,); allowed: two numbers"),
        (lambda: pair(uses=(0, 1, 1)), "rows.uses: got (0, 1, 1); allowed: two numbers"),
        (lambda: pair(uses=1), "rows.uses: got 1; allowed: two numbers"),
        (lambda: pair(uses="01"), "rows.uses: got '0'; allowed: a whole number from 0 to 1"),
        (lambda: pair(table=[]), "rows.table: got an empty array of shape (0,)"),
        (lambda: pair(table=[[0], [1, 2]]), "rows.table: got rows of different lengths"),
        (lambda: replace(pair(), scale="x"), "rows.scale: got str; allowed: real numbers"),
        (lambda: PackedRows.pack([[[0]]], 3), "fmt: got int; allowed: RowFormat"),
        (lambda: PackedRows(3, 1, np.zeros((1, 1), np.uint8)), "rows.fmt: got int; allowed: RowFormat"),
        (lambda: pair().decode(1), "index: got 1; allowed: a whole number"),
        (lambda: pair().decode(-1), "index: got -1; allowed"),
    ],
)
def test_bad_input_is_refused_in_one_line(make, text: str) -> None:
    assert refusal(make).startswith(text)
