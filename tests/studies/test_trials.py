"""What twice the length adds: a row for each training at its length, and at twice it."""

from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.configs import EvaluateConfig
from mgsl.models import CONFIGS
from mgsl.resolving import resolve_alone
from mgsl.studies import trials
from mgsl.studies.plan import StudyParams
from tests import tiny

FIGURES = {
    "val_R@1, IoU=0.5": 0.25,
    "val_R@1, IoU=0.7": 0.125,
    "val_rare_R@1, IoU=0.5": 0.5,
}


def test_each_run_stands_at_its_length_and_at_twice_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = StudyParams(
        study="lengths", dataset="embedded", base="drn", runs=("tgn",), seeds=(0, 1)
    )
    resolved = resolve_alone(
        tiny.parameters(), "embedded", CONFIGS, scale="embedded", methods=("tgn", "drn")
    )
    config: EvaluateConfig = resolved.evaluate.model_copy(update={"seeds": study.seeds})
    curve = pd.DataFrame([{"epoch": 2, **FIGURES}])
    trained = []

    def in_parallel(work, jobs, device, tell):  # type: ignore[no-untyped-def]
        trained.extend((run.name, run.epochs, seed) for run, seed in jobs)
        return [curve.assign(**{"val_R@1, IoU=0.5": 0.5}) for _ in jobs]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trials, "_config", lambda dataset, name: resolved.runs[name])
    monkeypatch.setattr(trials, "_curve", lambda path: curve)
    monkeypatch.setattr(trials, "kept_epoch", lambda curve, config: curve.iloc[-1])
    monkeypatch.setattr(trials, "in_parallel", in_parallel)
    trials.lengths(study, config, paths.study("lengths", "embedded"), say=lambda line: None)
    rows = pd.read_csv(paths.study("lengths", "embedded") / "rows.csv")
    assert trained == [(name, 20, seed) for name in ("tgn", "drn") for seed in (0, 1)]
    assert list(rows["name"]) == ["tgn"] * 4 + ["drn"] * 4
    assert list(rows["epochs"]) == [10, 20] * 4
    assert list(rows["val_R@1, IoU=0.5"]) == [0.25, 0.5] * 4
    assert dict(rows.iloc[0][list(FIGURES)]) == FIGURES
