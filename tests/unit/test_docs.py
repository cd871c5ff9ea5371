"""The documentation is true. Run as a program, this file writes the generated tables anew."""

import doctest
import re
import shlex
import sys
import tomllib
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import get_type_hints

import pytest
import typer
from rich.console import Console

import bittrue
from algorithms.readers import SHIPPED
from algorithms.samples import DataSpec, load_samples
from algorithms.training import ALGORITHMS
from reports import command_line
from reports.study import Head
from rtl_models.foreign import BINDINGS, Binding
from sim import configuration, reference
from sim.datapath import TrainingDatapath, preset_names
from sim.modes import Overflow, Rounding

ROOT = Path(__file__).resolve().parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [*DOCS, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"<!-- table: (\w+) -->\n(.*?)<!-- end -->", re.DOTALL)
SLOW = ("explore", "verify")
"""Commands that other tests run, those of `verify` in `tests/cli/test_verify.py`."""
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def table(*rows: Sequence[object]) -> str:
    """A table in Markdown; the first row is its header."""
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"


def fields() -> str:
    """Every field of a datapath."""
    deterministic = [mode for mode in Rounding if not mode.is_stochastic]
    short = {", ".join(Rounding): "every [rounding](rounding.md)", ", ".join(deterministic): "every deterministic one"}
    rows = [
        (f"`{row.path}`", row.type, f"`{row.default.replace('()', '[]')}`", short.get(row.allowed, row.allowed),
         row.rtl if row.rtl == "–" else f"`{row.rtl}`", row.meaning)
        for row in configuration.rows(TrainingDatapath)
    ]  # fmt: skip
    return table(("field", "type", "default", "allowed", "RTL parameter", "meaning"), *rows)


def presets() -> str:
    """The widths of the shipped datapaths."""
    rows = [
        (f"`{p.name}`", p.data.width, p.coefficient.width, p.model.width, p.model.random_bits, p.increment.width,
         p.increment.fraction, p.product.cut, p.exponents.maximum, p.accumulator.width)
        for p in map(TrainingDatapath.preset, preset_names())
    ]  # fmt: skip
    header = "preset", "data", "coefficient", "model", "random bits", "increment", "sh", "sp", "e", "accumulator"
    return table(header, *rows)


def data_fields() -> str:
    """Every field of a data specification."""
    rows = [
        (f"`{row.path}`", row.type, f"`{row.default}`".replace("`–`", "–"), row.allowed, row.meaning)
        for row in configuration.rows(DataSpec)
    ]
    return table(("field", "type", "default", "allowed", "meaning"), *rows)


def data_sets() -> str:
    """The shipped data sets as they are without options; the last one, not always there, has tests of its own."""
    rows = [
        (f"`{samples.name}`", *samples.features.shape, len(samples.labels()[0]) if samples.is_classes else "real", "–")
        for samples in (load_samples(DataSpec(source=name)) for name in SHIPPED)
    ]
    header = "data set", "rows", "columns", "classes", "test rows"
    return table(header, *rows, ("`fashion-mnist`", 60000, 784, 10, 10000))


def study_fields() -> str:
    """Every field of a study's head."""
    rows = [
        (f"`{row.path}`", row.type, f"`{row.default}`".replace("`–`", "–"), row.allowed, row.meaning)
        for row in configuration.rows(Head)
    ]
    return table(("field", "type", "default", "allowed", "meaning"), *rows)


def binding_fields() -> str:
    """Every field of a module of the user's, and of the block that it claims to be."""
    allowed = {", ".join(Rounding): "every [rounding](rounding.md)", "text": "–"}
    parts = [("", Binding), *((f"block ({name}).", get_type_hints(kind)["block"]) for name, kind in BINDINGS.items())]
    rows = [
        (f"`{row.path}`" if not prefix else f"{prefix[:-1]}: `{row.path}`", row.type,
         f"`{row.default.replace('()', '[]')}`".replace("`–`", "–"), allowed.get(row.allowed, row.allowed), row.meaning)
        for prefix, kind in parts
        for row in configuration.rows(kind)
        if row.path != "unit"
    ]  # fmt: skip
    blocks = ", ".join(BINDINGS)
    head = ("field", "type", "default", "allowed", "meaning"), ("`block.unit`", "text", "–", blocks, "the block")
    return table(*head, *rows)


def algorithms() -> str:
    """Every algorithm with its own parameters."""
    rows = [
        (f"`{name}`", one.about, "engine" if one.on_engine else "float", ", ".join(f"`{p}`" for p in one.own) or "–")
        for name, one in ALGORITHMS.items()
    ]
    return table(("algorithm", "is", "runs on", "parameters of its own"), *rows)


