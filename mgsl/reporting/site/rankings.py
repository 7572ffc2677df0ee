"""The first table of the front page: on each dataset, all methods by recall, best first.

Real data comes first, then what the report was run on, then what the kept study of methods has
besides. What the paper prints stands in columns of its own, and its own row of MGSL-Net in a row of
its own: neither was run here.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from mgsl.data import datasets as known
from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.reporting.draw.numbers import interval
from mgsl.reporting.draw.tables import Cell, Columns, Table
from mgsl.reporting.read import kept, kept_records, lengths, published
from mgsl.reporting.read.compared import FULL, METRIC, WITHOUT
from mgsl.reporting.read.kept_runs import of_methods
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results

COLUMNS = (*((METRIC, group) for group in GROUPS), *((metric, "all") for metric in METRICS[1:]))
BINNED = "activitynet"  # the only benchmark whose rare and common recall is printed


@dataclass(frozen=True)
class Strip:
    """Recall of rare and common queries in percent, and what the paper prints for ActivityNet."""

    rare: float | None
    common: float | None
    printed: tuple[float, float] | None


@dataclass(frozen=True)
class Ranking:
    """One dataset. `strips` has one for each row of the table.

    `how` says what a method saw and how it was trained, `exhibit` where the same numbers stand with
    all that is to be said of them.
    """

    dataset: str
    title: str
    simulated: bool
    how: tuple[str, ...]
    exhibit: str
    table: Table
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class _Row:
    title: str
    ours: tuple[Measured[float] | None, ...]
    paper: tuple[float | None, ...]
    strip: Strip


@dataclass(frozen=True)
class _Source:
    """Where the numbers of one dataset come from; `number` gives percent."""

    names: Sequence[str]
    title: Callable[[str], str]
    number: Callable[[str, str, str], Measured[float] | None]
    how: tuple[str, ...]
    exhibit: str


def build(datasets: Sequence[str]) -> list[Ranking]:
    """A ranking for each dataset of the report, and of the study of methods.

    Args:
        datasets: of the report.
    """
    names = dict.fromkeys([*datasets, *of_methods().datasets([])])
    real_first = sorted(names, key=lambda name: known.find(name).simulated)
    return [_ranking(name, in_report=name in datasets) for name in real_first]


def _ranking(dataset: str, *, in_report: bool) -> Ranking:
    about = known.find(dataset)
    source = _of_report(Results(dataset)) if in_report else _of_study(dataset)
    benchmark = about.benchmark or BINNED
    rows = sorted(_rows(source, benchmark), key=_recall, reverse=True)
    paper = tuple(
        metric if group == "all" else group
        for metric, group in COLUMNS
        if _is_printed(benchmark, metric, group)
    )
    title, features = BENCHMARKS[benchmark]
    return Ranking(
        dataset=dataset,
        title=about.title,
        simulated=about.simulated,
        how=source.how,
        exhibit=source.exhibit,
        table=Table(
            caption=" ".join([f"{about.title} ({dataset}).", *source.how]),
            columns=(
                *_ours(),
                Columns(f"paper, {title} ({features})", paper, ours=False, best=paper),
            ),
            rows=tuple((row.title, _cells(row)) for row in rows),
            tidy=pd.DataFrame(),
        ),
        strips=tuple(row.strip for row in rows),
    )


def _of_report(results: Results) -> _Source:
    without = [WITHOUT] if FULL in results.names and WITHOUT in results.config.names else []

    def number(name: str, group: str, metric: str) -> Measured[float] | None:
        row = results.result(name, group, metric)
        return None if row is None else Measured.of(row, scale=100.0)

    def title(name: str) -> str:
        if name == WITHOUT:
            mark = lengths.mark(name, [results.dataset])
            return f"{published.title(FULL)}, without its memories{mark}"
        return results.title(name)

    blind = {method.name for method in published.methods() if method.group == "blind"}
    runs = [results.run(name) for name in results.names if name not in blind]
    epochs = [run.epochs for run in runs if run.epochs]
    queries = int(results.summary["splits"]["test"]["pairs"])
    names = [*results.names, *without]
    how = _how(results.dataset, queries, epochs, results.config.seeds)
    return _Source(names, title, number, (*how, *_converged(results.dataset, names)), "table_1")


def _of_study(dataset: str) -> _Source:
    study = of_methods()

    def number(name: str, group: str, metric: str) -> Measured[float] | None:
        row = study.row(dataset, name, group, metric)
        return None if row is None else Measured.of(row)

    rows = study.rows[(study.rows["dataset"] == dataset) & (study.rows["group"] == "all")]
    record = kept_records.record(study.name).get(dataset, {})
    runs = record.get("changes", {}).values()
    epochs = [run.get("epochs", record["epochs"]) for run in runs]
    queries, seeds = int(rows["queries"].max()), record.get("seeds", [])
    names = study.names(dataset)
    how = [*_how(dataset, queries, epochs, seeds), *_converged(dataset, names)]
    if old := kept.outdated(study.name).get(dataset):
        how.append(f"{len(old)} of its runs were made by earlier code or numbers.")

    def title(name: str) -> str:
        return lengths.title(name, [dataset])

    return _Source(names, title, number, tuple(how), "other_datasets")


def _how(dataset: str, queries: int, epochs: Sequence[int], seeds: Sequence[int]) -> Iterator[str]:
    """What a method saw and how it was trained, sentence by sentence."""
    about = known.find(dataset)
    kind = "simulated" if about.simulated and "simulated" not in about.features else ""
    yield f"{queries:,} test queries; {kind} features: {about.features}.".replace("  ", " ")
    if epochs:
        fewest, most = min(epochs), max(epochs)
        yield f"{most} epochs." if fewest == most else f"{fewest} to {most} epochs, by method."
    if len(seeds) == 1:
        yield (
            f"One training of each (seed {seeds[0]}): the intervals are over queries alone, and "
            "the order of methods that are close may change with another seed."
        )
    elif seeds:
        listed = ", ".join(map(str, seeds))
        yield (
            f"Mean over {len(seeds)} trainings (seeds {listed}); 95% intervals over queries and "
            "trainings."
        )


def _converged(dataset: str, names: Sequence[str]) -> Iterator[str]:
    """What a mark behind a name says, or that it was not measured."""
    if any(lengths.mark(name, [dataset]) for name in names):
        yield f"{lengths.MARK} not converged."
    elif said := lengths.sentence(dataset, names):
        yield said


def _rows(source: _Source, benchmark: str) -> Iterator[_Row]:
    """What was run, then the paper's own method with its numbers."""
    methods = {method.name: method for method in published.methods()}
    proposed = next(method for method in methods.values() if method.group == "proposed")
    for name in source.names:
        ours = tuple(source.number(name, group, metric) for metric, group in COLUMNS)
        method = methods.get(name)
        printed = method.printed if method and method.group != proposed.group else ""
        yield _row(source.title(name), ours, printed, benchmark)
    yield _row(f"{proposed.printed} (paper)", (None,) * len(COLUMNS), proposed.printed, benchmark)


