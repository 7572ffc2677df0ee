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

from mgsl.evaluation.pairs import METRICS, VISIBLE
from mgsl.reporting.exhibits.claims import statements
from mgsl.reporting.exhibits.claims.statements import Claim
from mgsl.reporting.read import kept_trainings, published
from mgsl.reporting.read.comparisons import Comparisons
from mgsl.reporting.read.results import Results

GROUPS = ("all", "rare")
PAIR = ("mgsl_net", "attention_only")  # with and without the memory: what is of most interest
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


def of_methods(runs: Comparisons) -> pd.DataFrame:
    """What all trainings of each run say together.

    Returns:
        A row for each run, group of `GROUPS` and metric: dataset, name, title, group, metric;
        mean, low, high, sd, lowest and highest training in percent and points; the shares of the
        interval's variance of_queries and of_trainings; trainings, queries, origin.
    """
    rows = []
    for name in runs.source.config.names:
        by_training = trainings(runs, name)
        for group in GROUPS:
            for metric in METRICS:
                found, origin = _row(runs, name, "", group, metric)
                if found is None:
                    continue
                own = by_training.query("group == @group and metric == @metric")["value"]
                numbers = {key: found[key] for key in ("low", "high", "sd")}
                numbers |= {"mean": found["value"], "lowest": own.min(), "highest": own.max()}
                rows.append(
                    {"dataset": runs.source.dataset, "name": name, "title": published.title(name)}
                    | {"group": group, "metric": metric}
                    | {key: round(100 * numbers[key], 2) for key in _SHARES}
                    | {key: round(found[key], 4) for key in ("of_queries", "of_trainings")}
                    | {key: int(found[key]) for key in ("trainings", "queries")}
                    | {"origin": origin}
                )
    return pd.DataFrame(rows)


def trainings(runs: Comparisons, name: str) -> pd.DataFrame:
    """What each training of a run scores (`pairs.of_trainings`), in fractions."""
    kept = kept_trainings.trainings(runs.source.dataset, name)
    return runs.trainings(name) if kept is None else kept


def visible(runs: Comparisons, group: str, metric: str) -> dict[int, float]:
    """The smallest visible effect of the memory by the number of trainings; points.

    Empty where the two configurations were not both run, or were trained once.
    """
    found, _ = _row(runs, *PAIR, group, metric)
    return _visible(found)


def effects(runs: Comparisons | None = None) -> list[PrintedEffect]:
    """The differences of Tables 1 and 3-5 that the paper makes claims of, on ActivityNet Captions.

    Args:
        runs: what they are held against; None: nothing.
    """
    chosen = [
        claim
        for claim in statements.read()
        if claim.place in _PLACES
        and claim.kind == "difference"
        and claim.benchmark == "activitynet"
    ]
    return [
        _effect(claim, measure, printed, runs)
        for claim in chosen
        for measure in claim.measures
        if (printed := statements.printed(claim, measure)) is not None
    ]


def sources(datasets: Sequence[str]) -> list[Comparisons]:
    """The runs on some evaluated datasets."""
    return [Comparisons(Results(dataset)) for dataset in datasets]


def _effect(claim: Claim, measure: str, printed: float, runs: Comparisons | None) -> PrintedEffect:
    if runs is None:
        return PrintedEffect(claim, measure, printed, {}, reason="nothing was run")
    found, _ = _row(runs, claim.a, claim.b, claim.group, measure)
    if found is None:
        lacking = [name for name in (claim.a, claim.b) if not runs.has(name)]
        reason = f"{' and '.join(lacking)} not run on {runs.source.dataset}"
        return PrintedEffect(claim, measure, printed, {}, reason=reason)
    number = int(found["trainings"])
    reason = "trained once: nothing is known of another training" if number == 1 else ""
    return PrintedEffect(claim, measure, printed, _visible(found), number, reason)


def _row(runs: Comparisons, a: str, b: str, group: str, metric: str) -> tuple[Any, str]:
    """A row of `pairs.of_pair` and where it is from: the kept study, or the runs at hand."""
    kept = kept_trainings.find(runs.source.dataset, a, b, group, metric)
    if kept is not None:
        return kept, kept_trainings.STUDY
    return runs.difference(a, b, group, metric), "runs"


def _visible(found: "pd.Series | None") -> dict[int, float]:
    if found is None or pd.isna(found[f"visible_{VISIBLE[0]}"]):
        return {}
    return {number: 100 * float(found[f"visible_{number}"]) for number in VISIBLE}
