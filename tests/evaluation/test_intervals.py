"""Intervals over queries and trainings: by hand, then as often right as they say."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mgsl.evaluation.bootstrap import interval, unpaired_difference
from mgsl.evaluation.intervals import Estimate, Measured, better, estimate
from tests.evaluation.oracle import evaluation

PARAMS = evaluation(resamples=200)
ALL = np.ones(4000, bool)
RARE = np.arange(4000) < 220
CHUNK = 100  # benchmarks that are simulated together
CHUNKS = {3: 30, 5: 12, 10: 12}  # by the number of trainings

# Two trainings of four queries, one metric.
Y = np.array([[1.0, 1, 0, 0], [0, 1, 1, 1]])[..., None]
EVERY = np.ones(4, bool)


def components(scores: np.ndarray) -> tuple[float, float, float]:
    """A, B and C of scores[training, query] as slow, literal sums."""
    trainings, queries = scores.shape
    rows = [sum(row) / queries for row in scores]
    columns = [sum(column) / trainings for column in scores.T]
    mean = sum(rows) / trainings
    a = sum((c - mean) ** 2 for c in columns) / (queries - 1) / queries
    b = sum((r - mean) ** 2 for r in rows) / (trainings - 1) / trainings
    c = sum(
        (scores[s, q] - rows[s] - columns[q] + mean) ** 2
        for s, q in itertools.product(range(trainings), range(queries))
    ) / ((trainings - 1) * (queries - 1))
    return a, b, c / (trainings * queries)


def test_the_interval_of_a_mean_is_that_of_literal_sums() -> None:
    scores = np.random.default_rng(0).random((5, 40)) + np.arange(5)[:, None] / 10
    a, b, c = components(scores)
    mean = estimate([scores[..., None]], [np.ones(40, bool)]).measured(PARAMS)
    raised = b + 3 / 4 * max(b - c, 0)
    freedom = (a + raised) ** 2 / (a**2 / 39 + raised**2 / 4)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(max(a, b, a + b - c))
    assert mean.value == pytest.approx([scores.mean()])
    assert mean.low == pytest.approx([scores.mean() - half])
    assert mean.high == pytest.approx([scores.mean() + half])
    assert mean.sd == pytest.approx([scores.mean(axis=1).std(ddof=1)])
    assert mean.trainings == 5


def test_a_difference_has_one_set_of_queries_and_two_of_trainings() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((3, 30)), rng.random((7, 30))
    difference = estimate([x[..., None], y[..., None]], [np.ones(30, bool)])
    (_, b, c), (_, d, e) = components(x), components(y)
    a = np.var(x.mean(axis=0) - y.mean(axis=0), ddof=1) / 30
    raised, other = b + 3 / 2 * max(b - c, 0), d + 3 / 6 * max(d - e, 0)
    freedom = (a + raised + other) ** 2 / (a**2 / 29 + raised**2 / 2 + other**2 / 6)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(max(a, b + d, a + b + d - c - e))
    measured = difference.measured(PARAMS)
    assert measured.high - measured.value == pytest.approx([half])
    assert measured.trainings == 3
    assert measured.sd == pytest.approx([np.sqrt(3 * b + 7 * d)])


def test_groups_are_asked_of_the_same_trainings() -> None:
    scores = np.random.default_rng(0).random((4, 50)) + np.arange(4)[:, None]
    rare = np.arange(50) < 20
    difference = estimate([scores[..., None]], [rare, ~rare])
    by_training = scores[:, rare].mean(axis=1) - scores[:, ~rare].mean(axis=1)
    assert difference.value == pytest.approx([by_training.mean()])
    assert difference.sd == pytest.approx([by_training.std(ddof=1)])
    assert difference.sd < 0.2  # what a training gives both groups falls out


def test_damage_done_to_the_same_trainings_is_the_mean_of_its_differences() -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 1, (5, 1, 1))  # of each training, much larger than the damage
    intact = rng.random((5, 60, 1)) + luck
    damaged = intact - 0.1 + rng.normal(0, 0.01, intact.shape)
    alone = estimate([damaged - intact], [np.ones(60, bool)]).measured(PARAMS)
    apart = estimate([damaged, intact], [np.ones(60, bool)]).measured(PARAMS)
    assert alone.high < 0 < apart.high
    assert alone.value == pytest.approx(apart.value)


def test_of_one_training_the_interval_is_the_bootstrap_over_queries() -> None:
    scores = np.random.default_rng(0).random((1, 60, 2))
    rare = np.arange(60) < 20
    mean = estimate([scores], [np.ones(60, bool)]).measured(PARAMS)
    np.testing.assert_array_equal([mean.low, mean.high], interval(scores[0], PARAMS))
    assert mean.trainings == 1
    assert np.isnan(mean.sd).all()
    groups = estimate([scores], [rare, ~rare]).measured(PARAMS)
    expected = unpaired_difference(scores[0, rare], scores[0, ~rare], PARAMS)
    np.testing.assert_array_equal([groups.low, groups.high], [expected.low, expected.high])


def test_where_nothing_varies_the_interval_has_no_width() -> None:
    mean = estimate([np.full((3, 20, 1), 0.5)], [np.ones(20, bool)]).measured(PARAMS)
    assert mean.low == mean.high == 0.5


def test_what_does_not_apply_or_has_no_queries_is_nan() -> None:
    nobody = estimate([Y], [np.zeros(4, bool)]).measured(PARAMS)
    assert np.isnan([nobody.value, nobody.low, nobody.high]).all()
    missing = estimate([np.full((3, 5, 1), np.nan)], [np.ones(5, bool)]).measured(PARAMS)
    assert np.isnan([missing.value, missing.low, missing.high]).all()
    one_query = estimate([Y], [np.arange(4) == 0]).measured(PARAMS)
    assert one_query.value == 0.5
    assert np.isnan(one_query.low)


def test_an_estimate_of_other_queries_and_trainings_adds_all_its_parts() -> None:
    rng = np.random.default_rng(0)
    here, there = rng.random((3, 40, 1)), rng.random((4, 70, 1))
    parts = [estimate([scores], [np.ones(scores.shape[1], bool)]) for scores in (here, there)]
    lead = parts[0].less(parts[1])
    assert lead.value == pytest.approx(here.mean() - there.mean())
    a, b = (p.visible(300, 0.95) for p in parts)
    assert lead.visible(300, 0.95) == pytest.approx(np.hypot(a, b), rel=0.02)


def test_shares_of_the_variance_tell_queries_from_trainings() -> None:
    rng = np.random.default_rng(0)
    queries, trainings = rng.normal(0, 1, (1, 500, 1)), rng.normal(0, 1, (6, 1, 1))
    noise = rng.normal(0, 0.01, (6, 500, 1))
    every = [np.ones(500, bool)]
    of_queries, of_trainings = estimate([queries + noise], every).shares()
    assert of_queries[0] > 0.99
    assert of_trainings[0] < 0.01
    of_queries, of_trainings = estimate([trainings + noise], every).shares()
    assert of_queries[0] < 0.01
    assert of_trainings[0] > 0.99


def test_what_can_be_seen_with_as_many_trainings_as_there_are_is_the_interval() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 4, 300, 1)) + rng.normal(0, 0.1, (2, 4, 1, 1))
    difference = estimate([x, y], [np.ones(300, bool)])
    measured = difference.measured(PARAMS)
    assert difference.visible(4, 0.95) == pytest.approx(measured.high - measured.value)
    widths = [difference.visible(trainings, 0.95)[0] for trainings in (3, 5, 10, 40)]
    assert widths == sorted(widths, reverse=True)


def test_the_share_of_pairs_of_trainings_in_which_one_is_better() -> None:
    a, b = np.array([[3.0], [1.0]]), np.array([[2.0], [1.0], [0.0]])
    assert better(a, b) == pytest.approx([(3 + 0.5 + 1) / 6])
    assert better(a, a, paired=True) == [0.5]
    assert better(a, a - 1, paired=True) == [1]
    assert np.isnan(better(a * np.nan, b)).all()


def simulate(
    trainings: int, sd: float, rng: np.random.Generator
) -> Iterator[tuple[list[np.ndarray], dict[str, float]]]:
    """Benchmarks of 4,000 queries and two methods, hit or miss, and what is true of them.

    A query is a hit where a normal number is above 0: what the query is to both methods, to one,
    and to one training, in equal parts, beside the luck of a training, with all queries and with
    the rare ones, of standard deviation `sd` (a share of queries).

    Yields:
        Scores [trainings, queries, benchmarks] of both methods, and the true numbers.
    """
    width, third = sd / stats.norm.pdf(0), np.sqrt(1 / 3)
    level = np.where(RARE, -0.3, 0.0)[:, None]
    spread = np.sqrt(1 + width**2), np.sqrt(1 + 2 * width**2)  # common, rare
    means = {}
    for method, lead in enumerate((0.1, 0.0)):
        means["common", method] = stats.norm.cdf(lead / spread[0])
        means["rare", method] = stats.norm.cdf((lead - 0.3) / spread[1])
        share = RARE.mean()
        means["all", method] = share * means["rare", method] + (1 - share) * means["common", method]
    truth = {
        "all": means["all", 0],
        "rare": means["rare", 0],
        "rare less common": means["rare", 0] - means["common", 0],
        "difference": means["all", 0] - means["all", 1],
        "difference, rare": means["rare", 0] - means["rare", 1],
    }
    truth["difference of differences"] = truth["rare less common"] - (
        means["rare", 1] - means["common", 1]
    )
    for _ in range(CHUNKS[trainings]):
        normal = lambda *shape: rng.standard_normal(shape, dtype=np.float32)  # noqa: E731
        shared = third * normal(4000, CHUNK)
        methods = []
        for lead in (0.1, 0.0):
            query = shared + third * normal(4000, CHUNK) + level + lead
            luck = width * normal(trainings, 1, CHUNK)
            latent = query + third * normal(trainings, 4000, CHUNK) + luck
            latent[:, RARE] += width * normal(trainings, 1, CHUNK)
            methods.append((latent > 0).astype(np.float64))
        yield methods, truth


def estimates(methods: list[np.ndarray]) -> dict[str, Estimate]:
    return {
        "all": estimate(methods[:1], [ALL]),
        "rare": estimate(methods[:1], [RARE]),
        "rare less common": estimate(methods[:1], [RARE, ~RARE]),
        "difference": estimate(methods, [ALL]),
        "difference, rare": estimate(methods, [RARE]),
        "difference of differences": estimate(methods, [RARE, ~RARE]),
    }


@pytest.mark.parametrize("sd", [0.015, 0.05])
@pytest.mark.parametrize("trainings", [3, 5, 10])
def test_the_interval_covers_the_truth_as_often_as_it_says(trainings: int, sd: float) -> None:
    rng = np.random.default_rng(trainings)
    covered: dict[str, list[np.ndarray]] = {}
    alone: dict[str, list[np.ndarray]] = {}
    for methods, truth in simulate(trainings, sd, rng):
        for name, one in estimates(methods).items():
            measured = one.measured(PARAMS)
            inside = (measured.low <= truth[name]) & (truth[name] <= measured.high)
            covered.setdefault(name, []).append(inside)
            a = sum(part.var(axis=0, ddof=1) / len(part) for part in one.by_query)
            alone.setdefault(name, []).append(abs(one.value - truth[name]) <= 1.96 * np.sqrt(a))
    shares = {name: float(np.mean(parts)) for name, parts in covered.items()}
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares
    assert np.mean(alone["all"]) < 0.9
    assert np.mean(alone["difference"]) < 0.9
    if sd == 0.05:
        assert all(np.mean(parts) < 0.93 for parts in alone.values())


def test_a_row_of_a_table_is_one_number_in_the_unit_that_is_wanted() -> None:
    row = pd.Series({"value": 0.5, "low": 0.25, "high": 0.75, "sd": 0.125, "trainings": 3})
    assert Measured.of(row, scale=100.0) == Measured(50.0, 25.0, 75.0, 12.5, 3)
    other = {"value": "d", "low": "d_low", "high": "d_high", "sd": "d_sd"}
    assert Measured.of(row.rename(other), prefix="d") == Measured(0.5, 0.25, 0.75, 0.125, 3)
