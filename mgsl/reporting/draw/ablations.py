"""Tables 3, 4 and 5 alike: what parts of the method are worth, as printed and as run here."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from mgsl.evaluation.metrics import GROUPS, METRICS
from mgsl.reporting.draw.numbers import decimals, interval, signed, spread
from mgsl.reporting.draw.phrases import effect
from mgsl.reporting.draw.tables import CHECK, DASH, Cell, Columns, Table
from mgsl.reporting.read import published, studied
from mgsl.reporting.read.compared import FULL, METRIC
from mgsl.reporting.read.published import BENCHMARKS, COLUMNS
from mgsl.reporting.read.results import Results, rule

Switches = Mapping[str, Mapping[str, str]]  # by heading: columns of check marks, and their titles

_BENCHMARK = "activitynet"  # whose numbers the three tables print
_ALL_PARTS = "MGSL-Net, all parts"
_FIELDS = [
    *("name", "title", "dataset", "features", "simulated", "group", "metric", "printed_percent"),
    *("printed_to_full_points", "ours_percent", "sd_points", "low_percent", "high_percent"),
    *("gap_points", "to_full_points", "to_full_low", "to_full_high", "to_full_sd"),
    *("to_full_better", "trainings", "queries"),
]


def build(number: int, title: str, switches: Switches, datasets: Sequence[str]) -> Table:
    """The printed rows of one table, and beside them what was run: all, rare and common queries.

    Args:
        number: 3, 4 or 5.
        title: what its rows switch on and off.
        switches: the columns of check marks, as they are called in the file of printed numbers.
        datasets: names of evaluated datasets.
    """
    return _build(number, title, switches, [Results(dataset) for dataset in datasets])


def of_studies(number: int, title: str, switches: Switches) -> Table | None:
    """The same from the kept studies of Tables 3-5; None where they have no row of it.

    The arguments are those of `build`.
    """
    names = [name for name in published.ablations(number).index if name != FULL]
    all_results = [one for one in studied.of(()) if len(one.lacking(*names)) < len(names)]
    return _build(number, title, switches, all_results) if all_results else None


def _build(number: int, title: str, switches: Switches, all_results: Sequence[Results]) -> Table:
    printed = published.ablations(number)
    numbers = [
        _number(name, printed, results, group, metric)
        for name in printed.index
        for results in (None, *all_results)
        for group in (GROUPS if results else ("all",))
        for metric in METRICS
    ]
    rows = []
    for name in printed.index:
        checks = [
            Cell(CHECK if printed.loc[name, switch] else "")
            for block in switches.values()
            for switch in block
        ]
        cells = [cell for row in numbers if row["name"] == name for cell in _cells(row)]
        rows.append((_ALL_PARTS if name == FULL else published.title(name), (*checks, *cells)))
    return Table(
        caption=_caption(number, title, all_results),
        notes=_notes(number, all_results),
        statement=_statement(numbers, all_results),
        columns=(
            *(Columns(head, tuple(b.values()), ours=False) for head, b in switches.items()),
            *_columns(all_results),
        ),
        rows=tuple(rows),
        tidy=pd.DataFrame(numbers, columns=_FIELDS),
        stub="Configuration" if all_results[0].at_hand else "Configuration, kept studies",
    )


def _columns(all_results: Sequence[Results]) -> list[Columns]:
    title, features = BENCHMARKS[_BENCHMARK]
    names = [name for metric in METRICS for name in (metric, _to_full(metric))]
    columns = [Columns(f"paper: {title}, {features}", tuple(names), ours=False, best=METRICS)]
    for results in all_results:
        for group in GROUPS:
            head = f"{results.head}, {group}"
            gapped = _has_gap(results, group)
            columns.append(
                Columns(
                    head,
                    tuple(
                        name
                        for metric in METRICS
                        for name in (metric, *["gap"] * gapped, _to_full(metric))
                    ),
                    ours=True,
                    best=METRICS,
                )
            )
    return columns


def _to_full(metric: str) -> str:
    return metric.replace("R@1", "vs full")


def _has_gap(results: Results, group: str) -> bool:
    return results.comparable and results.benchmark == _BENCHMARK and group == "all"


def _number(
    name: str, printed: pd.DataFrame, results: Results | None, group: str, metric: str
) -> dict[str, Any]:
    """One row of the tidy table, in percent and points; without `results` of the paper alone."""
    percent = printed[COLUMNS[metric]]
    number: dict[str, Any] = {
        "name": name, "title": published.title(name), "group": group, "metric": metric,
    }  # fmt: skip
    if group == "all":
        number |= {"printed_percent": percent[name]}
        number |= {"printed_to_full_points": round(percent[name] - percent[FULL], 2)}
    if results is None:
        title, features = BENCHMARKS[_BENCHMARK]
        return number | {"dataset": f"{title} (paper)", "features": features, "simulated": False}
    number |= {
        "dataset": results.dataset, "features": results.summary["features"],
        "simulated": results.simulated, "has_gap": _has_gap(results, group),
    }  # fmt: skip
    if (score := results.result(name, group, metric)) is None:
        return number
    ours = round(100 * score["value"], 2)
    number |= {
        "ours_percent": ours,
        "sd_points": round(100 * score["sd"], 2),
        "low_percent": round(100 * score["low"], 2),
        "high_percent": round(100 * score["high"], 2),
        "gap_points": round(ours - percent[name], 2) if number["has_gap"] else None,
        "trainings": int(score["trainings"]),
        "queries": int(score["queries"]),
    }
    less = results.difference(name, FULL, group, metric) if name != FULL else None
    if less is not None:
        ends = {"points": "value", "low": "low", "high": "high", "sd": "sd"}
        number |= {f"to_full_{end}": round(100 * less[key], 2) for end, key in ends.items()}
        number["to_full_better"] = round(float(less["better"]), 4)
    return number


def _cells(number: dict[str, Any]) -> list[Cell]:
    full = number["name"] == FULL
    itself = Cell(reason="the full model itself")
    if "has_gap" not in number:
        less = itself if full else Cell(signed(number["printed_to_full_points"]))
        return [Cell(f"{number['printed_percent']:.2f}"), less]
    if "ours_percent" not in number:
        reason = f"{number['name']} was not run on {number['dataset']}"
        return [Cell(reason=reason)] * (3 if number["has_gap"] else 2)
    ends = number["low_percent"], number["high_percent"]
    digits = decimals(number["queries"])
    value = f"{number['ours_percent']:.{digits}f}{spread(number['sd_points'], digits)}"
    cells = [Cell(value, interval(*ends))]
    if number["has_gap"]:
        cells.append(Cell(signed(number["gap_points"])))
    if full:
        return [*cells, itself]
    if "to_full_points" not in number:
        return [*cells, Cell(reason=f"the full model was not run on {number['dataset']}")]
    ends = number["to_full_low"], number["to_full_high"]
    value = f"{signed(number['to_full_points'], digits)}{spread(number['to_full_sd'], digits)}"
    return [*cells, Cell(value, interval(*ends, sign=True))]


def _statement(numbers: Sequence[dict[str, Any]], all_results: Sequence[Results]) -> str:
    """How many rows score less than the full model here, and the row that is furthest from it."""
    paper = {n["name"]: n["printed_to_full_points"] for n in numbers
             if "has_gap" not in n and n["metric"] == METRIC and n["name"] != FULL}  # fmt: skip
    sentences = [f"In the paper, removing any part lowers {METRIC}."]
    for results in all_results:
        ours = [n for n in numbers if n["dataset"] == results.dataset and "to_full_points" in n
                and n["group"] == "all" and n["metric"] == METRIC]  # fmt: skip
        if not ours:
            sentences.append(f"On {results.label}, no row was run together with the full model.")
            continue
        less = sum(n["to_full_high"] < 0 for n in ours)
        furthest = max(ours, key=lambda n: abs(n["to_full_points"]))
        ends = (furthest[f"to_full_{end}"] for end in ("points", "low", "high"))
        sentences.append(
            f"On {results.label}, {less} of {len(ours)} reduced configurations score below the "
            "full model by their whole interval. The largest difference is that of "
            f"“{furthest['title']}”: {effect(*ends)}; in the paper, "
            f"{signed(paper[furthest['name']], 1)}."
        )
    return " ".join(sentences)


def _caption(number: int, title: str, all_results: Sequence[Results]) -> str:
    return " ".join(
        [
            f"Table {number}. {title.capitalize()}: recall in percent on the test split, the "
            f"paper’s beside {'ours' if all_results[0].at_hand else 'that of the kept studies'}.",
            *(results.caption for results in all_results),
        ]
    )


def _notes(number: int, all_results: Sequence[Results]) -> str:
    seeds = len(all_results[0].config.seeds)
    deviation = "± is the standard deviation over trainings; " if seeds > 1 else ""
    lacking = {
        results.label: [name for name in published.ablations(number).index
                       if results.lacking(str(name))]
        for results in all_results
    }  # fmt: skip
    return " ".join(
        [
            "“vs full” is the difference of the row from the full model, in points: for the paper, "
            "of two printed numbers; for ours, paired query by query"
            + (", with separate trainings of each configuration." if seeds > 1 else "."),
            *filter(None, (results.notes for results in all_results)),
            *(
                "Gap: ours minus the paper’s, in points; our features are "
                f"{results.summary['features']}."
                if _has_gap(results, "all")
                else f"No gap to the paper is given for {results.label}: it is not "
                f"{BENCHMARKS[_BENCHMARK][0]} with real features."
                for results in all_results
            ),
            "Every row of ours is the repaired reading with parts switched off; a stream without a "
            "memory passes through unchanged, and without full attention only inter-attention "
            "remains.",
            rule(all_results),
            f"{deviation}95% intervals stand beside the numbers.".capitalize(),
            f"{DASH} : not run, or the full model itself.",
            *(
                f"Not run on {label}: {', '.join(map(published.title, names))}."
                for label, names in lacking.items()
                if names
            ),
        ]
    )
