"""Results of other bytes are compared within the noise of training, and verdicts by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mgsl.evaluation import trainings
from mgsl.evaluation.trainings import ONE, OUTSIDE, SAME, WITHIN
from mgsl.tools import agreement

CLAIMS = "claim,measure,dataset,group,verdict_here,verdict"


def metrics(values: dict[str, list[float]]) -> pd.DataFrame:
    """metrics.csv of one measure: a value for each seed of each run."""
    rows = [
        {"name": name, "seed": seed, "group": "all", "metric": "mIoU", "value": value}
        for name, of_seeds in values.items()
        for seed, value in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows)


def compare(before: list[float], after: list[float]) -> str:
    tables = [trainings.over_trainings(metrics({"a": values})) for values in (before, after)]
    return str(trainings.compare(*tables)["outcome"].item())


def test_trainings_are_told_by_mean_spread_and_number() -> None:
    table = trainings.over_trainings(metrics({"b": [0.5], "a": [0.1, 0.2, 0.4]}))
    assert list(table.columns) == ["name", "group", "metric", "mean", "sd", "trainings"]
    assert list(table["name"]) == ["b", "a"]
    assert table["mean"].tolist() == [0.5, 0.233333]
    assert np.isnan(table["sd"][0])
    assert table["sd"][1] == pytest.approx(np.std([0.1, 0.2, 0.4], ddof=1), abs=1e-6)
    assert table["trainings"].tolist() == [1, 3]


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ([0.50, 0.52, 0.54], [0.50, 0.52, 0.54], SAME),
        ([0.50, 0.52, 0.54], [0.51, 0.54, 0.56], WITHIN),
        ([0.50, 0.52, 0.54], [0.70, 0.72, 0.74], OUTSIDE),
        ([0.50], [0.51], ONE),
        ([0.50], [0.50], SAME),
        ([0.50, 0.52, 0.54], [0.52], ONE),
        ([0.50, 0.50], [0.50, 0.500003], WITHIN),  # no noise at all, and nothing but rounding
        ([0.50, 0.50], [0.51, 0.51], OUTSIDE),
    ],
)
def test_means_agree_within_the_noise_of_their_trainings(
    before: list[float], after: list[float], outcome: str
) -> None:
    assert compare(before, after) == outcome


def test_the_noise_is_welchs() -> None:
    # Two of 0.02 over 3: variance 2 * 0.0004 / 3, four degrees of freedom, t = 2.776
    assert trainings.noise(0.02, 3, 0.02, 3) == pytest.approx(
        2.776 * 0.02 * (2 / 3) ** 0.5, rel=1e-3
    )
    assert np.isnan(trainings.noise(float("nan"), 1, 0.02, 3))


def test_means_of_the_same_trainings_lie_within_the_noise_as_often_as_is_said() -> None:
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((2000, 2, 3))
    inside = [
        abs(a.mean() - b.mean()) <= trainings.noise(a.std(ddof=1), 3, b.std(ddof=1), 3)
        for a, b in draws
    ]
    assert 0.94 < np.mean(inside) < 0.985


def test_chance_may_bring_some_outside_but_not_many() -> None:
    assert trainings.allowed(1) == 0.5
    assert trainings.allowed(19) == pytest.approx(4 / 19)
    assert trainings.allowed(400) < 0.08


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    here, there = tmp_path / "here", tmp_path / "there"
    for root in (here, there):
        for folder in ("reports/metrics", "reports/exhibits"):
            (root / folder).mkdir(parents=True)
    return here, there


def write(root: Path, values: dict[str, list[float]], dataset: str = "embedded") -> None:
    table = trainings.over_trainings(metrics(values))
    table.to_csv(root / f"reports/metrics/{dataset}.csv", index=False)


def test_measures_are_counted_and_those_outside_are_named(trees: tuple[Path, Path]) -> None:
    here, there = trees
    assert agreement.compare(here, there) is None
    steady = {f"run{i}": [0.5, 0.52, 0.54] for i in range(9)}
    write(here, steady | {"mgsl_net": [0.50, 0.52, 0.54]})
    write(there, steady | {"run0": [0.51, 0.54, 0.56], "mgsl_net": [0.6, 0.62, 0.64]})
    met = agreement.compare(here, there)
    assert met is not None
    assert (met.count(SAME), met.count(WITHIN), met.count(OUTSIDE)) == (8, 1, 1)
    first, chance, outside = met.lines()
    assert first == (
        "10 measures (run, group, metric; mean over trainings): 8 the same number, "
        "1 within the noise of training, 1 outside it"
    )
    assert chance == "by chance alone about 0 of 2 would lie outside"
    assert outside == "  embedded, mgsl_net, all, mIoU: 52.00 -> 62.00 percent, noise up to 4.53"
    write(there, {name: [v + 0.1 for v in values] for name, values in steady.items()})
    met = agreement.compare(here, there)
    assert met is not None
    assert not met.within
    assert "embedded, mgsl_net: in one of the two alone" in list(met.lines())


def test_one_training_has_no_noise_to_compare_with(trees: tuple[Path, Path]) -> None:
    here, there = trees
    write(here, {"a": [0.5], "b": [0.5]})
    write(there, {"a": [0.51], "b": [0.5]})
    met = agreement.compare(here, there)
    assert met is not None
    assert met.unjudged
    assert "1 of one training, which has no noise to compare with" in next(met.lines())


def test_datasets_that_were_never_committed_are_named(trees: tuple[Path, Path]) -> None:
    here, there = trees
    write(there, {"a": [0.5, 0.6]}, dataset="tacos_planted")
    met = agreement.compare(here, there)
    assert met is not None
    assert met.unjudged
    assert "there are no committed means over trainings of tacos_planted" in list(met.lines())


def test_changed_verdicts_are_told_by_name(trees: tuple[Path, Path]) -> None:
    here, there = trees
    assert agreement.changed_verdicts(here, there) is None
    rows = [
        "memory,mIoU,embedded,all,supported,not tested",
        "memory,mIoU,embedded,rare,undecided,x",
    ]
    (here / agreement.CLAIMS).write_text("\n".join([CLAIMS, *rows, "old,mIoU,embedded,all,a,b"]))
    assert agreement.changed_verdicts(here, here) == []
    rows[0] = rows[0].replace("supported", "contradicted")
    (there / agreement.CLAIMS).write_text("\n".join([CLAIMS, *rows]))
    assert agreement.changed_verdicts(here, there) == [
        "  memory (mIoU, all, embedded): supported -> contradicted",
        "  old (mIoU, all, embedded): a -> not tested",
    ]
