"""The datapath as a value and as TOML: it survives the file, and everything it cannot be is refused by name."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from sim.configuration import Section, from_table, rows
from sim.datapath import (
    Accumulation,
    Coefficient,
    Exponents,
    Generator,
    Increment,
    Model,
    Product,
    RandomGenerator,
    TrainingDatapath,
    preset_names,
)
from sim.errors import InputError
from sim.modes import Overflow, Rounding
from tests.engine.helpers import refusal
from tests.engine.strategies import datapaths

PRESETS = ["halp12", "halp16", "halp8", "halp8_blocks", "lp_sgd8", "lp_svrg8", "zipml4"]
SECTIONS = {name: kind for name, kind in get_type_hints(TrainingDatapath).items() if isinstance(kind, type)}
SECTIONS = {name: kind for name, kind in SECTIONS.items() if issubclass(kind, Section)}
FIELDS = [row.path for row in rows(TrainingDatapath)]


def table_of(path: str, value: object) -> dict[str, Any]:
    """The nested table that sets one field."""
    section, _, name = path.rpartition(".")
    return {section: {name: value}} if section else {name: value}


def annotation(path: str) -> tuple[Any, msgspec.Meta]:
    """The type of a field and what its annotation says."""
    section, _, name = path.rpartition(".")
    hint = get_type_hints(SECTIONS.get(section, TrainingDatapath), include_extras=True)[name]
    assert get_origin(hint) is Annotated
    base, meta = get_args(hint)
    return base, meta


def of_kind(kind: type) -> list[str]:
    """Paths of the fields of a type."""
    return [path for path in FIELDS if annotation(path)[0] is kind]


def test_the_presets_are_those_of_the_design() -> None:
    assert preset_names() == PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_file_and_bears_its_name(name: str, tmp_path: Path) -> None:
    preset, path = TrainingDatapath.preset(name), tmp_path / "datapath.toml"
    path.write_text(preset.to_toml())
    assert TrainingDatapath.from_toml(path) == preset
    assert preset.name == name
    assert not preset.is_biased


@pytest.mark.parametrize(
    ("name", "widths"),  # b_x, b_c, b_z, b_u, sh, sp, r, EMAX
    [
        ("halp8", (8, 8, 8, 16, 6, 0, 8, 0)),
        ("halp8_blocks", (8, 16, 8, 16, 10, 8, 16, 5)),
        ("halp12", (8, 16, 12, 16, 10, 8, 16, 0)),
        ("halp16", (16, 16, 16, 32, 14, 0, 16, 0)),
    ],
)
def test_a_preset_has_the_widths_that_trained(name: str, widths: tuple[int, ...]) -> None:
    path = TrainingDatapath.preset(name)
    assert path.lanes == 16
    assert widths == (
        path.data.width,
        path.coefficient.width,
        path.model.width,
        path.increment.width,
        path.increment.fraction,
        path.product.cut,
        path.model.random_bits,
        path.exponents.maximum,
    )


@settings(max_examples=200)
@given(datapaths())
def test_any_datapath_survives_toml_with_every_field_written_out(path: TrainingDatapath) -> None:
    table = tomllib.loads(path.to_toml())
    assert from_table(TrainingDatapath, table) == path
    written = {f"{name}.{leaf}" for name in SECTIONS for leaf in table[name]} | set(table) - set(SECTIONS)
    assert written == set(FIELDS)


def test_what_a_file_leaves_out_takes_its_default(tmp_path: Path) -> None:
    path = tmp_path / "datapath.toml"
    path.write_text("")
    assert TrainingDatapath.from_toml(path) == TrainingDatapath()
    path.write_text("[model]\nwidth = 9\n")
    assert TrainingDatapath.from_toml(path) == TrainingDatapath(model=Model(width=9))


def leaf_refusal(path: str, value: object) -> str:
    """The refusal of a field's value, read from a table and given to the section itself, which says the same."""
    text = refusal(lambda: from_table(TrainingDatapath, table_of(path, value)))
    assert text.startswith(f"{path}: got {value!r}; allowed: ")
    section, _, name = path.rpartition(".")
    kind = SECTIONS.get(section, TrainingDatapath)
    direct = refusal(lambda: kind(**{name: value}))
    assert direct == text.replace(path, f"{kind.__name__}.{name}", 1)
    return text


