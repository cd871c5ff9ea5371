"""The wheel holds what it should, and works from a read-only installation outside the checkout."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("sim", "algorithms", "rtl_models", "reports")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h


def bind_root_to_permissions():
    """Make permission bits hold for the program executed next, even if root runs the tests."""
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def run(*command, **options):
    """Run a command to its end; show what it printed if it fails."""
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def files_below(folder):
    return {path.relative_to(folder) for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build from a copy: the checkout stays as it was, and nothing left by an earlier build gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    leave_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, folder / "source", ignore=leave_out)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "source")
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_packages_and_their_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    info = wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info/"
    assert {name.split("/")[0] for name in names} == {*PACKAGES, "bittrue.py", info.rstrip("/")}
    assert info + "licenses/LICENSE" in names
    for pattern in ("*/py.typed", "sim/presets/*.toml", "sim/vectors/*.json", "rtl_models/rtl/*.sv"):
        in_checkout = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)}
        assert in_checkout <= names
    assert any(name.startswith("sim/presets/") for name in names)


def test_installed_wheel_trains_with_read_only_packages(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    run("chmod", "-R", "a-w", *(site / name for name in PACKAGES), site / "bittrue.py")

    home = tmp_path / "home"
    home.mkdir()
    as_user = {
        "cwd": home,
        "env": {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        "preexec_fn": bind_root_to_permissions,
    }
    probe = [python, "-c", f"open({str(site / 'sim' / 'probe')!r}, 'w')"]
    refusal = subprocess.run(probe, capture_output=True, text=True, check=False, **as_user).stderr
    assert "PermissionError" in refusal, "the packages are not read-only"

    before = {name: files_below(site / name) for name in PACKAGES}
    assert run(python, "-c", "import bittrue as bt; print(bt.QFormat(8, 7))", **as_user) == "sfix8_En7\n"
    command = "train --data diabetes --algorithm halp --epochs 2 --json out.json"
    run(python.with_name("bittrue"), *command.split(), **as_user)
    trace = json.loads((home / "out.json").read_text())
    assert [record["epoch"] for record in trace["epochs"]] == [0, 1, 2]
    assert {name: files_below(site / name) for name in PACKAGES} == before
