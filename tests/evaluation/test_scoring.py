import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mgsl.configs import EvaluateConfig
from mgsl.errors import UserError
from mgsl.evaluation.metrics import groups, metric_names, metrics_table
from mgsl.evaluation.predictions import write_predictions
from mgsl.evaluation.scoring import (
    evaluate,
    headline,
    query_scores,
    read_test,
    rule,
    summary,
)
from mgsl.params import EvaluationParams, NmsParams
from mgsl.prepared import write_summary
from mgsl.queries import Query, write_queries
from tests.evaluation.oracle import BINS, ask, evaluation

PARAMS = evaluation(resamples=200)
DATASET = {
    "dataset": "embedded",
    "title": "Embedded",
    "features": "generated clips",
    "simulated": True,
    "bins": list(BINS),
}
QUERIES = [ask(i, rare=i % 4 == 0, frequency_bin=0 if i % 4 == 0 else 2) for i in range(40)]


def predict(path: Path, seed: int, *, proposals: int = 6, queries: list[Query] = QUERIES) -> Path:
    rng = np.random.default_rng(seed)
    spans_s = np.sort(rng.random((len(queries), proposals, 2)) * 10, axis=-1)
    scores = -np.sort(-rng.random((len(queries), proposals)), axis=1)
    write_predictions(path, queries, spans_s, scores, keep=proposals)
    return path


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    folder = tmp_path / "prepared"
    train = [Query(**{**vars(q), "qid": f"train-{q.qid}", "split": "train"}) for q in QUERIES]
    write_queries(folder / "queries.jsonl", [*train, *QUERIES])
    write_summary(folder, DATASET)
    return folder


def config(**changes: Any) -> EvaluateConfig:
    return EvaluateConfig(
        dataset="embedded", scale="embedded", names=("a", "b"), seeds=(0, 1), evaluation=PARAMS
    ).model_copy(update=changes)


def score(path: Path, params: EvaluationParams = PARAMS) -> pd.DataFrame:
    return metrics_table(query_scores(QUERIES, path, params), groups(QUERIES, BINS), params)


def test_a_file_is_scored_for_every_group_and_metric(tmp_path: Path) -> None:
    table = score(predict(tmp_path / "p.jsonl", 0))
    assert table.columns.tolist() == ["group", "metric", "value", "low", "high", "queries"]
    assert table["group"].unique().tolist() == ["all", "rare", "common", *BINS]
    assert table["metric"].tolist() == metric_names(PARAMS) * 7
    counts = table.groupby("group", sort=False)["queries"].first()
    assert counts.tolist() == [40, 10, 30, 10, 0, 30, 0]
    known = table.dropna()
    assert (known["low"] <= known["value"]).all()
    assert (known["value"] <= known["high"]).all()
    assert table[table["queries"] == 0]["value"].isna().all()


def test_perfect_predictions_score_everything(tmp_path: Path) -> None:
    spans_s = np.array([[[2.0, 6.0], *([i + 10.0, i + 10.5] for i in range(4))]] * 40)
    path = tmp_path / "p.jsonl"
    write_predictions(path, QUERIES, spans_s, np.tile(np.linspace(1, 0, 5), (40, 1)), keep=5)
    table = score(path).dropna()
    assert (table[["value", "low", "high"]] == 1).all(axis=None)


def test_runs_are_scored_in_the_order_given(prepared: Path, tmp_path: Path) -> None:
    runs = {
        (name, seed): predict(tmp_path / f"{name}{seed}", 10 * ord(name) + seed)
        for name in ("b", "a")
        for seed in (1, 0)
    }
    table = evaluate(prepared, runs, config())
    assert table.columns.tolist() == [
        *("dataset", "name", "seed", "group", "metric", "value", "low", "high", "queries"),
        *("mean", "mean_low", "mean_high", "sd", "trainings"),
    ]
    assert set(table["dataset"]) == {"embedded"}
    order = table[["name", "seed"]].drop_duplicates()
    assert [tuple(pair) for pair in order.to_numpy()] == list(runs)
    for (name, seed), path in runs.items():
        rows = table[(table["name"] == name) & (table["seed"] == seed)].reset_index(drop=True)
        alone = score(path).round(6)
        pd.testing.assert_frame_equal(rows[list(alone)], alone, check_dtype=False)


def test_equal_runs_give_equal_bytes(prepared: Path, tmp_path: Path) -> None:
    runs = {("a", 0): predict(tmp_path / "p", 0)}
    first, second = (evaluate(prepared, runs, config()).to_csv(index=False) for _ in range(2))
    assert first == second


def test_the_summary_is_the_mean_and_the_spread_over_seeds(prepared: Path, tmp_path: Path) -> None:
    runs = {("a", seed): predict(tmp_path / str(seed), seed) for seed in (0, 1, 2)}
    metrics = evaluate(prepared, runs, config())
    table = summary(metrics)
    assert len(table) == len(metrics) / 3
    assert (table["trainings"] == 3).all()
    row = table[(table["group"] == "rare") & (table["metric"] == "mIoU")].iloc[0]
    rows = metrics[(metrics["group"] == "rare") & (metrics["metric"] == "mIoU")]
    assert row["value"] == pytest.approx(np.mean(rows["value"]))
    assert row["sd"] == pytest.approx(np.std(rows["value"], ddof=1), abs=1e-6)
    assert row["low"] < row["value"] < row["high"]
    assert row["high"] - row["low"] > np.ptp(rows["value"])  # it holds the trainings too
    assert row["queries"] == 10


