"""The example of a cocotb test of one's own runs as it is shipped, and fails where the module is wrong."""

from pathlib import Path

import pytest

from rtl_models.build import Design, build, simulate

pytestmark = pytest.mark.cosim

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def rounder(source: Path) -> Design:
    """The module by itself, its ports visible as cocotb's own runner makes them."""
    return Design("rounder", [source], flags=["--public-flat-rw"])


def test_the_cocotb_example_passes(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLES / "cocotb")
    simulation = build(rounder(EXAMPLES / "foreign" / "rounder.sv"))
    simulate(simulation, "test_rounder", tmp_path, seed=seed)


def test_the_cocotb_example_names_the_first_wrong_output(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES / "cocotb")
    wrong = tmp_path / "rounder.sv"
    text = (EXAMPLES / "foreign" / "rounder.sv").read_text()
    wrong.write_text(text.replace("guard & sticky", "guard"))  # ties upwards
    with pytest.raises(AssertionError, match=r"rounder: output \d+ \(din -?\d+\): got -?\d+ = 0x\w+"):
        simulate(build(rounder(wrong)), "test_rounder", tmp_path, seed=seed)


def test_the_cocotb_example_is_short() -> None:
    lines = (EXAMPLES / "cocotb" / "test_rounder.py").read_text().splitlines()
    assert sum(bool(line.strip()) and "import" not in line for line in lines) <= 20
