from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.evaluation.metrics import (
    groups,
    hits,
    metric_names,
    metrics_table,
    per_query,
    targets,
)
from mgsl.evaluation.predictions import Predictions
from tests.evaluation import oracle
from tests.evaluation.oracle import BINS, ask, evaluation

SPANS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple)


def predict(lists: list[list[tuple[float, float]]]) -> Predictions:
    width = max(map(len, lists))
    spans_s, real = np.zeros((len(lists), width, 2)), np.zeros((len(lists), width), bool)
    for row, spans in enumerate(lists):
        spans_s[row, : len(spans)] = spans
        real[row, : len(spans)] = True
    return Predictions(spans_s=spans_s, scores=np.zeros(real.shape), real=real)


def test_a_query_has_a_hit_where_one_of_its_first_n_moments_overlaps_enough() -> None:
    tiou = np.array([[0.2, 0.5, 0.9], [0.6, 0.1, 0.1], [0.1, 0.2, 0.3], [0.5, 0.9, 0.0]])
    for n, m, strict, expected in (
        (1, 0.5, False, [False, True, False, True]),
        (1, 0.5, True, [False, True, False, False]),
        (2, 0.5, False, [True, True, False, True]),
        (2, 0.5, True, [False, True, False, True]),
        (3, 0.7, False, [True, False, False, True]),
    ):
        np.testing.assert_array_equal(hits(tiou, n=n, m=m, strict=strict), expected)


def test_metrics_are_named_in_the_order_of_the_paper() -> None:
    assert metric_names(evaluation(iou=(0.5, 0.7))) == [
        "R@1, IoU=0.5",
        "R@1, IoU=0.7",
        "R@5, IoU=0.5",
        "R@5, IoU=0.7",
        "mIoU",
    ]


def test_per_query_by_hand() -> None:
    # Overlap with the target: 0.6, 0.5, 0.3, 0.72, 0.1. NMS at 0.65 leaves all but the second.
    spans = [(0.0, 6.0), (0.0, 5.0), (7.0, 10.0), (2.8, 10.0), (0.0, 1.0)]
    target = np.array([[0.0, 10.0]])
    scores = per_query(predict([spans]), target, evaluation())
    assert {name: float(value[0]) for name, value in scores.items()} == {
        "R@1, IoU=0.3": 1.0,
        "R@1, IoU=0.5": 1.0,
        "R@1, IoU=0.7": 0.0,
        "R@5, IoU=0.3": 1.0,
        "R@5, IoU=0.5": 1.0,
        "R@5, IoU=0.7": 1.0,
        "mIoU": 0.6,
    }


def test_nms_makes_room_for_what_lies_elsewhere() -> None:
    near = [(0.0, 4.0 + 0.1 * i) for i in range(5)]
    proposals, target = predict([[*near, (6.0, 10.0)]]), np.array([[6.0, 10.0]])
    recalls = {
        rule: per_query(proposals, target, evaluation(nms=rule))["R@5, IoU=0.7"][0]
        for rule in ("per_metric", "fixed", "none")
    }
    assert recalls == {"per_metric": 1.0, "fixed": 1.0, "none": 0.0}


def test_the_threshold_of_nms_follows_the_metric_or_stays_fixed() -> None:
    # The good one overlaps the first by 0.6: gone at 0.25, 0.45 and at a fixed 0.45, not at 0.65.
    proposals = predict([[(0.0, 6.0), (0.0, 10.0), (20.0, 21.0), (22.0, 23.0), (24.0, 25.0)]])
    target = np.array([[0.0, 10.0]])
    expected = {"per_metric": [1.0, 1.0, 1.0], "fixed": [1.0, 1.0, 0.0], "none": [1.0, 1.0, 1.0]}
    for rule, values in expected.items():
        scores = per_query(proposals, target, evaluation(nms=rule))
        assert [scores[f"R@5, IoU={m}"][0] for m in (0.3, 0.5, 0.7)] == values
    looser = per_query(proposals, target, evaluation(nms="fixed", nms_threshold=0.6))
    assert looser["R@5, IoU=0.7"][0] == 1.0


def test_a_tie_is_a_hit_unless_strict() -> None:
    proposals, target = predict([[(0.0, 0.3)]]), np.array([[0.1, 0.4]])  # tIoU is one half
    assert per_query(proposals, target, evaluation())["R@1, IoU=0.5"][0] == 1.0
    assert per_query(proposals, target, evaluation(strict=True))["R@1, IoU=0.5"][0] == 0.0


