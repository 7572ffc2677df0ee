"""One function for each kind of test a claim can have: an effect, or why there is none."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mgsl import paths
from mgsl.evaluation.comparing import describe, stack
from mgsl.evaluation.intervals import Estimate, estimate
from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.pairs import CONTRAST
from mgsl.reporting.exhibits.claims.statements import Effect, Verdict
from mgsl.reporting.read import claims, kept_trainings, studied
from mgsl.reporting.read.answer_costs import Costs
from mgsl.reporting.read.claims import Claim
from mgsl.reporting.read.inspections import Inspected
from mgsl.reporting.read.kept_runs import of_readings, of_slots
from mgsl.reporting.read.kept_studies import Studies
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results

_NOT_COMPARED = "no kept study compares such runs"
_NO_QUERIES = "kept studies do not tell what each query scores"
_STUDIES = "kept studies"
_TIME = ("median_ms", "low_ms", "high_ms")

Test = Callable[[Claim, str, Results, Sequence[Results]], Effect | str]


def difference(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """What `a` scores more than `b` in a group of queries, query by query."""
    outcome = _elsewhere(claim, results) or _pair(claim, claim.group, measure, results)
    return outcome or f"there are no {claim.group} queries"


def rarity(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """What rare queries score more than common ones: `a`, or what it scores more than `b`."""
    outcome = _elsewhere(claim, results) or _pair(claim, CONTRAST, measure, results)
    return outcome or "there are no rare queries, or none but these"


def across(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """What `a` scores more than `b` on this benchmark, less the same on ActivityNet Captions."""
    if reason := _elsewhere(claim, results) or _lacking(claim, results):
        return reason
    if not results.at_hand:
        return _NO_QUERIES
    alike = [other for other in everyone if other.simulated == results.simulated]
    other = next((other for other in alike if other.benchmark == "activitynet"), None)
    if other is None:
        return "the report has no ActivityNet Captions with features of this kind"
    if reason := _lacking(claim, other):
        return reason
    here, there = (_lead(claim, measure, one) for one in (results, other))
    lead = describe(here.less(there), pd.Index([measure]), results.runs.params).iloc[0]
    return _points(lead.to_dict() | {"queries": min(len(one.test) for one in (results, other))})


def reading(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """What the reading `a` scores more than the recommended one, in the study of readings."""
    study, dataset = of_readings(), results.dataset
    if study.not_run([dataset]):
        return f"the study of readings was not run on {dataset}"
    row = study.row(dataset, claim.a, claim.group, measure)
    if row is None:
        return f"the study of readings has no {claim.a}"
    return _studied(row, "study readings")


def slots(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """What more slots than the default score more than it: the sweep's largest such difference.

    Its interval reaches from the lowest to the highest end of all of them.
    """
    study, dataset = of_slots(), results.dataset
    if study.not_run([dataset]):
        return f"the sweep of slots was not run on {dataset}"
    rows = study.sweep(dataset, claim.group, measure)
    more = rows[rows["slots"] > study.default_slots(dataset)]
    if more.empty:
        return "the sweep has no more slots than the default"
    largest = more.iloc[int(more["difference"].abs().to_numpy().argmax())].copy()
    largest["difference_low"] = more["difference_low"].min()
    largest["difference_high"] = more["difference_high"].max()
    largest["trainings"] = more["trainings"].min()
    return _studied(largest, "study slots")


def scatter(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """Rank correlation over words, or slots: how frequent they are, how far neighbours lie."""
    memories = _inspected(claim.a, "scatter", results)
    if isinstance(memories, str):
        return memories
    unit = measure.rpartition(" ")[2]
    rows = memories.scatter()
    rows = rows[(rows["memory"] == claim.group) & (rows["unit"] == unit)]
    if rows.empty or rows["correlation"].isna().any():
        return "all slots hold the same"
    row = rows.iloc[0]
    return _trained(row, [row[key] for key in ("correlation", "low", "high")], row["sd"])


def probe(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
) -> Effect | str:
    """What `a` scores more with the damage `b` done to its memories than intact."""
    memories = _inspected(claim.a, "probes", results)
    if isinstance(memories, str):
        return memories
    rows = memories.probes.query(
        "probe == @claim.b and group == @claim.group and metric == @measure"
    )
    if rows.empty or rows["difference"].isna().any():
        return "the probe was not made"
    row = rows.iloc[0]
    keys = ("difference", "difference_low", "difference_high")
    return _trained(row, [100 * row[key] for key in keys], 100 * row["difference_sd"])


def share(
    claim: Claim, measure: str, results: Results, everyone: Sequence[Results]
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


def cost(claim: Claim, measure: str, results: Results, everyone: Sequence[Results]) -> Effect | str:
    """What `a` costs as a share of what `b` costs, at the paper's sizes for TACoS.

    Sizes are counted, so the ends are the ratio itself. Times are medians of a query alone; the
    ends of their ratio are those of opposite quartiles.
    """
    timed = measure == "run time"
    path = paths.TIMES if timed else paths.COSTS
    if not path.is_file():
        return f"{path} is missing: costs were not {'timed' if timed else 'counted'}"
    costs = Costs()
    a, b = (
        costs.timed.get(("paper", name, 1, "total"))
        if timed
        else costs.counted.get(("paper", name))
        for name in (claim.a, claim.b)
    )
    if a is None or b is None:
        lacking = [name for name, cost in ((claim.a, a), (claim.b, b)) if cost is None]
        return f"the cost of {' and '.join(lacking)} was not measured"
    middle, low, high = _TIME if timed else ("mib",) * 3
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
    """Test every claim on every dataset, and on those of which kept studies tell.

    Args:
        datasets: names of evaluated datasets.
    """
    everyone = [*map(Results, datasets), *studied.of(datasets)]
    findings = []
    for claim in claims.read():
        for results in everyone:
            for measure in claim.measures:
                outcome = TESTS[claim.kind](claim, measure, results, everyone)
                effect = outcome if isinstance(outcome, Effect) else None
                reason = outcome if isinstance(outcome, str) else ""
                findings.append(Verdict(claim, measure, results, effect, reason))
    return findings


def _elsewhere(claim: Claim, results: Results) -> str:
    """Why a claim on one benchmark is not tested on this dataset; empty if it is."""
    benchmark = results.benchmark
    if claim.benchmark == "activitynet" or benchmark == claim.benchmark:
        return ""
    return f"{results.dataset} is not {BENCHMARKS[claim.benchmark][0]}"


def _lacking(claim: Claim, results: Results) -> str:
    lacking = results.lacking(*filter(None, (claim.a, claim.b)))
    return f"{' and '.join(lacking)} not run on {results.dataset}" if lacking else ""


def _pair(claim: Claim, group: str, measure: str, results: Results) -> Effect | str | None:
    """From the study of many trainings where it has the pair; else from the runs at hand."""
    kept = kept_trainings.find(results.dataset, claim.a, claim.b, group, measure)
    if kept is not None:
        return _points(kept, kept_trainings.STUDY)
    if reason := _lacking(claim, results):
        return reason
    if not results.at_hand:
        row = results.difference(claim.a, claim.b, group, measure)
        return _NOT_COMPARED if row is None else _points(row, _STUDIES)
    if measure not in METRICS:
        lead = describe(_lead(claim, measure, results), pd.Index([measure]), results.runs.params)
        if lead["value"].isna().all():
            return f"{claim.a} or {claim.b} has no {measure}: it answers once"
        return _points(lead.iloc[0].to_dict() | {"queries": len(results.test)})
    row = results.difference(claim.a, claim.b, group, measure)
    return None if row is None else _points(row)


def _lead(claim: Claim, measure: str, results: Results) -> Estimate:
    """What `a` scores more than `b` by a measure, each as its own rule for NMS has it."""
    scores = results.runs.scores if measure in METRICS else results.own_scores
    tables = [[table[[measure]] for table in scores(name)] for name in (claim.a, claim.b)]
    return estimate([stack(each) for each in tables], [results.runs.groups["all"]])


def _points(row: Any, origin: str = "runs") -> Effect:
    """Fractions as points."""
    ends = [100 * float(row[key]) for key in ("value", "low", "high")]
    better = row.get("better")
    return _trained(row, ends, 100 * row["sd"], better=better, origin=origin)


def _studied(row: pd.Series, origin: str) -> Effect:
    ends = [row[key] for key in ("difference", "difference_low", "difference_high")]
    return _trained(row, ends, row["difference_sd"], row["better"], origin)


def _trained(
    row: Any,
    ends: Sequence[float],
    sd: float,
    better: float | None = None,
    origin: str = "runs",
) -> Effect:
    """An effect that rests on trainings; `row` says on how many, and on how many queries."""
    value, low, high = map(float, ends)
    return Effect(
        value,
        low,
        high,
        sd=None if pd.isna(sd) else float(sd),
        trainings=int(row["trainings"]),
        better=None if better is None or pd.isna(better) else float(better),
        queries=int(row["queries"]) if "queries" in row else None,
        origin=origin,
    )


def _inspected(name: str, table: str, results: Results) -> Inspected | str:
    """What was seen inside a run's memories, over its seeds."""
    folders = [paths.inspected(results.dataset, name, seed) for seed in results.config.seeds]
    if not all((folder / f"{table}.csv").is_file() for folder in folders):
        return f"the memories of {name} were not inspected on {results.dataset}"
    return Inspected(results, name, results.config.seeds)
