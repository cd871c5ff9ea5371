"""Records are never lost: not by a kill in the middle of a line, not by a full disk, not by a second process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bittrue as bt
from reports import store as store_module
from reports.engine_report import mark
from reports.engine_verification import EngineCheck, engine_runs
from reports.rtl_backend import circuit_digest
from reports.store import JsonLines, Store, opened
from reports.study import Study
from rtl_models.elaborate import RTL

ROOT = Path(bt.__file__).parent
ENTRIES = [{"key": "a", "loss": 0.1}, {"key": "b", "loss": None, "text": "µ \n \u2028 \r"}, {"key": "c", "list": [1]}]
RECORD = {"key": "a", "problem": {}, "seed": 0, "shape": [1, 1], "one_vs_rest": 0, "state": "refused", "epochs": []}
MINIMUM = {"key": "m", "minimum": None}
TEXT = 'name = "mine"\n'


@pytest.fixture
def path(tmp_path):
    """A file of three lines."""
    lines = JsonLines(tmp_path / "records.jsonl")
    for entry in ENTRIES:
        lines.append(entry)
    return lines.path


def refusal(path):
    with pytest.raises(bt.InputError) as error:
        JsonLines(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_lines_come_back_as_they_were_written(path):
    content = path.read_bytes()
    assert content.count(b"\n") == len(ENTRIES)
    again = JsonLines(path)
    assert (again.entries, again.torn) == (ENTRIES, 0)
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_has_no_lines_and_is_not_made(tmp_path):
    lines = JsonLines(tmp_path / "records.jsonl")
    assert (lines.entries, lines.torn) == ([], 0)
    assert not lines.path.exists()


def test_a_last_line_cut_off_anywhere_is_taken_away_and_can_be_written_again(path):
    """Every length that a killed writer can leave of it."""
    content = path.read_bytes()
    before = content[: content.rfind(b"\n", 0, -1) + 1]
    for length in range(len(before), len(content)):
        path.write_bytes(content[:length])
        lines = JsonLines(path)
        assert (lines.entries, lines.torn) == (ENTRIES[:-1], length - len(before))
        assert path.read_bytes() == before
        lines.append(ENTRIES[-1])
        assert path.read_bytes() == content


def test_a_first_line_cut_off_leaves_an_empty_file(path):
    path.write_bytes(path.read_bytes()[:5])
    assert (JsonLines(path).entries, path.read_bytes()) == ([], b"")


def test_zeros_after_the_last_line_are_no_line(path):
    """Some file systems leave them after a power cut."""
    content = path.read_bytes()
    path.write_bytes(content + bytes(100))
    assert (JsonLines(path).entries, path.read_bytes()) == (ENTRIES, content)


BROKEN = {
    "no JSON": b"garbage",
    "half a line": b'{"key": "b", "lo',
    "an empty line": b"",
    "a number": b"17",
    "a list": b'["key"]',
    "no key": b'{"loss": 1}',
    "a key that is no text": b'{"key": 3}',
    "no UTF-8": b'{"key": "\xff"}',
    "brackets 99999 deep": b"[" * 99999,
    "zeros": bytes(20),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_broken_line_is_refused_and_nothing_is_changed(path, case, number):
    """A kill leaves none of these: somebody else wrote there."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = BROKEN[case] + b"\n"
    content = b"".join(lines) + b'{"torn'
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}, line {number}: got ")
    assert refusal(path).endswith("; allowed: one JSON object a line, with key")
    assert len(refusal(path)) < len(str(path)) + 200
    assert path.read_bytes() == content


def test_what_is_no_number_is_never_written(path):
    content = path.read_bytes()
    lines = JsonLines(path)
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            lines.append({"key": "d", "loss": value})
    assert path.read_bytes() == content
    assert lines.entries == ENTRIES


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "records.jsonl").mkdir()
    assert refusal(tmp_path / "records.jsonl").endswith("records.jsonl: got Is a directory; allowed: a readable file")


