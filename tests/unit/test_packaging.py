"""The distribution's description agrees with itself: version, bounds and pins."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bittrue

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PIN_LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PINS = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in PIN_LINES)}


def test_version_is_stated_once():
    assert bittrue.__version__ == PROJECT["version"]


@pytest.mark.parametrize("text", [*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["proof"]])
def test_pin_satisfies_bound(text):
    requirement = Requirement(text)
    assert PINS[canonicalize_name(requirement.name)] in requirement.specifier


@pytest.mark.parametrize("text", PROJECT["dependencies"])
def test_dependency_has_lower_bound(text):
    assert [clause.operator for clause in Requirement(text).specifier] == [">="]


@pytest.mark.parametrize("line", PIN_LINES)
def test_pin_is_a_name_and_a_version(line):
    """No URL, host, path or editable line."""
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.+]*", line)