def with_tables(text: str) -> str:
    """A page with its generated tables as they have to be."""
    made = {"fields": fields, "presets": presets, "data_fields": data_fields, "data_sets": data_sets,
            "study_fields": study_fields, "binding_fields": binding_fields, "algorithms": algorithms}  # fmt: skip
    return TABLE.sub(lambda m: f"<!-- table: {m[1]} -->\n{made.get(m[1], lambda: m[2])()}<!-- end -->", text)


def shown(kind: type[StrEnum]) -> dict[StrEnum, list[str]]:
    """For each mode, the last six columns of its row in docs/rounding.md."""
    table = dict(TABLE.findall((ROOT / "docs/rounding.md").read_text(encoding="utf-8")))[kind.__name__.lower()]
    rows = [re.split(r" *\| *", line.strip("| ").replace("`", "").replace("−", "-")) for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == list(kind)
    return {kind(row[0]): row[-6:] for row in rows}


@each_page
def test_generated_tables_are_up_to_date(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == with_tables(text), "run python tests/unit/test_docs.py"


def test_the_tables_of_modes_show_what_the_reference_gives() -> None:
    for mode, values in shown(Rounding).items():
        pairs = [[reference.round_shift(raw, 1, mode, word, 1) for word in (0, 1)] for raw in range(-5, 6, 2)]
        assert values == [" or ".join(map(str, sorted(set(pair)))) for pair in pairs], mode
    for mode, values in shown(Overflow).items():
        cases = (-9, True), (-8, True), (8, True), (9, True), (-1, False), (16, False)
        results = [(value, reference.apply_overflow(value, 4, signed, mode)) for value, signed in cases]
        assert values == ["raises" if mode == "ERROR" and new != old else str(new) for old, new in results], mode


@each_page
def test_blocks_hold(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """In order: datapaths parse and are saved as NAME.toml, sessions and scripts run, commands print what is shown."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "out", Console(width=150))  # the terminal that the pages show
    text, names, code = page.read_text(encoding="utf-8"), {"__name__": "page"}, ""
    for block in BLOCK.finditer(text):
        language, body, line = *block.groups(), text.count("\n", 0, block.start(2))
        if language == "toml":
            parsed, place = tomllib.loads(body), f"{page.name}:{line}"
            if "block" in parsed:
                name = configuration.from_table(BINDINGS[parsed["block"]["unit"]], parsed, place).top
            else:
                name = configuration.from_table(TrainingDatapath, parsed, place).name
            Path(f"{name}.toml").write_text(body, encoding="utf-8")
        elif body.startswith(">>>"):
            session = doctest.DocTestParser().get_doctest(body, names, page.name, str(page), line)
            log: list[str] = []
            failures = doctest.DocTestRunner(optionflags=FLAGS).run(session, out=log.append, clear_globs=False).failed
            assert not failures, "".join(log)
            names = session.globs
        elif language == "python":
            before = set(names)
            exec(compile("\n" * line + body, str(page), "exec"), names)
            for name in [name for name in names if name.startswith("test_") and name not in before]:
                names[name]()
        elif language == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, printed = part.partition("\n")
                if command == "echo $?":
                    assert code in ("", printed.strip()), f"{page.name}:{line}"  # of a command that was run
                elif command.startswith("bittrue "):
                    code = run(command, printed, monkeypatch, capsys)


def run(command: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys, *, slow: bool = False) -> str:
    """Run a command line whose output is shown, and return its exit code; only parse one without, and slow ones."""
    words = shlex.split(re.split("[>|]", command)[0], comments=True)
    if not expected.strip() or (words[1] in SLOW and not slow):
        typer.main.get_command(command_line.app).commands[words[1]].make_context(words[1], words[2:])
        return ""
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        bittrue.main()
    got, checker, example = capsys.readouterr().out, doctest.OutputChecker(), doctest.Example(command, expected)
    assert checker.check_output(expected, got, FLAGS), checker.output_difference(example, got, FLAGS)
    return str(end.value.code or 0)


@each_page
def test_links_and_named_files_exist(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)", prose):
        file = page.parent / target if target else page
        assert file.exists(), target
        headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", file.read_text(encoding="utf-8")), re.M) if anchor else []
        assert anchor in ["", *(re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings)], anchor
    for name in re.findall(r"`((?:\w+/)+\w+\.\w+)`", prose):
        assert (ROOT / name).exists(), name


if __name__ == "__main__":
    for path in DOCS:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
