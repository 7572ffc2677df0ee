"""Of a study of lengths a part can be done again; the rest stays as it is."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mgsl import params, paths, stages
from mgsl.errors import UserError
from mgsl.params import Params
from mgsl.studies import trials
from tests.tiny import run_config

FIGURES = {
    "val_R@1, IoU=0.5": 0.25,
    "val_R@1, IoU=0.7": 0.125,
    "val_rare_R@1, IoU=0.5": 0.5,
}


@pytest.fixture
def parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Two methods with two seeds each; no training is done."""
    parameters = params.load(paths.PARAMS)
    configs = [run_config(name, epochs=3) for name in ("tgn", "drn")]
    monkeypatch.chdir(tmp_path)
    paths.STUDIES.mkdir(parents=True)
    curve = pd.DataFrame([{"epoch": 2, **FIGURES}])
    monkeypatch.setattr(trials, "_trained", lambda parameters, dataset: configs)
    monkeypatch.setattr(trials, "_curve", lambda path: curve)
    monkeypatch.setattr(trials, "kept_epoch", lambda curve, config: curve.iloc[-1])
    monkeypatch.setattr(trials, "in_parallel", lambda work, jobs, device: [curve for _ in jobs])
    evaluation = SimpleNamespace(seeds=[0, 1], groups={})
    monkeypatch.setattr(trials.params, "read", lambda kind, path: evaluation)
    return parameters


def study(parameters: Params, *only: str) -> pd.DataFrame:
    trials.lengths(parameters, only, say=lambda line: None)
    return pd.read_csv(paths.STUDIES / "lengths.csv")


def test_rows_of_other_runs_stay(parameters: Params) -> None:
    first = study(parameters)
    assert list(first["name"]) == ["tgn"] * 4 + ["drn"] * 4
    assert list(first["epochs"][:4]) == [3, 6, 3, 6]
    assert dict(first.iloc[0][list(FIGURES)]) == FIGURES
    marked = first.assign(kept=9)
    marked.to_csv(paths.STUDIES / "lengths.csv", index=False)
    again = study(parameters, "tgn")
    assert list(again["name"]) == list(first["name"])
    assert list(again["kept"]) == [2] * 4 + [9] * 4


def test_a_run_that_is_not_trained_is_named(parameters: Params) -> None:
    with pytest.raises(UserError, match=r"prior: not trained .*there are tgn, drn"):
        study(parameters, "prior")


def test_a_part_of_another_study_is_refused() -> None:
    with pytest.raises(UserError, match="--only is for lengths; slots is written as a whole"):
        stages.study(subject="slots", only=["tgn"])
