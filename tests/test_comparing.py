"""Differences over queries and seeds: hand-made cases first, then what must always hold."""

import numpy as np
import pandas as pd
import pytest

from mgsl.evaluation.bootstrap import paired_difference, resampled_means, unpaired_difference
from mgsl.evaluation.comparing import contrast, differences
from tests.evaluation_oracle import evaluation

PARAMS = evaluation(resamples=200)
EVERY = {"all": np.ones(4, bool), "rare": np.array([True, False, False, False])}
NOBODY = {"none": np.zeros(4, bool)}


def scores(*rows: list[float]) -> list[pd.DataFrame]:
    """A table for each seed, of one metric."""
    return [pd.DataFrame({"hit": row}).rename_axis(columns="metric") for row in rows]


# Four queries, two seeds. By seed, a - b is 2/4 and 1/4 over all, 1 and -1 over the rare query.
A = scores([1, 1, 1, 0], [0, 1, 1, 1])
B = scores([0, 1, 0, 0], [1, 0, 1, 0])


def test_a_hand_made_difference_over_queries_and_seeds() -> None:
    table = differences(A, B, EVERY, PARAMS).set_index("group")
    assert table.loc["all", "value"] == pytest.approx((2 / 4 + 1 / 4) / 2)
    assert table.loc["all", "std"] == pytest.approx((2 / 4 - 1 / 4) / np.sqrt(2))
    assert table.loc["rare", "value"] == 0
    assert table.loc["rare", "std"] == pytest.approx(np.sqrt(2))
    assert table["seeds"].tolist() == [2, 2]
    assert table["queries"].tolist() == [4, 1]


def test_seeds_are_averaged_before_queries_are_drawn() -> None:
    by_query = np.array([[(1 - 1) / 2], [(0 + 1) / 2], [(1 + 0) / 2], [(0 + 1) / 2]])
    low, high = np.quantile(resampled_means(by_query, PARAMS), [0.025, 0.975])
    found = differences(A, B, EVERY, PARAMS).iloc[0]
    assert (found["low"], found["high"]) == (low, high)


def test_the_share_of_seeds_that_agree_with_the_mean() -> None:
    table = differences(A, B, EVERY, PARAMS).set_index("group")
    assert table.loc["all", "agree"] == 1
    mixed = differences(scores([1, 1], [0, 1], [0, 0]), scores([0, 0], [1, 0], [1, 0]),
                        {"all": np.ones(2, bool)}, PARAMS)  # fmt: skip
    assert mixed["value"].iloc[0] == pytest.approx((1 + 0 - 0.5) / 3)
    assert mixed["agree"].iloc[0] == pytest.approx(1 / 3)


def test_one_seed_is_the_paired_bootstrap_and_has_no_spread() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 60))
    table = differences(scores([*a]), scores([*b]), {"all": np.ones(60, bool)}, PARAMS).iloc[0]
    alone = paired_difference(a[:, None], b[:, None], PARAMS)
    assert [table["value"], table["low"], table["high"], table["p"]] == [
        *alone.value, *alone.low, *alone.high, *alone.p,
    ]  # fmt: skip
    assert np.isnan(table["std"])


def test_more_seeds_narrow_what_seeds_alone_decide() -> None:
    rng = np.random.default_rng(0)
    noise = [[*rng.integers(0, 2, 300)] for _ in range(16)]
    masks = {"all": np.ones(300, bool)}
    one, many = (
        differences(scores(*noise[:n]), scores(*noise[8 : 8 + n]), masks, PARAMS).iloc[0]
        for n in (1, 8)
    )
    assert many["high"] - many["low"] < 0.6 * (one["high"] - one["low"])


def test_a_hand_made_contrast_of_two_groups() -> None:
    found = contrast(A, EVERY["rare"], ~EVERY["rare"], PARAMS).iloc[0]
    assert found["value"] == pytest.approx((1 + 0) / 2 - (2 / 3 + 3 / 3) / 2)
    assert found["std"] == pytest.approx(abs((1 - 2 / 3) - (0 - 1)) / np.sqrt(2))
    assert found["queries"] == 1


def test_groups_are_drawn_apart() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((80, 1)), rng.random((150, 1))
    found = unpaired_difference(a, b, PARAMS)
    assert found.value == pytest.approx(a.mean() - b.mean())
    width = 2 * 1.96 * np.sqrt(a.var() / 80 + b.var() / 150)
    assert found.high - found.low == pytest.approx(width, rel=0.2)


def test_a_group_without_queries_has_no_difference() -> None:
    table = differences(A, B, NOBODY, PARAMS)
    assert table[["value", "low", "high", "p", "std"]].isna().all(axis=None)
    assert np.isnan(contrast(A, NOBODY["none"], EVERY["all"], PARAMS)["value"].iloc[0])


def test_another_number_of_seeds_is_refused() -> None:
    with pytest.raises(ValueError, match="1 seeds are compared with 2"):
        differences(A[:1], B, EVERY, PARAMS)