def test_one_seed_has_no_spread_and_its_own_interval(prepared: Path, tmp_path: Path) -> None:
    metrics = evaluate(prepared, {("a", 0): predict(tmp_path / "p", 0)}, config())
    table = summary(metrics)
    assert table["sd"].isna().all()
    keys = ["dataset", "name", "group", "metric", "value", "low", "high", "queries"]
    pd.testing.assert_frame_equal(table[keys], metrics[keys])


def test_the_headline_holds_few_numbers_in_percent(prepared: Path, tmp_path: Path) -> None:
    metrics = evaluate(prepared, {("a", 0): predict(tmp_path / "p", 0)}, config())
    numbers = headline(summary(metrics))
    assert list(numbers) == ["a"]
    assert list(numbers["a"]) == ["all", "rare", "common"]
    assert list(numbers["a"]["rare"]) == ["R@1, IoU=0.5", "R@1, IoU=0.7"]
    mask = (metrics["group"] == "all") & (metrics["metric"] == "R@1, IoU=0.7")
    value = metrics[mask]["value"].iloc[0]
    assert numbers["a"]["all"]["R@1, IoU=0.7"] == round(100 * value, 2)
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


def test_the_headline_leaves_out_an_empty_group(tmp_path: Path, prepared: Path) -> None:
    rows = [Query(**{**vars(query), "rare": False}) for query in QUERIES]
    write_queries(prepared / "queries.jsonl", rows)
    write_summary(prepared, DATASET)
    numbers = headline(
        summary(evaluate(prepared, {("a", 0): predict(tmp_path / "p", 0)}, config()))
    )
    assert list(numbers["a"]) == ["all", "common"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"strict": True}, "tIoU > m in seconds, after NMS at m - 0.05"),
        ({"nms": "fixed"}, "tIoU >= m in seconds, after NMS at 0.45"),
        ({"nms": "none"}, "tIoU >= m in seconds, without NMS"),
        ({"grid": 64}, "tIoU >= m in whole clips of 64, ends included, after NMS at m - 0.05"),
    ],
)
def test_the_rule_is_said_in_words(changes: dict[str, Any], expected: str) -> None:
    assert expected in rule(evaluation(**changes))


def test_only_the_test_split_is_asked(prepared: Path) -> None:
    queries, dataset = read_test(prepared)
    assert queries == QUERIES
    assert dataset.items() >= DATASET.items()


def test_what_is_not_prepared_cannot_be_scored(prepared: Path) -> None:
    write_queries(prepared / "queries.jsonl", [])
    with pytest.raises(
        UserError, match=r"queries\.jsonl is not what `prepare` wrote: it has 0 bytes"
    ):
        read_test(prepared)
    write_summary(prepared, DATASET)
    with pytest.raises(UserError, match=r"queries\.jsonl has no test queries"):
        read_test(prepared)
    (prepared / "summary.json").unlink()
    with pytest.raises(UserError, match=r"summary\.json is missing: prepare the dataset"):
        read_test(prepared)


def test_a_run_whose_file_lacks_a_query_is_refused_by_name(prepared: Path, tmp_path: Path) -> None:
    path = predict(tmp_path / "short.jsonl", 0, queries=QUERIES[1:])
    with pytest.raises(UserError, match=r"(?s)short\.jsonl.*missing: video0-0"):
        evaluate(prepared, {("a", 0): path}, config())


def test_scoring_needs_no_torch() -> None:

    code = "import sys, mgsl.evaluation.scoring; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_method_with_a_rule_of_its_own_is_scored_by_it(prepared: Path, tmp_path: Path) -> None:
    paths = {(name, 0): predict(tmp_path / name, 0, proposals=40) for name in ("a", "b")}
    own = config(nms={"b": NmsParams(rule="fixed", threshold=0.1)})
    table = evaluate(prepared, paths, own)
    a, b = (table[table["name"] == name].reset_index(drop=True) for name in ("a", "b"))
    alone = score(paths["b", 0], evaluation(nms="fixed", nms_threshold=0.1))
    common = score(paths["a", 0])
    np.testing.assert_array_equal(a["value"], common["value"].round(6))
    np.testing.assert_array_equal(b["value"], alone["value"].round(6))
    assert not a["value"].equals(b["value"])
    text = rule(own.evaluation, {"B": own.scoring_of("b")})
    assert "after NMS at m - 0.05 (B after NMS at 0.1); [low, high]" in text


def test_on_a_grid_clips_are_counted_with_both_ends(tmp_path: Path) -> None:
    path, clips = predict(tmp_path / "a.jsonl", 0, proposals=1), 8
    overlaps = query_scores(QUERIES, path, evaluation(grid=clips))["mIoU"]
    spans = [json.loads(line)["pred_relevant_windows"][0] for line in path.read_text().splitlines()]
    for query, (start_s, end_s, _), overlap in zip(QUERIES, spans, overlaps, strict=True):
        place = clips / query.duration_s
        first, last = (min(clips - 1, round(at * place)) for at in (start_s, end_s))
        begin, end = (min(clips - 1, math.floor(at * place)) for at in (query.start_s, query.end_s))
        proposed, meant = set(range(first, last + 1)), set(range(begin, end + 1))
        assert overlap == pytest.approx(len(proposed & meant) / len(proposed | meant), abs=1e-8)
    assert not np.allclose(overlaps, query_scores(QUERIES, path, PARAMS)["mIoU"])
