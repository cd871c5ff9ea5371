"""`bittrue check`: exit code 0 if every check holds, 1 with the names of those that do not; the same as JUnit XML."""

import pytest
from junitparser import Failure, JUnitXml, Skipped

import bittrue as bt

NAMES = [
    "model.bias",
    "model.variance",
    "coefficient.drift",
    "product.drift",
    "ranges.representable",
    "ranges.accumulator",
    "engine.step",
]
FAULTS = {
    "coefficient.drift": "coefficient = {rounding = 'TO_NEG'}",
    "product.drift": "product = {cut = 8, rounding = 'TO_ZERO'}",
    "model.bias": "model = {rounding = 'TIES_EVEN', random_bits = 0}",
    "ranges.accumulator": "accumulator = {width = 24}",
}
"""For a check, a datapath that does not pass it."""
BIASED = "model = {random_bits = 4}\nbiased_ok = true\nname = 'few_bits'"


def results(table):
    """The result of each check in the table."""
    words = (line.split() for line in table.splitlines())
    return {check: result for check, result, *_ in words if check in NAMES}


def junit_cases(path):
    (suite,) = JUnitXml.fromfile(str(path))
    return suite, {case.name: case for case in suite}


@pytest.fixture
def faulty(tmp_path):
    """Write the datapath that does not pass a check."""

    def write(check):
        path = tmp_path / "faulty.toml"
        path.write_text(f"name = 'faulty'\n{FAULTS[check]}\n", encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("link", bt.Link)
@pytest.mark.parametrize("preset", bt.preset_names())
def test_every_preset_passes_every_check(program, preset, link):
    outcome = program("check", preset, "--link", link)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"checks of {preset}, 784 columns, link {link}\n")
    assert results(outcome.out) == dict.fromkeys(NAMES, "passed")
    assert "failed" not in outcome.out


@pytest.mark.parametrize("check", FAULTS)
def test_a_check_that_does_not_hold_is_named_and_the_exit_code_is_1(program, faulty, check):
    outcome = program("check", faulty(check))
    assert (outcome.code, outcome.err) == (1, "")
    shown = results(outcome.out)
    assert list(shown) == NAMES
    assert shown[check] == "FAILED"
    failed = [name for name, result in shown.items() if result == "FAILED"]
    assert outcome.out.endswith(f"\n{len(failed)} failed: {', '.join(failed)}\n")


def test_whether_an_accumulator_is_wide_enough_depends_on_the_columns(program, faulty):
    assert program("check", faulty("ranges.accumulator"), "--columns", 511).code == 0
    outcome = program("check", faulty("ranges.accumulator"), "--columns", 512)  # 512·2^14 = 2^23: one too many
    assert outcome.code == 1
    assert outcome.out.endswith("1 failed: ranges.accumulator\n")
    assert "at least 25 bits: cannot overflow" in outcome.out


def test_a_skipped_check_may_fail_and_is_shown_as_skipped(program, faulty):
    outcome = program("check", faulty("coefficient.drift"), "--skip", "coefficient.drift")
    assert outcome.code == 0
    assert results(outcome.out) == {**dict.fromkeys(NAMES, "passed"), "coefficient.drift": "skipped"}


def test_skipping_one_check_does_not_hide_another(program, faulty):
    outcome = program("check", faulty("model.bias"), "--skip", "model.bias", "--skip", "product.drift")
    assert outcome.code == 1
    assert outcome.out.endswith("\n1 failed: engine.step\n")


def test_junit_xml_has_a_case_for_every_check_with_what_was_found(program, faulty, tmp_path):
    outcome = program("check", faulty("model.bias"), "--skip", "product.drift", "--junit", "report.xml")
    assert outcome.code == 1
    assert "\nJUnit XML: report.xml\n" in outcome.out
    suite, cases = junit_cases(tmp_path / "report.xml")
    assert (suite.name, list(cases)) == ("faulty", NAMES)
    assert (suite.tests, suite.failures, suite.skipped, suite.errors) == (7, 2, 1, 0)
    assert {case.classname for case in cases.values()} == {"bittrue.check.faulty"}
    kinds = {name: [type(entry) for entry in case.result] for name, case in cases.items()}
    assert kinds == {
        **{name: [] for name in NAMES},
        "model.bias": [Failure],
        "engine.step": [Failure],
        "product.drift": [Skipped],
    }
    message = cases["model.bias"].result[0].message
    assert message.startswith("found +0.5 last bits; required 0: unbiased (all 2048 fractions")


def test_junit_xml_of_a_sound_datapath_has_no_failure(program, tmp_path):
    assert program("check", "halp8", "--junit", "report.xml").code == 0
    suite, cases = junit_cases(tmp_path / "report.xml")
    assert (suite.tests, suite.failures, suite.skipped) == (len(NAMES), 0, 0)
    assert not any(case.result for case in cases.values())


def test_junit_xml_holds_names_that_are_not_ascii_or_that_xml_would_read(program, tmp_path):
    (tmp_path / "named.toml").write_text("name = 'µ <&> \"8\"'", encoding="utf-8")
    assert program("check", "named.toml", "--junit", "report.xml").code == 0
    suite, _ = junit_cases(tmp_path / "report.xml")
    assert suite.name == 'µ <&> "8"'


def test_a_bias_that_the_datapath_accepts_is_measured_and_bounded(program, tmp_path):
    """4 random bits, 10 bits cut: off by at most half a step of the word, 2^−5 of a last bit."""
    (tmp_path / "biased.toml").write_text(BIASED, encoding="utf-8")
    outcome = program("check", "biased.toml")
    assert outcome.code == 0
    assert results(outcome.out) == dict.fromkeys(NAMES, "passed")
    assert "+0.03125 last bits" in outcome.out
    assert "at most 0.03125 last bits (biased_ok)" in outcome.out


def test_a_bias_that_the_datapath_does_not_accept_is_a_bad_input(program, tmp_path):
    (tmp_path / "biased.toml").write_text(BIASED.replace("true", "false"), encoding="utf-8")
    outcome = program("check", "biased.toml")
    assert outcome.code == 2
    assert outcome.err.startswith("error: biased.toml: model.random_bits: got 4; allowed: at least ")


@pytest.mark.parametrize(
    ("preset", "algorithm"), [("halp8", "halp"), ("halp8_blocks", "halp"), ("lp_svrg8", "lp_svrg"), ("zipml4", "zipml")]
)
def test_an_algorithm_adds_its_checks_to_table_and_report(program, tmp_path, preset, algorithm):
    added = [check.name for check in bt.check_algorithm(bt.TrainingDatapath.preset(preset), algorithm)]
    outcome = program("check", preset, "--algorithm", algorithm, "--junit", "report.xml")
    assert (outcome.code, outcome.err) == (0, "")
    _, cases = junit_cases(tmp_path / "report.xml")
    assert list(cases) == [*NAMES, *added]
    for name in added:
        assert name.startswith(f"{algorithm}.")
        assert f"\n{name} " in outcome.out


def test_an_algorithm_without_bounds_is_refused(program):
    outcome = program("check", "halp8", "--algorithm", "sgd")
    assert outcome.code == 2
    assert outcome.err == "error: algorithm: got 'sgd'; allowed: halp, lp_svrg, zipml, which theory has bounds for\n"


def test_an_algorithms_check_can_be_skipped(program):
    outcome = program("check", "halp8", "--algorithm", "halp", "--skip", "halp.contraction")
    assert outcome.code == 0
    assert "halp.contraction      skipped" in outcome.out
