"""One function for each kind of test a claim can have: an effect, or why there is none."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mgsl import paths
from mgsl.evaluation.comparing import describe, stack
from mgsl.evaluation.intervals import estimate
from mgsl.evaluation.pairs import CONTRAST
from mgsl.reporting.exhibits import slots as sweep
from mgsl.reporting.exhibits.claims import statements
from mgsl.reporting.exhibits.claims.statements import Claim, Effect, Verdict
from mgsl.reporting.read import kept_trainings
from mgsl.reporting.read.comparisons import Comparisons
from mgsl.reporting.read.inspections import Inspected
from mgsl.reporting.read.kept_runs import RunStudy, of_readings
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results

_TIME = ("median_ms", "low_ms", "high_ms")

Test = Callable[[Claim, str, Comparisons, Sequence[Comparisons]], Effect | str]


def difference(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What `a` scores more than `b` in a group of queries, query by query."""
    found = _elsewhere(claim, runs) or _pair(claim, claim.group, measure, runs)
    return found or f"there are no {claim.group} queries"


def rarity(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What rare queries score more than common ones: `a`, or what it scores more than `b`."""
    found = _elsewhere(claim, runs) or _pair(claim, CONTRAST, measure, runs)
    return found or "there are no rare queries, or none but these"


def across(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What `a` scores more than `b` on this benchmark, less the same on ActivityNet Captions."""
    if reason := _elsewhere(claim, runs) or _lacking(claim, runs):
        return reason
    alike = [r for r in everyone if r.source.simulated == runs.source.simulated]
    other = next((r for r in alike if r.source.benchmark == "activitynet"), None)
    if other is None:
        return "the report has no ActivityNet Captions with features of this kind"
    if reason := _lacking(claim, other):
        return reason
    here, there = (
        estimate(
            [
                stack([table[[measure]] for table in one.scores(name)])
                for name in (claim.a, claim.b)
            ],
            [one.groups["all"]],
        )
        for one in (runs, other)
    )
    lead = describe(here.less(there), pd.Index([measure]), runs.params).iloc[0]
    return _points(lead.to_dict() | {"queries": min(len(one.source.test) for one in (runs, other))})


def reading(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What the reading `a` scores more than the recommended one, in the study of readings."""
    study, dataset = of_readings(), runs.source.dataset
    if reason := study.not_run([dataset]):
        return reason
    row = study.row(dataset, claim.a, claim.group, measure)
    if row is None:
        return f"the study of readings has no {claim.a}"
    return _studied(row, "study readings")


def slots(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What more slots than the default score more than it: the sweep's largest such difference.

    Its interval reaches from the lowest to the highest end of all of them.
    """
    study, dataset = RunStudy("slots"), runs.source.dataset
    if reason := study.not_run([dataset]):
        return reason
    rows = sweep.sweep(study, dataset, claim.group, measure)
    more = rows[rows["slots"] > sweep.default(study, dataset)]
    if more.empty:
        return "the sweep has no more slots than the default"
    largest = more.iloc[int(more["difference"].abs().to_numpy().argmax())].copy()
    largest["difference_low"] = more["difference_low"].min()
    largest["difference_high"] = more["difference_high"].max()
    largest["over_trainings"] = more["over_trainings"].all()
    return _studied(largest, "study slots")


def scatter(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """Rank correlation over slots: how frequent a slot's words are, how far its neighbours lie."""
    found = _inspected(claim.a, "scatter", runs)
    if isinstance(found, str):
        return found
    rows = found.scatter().query("memory == @claim.group and unit == 'slots'")
    if rows.empty or rows["correlation"].isna().any():
        return "all slots hold the same"
    row = rows.iloc[0]
    return _trained(row, [row[key] for key in ("correlation", "low", "high")], row["sd"])


def probe(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What `a` scores more with the damage `b` done to its memories than intact."""
    found = _inspected(claim.a, "probes", runs)
    if isinstance(found, str):
        return found
    rows = found.probes().query(
        "probe == @claim.b and group == @claim.group and metric == @measure"
    )
    if rows.empty or rows["difference"].isna().any():
        return "the probe was not made"
    row = rows.iloc[0]
    keys = ("difference", "difference_low", "difference_high")
    return _trained(row, [100 * row[key] for key in keys], 100 * row["difference_sd"])


def share(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """The share of a benchmark's test pairs in a frequency bin, less that of another's if named.

    The interval is that of a sample as large as the test split.
    """
    studies = Studies(str(paths.STUDIES))
    table = studies.table("figures_4_5").query("split == 'test' and bin == @claim.group")
    shares = dict(zip(table["benchmark"], table["share"], strict=True))
    names = [name for name in (claim.a, claim.b) if name]
    variance = sum(shares[n] * (1 - shares[n]) / studies.pairs(n) for n in names)
    value = 100 * (shares[claim.a] - (shares[claim.b] if claim.b else 0))
    half = 196 * float(np.sqrt(variance))
    return Effect(value, value - half, value + half, queries=min(map(studies.pairs, names)))


def cost(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What `a` costs as a share of what `b` costs, at the paper's sizes for TACoS.

    Sizes are counted, so the ends are the ratio itself. Times are medians of a query alone; the
    ends of their ratio are those of opposite quartiles.
    """
    timed = measure == "run time"
    path, keys = (paths.TIMES, _TIME) if timed else (paths.COSTS, ("mib",) * 3)
    if not path.is_file():
        return f"{path} is missing: costs were not {'timed' if timed else 'counted'}"
    rows = pd.read_csv(path).query("setting == 'paper'")
    if timed:
        rows = rows.query("batch == 1 and part == 'total'")
    costs = rows.set_index("name").to_dict("index")
    if lacking := [name for name in (claim.a, claim.b) if name not in costs]:
        return f"the cost of {' and '.join(lacking)} was not measured"
    middle, low, high = keys
    a, b = costs[claim.a], costs[claim.b]
    return Effect(float(a[middle] / b[middle]), float(a[low] / b[high]), float(a[high] / b[low]))


TESTS: dict[str, Test] = {
    "difference": difference,
    "rarity": rarity,
    "across": across,
    "reading": reading,
    "slots": slots,
    "scatter": scatter,
    "probe": probe,
    "share": share,
    "cost": cost,
}


def find(datasets: Sequence[str]) -> list[Verdict]:
    """Test every claim on every dataset.

    Args:
        datasets: names of evaluated datasets.
    """
    runs = [Comparisons(Results(dataset)) for dataset in datasets]
    findings = []
    for claim in statements.read():
        for mine in runs:
            for measure in claim.measures:
                found = TESTS[claim.kind](claim, measure, mine, runs)
                effect = found if isinstance(found, Effect) else None
                reason = found if isinstance(found, str) else ""
                findings.append(Verdict(claim, measure, mine.source, effect, reason))
    return findings


def _elsewhere(claim: Claim, runs: Comparisons) -> str:
    """Why a claim on one benchmark is not tested on this dataset; empty if it is."""
    benchmark = runs.source.benchmark
    if claim.benchmark == "activitynet" or benchmark == claim.benchmark:
        return ""
    return f"{runs.source.dataset} is not {BENCHMARKS[claim.benchmark][0]}"


def _lacking(claim: Claim, runs: Comparisons) -> str:
    lacking = [name for name in (claim.a, claim.b) if name and not runs.has(name)]
    return f"{' and '.join(lacking)} not run on {runs.source.dataset}" if lacking else ""


def _pair(claim: Claim, group: str, measure: str, runs: Comparisons) -> Effect | str | None:
    """From the study of many trainings where it has the pair; else from the runs at hand."""
    kept = kept_trainings.find(runs.source.dataset, claim.a, claim.b, group, measure)
    if kept is not None:
        return _points(kept, kept_trainings.STUDY)
    if reason := _lacking(claim, runs):
        return reason
    found = runs.difference(claim.a, claim.b, group, measure)
    return None if found is None else _points(found)


def _points(found: Any, origin: str = "runs") -> Effect:
    """Fractions as points."""
    ends = [100 * float(found[key]) for key in ("value", "low", "high")]
    better = found.get("better")
    return _trained(found, ends, 100 * found["sd"], better=better, origin=origin)


def _studied(row: pd.Series, origin: str) -> Effect:
    ends = [row[key] for key in ("difference", "difference_low", "difference_high")]
    over = bool(row["over_trainings"])
    return _trained(row, ends, row["difference_sd"], row["better"], origin, over=over)


def _trained(
    row: Any,
    ends: Sequence[float],
    sd: float,
    better: float | None = None,
    origin: str = "runs",
    *,
    over: bool = True,
) -> Effect:
    """An effect that rests on trainings; `row` says on how many, and on how many queries."""
    value, low, high = map(float, ends)
    trainings = int(row["trainings"])
    return Effect(
        value,
        low,
        high,
        sd=None if pd.isna(sd) else float(sd),
        trainings=trainings,
        over_trainings=over and trainings > 1,
        better=None if better is None or pd.isna(better) else float(better),
        queries=int(row["queries"]) if "queries" in row else None,
        origin=origin,
    )


def _inspected(name: str, table: str, runs: Comparisons) -> Inspected | str:
    """What was seen inside a run's memories, over its seeds."""
    source = runs.source
    folders = [paths.inspected(source.dataset, name, seed) for seed in source.config.seeds]
    if missing := [folder for folder in folders if not (folder / f"{table}.csv").is_file()]:
        return f"{missing[0] / table}.csv is missing: the memories were not inspected"
    return Inspected(source, name, source.config.seeds)
