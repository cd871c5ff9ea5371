"""An inner loop as a value: what it refuses, and that it survives a file."""

import dataclasses
import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import Data, Link, Links, Model
from sim.engine import EpochJob, Registers, run
from sim.errors import InputError
from sim.modes import Overflow
from sim.rows import RawRows
from tests.engine.helpers import BACKENDS, HALP, refusal, same, small_job
from tests.engine.strategies import jobs

WITH_SYMMETRIC_MODEL = replace(HALP, model=replace(HALP.model, overflow=Overflow.SAT_SYM))
BAD_FIELDS: list[tuple[Link, str, Any, str, str]] = [
    (Link.AFFINE, "indices", [0, 2], "0 to 2", "0 to 1"),
    (Link.AFFINE, "indices", [-1], "-1", "0 to 1"),
    (Link.AFFINE, "indices", [0.0], "float64", "integer"),
    (Link.AFFINE, "indices", [[0, 1]], "(1, 2)", "1 dimension"),
    (Link.AFFINE, "indices", 1, "()", "1 dimension"),
    (Link.AFFINE, "z", [0, 0], "(2,)", "(3,)"),
    (Link.AFFINE, "z", [[0, 0, 0]], "(1, 3)", "1 dimension"),
    (Link.AFFINE, "z", [0, 0, 128], "0 to 128", "-128 to 127"),
    (Link.AFFINE, "z", [0, 0, -129], "-129", "-128 to 127"),
    (Link.AFFINE, "z", [0.0, 0.0, 0.0], "float64", "integer"),
    (Link.AFFINE, "z", [0, 0, float("nan")], "float64", "integer"),
    (Link.AFFINE, "z", [True, False, True], "bool", "integer"),
    (Link.AFFINE, "z", [[0], [0, 0]], "different lengths", "integers"),
    (Link.AFFINE, "z", None, "none", "(3,)"),
    (Link.AFFINE, "z", [], "none", "(3,)"),
    (Link.AFFINE, "h", [0], "(1,)", "(3,)"),
    (Link.AFFINE, "h", [0, 0, 1 << 15], "32768", "-32768 to 32767"),
    (Link.AFFINE, "h", [np.inf, 0, 0], "float64", "integer"),
    (Link.AFFINE, "h", [1 << 62, 0, 0], "62 bits", "62 bits"),
    (Link.AFFINE, "exponents", [0, 0], "(2,)", "(1,)"),
    (Link.AFFINE, "exponents", [1], "1 to 1", "0 to 0"),
    (Link.AFFINE, "exponents", [-1], "-1", "0 to 0"),
    (Link.AFFINE, "offsets", [0], "(1,)", "(2,)"),
    (Link.AFFINE, "offsets", [0, 1 << 31], "2147483648", "-2147483648 to 2147483647"),
    (Link.AFFINE, "grid", [0, 0], "array", "none with link affine"),
    (Link.AFFINE, "targets", [0, 0], "array", "none with link affine"),
    (Link.AFFINE, "table", np.ones(16, int), "array", "none with link affine"),
    (Link.CENTRED_TABLE, "targets", [0, 0], "array", "none with link centred_table"),
    (Link.CENTRED_TABLE, "grid", [0, 16], "0 to 16", "0 to 15"),
    (Link.CENTRED_TABLE, "grid", [0], "(1,)", "(2,)"),
    (Link.CENTRED_TABLE, "table", None, "none", "(16, 16)"),
    (Link.CENTRED_TABLE, "table", np.ones(16, int), "(16,)", "2 dimension"),
    (Link.CENTRED_TABLE, "table", np.ones((16, 8), int), "(16, 8)", "(16, 16)"),
    (Link.CENTRED_TABLE, "table", np.full((16, 16), -1), "-1 to -1", "0 to 4095"),
    (Link.CENTRED_TABLE, "table", np.full((16, 16), 4096), "4096", "0 to 4095"),
    (Link.CENTRED_TABLE, "table", np.full((16, 16), np.nan), "float64", "integer"),
    (Link.ABSOLUTE_TABLE, "grid", [0, 0], "array", "none with link absolute_table"),
    (Link.ABSOLUTE_TABLE, "table", None, "none", "(16,)"),
    (Link.ABSOLUTE_TABLE, "table", np.ones((1, 16), int), "(1, 16)", "1 dimension"),
    (Link.ABSOLUTE_TABLE, "table", np.full(16, 32768), "32768", "-32768 to 32767"),
    (Link.ABSOLUTE_TABLE, "targets", [0, -32769], "-32769", "-32768 to 32767"),
    (Link.AFFINE, "seed", -1, "-1", "0 to 4611686018427387903"),
    (Link.AFFINE, "seed", 1.0, "1.0", "whole number"),
    (Link.AFFINE, "first_step", -1, "-1", "0 to 281474976710656"),
    (Link.AFFINE, "first_step", 1 << 49, "562949953421312", "0 to 281474976710656"),
]