def test_a_full_device_is_one_error(tmp_path):
    lines = JsonLines(tmp_path / "records.jsonl")
    lines.path = Path("/dev/full")
    with pytest.raises(bt.InputError) as error:
        lines.append(ENTRIES[0])
    assert str(error.value) == "/dev/full: got No space left on device; allowed: a file that can be written"
    assert lines.entries == []


def test_a_write_that_stops_halfway_is_taken_back_at_every_length(tmp_path):
    """A limit on the size of files stands in for a full disk: the system writes what fits and refuses the rest.

    In a process of its own, since the limit holds for all its files.
    """
    program = """
import json, resource, sys
from pathlib import Path
from reports.store import JsonLines
from sim.errors import InputError
folder, entries = Path(sys.argv[1]), json.loads(sys.argv[2])
told = []
for room in range(int(sys.argv[3])):
    lines = JsonLines(folder / f"{room}.jsonl")
    lines.append(entries[0])
    size = lines.path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, resource.RLIM_INFINITY))
    try:
        lines.append(entries[1])
    except InputError as error:
        told.append(str(error))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert lines.path.stat().st_size == size and lines.entries == entries[:1]
    lines.append(entries[2])  # there is room again
print(json.dumps(told))
"""
    lines = JsonLines(tmp_path / "whole.jsonl")
    lines.append(ENTRIES[1])
    length = lines.path.stat().st_size
    arguments = [sys.executable, "-c", program, str(tmp_path), json.dumps(ENTRIES), str(length)]
    ended = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    assert len(told) == length
    for room, text in enumerate(told):
        assert text.startswith(f"{tmp_path}/{room}.jsonl: got ")
        assert text.endswith("; allowed: a file that can be written")
        assert JsonLines(tmp_path / f"{room}.jsonl").entries == [ENTRIES[0], ENTRIES[2]]


def test_an_interrupted_write_is_taken_back(path, monkeypatch):
    """Even by something that is no error of the disk."""
    content, lines = path.read_bytes(), JsonLines(path)

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lines.append({"key": "d"})
    assert path.read_bytes() == content
    assert lines.entries == ENTRIES


def test_a_line_is_on_the_disk_before_append_returns(path, monkeypatch):
    synced = []
    monkeypatch.setattr(store_module.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    lines = JsonLines(path)
    lines.append({"key": "d"})
    assert synced == [path.stat().st_size]


# The folder


def test_a_folder_is_made_and_keeps_the_study(tmp_path):
    folder = tmp_path / "deep" / "down"
    with opened(folder, "mine", TEXT) as store:
        store.records.append(RECORD)
        store.minima.append(MINIMUM)
    with opened(folder, "mine", TEXT + "# changed\n") as store:
        assert store.by_key == {"a": RECORD}
        assert store.minima.entries == [MINIMUM]
    assert (folder / "study.toml").read_text(encoding="utf-8") == TEXT + "# changed\n"


@pytest.mark.parametrize(("file", "line"), [("records.jsonl", RECORD), ("minima.jsonl", MINIMUM)])
def test_a_line_without_what_a_table_needs_is_refused(tmp_path, file, line):
    for name in line:
        (tmp_path / "study.toml").write_text(TEXT, encoding="utf-8")
        (tmp_path / file).write_text(json.dumps({key: line[key] for key in line if key != name}) + "\n")
        before = contents(tmp_path)
        assert refused_folder(tmp_path).endswith(f"; allowed: one JSON object a line, with {', '.join(line)}")
        assert contents(tmp_path) == before


def refused_folder(folder, name="mine"):
    with pytest.raises(bt.InputError) as error, opened(folder, name, f'name = "{name}"\n'):
        pytest.fail("it was opened")
    return str(error.value)


def contents(folder):
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.name != ".lock"}


