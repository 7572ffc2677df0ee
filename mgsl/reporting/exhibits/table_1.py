"""Table 1: every method the paper compares, printed and ours."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from mgsl.evaluation.metrics import metric_names
from mgsl.reporting.draw.numbers import spread
from mgsl.reporting.draw.phrases import count, ordinal
from mgsl.reporting.draw.tables import Cell, Columns, Table
from mgsl.reporting.read import lengths, published
from mgsl.reporting.read.compared import FULL, METRIC
from mgsl.reporting.read.published import BENCHMARKS, Method
from mgsl.reporting.read.results import Results, rule

PROPOSED = "proposed"  # the group of the paper's own method, of which ours are configurations
PAPER = "paper"  # the row of its numbers
_ELSEWHERE = "the paper’s numbers of MGSL-Net have a row of their own"
_FIELDS = [
    *("name", "title", "group", "dataset", "features", "simulated", "metric", "printed_percent"),
    *("ours_percent", "sd_points", "low_percent", "high_percent", "gap_points"),
    *("trainings", "queries"),
]


def build(datasets: Sequence[str]) -> Table:
    """The fifteen printed rows, and beside them what was run on each dataset.

    A dataset with a benchmark stands right of that benchmark's printed columns. One without, or one
    whose features are simulated, stands apart on the right, and has no gap.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    blocks: list[tuple[Columns, Results | None, str | None]] = []
    for name, (title, features) in BENCHMARKS.items():
        metrics = tuple(published.metrics(name))
        head = f"paper: {title}, {features}"
        blocks.append((Columns(head, metrics, ours=False, best=metrics), None, name))
        blocks += [_ours(s) for s in all_results if s.comparable and s.benchmark == name]
    blocks += [_ours(results) for results in all_results if not results.comparable]
    run = {name for results in all_results for name in results.names}
    numbers: list[dict[str, Any]] = []
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for method in _methods():
        if method.name not in run and not _has_own_row(method):
            continue  # a row of ours alone, and not run
        cells: list[Cell] = []
        for columns, results, benchmark in blocks:
            if results is None and not _has_own_row(method):
                cells += [Cell(reason=_ELSEWHERE)] * len(columns.names)
                continue
            for metric in _metrics(results, benchmark):
                number = _number(method, results, benchmark, metric)
                numbers.append(number)
                cells += _cells(number, results)
        rows.append((method.title + lengths.mark(method.name, datasets), tuple(cells)))
    return Table(
        caption=" ".join(
            [
                "Table 1. Recall in percent on the test split.",
                *(results.caption for results in all_results),
            ]
        ),
        notes=_notes(all_results),
        statement=" ".join(map(_statement, all_results)),
        columns=tuple(columns for columns, *_ in blocks),
        rows=tuple(rows),
        tidy=pd.DataFrame(numbers, columns=_FIELDS),
    )


def _methods() -> list[Method]:
    """Those of the paper, with a row of its own for the one it proposes; then what is ours."""
    methods = published.methods()
    first = next(place for place, method in enumerate(methods) if method.group == PROPOSED)
    paper = replace(methods[first], name=PAPER, title=f"{methods[first].printed} (paper)")
    return [*methods[:first], paper, *methods[first:]]


def _has_own_row(method: Method) -> bool:
    """Whether the paper's number of a method stands in its row: ours of its own method do not."""
    return bool(method.printed) and (method.group != PROPOSED or method.name == PAPER)


def _statement(results: Results) -> str:
    """Where the proposed method stands among those that were run, and which is the best."""
    scores = {name: float(score["value"]) for name in results.names
              if (score := results.result(name, "all", METRIC)) is not None}  # fmt: skip
    if not scores:
        return f"Nothing was scored on {results.label}."
    order = sorted(scores, key=lambda name: -scores[name])
    best = f"the best is {published.title(order[0])} with {100 * scores[order[0]]:.1f} %"
    if FULL not in scores:
        return f"On {results.label}, of {count(len(order), 'method')} by {METRIC}, {best}."
    place = ordinal(order.index(FULL) + 1)
    own = f"{published.title(FULL)} is {place} of {len(order)} by {METRIC} on {results.label}"
    own += f", with {100 * scores[FULL]:.1f} %"
    if order[0] == FULL:
        return f"{own}, as in every column of the paper."
    return f"{own}; {best}. In the paper, MGSL-Net is first in every column."


