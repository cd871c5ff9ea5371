"""Builds are made once, whole or not at all, and go when nobody uses them; failures show the tail of the log."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from rtl_models.benches.resets import ResetPlan
from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.build import KEPT_DAYS, BuildError, Design, build, cached, simulate
from rtl_models.elaborate import sources
from rtl_models.tables import table_top
from rtl_models.toolchain import cache_folder

pytestmark = pytest.mark.cosim


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "bittrue"
    return tmp_path


def test_a_build_is_made_once_whoever_asks(cache: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        time.sleep(0.05)
        made.append(folder)
        (folder / "result").write_text("whole")

    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(lambda _: cached("unit", [b"a"], make), range(8)))
    assert len(made) == len(folders) == 1
    assert (folders.pop() / "result").read_text() == "whole"


def test_every_part_of_the_key_counts(cache: Path) -> None:
    keys = [[b"a", b"b"], [b"ab"], [b"a", b"c"], [b"b", b"a"], [b"a"]]
    assert len({cached("unit", key, lambda _: None) for key in keys}) == len(keys)


def test_environments_share_no_simulation(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is linked with the place of cocotb, which another environment has elsewhere."""
    monkeypatch.setattr("rtl_models.build._run_build", lambda *_, **__: None)
    design, folders = Design("empty", [], "module empty;\nendmodule\n"), set()
    for place in ("one", "other"):
        monkeypatch.setattr("cocotb_tools.config.libs_dir", place)
        folders.add(build(design).folder)
    assert len(folders) == 2


def test_an_interrupted_build_starts_anew(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached("unit", [b"a"], fail)
    folder = cached("unit", [b"a"], lambda folder: (folder / "whole").touch())
    assert sorted(file.name for file in folder.iterdir()) == ["done", "whole"]


def test_a_build_that_nobody_used_for_long_goes(cache: Path) -> None:
    old, used = (cached("unit", [part], lambda _: None) for part in (b"old", b"used"))
    past = time.time() - (KEPT_DAYS + 1) * 86400
    for folder in (old, used):
        os.utime(folder / "done", (past, past))
    assert cached("unit", [b"used"], lambda _: None) == used
    cached("unit", [b"new"], lambda _: None)
    assert not old.exists()
    assert used.exists()


def test_a_refused_design_is_told_with_the_first_error() -> None:
    with pytest.raises(BuildError, match=r"verilator refuses broken\n.*syntax error"):
        build(Design("broken", [], "module broken (;\nendmodule\n"))


def test_a_failed_bench_is_told_with_the_tail_of_its_log(tmp_path: Path) -> None:
    units = [bench.unit for bench in BENCHES["xorshift32"].benches(CONFIGURATIONS["xorshift32"])]
    text = table_top("xorshift32_table", units)
    simulation = build(Design("xorshift32_table", sources(text=text), text))
    plan = tmp_path / "plan.json"
    claim = ResetPlan(["c0_"], [{"load_i": 1, "enable_i": 1, "seed_i": 32}], [["word_o"]], seed=1)
    plan.write_bytes(msgspec.json.encode(claim))
    with pytest.raises(AssertionError, match=r"1 of 1 tests failed\n[\s\S]*no instance is undefined before its reset"):
        simulate(simulation, "rtl_models.benches.resets", tmp_path, environment={ResetPlan.VARIABLE: str(plan)})
    with pytest.raises(AssertionError, match="the simulation ended without a result"):
        simulate(simulation, "no_such_module", tmp_path)
