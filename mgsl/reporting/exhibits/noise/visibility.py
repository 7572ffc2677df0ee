"""The noise of training: how far apart trainings lie that differ in nothing but the seed.

What it lets one see follows: the smallest difference of two methods that an interval over queries
and trainings tells from zero, for several numbers of trainings, beside the differences that the
paper prints. Numbers are those of the kept study of Tables 3-5 where it has them, and else of the
runs at hand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.pairs import VISIBLE
from mgsl.reporting.read import claims, kept_trainings, published
from mgsl.reporting.read.claims import Claim
from mgsl.reporting.read.compared import FULL, WITHOUT
from mgsl.reporting.read.results import Results

GROUPS = ("all", "rare")
PAIR = (FULL, WITHOUT)  # with and without the memory: what is of most interest
_PLACES = ("Table 1", "Table 3", "Table 4", "Table 5")
_SHARES = ("mean", "low", "high", "sd", "lowest", "highest")


@dataclass(frozen=True)
class PrintedEffect:
    """A difference that the paper prints, and what would be seen of it here; points.

    `visible` has the smallest visible difference by the number of trainings of each side, empty
    where there is none; `reason` says why.
    """

    claim: Claim
    measure: str
    printed: float
    visible: dict[int, float]
    trainings: int = 0
    reason: str = ""

    @property
    def seen_with(self) -> int | None:
        """The fewest of the numbers of trainings that show it; None if none does."""
        fitting = [n for n, least in self.visible.items() if abs(self.printed) > least]
        return min(fitting, default=None)


def results_of(datasets: Sequence[str]) -> list[Results]:
    """The results on some evaluated datasets, read once for the figure and both tables."""
    return [Results(dataset) for dataset in datasets]


def of_methods(results: Results) -> pd.DataFrame:
    """What all trainings of each run say together.

    Returns:
        A row for each run, group of `GROUPS` and metric: dataset, name, title, group, metric;
        mean, low, high, sd, lowest and highest training in percent and points; the shares of the
        interval's variance of_queries and of_trainings; trainings, queries, origin.
    """
    rows = []
    for name in results.config.names:
        by_training = trainings(results, name)
        for group in GROUPS:
            for metric in METRICS:
                row, origin = _row(results, name, "", group, metric)
                if row is None:
                    continue
                own = by_training.loc[
                    (by_training["group"] == group) & (by_training["metric"] == metric), "value"
                ]
                numbers = {key: row[key] for key in ("low", "high", "sd")}
                numbers |= {"mean": row["value"], "lowest": own.min(), "highest": own.max()}
                rows.append(
                    {"dataset": results.dataset, "name": name, "title": published.title(name)}
                    | {"group": group, "metric": metric}
                    | {key: round(100 * numbers[key], 4) for key in _SHARES}
                    | {key: round(row[key], 4) for key in ("of_queries", "of_trainings")}
                    | {key: int(row[key]) for key in ("trainings", "queries")}
                    | {"origin": origin}
                )
    return pd.DataFrame(rows)


def trainings(results: Results, name: str) -> pd.DataFrame:
    """What each training of a run scores (`pairs.of_trainings`), in fractions."""
    kept = kept_trainings.trainings(results.dataset, name)
    return results.runs.trainings(name) if kept is None else kept


def visible(results: Results, group: str, metric: str) -> dict[int, float]:
    """The smallest visible effect of the memory by the number of trainings; points.

    Empty where the two configurations were not both run, or were trained once.
    """
    row, _ = _row(results, *PAIR, group, metric)
    return _visible(row)


def effects(results: Results | None = None) -> list[PrintedEffect]:
    """The differences of Tables 1 and 3-5 that the paper makes claims of, on ActivityNet Captions.

    Args:
        results: what they are held against; None: nothing.
    """
    tested = [
        claim
        for claim in claims.read()
        if claim.place in _PLACES
        and claim.kind == "difference"
        and claim.benchmark == "activitynet"
    ]
    return [
        _effect(claim, measure, printed, results)
        for claim in tested
        for measure in claim.measures
        if measure in METRICS and (printed := claims.printed(claim, measure)) is not None
    ]


def _effect(claim: Claim, measure: str, printed: float, results: Results | None) -> PrintedEffect:
    if results is None:
        return PrintedEffect(claim, measure, printed, {}, reason="nothing was run")
    row, _ = _row(results, claim.a, claim.b, claim.group, measure)
    if row is None:
        lacking = [name for name in (claim.a, claim.b) if not results.runs.has(name)]
        reason = f"{' and '.join(lacking)} not run on {results.dataset}"
        return PrintedEffect(claim, measure, printed, {}, reason=reason)
    number = int(row["trainings"])
    reason = "trained once: the variation between trainings is unknown" if number == 1 else ""
    return PrintedEffect(claim, measure, printed, _visible(row), number, reason)


def _row(results: Results, a: str, b: str, group: str, metric: str) -> tuple[Any, str]:
    """A row of `pairs.of_pair` and where it is from: the kept study, or the runs at hand."""
    kept = kept_trainings.find(results.dataset, a, b, group, metric)
    if kept is not None:
        return kept, kept_trainings.STUDY
    return results.runs.difference(a, b, group, metric), "runs"


def _visible(row: "pd.Series | None") -> dict[int, float]:
    if row is None or pd.isna(row[f"visible_{VISIBLE[0]}"]):
        return {}
    return {number: 100 * float(row[f"visible_{number}"]) for number in VISIBLE}