@pytest.mark.parametrize("path", of_kind(int))
def test_a_number_outside_its_range_is_refused_by_path_value_and_range(path: str) -> None:
    _, meta = annotation(path)
    choices = (meta.extra or {}).get("allowed")
    if choices is None:
        values, allowed = (meta.ge - 1, meta.le + 1, 10**30), f"a whole number from {meta.ge} to {meta.le}"
        inside = (meta.ge, meta.le)
    else:
        values, allowed = (min(choices) - 1, max(choices) + 1, max(choices) - 1), ", ".join(map(str, choices))
        inside = ()
    for value in (*values, str(max(values)), 8.0, 8.5, float("nan"), True, None, [8]):
        assert leaf_refusal(path, value).endswith(f"; allowed: {allowed}"), value
    for value in inside:
        section, _, name = path.rpartition(".")
        if section != "generator":  # an lfsr's numbers belong to an lfsr
            assert getattr(SECTIONS[section](**{name: value}), name) == value


@pytest.mark.parametrize("path", [*of_kind(Rounding), *of_kind(Overflow), *of_kind(Generator)])
def test_an_unknown_name_is_refused_by_path_value_and_the_names_there_are(path: str) -> None:
    base, meta = annotation(path)
    names = (meta.extra or {}).get("allowed", list(base))
    for value in ("NEAREST", "", "sat", 1, True, None, ["SAT"]):
        assert leaf_refusal(path, value).endswith(f"; allowed: {', '.join(names)}"), value


@pytest.mark.parametrize("path", of_kind(bool))
def test_a_truth_value_is_no_number(path: str) -> None:
    for value in (0, 1, "true", None):
        assert leaf_refusal(path, value).endswith("; allowed: true, false"), value


@pytest.mark.parametrize(
    ("path", "value"),
    [(path, Overflow.ERROR) for path in of_kind(Overflow)]
    + [("product.rounding", rounding) for rounding in (Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL)],
)
def test_modes_that_no_circuit_of_the_stage_has_are_refused(path: str, value: str) -> None:
    assert (
        str(value) not in refusal(lambda: from_table(TrainingDatapath, table_of(path, str(value)))).split("allowed")[1]
    )


@pytest.mark.parametrize("kind", [Model, Coefficient, Accumulation, Product, Increment, RandomGenerator])
def test_a_mode_given_by_name_is_the_mode(kind: type[Section]) -> None:
    """A name is either refused or becomes the member: left as text it would pass for another mode in silence."""
    hints = get_type_hints(kind)
    for name, default in msgspec.to_builtins(kind()).items():
        if isinstance(default, str):
            made = kind(**{name: default})
            assert getattr(made, name) is hints[name](default), name


def test_taps_given_as_a_list_are_those_of_the_tuple() -> None:
    listed, named = (RandomGenerator(kind=Generator.LFSR, taps=taps) for taps in ([32, 22, 2, 1], (32, 22, 2, 1)))
    assert listed == named


@pytest.mark.parametrize("section", ["", *SECTIONS])
def test_an_unknown_field_is_refused_with_the_names_there_are(section: str) -> None:
    table = {section: {"breadth": 8}} if section else {"breadth": 8}
    names = SECTIONS.get(section, TrainingDatapath).__struct_fields__
    path = f"{section}.breadth".removeprefix(".")
    text = refusal(lambda: from_table(TrainingDatapath, table, "file.toml"))
    assert text == f"file.toml: {path}: got an unknown field; allowed: {', '.join(names)}"


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_is_no_table_is_refused(section: str) -> None:
    for value in (8, "wide", [8], None):
        assert refusal(lambda value=value: from_table(TrainingDatapath, {section: value})).startswith(
            f"{section}: got "
        )
        with pytest.raises(InputError, match=rf"TrainingDatapath\.{section}: got"):
            TrainingDatapath(**{section: value})


def model(**fields: Any) -> Callable[[], TrainingDatapath]:
    return lambda: TrainingDatapath(model=Model(**fields))


