"""One function for each kind of test a claim can have: an effect, or why there is none."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mgsl import paths
from mgsl.evaluation.bootstrap import unpaired_difference
from mgsl.reporting import claims
from mgsl.reporting import slots as sweep
from mgsl.reporting.claims import Claim, Effect, Finding
from mgsl.reporting.comparisons import Comparisons
from mgsl.reporting.published import BENCHMARKS
from mgsl.reporting.run_studies import RunStudy, of_readings
from mgsl.reporting.sources import Source
from mgsl.reporting.studies import Studies

Test = Callable[[Claim, str, Comparisons, Sequence[Comparisons]], Effect | str]


def difference(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What `a` scores more than `b` in a group of queries, query by query."""
    if reason := _elsewhere(claim, runs) or _lacking(claim, runs):
        return reason
    found = runs.difference(claim.a, claim.b, claim.group, measure)
    return _points(found) if found is not None else f"there are no {claim.group} queries"


def rarity(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What rare queries score more than common ones: `a`, or what it scores more than `b`."""
    if reason := _elsewhere(claim, runs) or _lacking(claim, runs):
        return reason
    names = [name for name in (claim.a, claim.b) if name]
    found = runs.rare_less_common(names, measure)
    return _points(found) if found is not None else "there are no rare queries, or none but these"


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
    leads = []
    for one in (runs, other):
        pairs = zip(one.scores(claim.a), one.scores(claim.b), strict=True)
        leads.append(np.stack([(a[measure] - b[measure]).to_numpy() for a, b in pairs]))
    by_seed = np.array([here.mean() - there.mean() for here, there in zip(*leads, strict=False)])
    means = [lead.mean(axis=0)[:, None] for lead in leads]
    found = unpaired_difference(means[0], means[1], runs.params)
    agree = float((np.sign(by_seed) == np.sign(found.value[0])).mean())
    value, low, high = (100 * float(end[0]) for end in (found.value, found.low, found.high))
    return Effect(value, low, high, agree, len(by_seed), min(map(len, means)))


def reading(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What the reading `a` scores more than the recommended one, in the study of readings."""
    study, dataset = of_readings(), runs.source.dataset
    if reason := study.not_run([dataset]):
        return reason
    row = study.row(dataset, claim.a, claim.group, measure)
    return _studied(row) if row is not None else f"the study of readings has no {claim.a}"


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
    return _studied(largest)


def scatter(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """Rank correlation over slots: how frequent a slot's words are, how far its neighbours lie."""
    rows = _inspected(claim.a, "scatter", runs)
    if isinstance(rows, str):
        return rows
    rows = rows[(rows["memory"] == claim.group) & (rows["unit"] == "slots")]
    return _over_seeds(rows, ["correlation", "low", "high"], scale=1)


def probe(
    claim: Claim, measure: str, runs: Comparisons, everyone: Sequence[Comparisons]
) -> Effect | str:
    """What `a` scores more with the damage `b` done to its memories than intact."""
    rows = _inspected(claim.a, "probes", runs)
    if isinstance(rows, str):
        return rows
    rows = rows.query("probe == @claim.b and group == @claim.group and metric == @measure")
    return _over_seeds(rows, ["difference", "difference_low", "difference_high"], scale=100)


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
    """The run time or the size of `a` as a share of that of `b`."""
    return "costs were not measured"


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


def find(datasets: Sequence[str]) -> list[Finding]:
    """Test every claim on every dataset.

    Args:
        datasets: names of evaluated datasets.
    """
    runs = [Comparisons(Source(dataset)) for dataset in datasets]
    findings = []
    for claim in claims.read():
        for mine in runs:
            for measure in claim.measures:
                found = TESTS[claim.kind](claim, measure, mine, runs)
                effect = found if isinstance(found, Effect) else None
                reason = found if isinstance(found, str) else ""
                findings.append(Finding(claim, measure, mine.source, effect, reason))
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


def _points(found: pd.Series) -> Effect:
    """In points; at most as sure as every seed is."""
    value, low, high = (100 * float(found[key]) for key in ("value", "low", "high"))
    seeds, queries = int(found["seeds"]), int(found["queries"])
    sd = None if pd.isna(found["std"]) else 100 * float(found["std"])
    return Effect(value, low, high, float(found["agree"]), seeds, queries, sd)


def _studied(row: pd.Series) -> Effect:
    keys = ("difference", "difference_low", "difference_high")
    value, low, high = (float(row[key]) for key in keys)
    seeds, queries = int(row["seeds"]), int(row["queries"])
    sd = None if pd.isna(row["difference_std"]) else float(row["difference_std"])
    return Effect(value, low, high, seeds=seeds, queries=queries, sd=sd)


def _inspected(name: str, table: str, runs: Comparisons) -> pd.DataFrame | str:
    """One table of what was seen inside a run's memories, a row more for each seed."""
    source = runs.source
    folders = {seed: paths.inspected(source.dataset, name, seed) for seed in source.config.seeds}
    files = {seed: folder / f"{table}.csv" for seed, folder in folders.items()}
    if missing := [path for path in files.values() if not path.is_file()]:
        return f"{missing[0]} is missing: the memories were not inspected"
    return pd.concat([pd.read_csv(path).assign(seed=seed) for seed, path in files.items()])


def _over_seeds(rows: pd.DataFrame, keys: list[str], *, scale: int) -> Effect | str:
    """Means over seeds of a value and of its ends."""
    if rows.empty or rows[keys[0]].isna().any():
        return "all slots hold the same, or the probe was not made"
    value, low, high = (scale * float(rows[key].mean()) for key in keys)
    agree = float((np.sign(rows[keys[0]]) == np.sign(value)).mean())
    return Effect(value, low, high, agree, len(rows))