def test_a_method_that_answers_once_has_no_recall_at_five() -> None:
    scores = per_query(
        predict([[(0.0, 5.0)], [(0.0, 9.0)]]), np.array([[0.0, 9.0]] * 2), evaluation()
    )
    assert all(np.isnan(scores[f"R@5, IoU={m}"]).all() for m in (0.3, 0.5, 0.7))
    np.testing.assert_array_equal(scores["R@1, IoU=0.7"], [0.0, 1.0])


def test_one_query_with_five_proposals_is_enough_for_recall_at_five() -> None:
    lists = [[(0.0, 9.0)], [(float(i), i + 1.0) for i in range(5)]]
    scores = per_query(predict(lists), np.array([[0.0, 9.0], [4.0, 5.0]]), evaluation())
    np.testing.assert_array_equal(scores["R@5, IoU=0.7"], [1.0, 1.0])


@given(
    st.lists(st.tuples(SPANS, st.lists(SPANS, min_size=1, max_size=9)), min_size=1, max_size=5),
    st.sampled_from(["per_metric", "fixed", "none"]),
    st.booleans(),
    st.sampled_from([(1, 5), (1, 2), (1,), (3,)]),
)
def test_per_query_is_the_literal_metric(
    cases: list, rule: str, strict: bool, recall_at: tuple[int, ...]
) -> None:
    params = evaluation(nms=rule, strict=strict, recall_at=recall_at)
    tenths = Fraction(1, 10)
    exact = [[(s * tenths, e * tenths) for s, e in proposals] for _, proposals in cases]
    truth = [(target[0] * tenths, target[1] * tenths) for target, _ in cases]
    ours = per_query(
        predict([[(s / 10, e / 10) for s, e in proposals] for _, proposals in cases]),
        np.array([target for target, _ in cases]) / 10,
        params,
    )
    expected = oracle.per_query(exact, truth, params)
    assert list(ours) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-9, err_msg=name)


def test_groups_are_all_rare_common_and_the_bins_in_order() -> None:
    queries = [ask(0, frequency_bin=0, rare=True), ask(1, frequency_bin=3), ask(2)]
    masks = groups(queries, BINS)
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        "all": [True, True, True],
        "rare": [True, False, False],
        "common": [False, True, True],
        "<10": [True, False, False],
        "10-49": [False, False, True],
        "50-99": [False, False, False],
        ">=100": [False, True, False],
    }
    assert list(masks) == ["all", "rare", "common", *BINS]


def test_targets_are_the_annotated_seconds() -> None:
    np.testing.assert_array_equal(targets([ask(0), ask(1, target=(0.0, 1.5))]), [[2, 6], [0, 1.5]])


def test_an_empty_group_has_no_value_and_no_queries() -> None:
    table = metrics_table(
        pd.DataFrame({"mIoU": [0.25, 0.75]}).rename_axis(columns="metric"),
        groups([ask(0), ask(1)], BINS),
        evaluation(resamples=10),
    ).set_index("group")
    assert table.columns.tolist() == ["metric", "value", "low", "high", "queries"]
    assert table["value"]["all"] == 0.5
    assert table["queries"][["all", "rare", "common"]].tolist() == [2, 0, 2]
    assert np.isnan(table.loc["rare", ["value", "low", "high"]].to_numpy(float)).all()


@pytest.mark.parametrize(
    ("rare", "common", "overall"),
    [(19.35, 47.62, 44.51), (22.46, 48.29, 45.45), (46.51, 52.53, 51.87)],
)
def test_the_printed_rare_and_common_recalls_make_up_the_printed_recall(
    rare: float, common: float, overall: float
) -> None:
    # Figure 1b against Table 1, ActivityNet Captions: 11.01 % of the test queries are rare.
    queries = [ask(number, rare=number < 1101) for number in range(10_000)]
    values = pd.DataFrame({"R@1, IoU=0.5": [rare if query.rare else common for query in queries]})
    table = metrics_table(values, groups(queries, ()), evaluation(resamples=1)).set_index("group")
    assert round(float(table["value"]["all"]), 2) == overall


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.floats(0, 1)), min_size=1))
def test_groups_weighted_by_their_queries_make_up_all(cases: list) -> None:
    queries = [ask(i, rare=rare, frequency_bin=bin_) for i, (rare, bin_, _) in enumerate(cases)]
    values = pd.DataFrame({"mIoU": [value for *_, value in cases]})
    table = metrics_table(values, groups(queries, BINS), evaluation(resamples=2)).set_index("group")
    total = table["value"].fillna(0) * table["queries"]
    for partition in (["rare", "common"], list(BINS)):
        assert table.loc[partition, "queries"].sum() == len(cases)
        assert total[partition].sum() == pytest.approx(total["all"])