def test_a_folder_of_another_study_is_refused_and_left_alone(tmp_path):
    with opened(tmp_path / "x", "other", 'name = "other"\n') as store:
        store.records.append({"key": "a"})
    (tmp_path / "x" / "records.jsonl").write_bytes(b'{"key":"a"}\n{"torn')
    before = contents(tmp_path / "x")
    text = refused_folder(tmp_path / "x")
    assert text == f"out: got {tmp_path}/x, the folder of study 'other'; allowed: another folder for 'mine'"
    assert contents(tmp_path / "x") == before


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"", b"name = 3"])
def test_a_folder_of_an_unknown_study_is_refused(tmp_path, content):
    (tmp_path / "study.toml").write_bytes(content)
    assert refused_folder(tmp_path).endswith("; allowed: another folder for 'mine'")
    assert (tmp_path / "study.toml").read_bytes() == content


@pytest.mark.parametrize("name", ["records.jsonl", "thesis.tex", ".hidden", "folder/"])
def test_a_folder_with_other_files_is_refused(tmp_path, name):
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_bytes(b"mine")
    text = refused_folder(tmp_path)
    assert text == f"out: got {tmp_path}, which holds other files; allowed: a new, empty or this study's folder"


def test_what_a_killed_set_up_leaves_is_no_other_file(tmp_path):
    for left in ((".lock",), (".lock", ".study.toml.new"), (".study.toml.new",)):
        folder = tmp_path / str(len(left)) / left[-1].strip(".")
        folder.mkdir(parents=True)
        for name in left:
            (folder / name).write_bytes(b"na")
        with opened(folder, "mine", TEXT) as store:
            assert store.records.entries == []
        assert (folder / "study.toml").read_text(encoding="utf-8") == TEXT
        assert not (folder / ".study.toml.new").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"mine")
    assert refused_folder(tmp_path / "x") == f"{tmp_path}/x: got File exists; allowed: a file that can be written"
    assert refused_folder(tmp_path / "x" / "y").startswith(f"{tmp_path}/x/y: got Not a directory; allowed: ")


def test_a_study_that_cannot_be_kept_is_one_error_and_leaves_the_old_one(tmp_path):
    """A full disk again, at the folder's first file."""
    program = """
import resource, sys
from pathlib import Path
from reports.store import opened
from sim.errors import InputError
resource.setrlimit(resource.RLIMIT_FSIZE, (4, resource.RLIM_INFINITY))
try:
    with opened(Path(sys.argv[1]), "mine", 'name = "mine"  # longer'):
        print("opened")
except InputError as error:
    print(error)
"""
    for old in (None, TEXT):
        if old is not None:
            (tmp_path / "study.toml").write_text(old, encoding="utf-8")
        ended = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert ended.stdout == f"{tmp_path}/study.toml: got File too large; allowed: a file that can be written\n"
        assert ended.stderr == ""
        kept = tmp_path / "study.toml"
        assert (kept.read_text(encoding="utf-8") if kept.exists() else None) == old
    with opened(tmp_path, "mine", TEXT):
        pass  # what was left does not stand in the way


HOLDS = """
import json
import sys
from pathlib import Path
from reports.store import opened
with opened(Path(sys.argv[1]), "mine", 'name = "mine"\\n') as store:
    print("open", flush=True)
    sys.stdin.readline()
    store.records.append(json.loads(sys.argv[2]))
"""


