"""Which studies there are, what they train, and that their pipeline fits them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mgsl import params, paths, study_stages
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.models import CONFIGS
from mgsl.studies import age, plan
from mgsl.studies.plan import StudyParams, StudyPlan
from mgsl.training import fingerprint, receipt
from mgsl.training.jobs import Job
from tests import ROOT, tiny

ONE = {"study": "tables", "dataset": "embedded", "base": "mgsl_net", "runs": ["table_3"],
       "seeds": [0, 1]}  # fmt: skip
OWN = Path("studies/artifacts")
OTHER = ONE | {"study": "slots", "base": "baseline", "runs": ["printed"], "seeds": [1, 2]}


def written(folder: Path, **changes: object) -> StudyPlan:
    """The plan of both studies, one with changes, read from a file."""
    studies = {"tables_embedded": ONE | changes, "slots_embedded": OTHER}
    (folder / "studies").mkdir(exist_ok=True)
    write_json(folder / paths.STUDIES_PARAMS, {"datasets": ["embedded"], "studies": studies})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(paths, "ARTIFACTS", OWN)
        return plan.load()


def test_the_studies_of_the_repository_can_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ARTIFACTS", OWN)
    parameters = tiny.parameters()
    whole = plan.load()
    resolved = plan.resolved(parameters, whole, CONFIGS)
    assert list(resolved) == list(whole.datasets)
    for study in whole.studies.values():
        runs = resolved[study.dataset].runs
        assert set(plan.names(parameters, study)) <= set(runs)


def test_a_dataset_has_the_runs_of_all_its_studies(tmp_path: Path) -> None:
    resolved = plan.resolved(tiny.parameters(), written(tmp_path), CONFIGS)["embedded"]
    names = ("mgsl_net", "baseline", "memory_only", "attention_only", "printed")
    assert resolved.evaluate.names == tuple(resolved.runs) == names


def test_what_a_study_is_compared_with_comes_first_and_each_run_once() -> None:
    study = StudyParams(
        study="x", dataset="embedded", base="drn", runs=("table_3", "drn", "baseline"), seeds=(0,)
    )
    names = plan.names(tiny.parameters(), study)
    assert names == ("drn", "baseline", "memory_only", "attention_only")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": "charades"}, "is of tables on charades: call it tables_charades"),
        ({"study": "details"}, "call it details_embedded"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "lists 1 more than once"),
        ({"runs": []}, "runs"),
        ({"bases": "drn"}, "bases: unknown key; did you mean 'base'"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        written(tmp_path, **changes)


def test_a_run_that_there_is_not_is_named(tmp_path: Path) -> None:
    wrong = written(tmp_path, runs=["table_33"])
    with pytest.raises(UserError, match="tables names 'table_33', which is neither a method"):
        plan.resolved(tiny.parameters(), wrong, CONFIGS)
    with pytest.raises(UserError, match="no study 'table_embedded'; did you mean 'tables_embed"):
        wrong.find("table_embedded")


def test_studies_have_artifacts_of_their_own(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / paths.PARAMS).write_bytes((ROOT / paths.PARAMS).read_bytes())
    environment = {**os.environ, "MGSL_ARTIFACTS": "studies/artifacts", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mgsl", "configure-studies"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    path = tmp_path / "studies/artifacts/configs/embedded/evaluate.json"
    assert "printed" in params.read(EvaluateConfig, path).names
    assert not (tmp_path / "artifacts").exists()


def test_a_change_of_one_method_concerns_the_studies_that_train_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_digests() -> dict[str, str]:
        study_stages.configure()
        files = sorted((tmp_path / OWN / "configs/studies").glob("*.json"))
        return {file.stem: file.read_text() for file in files}

    (tmp_path / "studies").mkdir()
    for name in (paths.PARAMS, paths.STUDIES_PARAMS):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "ARTIFACTS", OWN)
    monkeypatch.setattr(paths, "CONFIGS", OWN / "configs")
    before = written_digests()
    digested = fingerprint.digest

    def with_another_drn(config: RunConfig, data: dict[str, str], seed: int) -> str:
        return digested(config, data, seed + (config.method == "drn"))

    monkeypatch.setattr(age, "digest", with_another_drn)
    after = written_digests()
    concerned = {key for key in before if before[key] != after[key]}
    planned, parameters = plan.load().studies, params.load(paths.PARAMS)
    drn = {"drn", *parameters.models["drn"].ablations}
    trained = {key: set(plan.names(parameters, study)) for key, study in planned.items()}
    assert concerned == {key for key, names in trained.items() if names & drn}
    assert set(planned) - concerned


def test_a_training_that_the_main_pipeline_has_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = Job("embedded", "drn", 0, "digest")
    made.folder.mkdir(parents=True)
    (made.folder / "curve.csv").write_text("epoch\n1\n")
    receipt.write(made.folder, made.digest)
    assert not receipt.take_over(made)  # it is its own
    monkeypatch.setattr(paths, "ARTIFACTS", OWN)
    assert not receipt.take_over(made._replace(digest="another"))
    assert receipt.take_over(made)
    assert made.folder.is_relative_to("studies/artifacts")
    assert receipt.holds(made.folder, made.digest)


def test_the_pipeline_of_studies_depends_on_what_the_main_one_depends_on() -> None:
    main, studies = (read_yaml(ROOT / path)["stages"] for path in ("dvc.yaml", "studies/dvc.yaml"))
    studies["evaluate"] = studies["study"]["do"]
    studies["train"] = studies["configure"]  # which digests what trains
    for stage in ("download", "prepare", "train", "evaluate"):
        code = {dep for dep in main[stage]["deps"] if str(dep).startswith("mgsl")}
        own = [dep for dep in studies[stage]["deps"] if str(dep).startswith("mgsl")]
        lacking = [dep for dep in code if not any(f"{dep}/".startswith(f"{o}/") for o in own)]
        assert not lacking, stage


def test_a_study_keeps_out_of_the_artifacts_of_the_main_pipeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UserError, match="with MGSL_ARTIFACTS=studies/artifacts before"):
        study_stages.study("tables_embedded", "cpu")
    monkeypatch.setattr(paths, "ARTIFACTS", OWN)
    with pytest.raises(UserError, match="has no study 'readings'"):
        study_stages.study("readings", "cpu")


def test_no_study_stands_before_the_reports_that_read_it() -> None:
    main, studies = (read_yaml(ROOT / path)["stages"] for path in ("dvc.yaml", "studies/dvc.yaml"))
    made = [out for stage in studies.values() for out in stage.get("do", stage).get("outs", [])]
    assert made
    needed = {dep for stage in main.values() for dep in stage.get("deps", [])}
    assert "reports/studies" in needed
    for out in made:
        assert not any(f"{out}/".startswith(f"{dep}/") for dep in needed), out
