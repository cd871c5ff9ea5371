"""What is shown is what was meant: names and paths as they are written, whatever the terminal can show."""

import json
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from matplotlib.text import Text

import bittrue as bt
from reports.figures import new_figure, save

SHORT = ("train", "--data", "diabetes", "--epochs", 1, "--epoch-length", 5)
NAMES = ["[/]", "[red]8 bit[/red]", "$\\frac{$", "halp 8/8/8 µ", "100 %", ""]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", [SHORT, ("check",)], ids=["train", "check"])
def test_the_name_of_a_datapath_is_text_and_no_markup(program, tmp_path, command, name):
    """It heads the table as it stands in the file, and what matplotlib takes for a formula is no reason to stop."""
    (tmp_path / "named.toml").write_text(f"name = {json.dumps(name)}", encoding="utf-8")
    outcome = program(command[0], "named.toml", *command[1:])
    assert (outcome.code, outcome.err) == (0, "")
    assert name in outcome.out.splitlines()[0]


def test_the_version_names_program_and_arithmetic(program):
    outcome = program("--version")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"bittrue {bt.__version__}, arithmetic {bt.ARITHMETIC_VERSION}\n"


def test_help_names_every_command_and_a_call_without_one_shows_it(program):
    outcome = program("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for command in ("train", "explore", "datapath", "check", "bench"):
        assert f" {command} " in outcome.out
        assert program(command, "--help").code == 0
    assert program().out.strip() == outcome.out.strip()


@pytest.mark.parametrize("file", ["[bold].json", "[red]x.json", "a b.json", "$1.json"])
def test_paths_are_shown_as_they_are(program, tmp_path, file):
    outcome = program(*SHORT, "--json", file)
    assert f"trace: {file}\n" in outcome.out
    assert (tmp_path / file).exists()


@pytest.mark.parametrize("file", ["[bold].toml", "[/x].toml", "µ.toml"])
def test_errors_name_files_as_they_are(program, file):
    assert (
        program("datapath", file).err
        == f"error: {file}: got No such file or directory; allowed: a readable TOML file\n"
    )


@pytest.mark.parametrize("command", [SHORT, ("datapath",), ("train", "--help")], ids=["train", "datapath", "help"])
def test_a_terminal_without_greek_letters_shows_the_rest(process, tmp_path, command):
    outcome = process(tmp_path, *command, PYTHONIOENCODING="ascii")
    assert (outcome.code, outcome.err) == (0, "")
    assert "halp" in outcome.out or "proven ranges" in outcome.out


def test_a_pipe_gets_plain_text_with_every_number_whole(process, tmp_path):
    outcome = process(tmp_path, "train", "--data", "reference", "--epochs", 2)
    assert (outcome.code, outcome.err) == (0, "")
    assert not {"\x1b", "…"} & set(outcome.out)
    assert max(map(len, outcome.out.splitlines())) <= 120


def test_no_home_is_needed(process, tmp_path):
    outcome = process(tmp_path, *SHORT, HOME="/nonexistent", XDG_CACHE_HOME="", TERM="")
    assert (outcome.code, outcome.err) == (0, "")


def test_a_name_is_drawn_as_text_and_the_ticks_of_an_axis_as_numbers():
    """Only names are taken literally: a logarithmic axis writes its ticks as formulas."""
    figure, (axes,) = new_figure(1)
    axes.plot([1, 2], [1, 1000], label="$\\frac{$")
    axes.set_yscale("log")
    axes.legend()
    figure.suptitle("$x$")
    with NamedTemporaryFile(suffix=".png") as file:
        save(figure, Path(file.name))
    literal = {text.get_text() for text in figure.findobj(Text) if not text.get_parse_math()}
    assert literal == {"$\\frac{$", "$x$"}
    assert any("10^{" in tick.get_text() for tick in axes.get_yticklabels())