@pytest.fixture
def holder(tmp_path):
    """A process that has the folder open until it is told to write and end."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path), json.dumps(RECORD)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "open\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_the_first_goes_on(tmp_path, holder):
    (tmp_path / "records.jsonl").write_bytes(b'{"key":"a"}\n{"key":"in the midd')  # as while a line is written
    text = refused_folder(tmp_path)
    assert text == f"{tmp_path}: got a folder in use by another process; allowed: one process a study"
    assert (tmp_path / "records.jsonl").read_bytes() == b'{"key":"a"}\n{"key":"in the midd'
    (tmp_path / "records.jsonl").unlink()
    holder.communicate("go on\n")
    assert holder.returncode == 0
    with opened(tmp_path, "mine", TEXT) as store:
        assert store.by_key == {"a": RECORD}


def test_a_killed_process_leaves_the_folder_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    with opened(tmp_path, "mine", TEXT) as store:
        assert store.records.entries == []


def test_an_error_inside_leaves_the_folder_free(tmp_path):
    with pytest.raises(RuntimeError), opened(tmp_path, "mine", TEXT):
        raise RuntimeError
    with opened(tmp_path, "mine", TEXT):
        pass


def test_a_mark_is_written_once_and_taken_back_where_the_circuit_differs_later(tmp_path):
    """Each circuit has marks of its own: what becomes of another one leaves them as they are."""
    study = Study.load("engine-diabetes")
    run = engine_runs(study)[0]
    for circuit, epochs, failure, lines, marked in (
        ("one", 2, "differs", 0, {}),
        ("one", 2, "", 1, {run.key: 2}),
        ("one", 2, "", 1, {run.key: 2}),
        ("one", 1, "", 1, {run.key: 2}),
        ("one", 3, "", 2, {run.key: 3}),
        ("other", 1, "differs", 2, {}),
        ("other", 1, "", 3, {run.key: 1}),
        ("other", 1, "differs", 4, {}),
        ("one", 3, "", 4, {run.key: 3}),
        ("one", 1, "differs", 5, {}),
        ("one", 1, "differs", 5, {}),
        ("one", 0, "", 5, {}),
        ("one", 1, "", 6, {run.key: 1}),
    ):
        with opened(tmp_path / "kept", study.head.name, study.text) as store:
            check = EngineCheck.of_run(run, epochs, circuit)
            check.failure, check.loops = failure, epochs
            mark(store, check)
        with opened(tmp_path / "kept", study.head.name, study.text) as store:
            assert (len(store.checked.entries), store.repeated(circuit)) == (lines, marked)


@pytest.mark.parametrize("wrong", [{"epochs": "x"}, {"co_simulated": 1}, {"key": 3}])
def test_a_line_with_a_value_of_another_type_is_refused(tmp_path, wrong):
    line = {"key": "a", "epochs": 1, "co_simulated": True} | wrong
    (tmp_path / "cosimulated.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(bt.InputError, match="allowed: one JSON object a line, with key, epochs, co_simulated"):
        Store(tmp_path)


def test_marks_of_another_circuit_are_told_apart(tmp_path):
    """One of before marks had a digest is of another circuit, too."""
    lines = [{"key": "a", "epochs": 1, "co_simulated": True, "circuit": "old"},
             {"key": "b", "epochs": 1, "co_simulated": True},
             {"key": "a", "epochs": 1, "co_simulated": False, "circuit": "new"},
             {"key": "c", "epochs": 2, "co_simulated": True, "circuit": "new"}]  # fmt: skip
    with opened(tmp_path, "mine", TEXT) as store:
        for line in lines:
            store.checked.append(line)
        assert (store.repeated("new"), store.only_of_others("new")) == ({"c": 2}, {"b"})
        assert (store.repeated("old"), store.only_of_others("old")) == ({"a": 1}, {"b", "c"})


def test_the_digest_of_a_circuit_is_that_of_the_sources_it_needs(tmp_path):
    shutil.copytree(RTL, tmp_path / "rtl")
    assert circuit_digest(tmp_path / "rtl") == circuit_digest()
    (tmp_path / "rtl" / "of_nobody.sv").write_text("module of_nobody; endmodule\n")
    assert circuit_digest(tmp_path / "rtl") == circuit_digest()
    with (tmp_path / "rtl" / "engine_sequencer.sv").open("a") as file:
        file.write(" ")
    assert circuit_digest(tmp_path / "rtl") != circuit_digest()
