"""What docs/circuit.md tells the writer of a driver is true of the circuit; its code does what co-simulation does."""

import re
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from rtl_models.engine_backend import _rows, host_writes
from rtl_models.engine_design import Engine, beat_words, bits, register_address, window_address
from rtl_models.package import constants, enums
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, run
from tests.cosim.engine_jobs import JOBS
from tests.unit.test_docs import BLOCK, ROOT

pytestmark = pytest.mark.cosim

SECTION = (ROOT / "docs/circuit.md").read_text(encoding="utf-8").partition("## Drive it\n")[2].partition("\n## ")[0]
REGISTERS = enums()["engine_register_e"]
DONE, STRAY = bits("engine_status_e", "DONE"), bits("engine_status_e", "EARLY_LAST")


@cache
def tables() -> dict[str, list[list[str]]]:
    """The rows of each table of the section, by the first word of its header."""
    found = {}
    for text in re.findall(r"(?:^\|.*\n)+", SECTION, re.MULTILINE):
        header, _, *rows = [[cell.strip(" `") for cell in line.strip("|\n").split(" | ")] for line in text.splitlines()]
        found[header[0]] = rows
    return found


@cache
def driver() -> Any:
    """The page's function `drive`."""
    [code] = [body for language, body in BLOCK.findall(SECTION) if language == "python"]
    names: dict[str, Any] = {}
    exec(code, names)
    return names["drive"]


def test_the_windows_are_those_of_the_package() -> None:
    expected = {name: window_address(name) for name in enums()["engine_window_e"]}
    assert {row[0]: int(row[1], 16) for row in tables()["window"]} == expected
    assert "3, 18 and 2 bits" in SECTION
    assert (constants()["WindowWidth"], constants()["EngineAddressWidth"]) == (18, 3 + 18 + 2)


def test_the_registers_are_those_of_the_package_and_their_widths_those_of_the_engine() -> None:
    engine = Engine.of_job(JOBS["halp8"]).unit.constants
    assert [(row[0], int(row[1], 16)) for row in tables()["register"]] == [(n, register_address(n)) for n in REGISTERS]
    for name, _, width, host, _ in tables()["register"]:
        assert host == ("reads, writes" if REGISTERS[name] < REGISTERS["STATUS"] else "reads")
        if "MULTIPLIER" in name:
            assert width == "link.multiplier_bits"
        elif "SHIFT" in name:
            assert (int(width), engine["MaxShift"]) == (engine["ShiftWidth"], 62)
        else:
            assert int(width) == {"CONTROL": len(enums()["engine_command_e"]),
                                  "STATUS": len(enums()["engine_status_e"])}.get(name, 32)  # fmt: skip


def test_the_bits_of_control_and_status_are_those_of_the_package() -> None:
    rows = tables()["bit"]
    assert {row[1]: int(row[0]) for row in rows} == enums()["engine_command_e"]
    assert {row[3]: int(row[0]) for row in rows} == enums()["engine_status_e"]


@pytest.mark.parametrize("changes", [{}, {"link.grid_bits": 0, "link.table_bits": 9, "accumulator.width": 25}])
def test_the_records_have_the_bits_that_the_page_gives_them(changes: dict[str, Any]) -> None:
    path = TrainingDatapath.preset("halp8").with_fields(changes)
    names = {"max": max, "accumulator": path.accumulator, "link": path.link}
    assert [row[0] for row in tables()["link"]] == list(Link)
    for name, width, _ in tables()["link"]:
        engine = Engine.of_datapath(path, Link(name), 4)
        assert eval(width.replace("`", ""), names) == engine.unit.width("s_axis_tuser")


@pytest.mark.parametrize("name", JOBS)
def test_the_driver_writes_streams_and_reads_what_co_simulation_does(name: str) -> None:
    """The bytes of its rows are those of the row streamer; the circuit is replaced by what the model gives."""
    job = replace(JOBS[name], first_step=0)
    engine, path = Engine.of_job(job), job.datapath
    z = run(job).z.tolist()
    words = beat_words(z, path.model.width, path.lanes, engine.words_a_beat("MODEL"))
    memory = {window_address("MODEL", k): word for k, word in enumerate(words)}
    statuses = iter([0b01, 0b01, DONE, DONE])  # running twice, over, its errors
    written: list[tuple[int, int]] = []
    sent: list[tuple[int, int, bool]] = []

    def read(address: int) -> int:
        return next(statuses) if address == register_address("STATUS") else memory[address]

    assert driver()(job, lambda *word: written.append(word), lambda *beat: sent.append(beat), read) == z
    assert next(statuses, None) is None
    assert_written(job, engine, written)
    assert_sent(job, engine, sent)


def assert_written(job: EpochJob, engine: Engine, written: list[tuple[int, int]]) -> None:
    """Assert that memories, seeds and registers hold what co-simulation writes, but that z is written and not sent."""
    expected = {address + 4 * k: word for address, words in host_writes(job, engine) for k, word in enumerate(words)}
    control = register_address("CONTROL")
    assert written[-1] == (control, bits("engine_command_e", "START", "SEED"))
    got = dict(written)
    assert len(got) == len(written)
    model = range(window_address("MODEL"), window_address("GRADIENT"))
    if not job.z.any():
        assert {got.pop(address) for address in list(got) if address in model} == {0}
    got[control] = expected[control]
    between = {address for address, word in expected.items() if word == 0}  # words between the ends of two beats
    assert {**dict.fromkeys(between, 0), **got} == expected


def assert_sent(job: EpochJob, engine: Engine, sent: list[tuple[int, int, bool]]) -> None:
    """Assert that the beats are those of the row streamer; of the records, those beside the last ones."""
    row = engine.unit.constants["RowWidth"]
    streamed = [int.from_bytes(beat.tobytes()) for beat in _rows(job, engine)]
    places = [index * job.beats + beat for index in job.indices.tolist() for beat in range(job.beats)]
    assert len(sent) == len(places)
    for n, ((data, record, is_last), place) in enumerate(zip(sent, places, strict=True)):
        assert is_last == ((n + 1) % job.beats == 0)
        assert data == streamed[place] & ((1 << row) - 1)
        assert not is_last or record == streamed[place] >> row


def test_the_driver_tells_of_a_stray_tlast() -> None:
    statuses = iter([DONE | STRAY, DONE | STRAY])
    with pytest.raises(RuntimeError, match="a tlast on the wrong beat"):
        driver()(JOBS["one_step"], lambda *_: None, lambda *_: None, lambda _: next(statuses))