@pytest.mark.parametrize(("link", "field", "value", "got", "allowed"), BAD_FIELDS)
def test_a_bad_field_is_named_with_its_value_and_what_is_allowed(
    link: Link, field: str, value: Any, got: str, allowed: str
) -> None:
    text = refusal(lambda: small_job(link, **{field: value}))
    assert text.startswith(f"{field}: got ")
    before, after = text.split("; allowed: ")
    assert got in before
    assert allowed in after


@pytest.mark.parametrize(
    ("field", "value", "highest"),
    [("multiplier", 1 << 16, 65535), ("index_multiplier", -1, 65535), ("shift", 63, 62), ("index_shift", -1, 62)],
)
def test_a_register_outside_its_bits_is_named(field: str, value: int, highest: int) -> None:
    text = refusal(lambda: small_job(registers=Registers(**{field: value})))
    assert text == f"registers.{field}: got {value}; allowed: a whole number from 0 to {highest}"


@pytest.mark.parametrize("which", ["dot", "update"])
def test_rows_outside_the_data_format_are_named(which: str) -> None:
    rows = {"dot": np.zeros((2, 3), int), which: np.full((2, 3), 128)}
    text = refusal(lambda: small_job(rows=RawRows(**rows)))
    assert text == f"rows.{which}: got values from 128 to 128; allowed: -128 to 127"


@pytest.mark.parametrize(
    ("dot", "update", "field"),
    [
        (np.full((2, 3), np.nan), None, "rows.dot"),
        (np.zeros((2, 3)), None, "rows.dot"),
        (np.zeros(3, int), None, "rows.dot"),
        (np.zeros((0, 3), int), None, "rows.dot"),
        (np.zeros((2, 3), int), np.zeros((2, 3)), "rows.update"),
        (np.zeros((2, 3), int), np.zeros((2, 4), int), "rows.update"),
    ],
)
def test_rows_that_are_no_matrix_of_integers_are_refused(dot: Any, update: Any, field: str) -> None:
    assert refusal(lambda: RawRows(dot, update)).startswith(f"{field}: got ")


def test_a_symmetric_model_does_not_start_at_the_code_it_never_takes() -> None:
    assert "-127 to 127" in refusal(lambda: small_job(datapath=WITH_SYMMETRIC_MODEL, z=[-128, 0, 0]))


def test_an_unknown_link_is_refused() -> None:
    text = refusal(lambda: small_job(link="linear"))
    assert text == "link: got 'linear'; allowed: affine, centred_table, absolute_table"


@pytest.mark.parametrize(
    ("changes", "node"),
    [
        ({"data": Data(width=24), "model": Model(width=32, random_bits=32), "exponents": {"maximum": 9}}, "s"),
        ({"accumulator": {"width": 50}}, "k"),
        ({"accumulator": {"width": 45}, "link": Links(multiplier_bits=24)}, "k"),
        ({"accumulator": {"width": 61}}, "k"),
    ],
)
def test_an_intermediate_past_62_bits_is_refused_by_the_name_of_its_node(changes: dict[str, Any], node: str) -> None:
    sections = {
        name: replace(getattr(HALP, name), **change) if isinstance(change, dict) else change
        for name, change in changes.items()
    }
    path = replace(HALP, **sections, biased_ok=True)
    text = refusal(lambda: small_job(datapath=path))
    assert text.startswith(f"{node} (")
    assert text.endswith("allowed: at most 62 bits")


def test_a_backend_is_named_with_those_there_are() -> None:
    assert refusal(lambda: run(small_job(), "verilog")).startswith("backend: got 'verilog'; allowed: kernel, reference")


