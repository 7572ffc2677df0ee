"""The noise of training: what trainings say apart and together, and which effects it hides."""

import itertools
from pathlib import Path

import pandas as pd
import pytest

from mgsl import params, paths
from mgsl.configs import EvaluateConfig
from mgsl.evaluation.metrics import groups
from mgsl.evaluation.scoring import read_test
from mgsl.files import write_json_lines
from mgsl.reporting.draw import tables
from mgsl.reporting.exhibits.noise import noise_figure, noise_table, visibility
from mgsl.reporting.exhibits.noise.visibility import PrintedEffect
from mgsl.reporting.read import kept_trainings
from mgsl.reporting.read.results import Results
from mgsl.studies import many_trainings
from tests.reporting import report_workspace

FIVE, SEVEN = "R@1, IoU=0.5", "R@1, IoU=0.7"
RUN = ("mgsl_net", "attention_only")


def build(root: Path, seeds: tuple[int, ...]) -> Results:
    """A workspace in which the last training of mgsl_net misses the common query."""
    report_workspace.build(root, ["embedded"], seeds=seeds, names=RUN)
    answers = [
        {"qid": f"v2-{row}", "query": "", "vid": "v2", "pred_relevant_windows": [window]}
        for row, window in ((3, [12, 14, 0.9]), (4, [9, 17, 0.9]))
    ]
    path = paths.run("embedded", "mgsl_net", seeds[-1]) / "predictions.jsonl"
    write_json_lines(path, answers)
    return Results("embedded")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.chdir(tmp_path)
    return build(tmp_path, (0, 1, 2))


def test_trainings_stand_apart_and_together(results: Results) -> None:
    table = visibility.of_methods(results).set_index(["name", "group", "metric"])
    row = table.loc["mgsl_net", "all", FIVE]
    assert (row["mean"], row["lowest"], row["highest"]) == (83.3333, 50, 100)
    assert row["sd"] == pytest.approx(28.8675)
    assert (row["trainings"], row["queries"], row["origin"]) == (3, 2, "runs")
    alike = table.loc["attention_only", "all", FIVE]
    assert (alike["sd"], alike["lowest"], alike["highest"]) == (0, 50, 50)


def test_the_smallest_visible_difference_is_half_of_the_interval(results: Results) -> None:
    least = visibility.visible(results, "all", FIVE)
    assert list(least) == [3, 5, 10]
    row = results.runs.difference(*visibility.PAIR, "all", FIVE)
    assert row is not None
    assert least[3] == pytest.approx(100 * (row["high"] - row["low"]) / 2)
    assert visibility.visible(results, "rare", SEVEN) == {}  # of one query nothing is known


def test_printed_effects_come_from_the_printed_tables(results: Results) -> None:
    effects = {(e.claim.claim, e.measure): e for e in visibility.effects(results)}
    assert effects["memory_full", FIVE].printed == pytest.approx(5.68)
    assert effects["calibration", FIVE].printed == pytest.approx(0.6)
    assert {e.claim.place for e in effects.values()} == {"Table 1", "Table 3", "Table 4", "Table 5"}
    assert list(effects["memory_full", FIVE].visible) == [3, 5, 10]
    lacking = effects["calibration", FIVE]
    assert lacking.visible == {}
    assert lacking.reason == "no_calibration not run on embedded"


def test_an_effect_is_seen_with_the_fewest_trainings_whose_interval_it_leaves() -> None:
    claim = next(e.claim for e in visibility.effects())
    assert PrintedEffect(claim, FIVE, 5.6, {3: 8.0, 5: 5.0, 10: 3.0}).seen_with == 5
    assert PrintedEffect(claim, FIVE, -5.6, {3: 8.0, 5: 5.0, 10: 3.0}).seen_with == 5
    assert PrintedEffect(claim, FIVE, 0.6, {3: 8.0, 5: 5.0, 10: 3.0}).seen_with is None