CONTRADICTIONS = {
    "an increment that cannot hold one last bit of z": (
        lambda: TrainingDatapath(increment=Increment(width=16, fraction=16), biased_ok=True),
        "increment.fraction: got 16",
    ),
    "nor at the largest exponent": (
        lambda: TrainingDatapath(increment=Increment(fraction=12), exponents=Exponents(maximum=4), biased_ok=True),
        "increment.fraction: got 12 with exponents.maximum 4",
    ),
    "fewer random bits than the model rounding cuts": (model(random_bits=8), "model.random_bits: got 8"),
    "fewer than it cuts at the largest exponent": (
        lambda: TrainingDatapath(
            model=Model(random_bits=8), increment=Increment(fraction=7), exponents=Exponents(maximum=2)
        ),
        "model.random_bits: got 8",
    ),
    "stochastic rounding without random bits": (model(random_bits=0), "model.random_bits: got 0"),
    "equal chances without random bits": (
        model(rounding=Rounding.STOCHASTIC_EQUAL, random_bits=0),
        "model.random_bits: got 0",
    ),
    "random bits for a mode that takes none": (
        model(rounding=Rounding.TIES_EVEN, random_bits=16),
        "model.random_bits: got 16",
    ),
    "an lfsr's register for xorshift": (lambda: RandomGenerator(width=40), "generator: got width 40"),
    "an lfsr's leap for xorshift": (lambda: RandomGenerator(leap=1), "generator: got width 32, taps [], leap 1"),
    "taps without the width": (
        lambda: RandomGenerator(kind=Generator.LFSR, width=40, taps=(32, 1)),
        "generator.taps: got [32, 1]",
    ),
    "taps past the width": (
        lambda: RandomGenerator(kind=Generator.LFSR, width=32, taps=(33, 32)),
        "generator.taps: got [33, 32]",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_fields_that_contradict_each_other_are_refused(name: str) -> None:
    make, start = CONTRADICTIONS[name]
    assert refusal(make).startswith(start)


def test_a_changed_datapath_is_checked_again() -> None:
    assert refusal(lambda: replace(TrainingDatapath(), lanes=3)).startswith("TrainingDatapath.lanes: got 3")
    assert refusal(lambda: replace(TrainingDatapath(), model=Model(random_bits=8))).startswith(
        "model.random_bits: got 8"
    )


def test_fewer_random_bits_are_accepted_when_the_datapath_says_so() -> None:
    """They are fewer than the cut at the largest exponent: 7 + 1 bits are no fewer than 8, and 7 + 2 are."""
    eight, increment = Model(random_bits=8), Increment(fraction=7)
    for maximum, biased in ((1, False), (2, True)):
        path = TrainingDatapath(
            model=eight, increment=increment, exponents=Exponents(maximum=maximum), biased_ok=biased
        )
        assert path.is_biased is biased
    assert not TrainingDatapath(model=Model(rounding=Rounding.STOCHASTIC_EQUAL, random_bits=1)).is_biased


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    for name in ("halp7", "", "../halp8", 8):
        text = refusal(lambda name=name: TrainingDatapath.preset(name))
        assert text == f"preset: got {name!r}; allowed: {', '.join(PRESETS)}"


@pytest.mark.parametrize("content", [b"width = ", b"[model\n", b"lanes = 16\nlanes = 8\n", b"\xff\xfe", b"lanes = 0x"])
def test_broken_toml_is_refused_by_the_name_of_the_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "datapath.toml"
    path.write_bytes(content)
    assert refusal(lambda: TrainingDatapath.from_toml(path)).startswith(f"{path}: got broken TOML (")


def test_a_missing_file_or_a_folder_is_refused_by_its_name(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        assert refusal(lambda path=path: TrainingDatapath.from_toml(path)).startswith(f"{path}: got ")


def test_a_bad_field_in_a_file_is_refused_by_file_and_path(tmp_path: Path) -> None:
    path = tmp_path / "datapath.toml"
    path.write_text("[model]\nwidth = 64\n")
    assert refusal(lambda: TrainingDatapath.from_toml(path)) == (
        f"{path}: model.width: got 64; allowed: a whole number from 2 to 32"
    )
    path.write_text("[model]\nrandom_bits = 8\n")
    assert refusal(lambda: TrainingDatapath.from_toml(path)).startswith(f"{path}: model.random_bits: got 8; allowed: ")
