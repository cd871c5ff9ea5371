"""The program, called as from a shell: arguments in, exit code and both streams out."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import bittrue
from reports import command_line

NOTICE = "compiling kernels: the first run after an install takes some seconds longer\n"


@dataclass(frozen=True)
class Outcome:
    """How a call of the program ended: exit code and both streams, without the blanks that pad the tables' lines.

    Which call compiles the kernels depends on the calls before it, so that notice is taken off stderr and counted.
    """

    code: int
    out: str
    err: str
    compiled: int

    @classmethod
    def of(cls, code: int, out: str, err: str) -> "Outcome":
        unpadded = (re.sub(" +$", "", stream, flags=re.MULTILINE) for stream in (out, err.replace(NOTICE, "")))
        return cls(code, *unpadded, compiled=err.count(NOTICE))


Program = Callable[..., Outcome]


@pytest.fixture
def program(monkeypatch, tmp_path, capsys) -> Program:
    """Call the command line in this process, in an empty folder, with room for every table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line.out, "width", 200)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bittrue", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            bittrue.main()
        return Outcome.of(end.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def process() -> Program:
    """Call the command line in a process of its own: `process(folder, *arguments, **environment)`."""

    def run(folder: object, *arguments: object, **environment: str) -> Outcome:
        command = [sys.executable, bittrue.__file__, *map(str, arguments)]
        variables = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | environment
        ended = subprocess.run(
            command, cwd=str(folder), env=variables, capture_output=True, text=True, encoding="utf-8", check=False
        )
        return Outcome.of(ended.returncode, ended.stdout, ended.stderr)

    return run