@pytest.mark.parametrize("trace", [range(-1, 2), range(4), range(2, 4), range(0, 3, 2), range(1, 1), range(2, 1)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_trace_outside_the_loop_is_refused(backend: str, trace: range) -> None:
    assert refusal(lambda: run(small_job(), backend, trace=trace)).startswith(f"trace: got {trace}; allowed: ")


@settings(max_examples=60)
@given(original=jobs())
def test_a_loop_read_back_from_a_file_is_the_same_loop(tmp_path_factory: Any, original: EpochJob) -> None:
    path = tmp_path_factory.mktemp("job") / "job.npz"
    original.save(path)
    loaded = EpochJob.load(path)
    assert (loaded.datapath, loaded.link, loaded.registers) == (original.datapath, original.link, original.registers)
    assert (loaded.seed, loaded.first_step) == (original.seed, original.first_step)
    for name in ("indices", "z", "h", "table", "exponents", "offsets", "grid", "targets"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(original, name), name)
    np.testing.assert_array_equal(loaded.rows.dot, original.rows.dot)
    np.testing.assert_array_equal(loaded.rows.update, original.rows.update)
    assert same(run(loaded), run(original))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "job.npz"
    small_job().save(path)
    return path


def test_a_file_cut_anywhere_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(0, len(whole), 97):
        saved.write_bytes(whole[:length])
        assert refusal(lambda: EpochJob.load(saved)).startswith(f"{saved}: got ")


def test_a_file_with_a_flipped_bit_is_refused_unless_no_value_depends_on_it(saved: Path) -> None:
    """Every entry of the archive has a checksum; names and dates in its directory do not."""
    whole, original = saved.read_bytes(), run(small_job())
    for place in range(0, len(whole), 31):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with suppress(InputError):
            assert same(run(EpochJob.load(saved)), original)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npz", tmp_path):
        assert refusal(lambda path=path: EpochJob.load(path)).startswith(f"{path}: got ")


def np_save(array: Any) -> bytes:
    """The content of a npy file."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    foreign: list[Callable[[], object]] = [
        lambda: path.write_text("name = 'halp8'\n"),
        lambda: path.write_bytes(b""),
        lambda: np.savez(path, weights=np.zeros(3)),
        lambda: path.write_bytes(np_save(np.zeros(3))),
        lambda: path.write_bytes(np_save(np.array([{}], object))),
    ]
    for write in foreign:
        write()
        assert refusal(lambda: EpochJob.load(path)).startswith(f"{path}: got ")


def rewrite(path: Path, **entries: Any) -> None:
    """Replace entries of a saved job, or remove those that are None."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files} | entries
    np.savez(path, **{name: np.asarray(value) for name, value in content.items() if value is not None})


@pytest.mark.parametrize("version", [0, ARITHMETIC_VERSION - 1, ARITHMETIC_VERSION + 1])
def test_a_file_of_another_arithmetic_is_refused(saved: Path, version: int) -> None:
    rewrite(saved, arithmetic_version=version)
    assert refusal(lambda: EpochJob.load(saved)) == (
        f"{saved}: got arithmetic version {version}; allowed: {ARITHMETIC_VERSION}"
    )


@pytest.mark.parametrize("name", ["arithmetic_version", "datapath", "link", "registers", "rows_dot", "z", "exponents"])
def test_a_file_with_an_entry_missing_is_refused(saved: Path, name: str) -> None:
    rewrite(saved, **{name: None})
    assert refusal(lambda: EpochJob.load(saved)).startswith(f"{saved}: got ")


def test_a_file_whose_values_do_not_fit_is_refused_by_field(saved: Path) -> None:
    rewrite(saved, z=np.array([0, 0, 999]))
    assert refusal(lambda: EpochJob.load(saved)) == f"{saved}: z: got values from 0 to 999; allowed: -128 to 127"


@pytest.mark.parametrize(
    ("name", "value", "got"),
    [
        ("registers", [1, 2, 3], "int64 of shape (3,); allowed: integers of shape (4,)"),
        ("registers", [1.5, 2, 3, 0], "float64 of shape (4,); allowed: integers of shape (4,)"),
        ("seed", [7], "int64 of shape (1,); allowed: integers of shape ()"),
        ("first_step", 2.5, "float64 of shape (); allowed: integers of shape ()"),
    ],
)
def test_a_file_with_other_numbers_is_refused_by_field(saved: Path, name: str, value: Any, got: str) -> None:
    rewrite(saved, **{name: value})
    assert refusal(lambda: EpochJob.load(saved)) == f"{saved}: {name}: got {got}"


def test_a_loop_can_be_made_from_another_by_replacing_fields() -> None:
    for link in Link:
        original = small_job(link)
        assert same(run(dataclasses.replace(original, seed=0)), run(original))
