"""What the tool `score` prints, and that it gives the numbers that others print of themselves."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mgsl import paths
from mgsl.data.annotations import Annotation, hold_out
from mgsl.data.annotations.activitynet import read_activitynet
from mgsl.data.annotations.charades import read_charades
from mgsl.data.annotations.tacos import read_tacos
from mgsl.data.counted import clamp
from mgsl.errors import UserError
from mgsl.evaluation.predictions import write_predictions
from mgsl.params import EvaluationParams, ScoreParams
from mgsl.prepared import write_summary
from mgsl.queries import Query, write_queries
from mgsl.tools.score import Scores, as_json, as_text, score, with_options
from tests.evaluation.oracle import BINS, ask, evaluation
from tests.published import STA, write_captions, write_charades

PARAMS = evaluation(resamples=200)
OPTIONS = ScoreParams(targets="clamped", missing="miss")
PUBLISHED = ScoreParams(targets="published", missing="miss")
QUERIES = [ask(i, rare=i % 4 == 0, frequency_bin=0 if i % 4 == 0 else 2) for i in range(40)]


def prepare(dataset: str, queries: Sequence[Query], **about: Any) -> None:
    folder = paths.prepared(dataset)
    write_queries(folder / "queries.jsonl", queries)
    summary = {
        "dataset": dataset, "title": "Embedded", "features": "generated clips",
        "simulated": True, "bins": list(BINS),
    }  # fmt: skip
    write_summary(folder, summary | about)


def as_queries(annotations: Sequence[Annotation]) -> list[Query]:
    """Annotations as `prepare` cuts them, without their words."""
    kept, _ = clamp(hold_out(annotations, share=0.1, seed=0))
    return [
        Query(
            qid=a.qid, video=a.video, sentence=a.sentence, split=a.split, start_s=a.start_s,
            end_s=a.end_s, duration_s=a.duration_s, tokens=("a",), tags=("DT",),
            frequency=None, bin=3, rare=False,
        )
        for a in kept
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare("embedded", QUERIES)


def predict(name: str, seed: int, *, proposals: int = 6) -> Path:
    rng = np.random.default_rng(seed)
    spans_s = np.sort(rng.random((40, proposals, 2)) * 10, axis=-1)
    scores = -np.sort(-rng.random((40, proposals)), axis=1)
    write_predictions(Path(name), QUERIES, spans_s, scores, keep=proposals)
    return Path(name)


def scored(*files: Path, params: EvaluationParams = PARAMS) -> Scores:
    return score("embedded", files, params, OPTIONS)


def value(scores: Scores, metric: str, group: str = "all") -> float:
    return float(scores.table.set_index(["group", "metric"])["value"][group, metric])


def test_the_text_says_what_was_counted_and_on_what() -> None:
    scores = scored(predict("p.jsonl", 0))
    text = as_text(scores).splitlines()
    assert text[0] == "Embedded (embedded), test split, in percent"
    assert text[1] == "Features: generated clips (SIMULATED data)."
    assert text[2] == (
        "A hit is tIoU >= m in seconds, targets cut at the end of their video, after NMS at "
        "m - 0.05; [low, high] is the 95% bootstrap interval over queries (200 resamples, seed 0)."
    )
    assert text[4].split() == [
        *("group", "queries", "R@1,", "IoU=0.3", "R@1,", "IoU=0.5", "R@1,", "IoU=0.7"),
        *("R@5,", "IoU=0.3", "R@5,", "IoU=0.5", "R@5,", "IoU=0.7", "mIoU"),
    ]
    first = scores.table.iloc[0]
    assert text[5].split()[:3] == ["all", "40", f"{100 * first['value']:.2f}"]
    assert text[6].startswith(" ")
    assert f"[{100 * first['low']:.1f}, {100 * first['high']:.1f}]" in text[6]
    assert text[-1].split() == [">=100", "0", *["-"] * 7]
    assert len({len(line) for line in text[4:7]}) == 1


def test_a_method_that_answers_once_has_a_dash_for_recall_at_five() -> None:
    row = as_text(scored(predict("p", 0, proposals=1))).splitlines()[5].split()
    assert row[5:8] == ["-", "-", "-"]
    assert "-" not in row[2:5]


def test_the_json_has_fractions_and_null_where_nothing_applies() -> None:
    scores = scored(predict("p", 0, proposals=1))
    document = as_json(scores)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["dataset"] == "embedded"
    assert document["notes"] == []
    assert document["evaluation"]["nms"] == "per_metric"
    assert document["groups"]["rare"]["queries"] == 10
    assert document["groups"]["all"]["metrics"]["mIoU"]["value"] == value(scores, "mIoU")
    nothing = {"value": None, "low": None, "high": None}
    assert document["groups"]["all"]["metrics"]["R@5, IoU=0.5"] == nothing
    assert document["groups"][">=100"]["metrics"]["mIoU"] == nothing


def test_two_files_are_compared_query_by_query() -> None:
    a, b = predict("a", 0), predict("b", 1)
    compared = scored(a, b)
    columns = ["group", "metric", "value", "low", "high", "p", "queries"]
    assert compared.table.columns.tolist() == columns
    difference = scored(a).table["value"] - scored(b).table["value"]
    np.testing.assert_allclose(compared.table["value"], difference, atol=1e-12)
    assert {"all", "rare", "common"} < set(compared.table["group"])
    same = scored(a, a).table.dropna()
    assert (same[["value", "low", "high"]] == 0).all(axis=None)
    assert (same["p"] == 1).all()
    assert "a, less b." in as_text(compared).splitlines()


def test_notes_stand_above_the_numbers_and_name_their_file() -> None:
    rows = [{"qid": query.qid, "pred_relevant_windows": [["0.2", "0.6"]]} for query in QUERIES]
    Path("p").write_text(json.dumps(rows[1:]))
    scores = scored(Path("p"))
    first, second, warning = as_text(scores).splitlines()[3:6]
    assert first == "Note: p: 1 of 40 queries have no answer and count as misses: video0-0."
    assert second.startswith("Note: p: numbers that stand as text")
    assert warning.startswith("Warning: p: all windows lie within [0, 1]")
    assert as_json(scores)["notes"] == [first, second, warning]


def test_an_unanswered_query_counts_in_the_mean() -> None:
    rows = [{"qid": query.qid, "pred_relevant_windows": [[2.0, 6.0]]} for query in QUERIES]
    Path("p").write_text(json.dumps(rows[10:]))
    assert value(scored(Path("p")), "R@1, IoU=0.7") == 0.75
    assert value(scored(Path("p"), params=evaluation(grid=10)), "mIoU") == 0.75
    with pytest.raises(UserError, match=r"must answer each of 40 queries; it has no window for"):
        score("embedded", [Path("p")], PARAMS, OPTIONS.with_changes(missing="refuse"))


def test_a_file_of_no_windows_scores_nothing() -> None:
    Path("p").write_text(json.dumps({query.qid: [] for query in QUERIES}))
    table = scored(Path("p")).table
    assert (table[table["queries"] > 0]["value"] == 0).all()


def test_an_unknown_dataset_lists_the_known_ones() -> None:
    with pytest.raises(
        UserError, match=r"no dataset 'charades'; did you mean .*there is: .*charades_actions"
    ):
        score("charades", [Path("p")], PARAMS, OPTIONS)


@pytest.mark.parametrize(
    ("nms", "strict", "expected"),
    [
        (None, None, "tIoU >= m in seconds, T, after NMS at m - 0.05"),
        (None, True, "tIoU > m in seconds, T, after NMS at m - 0.05"),
        ("none", False, "tIoU >= m in seconds, T, without NMS"),
        ("per_metric", None, "tIoU >= m in seconds, T, after NMS at m - 0.05"),
        ("0.3", True, "tIoU > m in seconds, T, after NMS at 0.3"),
    ],
)
def test_options_change_the_rule_that_is_said(
    nms: str | None, strict: bool | None, expected: str
) -> None:
    params = with_options(evaluation(), nms=nms, strict=strict)
    assert params == EvaluationParams.model_validate(params.model_dump())
    scores = replace(scored(predict("p", 0)), params=params, truth="T")
    assert expected in scores.rule


@pytest.mark.parametrize("nms", ["greedy", "0", "1", "1.5", "nan", ""])
def test_another_rule_for_nms_is_refused(nms: str) -> None:
    with pytest.raises(UserError, match=rf"--nms {nms}: expected none, per_metric, or a threshold"):
        with_options(PARAMS, nms=nms, strict=None)


def test_published_targets_are_not_cut() -> None:
    raw = write_charades(paths.raw("charades_actions"))
    (raw / STA / "raw_data/charades_sta_test.txt").write_text(
        "DDDDD 2.0 8.0##person closes the wardrobe.\n"  # the video ends at 4
    )
    clamped = {"test": {"clamped": 1}}
    prepare("charades_actions", as_queries(read_charades(raw)), splits=clamped)
    Path("p").write_text('{"DDDDD-0": [[2, 4]]}')
    cut = score("charades_actions", [Path("p")], PARAMS, OPTIONS)
    whole = score("charades_actions", [Path("p")], PARAMS, PUBLISHED)
    assert value(cut, "mIoU") == 1
    assert value(whole, "mIoU") == pytest.approx(1 / 3, abs=1e-8)
    assert "targets cut at the end of their video (1 of 1 are)" in cut.rule
    assert "targets as published (1 of 1 end after their video)" in whole.rule
    prepare("charades_actions", [replace(QUERIES[0], qid="other")])
    with pytest.raises(UserError, match=r"has no query other, .* prepare it again"):
        score("charades_actions", [Path("p")], PARAMS, PUBLISHED)


def test_published_targets_want_the_published_files() -> None:
    prepare("charades_actions", QUERIES)
    with pytest.raises(UserError, match="is missing: run `python -m mgsl download`"):
        score("charades_actions", [Path("p")], PARAMS, PUBLISHED)


def test_a_released_file_is_scored_without_its_answers_to_validation(tmp_path: Path) -> None:
    queries = as_queries(read_activitynet(write_captions(tmp_path)))
    prepare("activitynet_planted", queries, benchmark="activitynet")
    for windows in ({"b-0": [[7, 8]], "b-1": [[1, 3]]}, {"v_b-0": [[1, 3]]}):
        Path("p").write_text(json.dumps({"results": windows}))
        scores = score("activitynet_planted", [Path("p")], PARAMS, OPTIONS)
        assert value(scores, "mIoU") == 1
        assert scores.table["queries"].max() == 1


# What the authors print of their released predictions: R@1 and R@5 at 0.5.
CHARADES = {"CBP": (36.21, 70.51), "TGN": (34.38, 70.35)}


@pytest.mark.mirror
@pytest.mark.parametrize("method", CHARADES)
def test_released_predictions_score_what_their_authors_print(mirror: Path, method: str) -> None:
    file = mirror / f"JaywongWang/{method}/results/charades/predict_proposals_test_nms_0.55.json"
    if not file.is_file():
        pytest.skip(f"{file} is not in the mirror")
    paths.raw("charades_actions").parent.mkdir(parents=True, exist_ok=True)
    paths.raw("charades_actions").symlink_to(mirror)
    prepare("charades_actions", as_queries(read_charades(mirror)), benchmark="charades")
    rules = with_options(PARAMS, nms="none", strict=True)
    scores = score("charades_actions", [file], rules, PUBLISHED)
    printed = tuple(round(100 * value(scores, f"R@{n}, IoU=0.5"), 2) for n in (1, 5))
    assert printed == CHARADES[method]
    assert "targets as published (562 of 3,720 end after their video)" in scores.rule


@pytest.mark.mirror
def test_one_released_window_hits_a_target_only_where_that_is_cut(mirror: Path) -> None:
    """The published moment is 11.6-22.0, in a video of 20.62 s."""
    (moment,) = (a for a in read_charades(mirror) if a.split == "test" and a.qid == "H608V-5")
    queries = [q for q in as_queries(read_charades(mirror)) if q.qid in (moment.qid, "x")]
    paths.raw("charades_actions").parent.mkdir(parents=True, exist_ok=True)
    paths.raw("charades_actions").symlink_to(mirror)
    prepare("charades_actions", queries, benchmark="charades")
    Path("p").write_text(json.dumps({"results": {moment.qid: [{"timestamp": [14.5, 19.5]}]}}))
    both = [score("charades_actions", [Path("p")], PARAMS, o) for o in (OPTIONS, PUBLISHED)]
    assert [round(value(scores, "mIoU"), 3) for scores in both] == [0.554, 0.481]


@pytest.mark.mirror
def test_a_file_of_running_numbers_scores_all_of_charades(mirror: Path) -> None:
    queries = as_queries(read_charades(mirror))
    prepare("charades_actions", queries, benchmark="charades")
    test = [query for query in queries if query.split == "test"]
    assert len(test) == 3720
    rows = [
        {
            "qid": 12404 + number,
            "query": query.sentence,
            "vid": query.video,
            "pred_relevant_windows": [[query.start_s, query.end_s, 0.9]],
        }
        for number, query in enumerate(test)
    ]
    Path("p").write_text("".join(json.dumps(row) + "\n" for row in rows))
    scores = score("charades_actions", [Path("p")], evaluation(resamples=20), OPTIONS)
    assert value(scores, "R@1, IoU=0.7") == value(scores, "mIoU") == 1
    (note,) = scores.notes
    assert "matched by video and sentence" in note


@pytest.mark.mirror
def test_every_query_of_tacos_is_matched_by_video_and_sentence(mirror: Path) -> None:
    """Many of its sentences are said of a video more than once."""
    queries = as_queries(read_tacos(mirror))
    prepare("tacos_planted", queries, benchmark="tacos")
    test = [query for query in queries if query.split == "test"]
    rows = [
        {
            "qid": number,
            "query": query.sentence.lower(),
            "vid": query.video.removesuffix(".avi"),
            "pred_relevant_windows": [[query.start_s, query.end_s]],
        }
        for number, query in enumerate(test)
    ]
    Path("p").write_text(json.dumps(rows))
    scores = score("tacos_planted", [Path("p")], evaluation(resamples=20), OPTIONS)
    assert value(scores, "mIoU") == 1
