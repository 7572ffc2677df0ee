"""What is left of the studies, and how long it takes."""

from pathlib import Path

import pytest

from mgsl import paths
from mgsl.files import write_json
from mgsl.studies import plan
from mgsl.studies.plan import StudyParams, StudyPlan
from mgsl.tools import outlook
from mgsl.training import receipt, spent
from mgsl.training.jobs import Job
from tests.tiny import parameters, run_config

OWN = Path("studies/artifacts")


def jobs(study: StudyParams) -> list[Job]:
    names = plan.names(parameters(), study)
    return [Job(study.dataset, name, seed, "digest") for name in names for seed in study.seeds]


@pytest.fixture
def studies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyPlan:
    """Two studies that share the trainings of a base; nothing is trained."""
    one = {"dataset": "embedded", "base": "mgsl_net", "seeds": (0, 1)}
    studies = {
        "details_embedded": StudyParams(study="details", runs=("one_head",), **one),
        "slots_embedded": StudyParams(study="slots", runs=("slots_512",), **one),
    }
    for name in ("mgsl_net", "one_head", "slots_512"):
        config = run_config(name).model_dump(mode="json")
        write_json(tmp_path / OWN / "configs/embedded/runs" / f"{name}.json", config)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "ARTIFACTS", OWN)
    monkeypatch.setattr(paths, "CONFIGS", OWN / "configs")
    monkeypatch.setattr(paths, "SPENT", OWN / "spent")
    monkeypatch.setattr(outlook.plan, "config_of", lambda study, parameters: study)
    monkeypatch.setattr(outlook, "jobs_of", jobs)
    return StudyPlan(datasets=("embedded",), studies=studies)


def test_a_training_that_two_studies_need_is_left_once(studies: StudyPlan) -> None:
    rows = outlook.outlook(parameters(), studies)
    assert [(row.key, row.trainings, row.left, row.hours) for row in rows] == [
        ("details_embedded", 4, 4, None), ("slots_embedded", 4, 2, None),
    ]  # fmt: skip
    assert outlook.as_text(rows).endswith("and 6 trainings of which nothing is known yet")


def test_what_is_made_is_not_left_and_a_method_tells_how_long_its_ablations_take(
    studies: StudyPlan,
) -> None:
    made = Job("embedded", "mgsl_net", 0, "digest")
    made.folder.mkdir(parents=True)
    receipt.write(made.folder, "digest")
    spent.note(made, 1800.0)
    spent.note(made._replace(seed=1), 5400.0)
    rows = outlook.outlook(parameters(), studies)
    assert [(row.left, row.hours) for row in rows] == [(3, 3.0), (2, 2.0)]
    assert f"left: {5 / outlook.cores():.1f} hours" in outlook.as_text(rows)
