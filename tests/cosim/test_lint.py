"""The SystemVerilog is clean: no warning of Verilator or slang that is not waived; formatted; documented."""

import re
import subprocess
from pathlib import Path

import pytest

from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.elaborate import PACKAGE, RTL, sources
from rtl_models.tables import table_top
from rtl_models.toolchain import find_toolchain

pytestmark = [pytest.mark.cosim, pytest.mark.lint]

LINT = RTL.parent / "lint"
UNITS = [file.stem for file in sources() if file.stem != PACKAGE]


def run(*command: str) -> str:
    """Return what a program prints, and assert that it succeeds."""
    with find_toolchain().active():
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def verilator(top: str, *files: Path) -> None:
    run("verilator", "--lint-only", "-Wall", "--top-module", top, *map(str, (LINT / "waivers.vlt", *files)))


@pytest.mark.parametrize("unit", UNITS)
def test_verilator_has_no_warning_with_default_parameters(unit: str) -> None:
    verilator(unit, *sources())


@pytest.mark.parametrize("unit", BENCHES)
def test_verilator_has_no_warning_in_any_configuration(unit: str, tmp_path: Path) -> None:
    table = tmp_path / "lint_table.sv"
    table.write_text(table_top("lint_table", [bench.unit for bench in BENCHES[unit].benches(CONFIGURATIONS[unit])]))
    verilator("lint_table", *sources(), table)


def test_slang_has_no_warning_that_is_not_waived() -> None:
    from pyslang.driver import Driver

    driver = Driver()
    driver.addStandardArgs()
    tops = " ".join(f"--top {unit}" for unit in UNITS)
    files = " ".join(str(file) for file in sources())
    assert driver.parseCommandLine(f"slang -Werror -f {LINT / 'slang.f'} {tops} {files}")
    assert driver.processOptions()
    assert driver.parseAllSources()
    assert driver.runFullCompilation(True)


def test_sources_are_formatted_and_follow_the_style_guide() -> None:
    for file in sources():
        run("verible-verilog-format", f"--flagfile={LINT / 'format.flags'}", "--verify", str(file))
    run("verible-verilog-lint", *map(str, sources()))


def test_every_waiver_has_a_reason() -> None:
    for name, mark in (("waivers.vlt", "lint_off"), ("slang.f", "-Wno-")):
        lines = (LINT / name).read_text().splitlines()
        waivers = [number for number, line in enumerate(lines) if line.startswith(mark)]
        assert waivers
        for number in waivers:
            assert lines[number - 1].startswith(("//", mark))


@pytest.mark.parametrize("file", sources(), ids=lambda file: file.stem)
def test_every_module_port_and_parameter_is_documented(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0] == "// SPDX-License-Identifier: Apache-2.0"
    declaration = re.compile(r"\s*(module|package|function|typedef|parameter|localparam|input|output)\b")
    header_end = next((n for n, line in enumerate(lines) if re.match(r"\);", line)), len(lines))
    for number, line in enumerate(lines[:header_end]):
        if declaration.match(line) and not lines[number - 1].lstrip().startswith("localparam"):
            assert lines[number - 1].lstrip().startswith("///"), f"{file.name}:{number + 1}: {line}"


def test_no_delays_in_synthesizable_sources() -> None:
    for file in sources():
        assert not re.search(r"^\s*#\s*\d|[^\w(]#\d", file.read_text(), re.MULTILINE), file.name