def _row(
    title: str, ours: tuple[Measured[float] | None, ...], printed: str, benchmark: str
) -> _Row:
    paper = tuple(
        _paper(printed, benchmark, metric, group)
        for metric, group in COLUMNS
        if _is_printed(benchmark, metric, group)
    )
    rare, common = (
        number.value if (number := ours[COLUMNS.index((METRIC, group))]) else None
        for group in ("rare", "common")
    )
    return _Row(title, ours, paper, Strip(rare, common, published.rare_and_common().get(printed)))


def _paper(printed: str, benchmark: str, metric: str, group: str) -> float | None:
    """What is printed for a method, in percent."""
    if group == "all":
        return published.table_1().get((printed, benchmark, metric))
    both = published.rare_and_common().get(printed)
    return both[("rare", "common").index(group)] if both else None


def _is_printed(benchmark: str, metric: str, group: str) -> bool:
    if group != "all":
        return benchmark == BINNED
    return metric in published.metrics(benchmark)


def _ours() -> Iterator[Columns]:
    for metric in METRICS:
        groups = tuple(group for other, group in COLUMNS if other == metric)
        yield Columns(f"ours: {metric}, %", groups, ours=True, best=groups)


def _cells(row: _Row) -> tuple[Cell, ...]:
    ours = [Cell(f"{n.value:.1f}", interval(n.low, n.high)) if n else Cell() for n in row.ours]
    paper = [Cell() if number is None else Cell(f"{number:.1f}") for number in row.paper]
    return (*ours, *paper)


def _recall(row: _Row) -> float:
    """What rows are sorted by; the paper's comes last, as it was not run."""
    return row.ours[0].value if row.ours[0] else -1.0
