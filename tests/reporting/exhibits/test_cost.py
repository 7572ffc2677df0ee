"""What trainings took is collected from both pipelines, and summed by hand."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.errors import UserError
from mgsl.reporting.exhibits import cost as exhibit
from mgsl.tools import spending
from mgsl.training import spent
from mgsl.training.jobs import Job


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths.STUDIES.mkdir(parents=True)


def note(artifacts: Path, dataset: str, name: str, seed: int, seconds: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "SPENT", artifacts / "spent")
        spent.note(Job(dataset, name, seed, "digest"), seconds)


def test_runs_of_both_pipelines_stand_together() -> None:
    for seed, seconds in ((0, 60.0), (1, 120.0)):
        note(paths.PIPELINE, "embedded", "drn", seed, seconds)
    note(paths.OF_STUDIES, "embedded", "drn", 2, 240.0)
    note(paths.OF_STUDIES, "charades_actions", "mgsl_net", 0, 3600.0)
    rows = spending.collect(keep=True)
    assert rows.iloc[:, :5].to_numpy().tolist() == [
        ["main", "embedded", "drn", 2, 90.0],
        ["studies", "charades_actions", "mgsl_net", 1, 3600.0],
        ["studies", "embedded", "drn", 1, 240.0],
    ]
    table = exhibit.build()
    cells = {name: [cell.text for cell in row] for name, row in table.rows}
    titles = [block.title for block in table.columns]
    of = {title: 2 * place for place, title in enumerate(titles)}
    drn = cells["DRN"][of["ours: embedded"] :]
    assert drn[:2] == ["2.3", "3"]  # (60 + 120 + 240) s / 3
    everything = cells["All, hours"]
    assert everything[of["ours: charades_actions"] :][:2] == ["1.0", "1"]
    assert everything[of["ours: embedded"] :][:2] == ["0.1", "3"]
    assert table.statement == (
        "4 trainings took 1.1 hours of one processor, 16.8 minutes each: "
        "2 of the main pipeline 0.1, 2 of the studies 1.1."
    )
    assert pd.read_csv(paths.COST).equals(rows)


def test_what_was_noted_elsewhere_stays() -> None:
    note(paths.PIPELINE, "embedded", "drn", 0, 60.0)
    spending.collect(keep=True)
    for path in paths.PIPELINE.glob("spent/*/*.json"):
        path.unlink()
    note(paths.PIPELINE, "embedded", "ctrl", 0, 30.0)
    spending.collect(keep=True)
    assert pd.read_csv(paths.COST)[["name", "processor_s"]].to_numpy().tolist() == [
        ["ctrl", 30.0], ["drn", 60.0]
    ]  # fmt: skip
    note(paths.PIPELINE, "embedded", "drn", 0, 90.0)
    spending.collect(keep=True)
    assert pd.read_csv(paths.COST)["processor_s"].tolist() == [30.0, 90.0]


def test_the_mean_of_more_trainings_stays() -> None:
    for seed, seconds in ((0, 60.0), (1, 120.0)):
        note(paths.PIPELINE, "embedded", "drn", seed, seconds)
    spending.collect(keep=True)
    for path in paths.PIPELINE.glob("spent/*/*.json"):
        path.unlink()
    note(paths.PIPELINE, "embedded", "drn", 0, 30.0)
    assert spending.collect(keep=True)["processor_s"].tolist() == [30.0]
    kept = pd.read_csv(paths.COST)[["trainings", "processor_s"]]
    assert kept.to_numpy().tolist() == [[2, 90.0]]


def test_where_nothing_was_noted_the_command_is_told() -> None:
    with pytest.raises(UserError, match="no training is noted"):
        spending.collect()
    with pytest.raises(UserError, match="run `python -m mgsl cost --keep`"):
        exhibit.build()
