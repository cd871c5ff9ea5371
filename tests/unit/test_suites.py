"""`make test` and `.ci/run` say what is not run, and never pass for want of data."""

import os
import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests import run_suites

ROOT = Path(__file__).resolve().parents[2]
LINE = "NOT RUN: 7 tests need dataset-fashion-mnist (apt-get install dataset-fashion-mnist)"


@pytest.fixture
def suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one suite: a plain test, one that needs data, and one that is slow as well and fails."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    fashion\n    slow\n    cosim\n")
    (tmp_path / "tests/test_some.py").write_text(
        "import pytest\n"
        "def test_plain(): pass\n"
        "@pytest.mark.fashion\n"
        "def test_data(): pass\n"
        "@pytest.mark.fashion\n"
        "@pytest.mark.slow\n"
        "@pytest.mark.parametrize('k', [0, 1])\n"
        "def test_slow(k): assert k\n"
    )
    monkeypatch.setattr(run_suites, "ROOT", tmp_path)
    monkeypatch.setattr(run_suites, "REPORTS", tmp_path / "build")
    monkeypatch.setattr(run_suites, "SUITES", (run_suites.Suite("some", 60, 0, ("tests/test_some.py",)),))
    return tmp_path


@pytest.mark.parametrize(
    ("selection", "has_data", "closing", "not_run"),
    [
        ("all", True, "3 passed, 1 failed", 0),
        ("all", False, "1 passed, 0 failed", 3),
        ("quick", True, "2 passed, 0 failed", 0),
        ("quick", False, "1 passed, 0 failed", 1),
    ],
)
def test_without_data_what_needs_them_is_counted_and_told_before_the_closing_line(
    suites: Path, monkeypatch: pytest.MonkeyPatch, capfd, selection: str, has_data: bool, closing: str, not_run: int
) -> None:
    monkeypatch.setattr(run_suites, "fashion_mnist_is_there", lambda: has_data)
    assert run_suites.main(selection) == (0 if closing.endswith(" 0 failed") else 1)
    lines = capfd.readouterr().out.splitlines()
    assert lines[-1] == closing
    assert [line for line in lines if line.startswith("NOT RUN")] == lines[-2:-1] * bool(not_run)
    if not_run:
        assert lines[-2] == LINE.replace("7", str(not_run))


@pytest.mark.parametrize("selection", run_suites.SELECTIONS)
def test_nothing_is_left_out_when_the_data_are_there(selection: str) -> None:
    assert run_suites.left_out(has_data=True) == ()
    assert run_suites.notices(selection, has_data=True) == []


def test_there_are_tests_that_need_the_data() -> None:
    (line,) = run_suites.notices("all", has_data=False)
    number = line.split()[2]
    assert int(number) >= 1
    assert line == LINE.replace("7", number)


COMMANDS = {
    "make": 'echo "make $1" >> calls; [ "$1" = lint ] || echo "5 passed, 0 failed"',
    "sudo": '[ "$1" = -n ] && shift && exec "$@"',
    "dpkg-query": 'for name; do :; done; test -e "$name" && printf installed',
    "apt-get": 'echo "apt-get $*" >> calls; for name; do :; done; '
    'test "$name" = update || { ! test -e offline && touch "$name"; }',
}


@pytest.mark.parametrize(
    ("state", "missing", "code"),
    [
        (("dataset-fashion-mnist", "iverilog"), 0, 0),
        (("dataset-fashion-mnist",), 1, 0),
        ((), 2, 0),
        (("offline",), 2, 1),
        (("dataset-fashion-mnist", "offline"), 1, 0),
    ],
)
def test_the_check_of_a_change_installs_what_no_wheel_brings_and_fails_without_the_data(
    tmp_path: Path, state: tuple[str, ...], missing: int, code: int
) -> None:
    (tmp_path / ".ci").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    for name, body in COMMANDS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    for name in state:
        (tmp_path / name).touch()
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run([".ci/run"], cwd=tmp_path, env={"PATH": path}, check=False, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert (result.returncode, lines[-1]) == (code, "5 passed, 0 failed"), result.stderr
    *installs, test, lint = (tmp_path / "calls").read_text().splitlines()
    assert (test, lint) == ("make test", "make lint")
    assert [line.split()[3] for line in installs] == ["update", "install"] * missing
    failure = "data: FAILED: the Debian package dataset-fashion-mnist is missing and cannot be installed"
    assert (lines[-2] == failure) == bool(code)


def test_every_test_is_in_one_suite() -> None:
    """Whatever marks a test has, one suite takes its folder and its marks."""
    folders = {str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    for folder in folders:
        suites = [suite for suite in run_suites.SUITES if folder in suite.arguments]
        for is_cosim, kind in product((True, False), ("", "training_engine", "lint")):
            named = {"cosim": is_cosim, "training_engine": kind == "training_engine", "lint": kind == "lint"}
            assert sum(eval(suite.marker or "True", {}, named) for suite in suites) == 1, folder
