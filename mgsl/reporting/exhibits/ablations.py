"""Tables 3, 4 and 5: what each part of the method is worth, as printed and as run here."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mgsl.reporting.draw.tables import CHECK, DASH, Cell, Columns, Table, interval, signed, spread
from mgsl.reporting.read import published
from mgsl.reporting.read.comparisons import Comparisons
from mgsl.reporting.read.published import BENCHMARKS
from mgsl.reporting.read.results import Results, rule

FULL = "mgsl_net"
METRICS = {"R@1, IoU=0.5": "r1_iou0.5", "R@1, IoU=0.7": "r1_iou0.7"}
GROUPS = ("all", "rare", "common")
_BENCHMARK = "activitynet"  # whose numbers the three tables print
_SWITCHES = {  # of each table: its columns of check marks, and what they are called
    3: {"with": {"memory": "memory", "heterogeneous_attention": "full attention"}},
    4: {
        "video memory": {
            "video_v": "frames", "video_q_hat": "textual view", "video_shared": "shared",
        },
        "query memory": {
            "query_q": "words", "query_v_hat": "visual view", "query_shared": "shared",
        },
    },
    5: {"attention": {
        "self_attention": "self", "inter_attention": "inter", "calibration": "calibration",
    }},
}  # fmt: skip
_TITLES = {
    3: "the memory and the heterogeneous attention",
    4: "the streams of the two memories, and sharing them",
    5: "the units of the attention",
}
_FIELDS = [
    *("name", "title", "dataset", "features", "simulated", "group", "metric", "printed_percent"),
    *("printed_to_full_points", "ours_percent", "sd_points", "low_percent", "high_percent"),
    *("gap_points", "to_full_points", "to_full_low", "to_full_high", "to_full_sd"),
    *("to_full_better", "trainings", "queries"),
]


def build(number: int, datasets: Sequence[str]) -> Table:
    """The printed rows of one table, and beside them what was run: all, rare and common queries.

    Args:
        number: 3, 4 or 5.
        datasets: names of evaluated datasets.
    """
    printed = published.ablations(number)
    sources = [Results(dataset) for dataset in datasets]
    compared = [Comparisons(source) for source in sources]
    numbers = [
        _number(name, printed, runs, group, metric)
        for name in printed.index
        for runs in (None, *compared)
        for group in (GROUPS if runs else ("all",))
        for metric in METRICS
    ]
    rows = []
    for name in printed.index:
        mine = [number for number in numbers if number["name"] == name]
        cells = [
            Cell(CHECK if printed.loc[name, switch] else "")
            for block in _SWITCHES[number].values()
            for switch in block
        ]
        rows.append((published.title(name), (*cells, *(c for n in mine for c in _cells(n)))))
    return Table(
        caption=_caption(number, sources),
        columns=(
            *(Columns(t, tuple(b.values()), ours=False) for t, b in _SWITCHES[number].items()),
            *_columns(sources),
        ),
        rows=tuple(rows),
        tidy=pd.DataFrame(numbers, columns=_FIELDS),
        stub="Configuration",
    )


def _columns(sources: Sequence[Results]) -> list[Columns]:
    title, features = BENCHMARKS[_BENCHMARK]
    names = [name for metric in METRICS for name in (metric, _to_full(metric))]
    columns = [Columns(f"printed: {title}, {features}", tuple(names), ours=False)]
    for source in sources:
        for group in GROUPS:
            head = f"ours: {source.label}, {group}"
            gapped = _has_gap(source, group)
            columns.append(
                Columns(
                    head,
                    tuple(
                        name
                        for metric in METRICS
                        for name in (metric, *["gap"] * gapped, _to_full(metric))
                    ),
                    ours=True,
                )
            )
    return columns


def _to_full(metric: str) -> str:
    return metric.replace("R@1", "to full")


def _has_gap(source: Results, group: str) -> bool:
    return source.comparable and source.benchmark == _BENCHMARK and group == "all"


def _number(
    name: str, printed: pd.DataFrame, runs: Comparisons | None, group: str, metric: str
) -> dict[str, Any]:
    """One row of the tidy table, in percent and in points; printed numbers where `runs` is None."""
    percent = printed[METRICS[metric]]
    number: dict[str, Any] = {
        "name": name, "title": published.title(name), "group": group, "metric": metric,
    }  # fmt: skip
    if group == "all":
        number |= {"printed_percent": percent[name]}
        number |= {"printed_to_full_points": round(percent[name] - percent[FULL], 2)}
    if runs is None:
        title, features = BENCHMARKS[_BENCHMARK]
        return number | {"dataset": f"{title} (paper)", "features": features, "simulated": False}
    source = runs.source
    number |= {
        "dataset": source.dataset, "features": source.summary["features"],
        "simulated": source.simulated, "has_gap": _has_gap(source, group),
    }  # fmt: skip
    if (found := source.result(name, group, metric)) is None:
        return number
    ours = round(100 * found["value"], 2)
    number |= {
        "ours_percent": ours,
        "sd_points": round(100 * found["sd"], 2),
        "low_percent": round(100 * found["low"], 2),
        "high_percent": round(100 * found["high"], 2),
        "gap_points": round(ours - percent[name], 2) if number["has_gap"] else None,
        "trainings": int(found["trainings"]),
        "queries": int(found["queries"]),
    }
    less = runs.difference(name, FULL, group, metric) if name != FULL else None
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
    value = f"{number['ours_percent']:.2f}{spread(number['sd_points'])}"
    cells = [Cell(value, interval(*ends))]
    if number["has_gap"]:
        cells.append(Cell(signed(number["gap_points"])))
    if full:
        return [*cells, itself]
    if "to_full_points" not in number:
        return [*cells, Cell(reason=f"the full model was not run on {number['dataset']}")]
    ends = number["to_full_low"], number["to_full_high"]
    value = f"{signed(number['to_full_points'])}{spread(number['to_full_sd'])}"
    return [*cells, Cell(value, interval(*ends, sign=True))]


def _caption(number: int, sources: Sequence[Results]) -> str:
    seeds = len(sources[0].config.seeds)
    deviation = "± is the standard deviation over trainings; " if seeds > 1 else ""
    lacking = {
        source.label: [name for name in published.ablations(number).index
                       if name not in source.config.names]
        for source in sources
    }  # fmt: skip
    return " ".join(
        [
            f"Table {number}. {_TITLES[number].capitalize()}: recall in percent on the test split. "
            "“To full” is the row less the full model, in points: printed, the difference of two "
            "printed numbers; ours, paired query by query"
            + (", each configuration with trainings of its own." if seeds > 1 else "."),
            *(source.caption for source in sources),
            *(
                f"Gap: ours less printed, in points; our features are {source.summary['features']}."
                if _has_gap(source, "all")
                else f"{source.label} has no gap: it is not {BENCHMARKS[_BENCHMARK][0]} with "
                "real features."
                for source in sources
            ),
            "Every row is our recommended reading with parts switched off; a stream without a "
            "memory stays as it is, and without full attention there is inter-attention alone.",
            rule(sources),
            f"{deviation}the interval stands with the number.".capitalize(),
            f"{DASH} : not run, or the full model itself.",
            *(
                f"Not run on {label}: {', '.join(map(published.title, names))}."
                for label, names in lacking.items()
                if names
            ),
        ]
    )