def _ours(results: Results) -> tuple[Columns, Results, str | None]:
    if not results.comparable:
        names = tuple(_metrics(results, None))
        return Columns(results.head, names, ours=True, best=names), results, None
    metrics = tuple(_metrics(results, results.benchmark))
    names = tuple(name for metric in metrics for name in (metric, "gap"))
    return Columns(results.head, names, ours=True, best=metrics), results, results.benchmark


def _metrics(results: Results | None, benchmark: str | None) -> list[str]:
    """The metrics that a benchmark prints; all of ours where there is no benchmark."""
    if benchmark is not None:
        return published.metrics(benchmark)
    return metric_names(results.config.evaluation) if results else []


def _number(
    method: Method, results: Results | None, benchmark: str | None, metric: str
) -> dict[str, Any]:
    """One row of the tidy table, in percent."""
    printed = published.table_1().get((method.printed, benchmark or "", metric))
    number: dict[str, Any] = {"metric": metric, "printed_percent": printed}
    number |= {"name": method.name, "title": method.title, "group": method.group}
    if results is None:
        title, features = BENCHMARKS[benchmark or ""]
        return number | {"dataset": f"{title} (paper)", "features": features, "simulated": False}
    number |= {
        "dataset": results.dataset,
        "features": results.summary["features"],
        "simulated": results.simulated,
    }
    score = results.result(method.name, "all", metric)
    if score is None:
        return number
    ours = round(100 * score["value"], 2)
    return number | {
        "ours_percent": ours,
        "sd_points": round(100 * score["sd"], 2),
        "low_percent": round(100 * score["low"], 2),
        "high_percent": round(100 * score["high"], 2),
        "gap_points": None if printed is None else round(ours - printed, 2),
        "trainings": int(score["trainings"]),
        "queries": int(score["queries"]),
    }


def _cells(number: dict[str, Any], results: Results | None) -> list[Cell]:
    if results is None:
        printed = number["printed_percent"]
        return [Cell() if printed is None else Cell(f"{printed:.2f}")]
    if "ours_percent" not in number:
        return [Cell()] * (2 if results.comparable else 1)
    interval = f"{number['low_percent']:.1f}–{number['high_percent']:.1f}"
    cells = [Cell(f"{number['ours_percent']:.2f}{spread(number['sd_points'])}", interval)]
    if results.comparable:
        gap = number["gap_points"]
        cells.append(Cell() if gap is None else Cell(f"{gap:+.2f}".replace("-", "−")))
    return cells


def _notes(all_results: Sequence[Results]) -> str:
    parts = [
        "Columns named “paper” give the paper’s numbers, columns named “ours” what was run here; "
        "below R@n stands the IoU at which it is counted. The paper’s numbers for MGSL-Net have a "
        "row of their own; “literal” is equations 1–14 as they stand, “repaired” is our reading "
        "whose memory holds content.",
        *filter(None, (results.notes for results in all_results)),
    ]
    for results in all_results:
        if results.comparable:
            title, features = BENCHMARKS[results.benchmark or ""]
            parts.append(
                f"The gap (ours minus the paper’s, in points) is to {title} with {features} "
                "features, so it is partly due to the features: ours are "
                f"{results.summary['features']}, not {features}."
            )
        elif results.benchmark:
            parts.append(
                "No gap is given on simulated features: the paper's methods saw real ones."
            )
        else:
            parts.append(f"{results.label} has no counterpart in the paper.")
    deviation = (
        "; ± is the standard deviation over trainings"
        if len(all_results[0].config.seeds) > 1
        else ""
    )
    parts.append(f"{rule(all_results)} The 95% interval stands beside the number{deviation}.")
    parts.append("– : not in the paper, or not run.")
    return " ".join(parts)
