"""The key of a run: it changes with everything that a result depends on, and with nothing else."""

import itertools

from reports import study as study_module
from reports.shipped import study_names
from reports.study import Study
from sim.conformance import ARITHMETIC_VERSION
from tests.unit.test_study import HALP, SMALL, changed, keys, parsed, series


def test_the_key_of_a_run_stays_what_it_is():
    """Else records of a study are run anew. It changes with the arithmetic, and then both numbers here do."""
    run = Study.load("halp-linear").runs[0]
    assert (run.point.label, run.seed) == ("HALP model 4, mu 0.5", 0)
    assert (ARITHMETIC_VERSION, run.key) == (1, "44b43cd0d7074fb8eb347e85")


def test_every_run_has_a_key_of_its_own():
    for name in study_names():
        studies = Study.load_all(name)
        for study in studies:
            assert len({run.key for run in study.runs}) == len(study.runs) == len(study.points) * len(study.replicates)
        assert len({run.key for study in studies for run in study.runs}) == sum(len(study.runs) for study in studies)


def test_a_key_changes_with_everything_that_a_result_depends_on(monkeypatch):
    """Every field of the data, of the datapath and of the parameters, loss, ridge, seed, algorithm, arithmetic."""
    folds = {"source": "digits", "held_out": "fold", "target": "", "center": False, "scale": "none", "bias": False,
             "drop_constant": False, "folds": 5, "fold": 0, "split_seed": 0}  # fmt: skip
    base = series() | {"data": folds, "loss": "logistic", "seeds": [0]}
    other = {"source": "breast_cancer", "target": "y", "center": True, "scale": "column", "bias": True,
             "drop_constant": True, "folds": 6, "fold": 1, "split_seed": 1}  # fmt: skip
    tables = [base, *(base | {"data": folds | {field: value}} for field, value in other.items())]
    tables += [base | {"data": {"source": "digits"}}]
    tables += [base | change for change in ({"loss": "smoothed_hinge"}, {"ridge": 0.5}, {"seeds": [1]})]
    tables += [base | {"common": base["common"] | change}
               for change in ({"step": 0.02}, {"epoch_length": 100}, {"epochs": 3})]  # fmt: skip
    parameters = {"mu": 2.0}, {"mu": 1.0, "option": "II"}, {"mu": 1.0, "power_of_two": True}
    fields = ({"mu": 1.0, name: value} for name, value in FIELDS.items())
    tables += [base | {"series": [base["series"][0] | {"set": own}]} for own in itertools.chain(parameters, fields)]
    tables += [base | {"series": [{"algorithm": name, "datapath": "halp12", "set": {"delta": 1.0}}]}
               for name in ("lp_svrg", "lp_sgd")]  # fmt: skip
    tables += [base | {"series": [{"algorithm": name}]} for name in ("svrg", "svrg32", "sgd", "sgd32")]
    found = [key for table in tables for key in keys(table)]
    assert len(set(found)) == len(found) == len(tables)
    monkeypatch.setattr(study_module, "ARITHMETIC_VERSION", ARITHMETIC_VERSION + 1)
    assert not set(found) & {key for table in tables for key in keys(table)}


FIELDS = {"lanes": 8, "data.width": 7, "coefficient.width": 15, "coefficient.rounding": "TO_NEG", "model.width": 11,
          "model.rounding": "STOCHASTIC_EQUAL", "model.random_bits": 32, "model.centered": False,
          "model.overflow": "WRAP", "increment.width": 24, "increment.fraction": 9, "product.cut": 7,
          "accumulator.width": 40, "accumulator.overflow": "WRAP", "generator.kind": "lfsr", "exponents.maximum": 1,
          "biased_ok": True, "name": "other"}  # fmt: skip


def test_a_key_does_not_change_with_how_a_study_is_written(tmp_path, monkeypatch):
    """Order of keys, names, what else is in it: a renamed series or another axis does not make anybody wait."""
    turned = {key: SMALL[key] for key in reversed(SMALL)}
    turned["common"] = {key: SMALL["common"][key] for key in reversed(SMALL["common"])}
    assert set(keys(turned)) == set(keys(SMALL))
    for change in (
        {"name": "other"}, {"about": "told"}, {"objectives": ["cycles"]}, {"baseline": "svrg"}, {"budget_minutes": 3},
    ):  # fmt: skip
        assert keys(SMALL | change) == keys(SMALL)
    assert keys(changed("series", HALP, "name", to="renamed")) == keys(SMALL)
    assert set(keys(SMALL)) < set(keys(changed("series", HALP, "vary", "model.width", to=[4, 6, 8])))
    assert set(keys(SMALL)) < set(keys(SMALL | {"seeds": [5, 1, 0]}))


def test_a_key_holds_the_content_of_a_data_file_and_not_its_place(tmp_path):
    def written(folder, content):
        folder = tmp_path / folder
        folder.mkdir()
        (folder / "d.csv").write_text(content, encoding="utf-8")
        return [run.key for run in parsed(SMALL | {"data": {"source": "d.csv"}}, str(folder / "s.toml")).runs]

    assert written("a", "1,2\n3,4\n") == written("b", "1,2\n3,4\n")
    assert not set(written("c", "1,2\n3,4\n")) & set(written("d", "1,2\n3,5\n"))


def test_a_key_holds_the_content_of_a_folder(tmp_path):
    (tmp_path / "set").mkdir()
    found = []
    for content in (b"1", b"2"):
        (tmp_path / "set" / "train-images-idx3-ubyte.gz").write_bytes(content)
        study = parsed(SMALL | {"data": {"source": "set"}}, str(tmp_path / "s.toml"))
        found += [run.key for run in study.runs]
    assert len(set(found)) == len(found)


def test_a_file_called_like_a_shipped_data_set_is_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = keys(SMALL)
    (tmp_path / "diabetes").write_text("mine", encoding="utf-8")
    assert keys(SMALL) == before


def test_a_study_whose_data_file_is_gone_knows_its_records(tmp_path):
    """So that figures can be drawn from the records alone."""
    (tmp_path / "d.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    table = SMALL | {"data": {"source": "d.csv"}}
    study = parsed(table, str(tmp_path / "s.toml"))
    records = [{"key": run.key, "file": run.file_digest} for run in study.runs]
    (tmp_path / "d.csv").unlink()
    gone = parsed(table, str(tmp_path / "s.toml"))
    assert {run.key for run in gone.runs}.isdisjoint(run.key for run in study.runs)
    assert [run.key for run in gone.recalled(records).runs] == [run.key for run in study.runs]
    assert gone.recalled([]) is gone
    (tmp_path / "d.csv").write_text("1,2\n3,5\n", encoding="utf-8")
    other = parsed(table, str(tmp_path / "s.toml"))
    assert other.recalled(records) is other  # a file that is there counts
