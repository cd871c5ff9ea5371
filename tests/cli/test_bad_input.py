"""Every bad input ends with exit code 2 and one line that names it: no traceback, no result, no file half written."""

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import typer

import bittrue
from reports import command_line
from tests.cli.conftest import Outcome

TRAIN = ("train", "--data", "diabetes", "--epochs", "1", "--epoch-length", "5")
FOLDER, MISSING = "folder.toml", "no/such/folder"

BAD_TOML = {
    "broken": ("data = {", "got broken TOML"),
    "a table twice": ("[data]\n[data]", "got broken TOML"),
    "not UTF-8": (b"name = '\xff\xfe\x00'", "got broken TOML"),
    "binary": (bytes(range(256)), "got broken TOML"),
    "a number of 5000 digits": (f"lanes = {'9' * 5000}", "got broken TOML"),
    "lists 5000 deep": (f"lanes = {'[' * 5000}", "got broken TOML"),
    "unknown key": ("breadth = 8", "breadth: got an unknown field; allowed: name, lanes, data, "),
    "unknown key in a table": ("data = {breadth = 8}", "data.breadth: got an unknown field; allowed: width"),
    "unknown key in another": ("[generator]\nseed = 1", "generator.seed: got an unknown field; allowed: kind, "),
    "number for a table": ("data = 8", "data: got 8; allowed: a table"),
    "list for a table": ("[[model]]\nwidth = 8", "model: got [{'width': 8}]; allowed: a table"),
    "table for a number": ("[lanes]\nwidth = 8", "lanes: got {'width': 8}; allowed: 1, 2, 4, "),
    "width as text": ("data = {width = '8'}", "data.width: got '8'; allowed: a whole number from 2 to 24"),
    "width as a fraction": ("model = {width = 8.5}", "model.width: got 8.5; allowed: a whole number from 2 to 32"),
    "width as a float": ("model = {width = 8.0}", "model.width: got 8.0; allowed: a whole number from 2 to 32"),
    "width as a boolean": ("data = {width = true}", "data.width: got True; allowed: a whole number from 2 to 24"),
    "width as nan": ("accumulator = {width = nan}", "accumulator.width: got nan; allowed: a whole number from 2 to "),
    "width as inf": ("accumulator = {width = inf}", "accumulator.width: got inf; allowed: a whole number from 2 to "),
    "width as a list": ("data = {width = [8]}", "data.width: got [8]; allowed: a whole number from 2 to 24"),
    "width of 0": ("coefficient = {width = 0}", "coefficient.width: got 0; allowed: a whole number from 2 to 32"),
    "width of 65": ("accumulator = {width = 65}", "accumulator.width: got 65; allowed: a whole number from 2 to "),
    "negative width": ("increment = {width = -8}", "increment.width: got -8; allowed: a whole number from 2 to 48"),
    "width past 64 bits": (f"data = {{width = {1 << 80}}}", f"data.width: got {1 << 80}; allowed: a whole number"),
    "lanes of 3": ("lanes = 3", "lanes: got 3; allowed: 1, 2, 4, 8, 16, 32, 64, 128, 256"),
    "lanes as true": ("lanes = true", "lanes: got True; allowed: 1, 2, 4, "),
    "name as a number": ("name = 8", "name: got 8; allowed: text"),
    "number for a boolean": ("biased_ok = 1", "biased_ok: got 1; allowed: true, false"),
    "3 random bits": ("model = {random_bits = 3}", "model.random_bits: got 3; allowed: 0, 1, 2, 4, 8, 16, 32"),
    "mode in lower case": ("model = {overflow = 'sat'}", "model.overflow: got 'sat'; allowed: SAT, SAT_SYM, WRAP"),
    "overflow that no circuit has": ("model = {overflow = 'ERROR'}", "model.overflow: got 'ERROR'; allowed: SAT, "),
    "unknown rounding": ("model = {rounding = 'NEAREST'}", "model.rounding: got 'NEAREST'; allowed: TO_NEG, "),
    "stochastic product": ("product = {rounding = 'STOCHASTIC'}", "product.rounding: got 'STOCHASTIC'; "),
    "unknown generator": ("generator = {kind = 'pcg64'}", "generator.kind: got 'pcg64'; allowed: xorshift32, lfsr"),
    "lfsr without top tap": ("generator = {kind = 'lfsr', taps = [3]}", "generator.taps: got [3]; allowed: exponents"),
    "taps of another generator": ("generator = {taps = [32, 1]}", "generator: got width 32, taps [32, 1], leap 32"),
    "too few random bits": ("model = {random_bits = 8}", "model.random_bits: got 8; allowed: at least"),
    "random bits for nearest": ("model = {rounding = 'TIES_EVEN'}", "model.random_bits: got 16; allowed: 0, since"),
    "no random bits": ("model = {random_bits = 0}", "model.random_bits: got 0; allowed: 1, 2, 4, 8, 16, 32, since"),
    "fraction too wide": ("increment = {fraction = 16}", "increment.fraction: got 16 with exponents"),
    "exponents too wide": ("exponents = {maximum = 9}", "increment.fraction: got 10 with exponents"),
}
BAD_CALLS = {
    ("train", "missing.toml"): "missing.toml: got No such file or directory; allowed: a readable TOML file",
    ("datapath", ""): "datapath: got ''; allowed: a TOML file, or one of halp12, ",
    ("check", FOLDER): f"{FOLDER}: got Is a directory; allowed: a readable TOML file",
    ("train", "halp9"): "datapath: got 'halp9'; allowed: a TOML file, or one of halp12, halp16, halp8, ",
    ("explore", "halp8"): "study: got 'halp8'; allowed: a TOML file, or one of digits, ",
    ("explore", "missing.toml"): "missing.toml: got No such file or directory; allowed: a readable TOML file",
    ("explore", FOLDER): f"{FOLDER}: got Is a directory; allowed: a readable TOML file",
    ("train", "--data", "mnist", "--loss", "logistic"): "source: got 'mnist', which is not there; allowed: reference, ",
    ("train", "--data", "x.csv"): "loss: got none for x.csv; allowed: least_squares, logistic, softmax, ",
    (*TRAIN, "--target", "y"): "target: got 'y'; allowed: none, since diabetes says which its targets are",
    (*TRAIN, "--loss", "l1"): "loss: got 'l1'; allowed: least_squares, logistic, softmax, ",
    (*TRAIN, "--loss", "logistic"): "targets of diabetes: got -1.13348",
    (*TRAIN, "--scale", "max"): "scale: got 'max'; allowed: none, largest, column, unit_variance",
    (*TRAIN, "--held-out", "some"): "held_out: got 'some'; allowed: none, test, fold",
    (*TRAIN, "--held-out", "test"): "held_out: got test, but diabetes has no test split of its own; allowed: none",
    ("train", "--data", "digits", "--loss", "softmax"): "problem: got Softmax; allowed: a problem of one margin",
    ("train", "--algorithm", "adam"): "algorithm: got 'adam'; allowed: halp, lp_svrg, lp_sgd, ",
    ("train", "halp8", "--algorithm", "svrg"): "datapath: got 'halp8'; allowed: none, since svrg computes in floating ",
    (*TRAIN, "--algorithm", "svrg", "--mu", "1"): "mu: got 1.0; allowed: none, since svrg has no such parameter",
    (*TRAIN, "--delta", "1"): "delta: got 1.0; allowed: none, since halp has no such parameter",
    (*TRAIN, "--algorithm", "svrg", "--power-of-two"): "power_of_two: got True; allowed: none, since svrg has no such ",
    (*TRAIN, "--algorithm", "sgd", "--option", "II"): "option: got 'II'; allowed: none, since sgd has no such ",
    (*TRAIN, "--option", "III"): "option: got 'III'; allowed: I, II",
    (*TRAIN, "--gamma", "0.5", "--step", "0.1"): "gamma: got 0.5; allowed: none where step and epoch_length are given",
    ("train", "--data", "diabetes", "--gamma", "2"): "gamma: got 2.0; allowed: a number between 0 and 1",
    **{(*TRAIN, "--ridge", given): f"ridge: got {float(given)}; allowed: a finite number of at least 0"
       for given in ("-1", "nan", "inf")},
    **{(*TRAIN, "--algorithm", "lp_sgd", "--delta", given): f"delta: got {float(given)}; allowed: a positive finite "
       for given in ("0", "-0.5", "nan", "inf")},
    (*TRAIN, "--backend", "verilog"): "backend: got 'verilog'; allowed: kernel, reference, rtl",
    ("datapath", "--link", "table"): "link: got 'table'; allowed: affine, centred_table, absolute_table",
    ("check", "--link", ""): "link: got ''; allowed: affine, centred_table, absolute_table",
    ("check", "--skip", "model"): "skip: got 'model'; allowed: model.bias, model.variance, ",
    **{(*TRAIN, "--step", given): f"step: got {float(given)}; allowed: a positive finite number"
       for given in ("0", "-1", "nan", "inf")},
    **{(*TRAIN, "--mu", given): f"mu: got {float(given)}; allowed: a positive finite number"
       for given in ("0", "-0.5", "nan", "-inf")},
    (*TRAIN, "--step", "1e6"): "step·(data scale)²·2^(sh + sp): got 69306.6",  # more than the register m of 16 bits
    (*TRAIN, "--step", "1e-30"): "step·(data scale)²·2^(sh + sp): got 6.9306",
    ("train", "--epochs", "-1"): "epochs: got -1; allowed: a whole number from 0 to ",
    ("train", "--epochs", "9999999999"): "epochs: got 9999999999; allowed: a whole number from 0 to ",
    ("train", "--epoch-length", "-1"): "epoch_length: got -1; allowed: a whole number from ",
    ("train", "--epoch-length", "0"): "epoch_length: got 0; allowed: a whole number from 1 to ",
    (*TRAIN, "--seed", "-1"): "seed: got -1; allowed: a whole number from 0 to 4611686018427387903",
    (*TRAIN, "--seed", str(1 << 62)): f"seed: got {1 << 62}; allowed: a whole number from 0 to 4611686018427387903",
    ("explore", ""): "study: got ''; allowed: a TOML file, or one of ",
    ("datapath", "--columns", "0"): "columns: got 0; allowed: a whole number from 1 to 16777216",
    ("check", "--columns", "-1"): "columns: got -1; allowed: a whole number from 1 to 16777216",
    ("datapath", "--columns", "16777217"): "columns: got 16777217; allowed: a whole number from 1 to 16777216",
    ("check", "--columns", "9" * 30): f"columns: got {'9' * 30}; allowed: a whole number from 1 to 16777216",
}  # fmt: skip
BAD_OUTPUTS = {
    (*TRAIN, "--json", f"{MISSING}/run.json"): f"{MISSING}/run.json: got No such file or directory; allowed: a file",
    (*TRAIN, "--json", FOLDER): f"{FOLDER}: got Is a directory; allowed: a file that can be written",
    (*TRAIN, "--figure", f"{MISSING}/run.png"): f"{MISSING}/run.png: got No such file or directory; allowed: a file",
    (*TRAIN, "--figure", "folder.png"): "folder.png: got Is a directory; allowed: a file that can be written",
    (*TRAIN, "--figure", "run.xyz"): "figure: got 'run.xyz'; allowed: a file ending in ",
    (*TRAIN, "--figure", "run"): "figure: got 'run'; allowed: a file ending in ",
    (*TRAIN, "--figure", "run.pgf"): "figure: got 'run.pgf'; allowed: a file ending in ",  # it would need LaTeX
    ("check", "--junit", f"{MISSING}/a.xml"): f"{MISSING}/a.xml: got No such file or directory; allowed: a file that",
    ("check", "--junit", FOLDER): f"{FOLDER}: got Is a directory; allowed: a file that can be written",
}
BAD_USAGE = {
    ("tune",): "bittrue: No such command 'tune'; allowed: what bittrue --help shows",
    ("trane",): "bittrue: No such command 'trane'; allowed: what bittrue --help shows (did you mean 'train'?)",
    ("--verison",): "bittrue: No such option: --verison; allowed: what bittrue --help shows (did you mean --version?)",
    ("train", "--epohcs", "3"): "bittrue train: No such option: --epohcs; allowed: what bittrue train --help shows "
                                "(did you mean --epochs?)",
    ("train", "halp8", "halp12"): "bittrue train: Got unexpected extra argument(s) (halp12); allowed: what bittrue "
                                  "train --help shows",
    ("train", "--json"): "Option '--json' requires an argument; allowed: what bittrue COMMAND --help shows",
    ("vectors", "-n"): "Option '-n' requires an argument; allowed: what bittrue COMMAND --help shows",
    ("bench", "--quick=2"): "Option '--quick' does not take a value; allowed: what bittrue COMMAND --help shows",
    ("train", "--step", "small"): "step: got 'small'; allowed: a number",
    ("train", "--step="): "step: got ''; allowed: a number",
    ("train", "--epochs", "1.5"): "epochs: got '1.5'; allowed: a whole number",
    ("train", "--sample-bits", "x\ny"): "sample_bits: got 'x\\ny'; allowed: a whole number",
    ("vectors", "-n", "many"): "vectors: got 'many'; allowed: a whole number",
    ("explore", "--jobs", "0"): "jobs: got '0'; allowed: at least 1",
    ("explore", "--budget", "-1"): "budget: got '-1'; allowed: at least 0",
    ("explore", "--budget", "nan"): "budget: got 'nan'; allowed: at least 0",
}  # fmt: skip
COMMANDS = typer.main.get_command(command_line.app).commands
NUMBERS = {int: "a whole number", float: "a number"}
PARAMETERS = [
    (command, max(parameter.opts, key=len), NUMBERS[kind])
    for command, one in COMMANDS.items()
    for parameter in one.params
    for kind in NUMBERS
    if kind in (hint := get_type_hints(one.callback)[parameter.name], *get_args(hint))
]