def test_the_page_shows_both_tables_and_the_figure(results: Results, tmp_path: Path) -> None:
    methods, effects = noise_table.build([results]), noise_table.build_effects([results])
    cells = dict(methods.rows)["MGSL-Net (repaired)"]
    assert cells[0].text == "83.3 ± 28.9"
    assert (cells[1].text, cells[1].note) == ("50.0–100.0", "of 3")
    assert "SIMULATED" in methods.caption
    row = dict(effects.rows)["Table 3: The memory helps under full attention"]
    assert [cell.text for cell in row[:3]] == ["+5.68", "+5.69", "none"]
    assert row[6].text == "more than 10"
    noise_table.save(methods, effects, str(tmp_path / "noise"))
    kept = pd.read_csv(tmp_path / "noise.effects.csv")
    assert {"printed_points", "visible_3", "seen_with", "trainings"} <= set(kept.columns)
    assert "detectable" in tables.to_latex(effects)
    drawing = noise_figure.draw([results])
    said = [text.get_text() for axes in drawing.figure.axes for text in axes.texts]
    assert any("The memory helps under full attention" in text for text in said)
    assert said.count("no verdict") == 2
    assert "SIMULATED" in drawing.caption


def test_with_one_training_the_page_is_built_and_nothing_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results = build(tmp_path, (0,))
    assert visibility.visible(results, "all", FIVE) == {}
    methods, effects = noise_table.build([results]), noise_table.build_effects([results])
    assert "the variation between trainings is unknown" in methods.notes
    row = dict(effects.rows)["Table 3: The memory helps under full attention"]
    assert row[2].reason == "trained once: the variation between trainings is unknown"
    assert noise_figure.draw([results]).figure.axes


def test_labels_keep_their_order_and_do_not_overlap() -> None:
    places = noise_figure._spread([0.1, 0.11, 0.12, 0.97, 0.98, 0.99])
    assert places == sorted(places)
    assert max(places) <= 1
    steps = [b - a for a, b in itertools.pairwise(places)]
    assert min(steps) >= noise_figure._APART - 1e-9


def test_the_kept_study_is_used_where_it_has_enough_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = tuple(range(10))
    results = build(tmp_path, seeds)
    config = params.read(EvaluateConfig, paths.config("embedded", "evaluate"))
    for part, rows in many_trainings.compare(config).items():
        report_workspace.keep("tables", part, rows)
    row = kept_trainings.find("embedded", "mgsl_net", "attention_only", "all", FIVE)
    assert row is not None
    assert row["trainings"] == 10
    own = results.runs.difference("mgsl_net", "attention_only", "all", FIVE)
    assert own is not None
    for key in ("value", "low", "high", "sd", "better", "visible_3"):
        assert row[key] == pytest.approx(own[key], abs=1e-6)
    turned = kept_trainings.find("embedded", "attention_only", "mgsl_net", "all", FIVE)
    assert turned is not None
    assert (turned["low"], turned["high"]) == (-row["high"], -row["low"])
    table = visibility.of_methods(results)
    assert set(table["origin"]) == {"study tables"}
    assert len(visibility.trainings(results, "mgsl_net")) == 10 * 3 * 2
    fewer = many_trainings.compare(config)["pairs"].assign(trainings=9)
    report_workspace.keep("tables", "pairs", fewer)
    assert kept_trainings.find("embedded", "mgsl_net", "", "all", FIVE) is None
    assert set(visibility.of_methods(results)["origin"]) == {"runs"}


def test_masks_of_the_study_are_those_of_the_report(results: Results) -> None:
    queries, _ = read_test(paths.prepared("embedded"))
    config = params.read(EvaluateConfig, paths.config("embedded", "evaluate"))
    assert config.seeds == (0, 1, 2)
    assert groups(queries, ())["rare"].tolist() == results.runs.groups["rare"].tolist()
