"""Differences over queries and trainings: hand-made cases first, then what must always hold."""

import numpy as np
import pandas as pd
import pytest

from mgsl.evaluation.bootstrap import paired_difference, unpaired_difference
from mgsl.evaluation.comparing import contrast, differences, means
from mgsl.evaluation.pairs import CONTRAST, of_pair, of_trainings
from tests.evaluation.oracle import evaluation

PARAMS = evaluation(resamples=200)
EVERY = {"all": np.ones(4, bool), "rare": np.array([True, True, False, False])}
NOBODY = {"none": np.zeros(4, bool)}


def scores(*rows: list[float]) -> list[pd.DataFrame]:
    """A table for each seed, of one metric."""
    return [pd.DataFrame({"hit": row}).rename_axis(columns="metric") for row in rows]


# Four queries, two seeds. The means of A are 3/4 and 3/4, those of B 1/4 and 2/4.
A = scores([1, 1, 1, 0], [0, 1, 1, 1])
B = scores([0, 1, 0, 0], [1, 0, 1, 0])


def test_a_hand_made_difference_over_queries_and_seeds() -> None:
    table = differences(A, B, EVERY, PARAMS).set_index("group")
    assert table.loc["all", "value"] == pytest.approx(3 / 4 - 3 / 8)
    assert table.loc["all", "sd"] == pytest.approx(np.sqrt(0 + (1 / 4) ** 2 / 2))
    assert table.loc["all", "better"] == 1
    assert table.loc["rare", "value"] == pytest.approx(3 / 4 - 1 / 2)
    assert table.loc["rare", "better"] == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)
    assert table["trainings"].tolist() == [2, 2]
    assert table["queries"].tolist() == [4, 2]
    assert (table["low"] < table["value"]).all()


def test_the_same_trainings_scored_in_two_ways_are_compared_one_by_one() -> None:
    worse = [table - 0.25 for table in A]
    table = differences(worse, A, EVERY, PARAMS, paired=True).iloc[0]
    assert [table[key] for key in ("value", "low", "high")] == [-0.25] * 3
    assert table["better"] == 0
    apart = differences(worse, A, EVERY, PARAMS).iloc[0]
    assert apart["high"] == pytest.approx(-0.25)  # the means of A do not differ
    with pytest.raises(ValueError, match="1 trainings are compared with 2"):
        differences(A[:1], B, EVERY, PARAMS, paired=True)


def test_methods_may_have_different_numbers_of_trainings() -> None:
    table = differences([*A, *A], B, EVERY, PARAMS).iloc[0]
    assert table["trainings"] == 2
    alone = differences(A[:1], B, EVERY, PARAMS).iloc[0]
    assert alone["trainings"] == 1
    assert np.isnan(alone["sd"])


def test_one_seed_is_the_paired_bootstrap_and_has_no_spread() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 60))
    table = differences(scores([*a]), scores([*b]), {"all": np.ones(60, bool)}, PARAMS).iloc[0]
    alone = paired_difference(a[:, None], b[:, None], PARAMS)
    assert [table["value"], table["low"], table["high"]] == [*alone.value, *alone.low, *alone.high]
    assert table[["sd", "of_queries", "of_trainings"]].isna().all()


def test_more_seeds_narrow_what_seeds_alone_decide() -> None:
    rng = np.random.default_rng(0)
    noise = [[*rng.integers(0, 2, 300)] for _ in range(24)]
    masks = {"all": np.ones(300, bool)}
    few, many = (
        differences(scores(*noise[:n]), scores(*noise[12 : 12 + n]), masks, PARAMS).iloc[0]
        for n in (2, 12)
    )
    assert many["high"] - many["low"] < 0.6 * (few["high"] - few["low"])


def test_means_stay_within_0_and_1() -> None:
    table = means(scores([1, 1, 1, 0], [1, 1, 1, 1]), EVERY, PARAMS).iloc[0]
    assert table["value"] == pytest.approx(7 / 8)
    assert table["high"] == 1
    assert table["sd"] == pytest.approx(0.25 / np.sqrt(2))


def test_a_hand_made_contrast_of_two_groups() -> None:
    gap = contrast([A], EVERY["rare"], ~EVERY["rare"], PARAMS).iloc[0]
    assert gap["value"] == pytest.approx((1 + 0.5) / 2 - (0.5 + 1) / 2)
    assert gap["sd"] == pytest.approx(abs((1 - 0.5) - (0.5 - 1)) / np.sqrt(2))
    assert gap["queries"] == 2
    lead = contrast([A, B], EVERY["rare"], ~EVERY["rare"], PARAMS).iloc[0]
    assert lead["value"] == pytest.approx(0 - (0.5 - 0.25))
    assert lead["better"] == pytest.approx((0.5 + 1 + 0 + 0) / 4)


def test_groups_are_drawn_apart() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((80, 1)), rng.random((150, 1))
    difference = unpaired_difference(a, b, PARAMS)
    assert difference.value == pytest.approx(a.mean() - b.mean())
    width = 2 * 1.96 * np.sqrt(a.var() / 80 + b.var() / 150)
    assert difference.high - difference.low == pytest.approx(width, rel=0.2)


def test_a_group_without_queries_has_no_difference() -> None:
    table = differences(A, B, NOBODY, PARAMS)
    assert table[["value", "low", "high", "sd", "better"]].isna().all(axis=None)
    assert np.isnan(contrast([A], NOBODY["none"], EVERY["all"], PARAMS)["value"].iloc[0])


def test_the_rows_of_a_pair_are_those_of_its_groups_and_their_contrast() -> None:
    rng = np.random.default_rng(0)
    metrics = ["R@1, IoU=0.5", "R@1, IoU=0.7"]
    a, b = (
        [pd.DataFrame(rng.random((90, 2)), columns=metrics).rename_axis(columns="metric")
         for _ in range(3)] for _ in "ab"
    )  # fmt: skip
    rare = np.arange(90) < 30
    masks = {"all": np.ones(90, bool), "rare": rare, "common": ~rare}
    table = of_pair(a, b, masks, PARAMS)
    assert table["group"].unique().tolist() == ["all", "rare", "common", CONTRAST]
    assert len(table) == 8
    less = differences(a, b, masks, PARAMS)
    np.testing.assert_array_equal(table["low"][:6], less["low"])
    half = (table["high"] - table["low"]) / 2
    np.testing.assert_allclose(table["visible_3"], half)
    assert (table["visible_10"] < table["visible_3"]).all()
    single = of_pair(a[:1], None, masks, PARAMS)
    assert single[["visible_3", "better"]].isna().all(axis=None)
    rows = of_trainings(a, [4, 5, 6], masks)
    assert rows["seed"].unique().tolist() == [4, 5, 6]
    first = rows.query("seed == 4 and group == 'rare'")["value"].iloc[0]
    assert first == pytest.approx(a[0].loc[rare, metrics[0]].mean())