@pytest.fixture(autouse=True)
def folders(tmp_path):
    """A folder in the place of a file, for input and for output."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / "folder.png").mkdir()


def assert_refused(outcome, message):
    assert outcome.code == 2
    assert re.fullmatch(r"error: .+\n", outcome.err), outcome.err  # one line
    assert message in outcome.err
    assert "Traceback" not in outcome.out


FILES = [
    *itertools.product(("train", "datapath", "check"), BAD_TOML),
    *(("explore", case) for case, (_, message) in BAD_TOML.items() if message == "got broken TOML"),
]


@pytest.mark.parametrize(("command", "case"), FILES)
def test_a_bad_file_is_refused_by_every_command_before_it_starts(program, tmp_path, case, command):
    content, message = BAD_TOML[case]
    (tmp_path / "bad.toml").write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = program(command, "bad.toml")
    assert_refused(outcome, message)
    assert outcome.err.startswith("error: bad.toml: ")
    assert outcome.out == ""


@pytest.mark.parametrize("arguments", BAD_CALLS, ids=" ".join)
def test_a_bad_value_is_refused_before_anything_is_shown_or_written(program, tmp_path, arguments):
    before = sorted(tmp_path.iterdir())
    outcome = program(*arguments)
    assert_refused(outcome, BAD_CALLS[arguments])
    assert outcome.out.strip() == ""
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", BAD_OUTPUTS, ids=" ".join)
def test_a_file_that_cannot_be_written_is_refused(program, arguments):
    assert_refused(program(*arguments), BAD_OUTPUTS[arguments])


@pytest.mark.parametrize("figure", ["run.xyz", f"{MISSING}/run.png", "folder.png"])
def test_a_refused_figure_leaves_no_result_behind(program, tmp_path, figure):
    """Nothing is half written: that a file cannot be is known before the run, and costs none."""
    before = sorted(tmp_path.iterdir())
    outcome = program(*TRAIN, "--json", "run.json", "--figure", figure)
    assert_refused(outcome, figure)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", BAD_USAGE, ids=" ".join)
def test_a_call_that_no_command_takes_is_refused_in_one_line(program, tmp_path, arguments):
    before = sorted(tmp_path.iterdir())
    outcome = program(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: {BAD_USAGE[arguments]}\n"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_option_and_an_argument_that_it_has_not(program, command):
    path = f"bittrue {command}"
    unknown = f"error: {path}: No such option: --zzz; allowed: what {path} --help shows\n"
    assert program(command, "--zzz") == Outcome(2, "", unknown, 0)
    extra = program(command, "a", "b", "c")
    assert (extra.code, extra.out, extra.err.count("\n")) == (2, "", 1)
    assert extra.err.startswith(f"error: {path}: Got unexpected extra argument")


@pytest.mark.parametrize(("command", "option", "allowed"), PARAMETERS, ids=str)
def test_every_number_of_every_command_says_what_it_takes(program, command, option, allowed):
    field = option.lstrip("-").replace("-", "_")
    assert program(command, option, "x") == Outcome(2, "", f"error: {field}: got 'x'; allowed: {allowed}\n", 0)


def test_an_empty_file_is_the_datapath_of_all_defaults(program, tmp_path):
    """Not an error: every field has a default."""
    (tmp_path / "empty.toml").write_text("", encoding="utf-8")
    (tmp_path / "comment.toml").write_text("# nothing\n", encoding="utf-8")
    empty = program("datapath", "empty.toml", "--toml")
    assert empty.code == 0
    assert empty.out.startswith('name = "custom"\n')
    assert empty == program("datapath", "comment.toml", "--toml")


@pytest.mark.parametrize("arguments", [(*TRAIN, "--seed", "-1"), ("train", "--step", "small")], ids=" ".join)
def test_a_bad_input_ends_a_process_with_code_2(process, tmp_path, arguments):
    outcome = process(tmp_path, *arguments)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_one_file_for_two_results_is_refused(program, tmp_path):
    before = sorted(tmp_path.iterdir())
    outcome = program(*TRAIN, "--json", "run.png", "--figure", "run.png")
    assert_refused(outcome, "run.png: got two results for this file; allowed: a file for each")
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_ends_the_output_in_one_line(tmp_path):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, bittrue.__file__, "datapath", "--toml"]
        ended = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: output: got No space left on device; allowed: a terminal, file or pipe that can be written\n"
    )
