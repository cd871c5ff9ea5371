"""A killed exploration loses nothing but the runs in flight, leaves no process, and goes on to the same records."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
import tomli_w

import bittrue

KILLS, SEED = 10, 20180309
LONGEST = 120  # seconds that something may take before the test gives up
STUDY = {
    "name": "killed",
    "seeds": list(range(10)),
    "data": {"source": "diabetes"},
    "common": {"step": 0.01, "epoch_length": "8N", "epochs": 6},
    "series": [
        {"name": "HALP", "algorithm": "halp", "datapath": "halp12", "vary": {"model.width": [4, 6, 8]},
         "tune": {"mu": [0.25, 1.0]}},
        {"name": "SVRG float64", "algorithm": "svrg"},
    ],
}  # fmt: skip
RUNS = 10 * (3 * 2 + 1)


def start(folder, name):
    """Start the program, with its workers, in a group of processes of its own."""
    command = [sys.executable, bittrue.__file__, "explore", "study.toml", "--out", name, "--jobs", "2"]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def lines_of(path):
    """The whole lines of a file."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1].splitlines()


def wait_for(condition, process):
    end = time.monotonic() + LONGEST
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.slow
def test_records_of_a_study_killed_ten_times_are_those_of_one_that_was_left_alone(tmp_path):
    """Killed while it sets itself up, or after a random number of records, some milliseconds into the next."""
    (tmp_path / "study.toml").write_text(tomli_w.dumps(STUDY), encoding="utf-8")
    chance, records = random.Random(SEED), tmp_path / "killed" / "records.jsonl"
    left = b""
    for _ in range(KILLS):
        before, more = len(lines_of(records)), chance.randrange(5)
        with start(tmp_path, "killed") as process:
            if more:
                wait_for(lambda goal=before + more: len(lines_of(records)) >= goal, process)
                time.sleep(chance.uniform(0, 0.05))
            else:
                time.sleep(chance.uniform(0, 3))
            assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGKILL)
            # Workers hold the other end of this pipe: it ends when the last of them has.
            process.communicate(timeout=LONGEST)
            assert process.returncode == -signal.SIGKILL
        content = records.read_bytes() if records.exists() else b""
        assert content.startswith(left)  # what was recorded stays as it was
        left = content[: content.rfind(b"\n") + 1]
    assert len(lines_of(records)) < RUNS

    for name in ("killed", "whole"):
        with start(tmp_path, name) as process:
            told, _ = process.communicate(timeout=LONGEST)
        assert process.returncode == 0, told
    for file, count in (("records.jsonl", RUNS), ("minima.jsonl", 2)):
        killed, whole = (
            [json.loads(line) for line in lines_of(tmp_path / name / file)] for name in ("killed", "whole")
        )
        assert len(killed) == len(whole) == count
        assert {entry["key"]: entry for entry in killed} == {entry["key"]: entry for entry in whole}
        assert sorted(lines_of(tmp_path / "killed" / file)) == sorted(lines_of(tmp_path / "whole" / file))


@pytest.mark.slow
def test_an_interrupted_study_says_that_it_goes_on(tmp_path):
    """Ctrl-C goes to the whole group of processes: what is under way is finished, no traceback, nobody left."""
    (tmp_path / "study.toml").write_text(tomli_w.dumps(STUDY), encoding="utf-8")
    records = tmp_path / "killed" / "records.jsonl"
    with start(tmp_path, "killed") as process:
        wait_for(lambda: len(lines_of(records)) >= 3, process)
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, told
    lines, done = told.splitlines(), len(lines_of(records))
    assert lines[0] == "stopping when the runs under way are done; Ctrl-C once more stops at once"
    assert lines[-1] == f"{RUNS - done} runs are left: the same command goes on with them"
    assert "Traceback" not in told
    assert "Warning" not in told
    assert 3 <= done < RUNS


@pytest.mark.slow
def test_an_interrupted_study_can_be_interrupted_once_more(tmp_path):
    (tmp_path / "study.toml").write_text(tomli_w.dumps(STUDY), encoding="utf-8")
    records = tmp_path / "killed" / "records.jsonl"
    with start(tmp_path, "killed") as process:
        wait_for(lambda: len(lines_of(records)) >= 3, process)
        os.killpg(process.pid, signal.SIGINT)
        while "Ctrl-C once more stops at once" not in process.stdout.readline():  # two signals at once may become one
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=LONGEST)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert 3 <= len(lines_of(records)) < RUNS
    assert records.read_bytes().endswith(b"\n")
