"""Table 2: run time and model size, the paper’s and ours, and how each compares with MGSL-Net."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw.numbers import interval
from mgsl.reporting.draw.phrases import ordinal
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.read import lengths, published
from mgsl.reporting.read.answer_costs import Costs
from mgsl.reporting.read.compared import FULL, METRIC
from mgsl.reporting.read.results import Results

REFERENCE = "MGSL-Net"  # in the paper's tables: what others are compared with
PAPER_HARDWARE = "TITAN XP"  # a GPU, which the paper names
_RATIO = "× MGSL-Net"
_SETTINGS = {"paper": "ours: the paper's sizes for TACoS", "embedded": "ours: embedded sizes"}
_PRINTED = ("run time, s", _RATIO, "size", METRIC)
_OURS = (
    "ms per query",
    _RATIO,
    "input and NMS, %",
    "ms, batched",
    "MiB",
    "M multiply-adds",
    "peak MiB",
)
_FIELDS = (
    *("name", "title", "setting", "dataset", "quantity", "value", "low", "high", "sd", "trainings"),
    "ratio",
)


def build(datasets: Sequence[str]) -> Table:
    """The printed rows, what was counted and timed of ours, and ours on each dataset.

    Args:
        datasets: names of evaluated datasets.
    """
    costs, all_results = Costs(), [Results(dataset) for dataset in datasets]
    printed = published.table_2()
    ran = {name for _, name in costs.counted}
    blocks = [Columns("paper: TACoS, C3D", _PRINTED, ours=False)]
    blocks += [Columns(title, _OURS, ours=True) for title in _SETTINGS.values()]
    blocks += [
        Columns(results.head, (METRIC,), ours=True, best=(METRIC,)) for results in all_results
    ]
    numbers: list[dict[str, Any]] = []
    rows = []
    for method in published.methods():
        if method.printed not in printed.index and method.name not in ran:
            continue
        if method.group == "proposed" and method.name not in ran:
            continue  # another configuration of what has its row
        cells = _printed(printed, method.printed)
        for setting in _SETTINGS:
            cells += _ours(costs, setting, method, numbers)
        for results in all_results:
            score = results.result(method.name, "all", METRIC)
            cells.append(_recall(score))
            if score is not None:
                keys = ("value", "low", "high", "sd")
                number = {key: round(100 * score[key], 2) for key in keys}
                number["trainings"] = int(score["trainings"])
                numbers.append(_number(method, "", results.dataset, METRIC) | number)
        title = lengths.title(method.name, datasets)
        rows.append((title, tuple(cells)))
    tidy = pd.DataFrame(numbers, columns=list(_FIELDS))
    return Table(
        _caption(costs, all_results), tuple(blocks), tuple(rows), tidy,
        statement=_statement(costs), notes=_notes(all_results),
    )  # fmt: skip


def _statement(costs: Costs) -> str:
    """Where the proposed method stands by the time of a query, here and in the paper."""
    printed = published.table_2()["run_time_s"]
    place = ordinal(int((printed < printed[REFERENCE]).sum()) + 1)
    paper = f"in the paper, on a {PAPER_HARDWARE}, MGSL-Net is {place} of {len(printed)}"
    times = {name: float(row["median_ms"]) for (setting, name, n, part), row in costs.timed.items()
             if (setting, n, part) == ("paper", 1, "total")}  # fmt: skip
    if FULL not in times:
        return f"{published.title(FULL)} was not timed here; {paper}."
    order = sorted(times, key=times.__getitem__)
    return (
        f"At the paper’s sizes, on our CPU, {published.title(FULL)} takes {_ms(times[FULL])} ms "
        f"per query and is {ordinal(order.index(FULL) + 1)} of {len(order)} by speed; the fastest "
        f"is {published.title(order[0])} with {_ms(times[order[0]])} ms; {paper}."
    )


def _printed(printed: pd.DataFrame, name: str) -> list[Cell]:
    if name not in printed.index:
        return [Cell(reason="not in the paper's table")] * len(_PRINTED)
    rows = printed.to_dict("index")
    row, reference = rows[name], rows[REFERENCE]
    return [
        Cell(f"{row['run_time_s']:.2f}"),
        Cell(f"{row['run_time_s'] / reference['run_time_s']:.1f}"),
        Cell(f"{row['model_size_m']:.0f}"),
        Cell(f"{row['tacos_r1_iou0.5']:.2f}"),
    ]


def _ours(
    costs: Costs, setting: str, method: published.Method, numbers: list[dict[str, Any]]
) -> list[Cell]:
    """The cells of one setting, in the order of `_OURS`; their numbers go to `numbers`."""
    name = method.name
    cost = costs.counted.get((setting, name))
    if cost is None:
        return [Cell(reason="not among the methods of params.yaml")] * len(_OURS)

    def note(quantity: str, **values: Any) -> None:
        known = {key: round(float(value), 4) for key, value in values.items()}
        numbers.append(_number(method, setting, cost["dataset"], quantity) | known)

    note("parameters", value=cost["parameters"])
    note("MiB of float32", value=cost["mib"])
    note("multiply-adds of a query", value=cost["multiply_adds"])
    size = [Cell(f"{cost['mib']:.3g}"), Cell(f"{cost['multiply_adds'] / 1e6:,.0f}")]
    totals = {n: row for (s, m, n, part), row in costs.timed.items()
              if (s, m, part) == (setting, name, "total")}  # fmt: skip
    if not totals:
        none = Cell(reason="not timed: python -m mgsl efficiency")
        return [none, none, none, none, *size, none]
    alone, best = totals[1], min(totals, key=lambda n: float(totals[n]["median_ms"]))
    parts = [costs.timed[setting, name, 1, part]["median_ms"] for part in ("batch", "nms")]
    reference = costs.timed.get((setting, FULL, 1, "total"))
    ratio = alone["median_ms"] / reference["median_ms"] if reference else float("nan")
    ends = {"value": alone["median_ms"], "low": alone["low_ms"], "high": alone["high_ms"]}
    note("ms of a query alone", **ends, ratio=ratio)
    note("of it reading its input, ms", value=parts[0])
    note("of it NMS, ms", value=parts[1])
    note(f"ms of a query among {best}", value=totals[best]["median_ms"])
    note("peak MiB beyond the weights", value=alone["peak_mib"])
    return [
        Cell(_ms(alone["median_ms"]), f"{_ms(alone['low_ms'])}–{_ms(alone['high_ms'])}"),
        Cell(f"{ratio:.2f}") if reference else Cell(reason="MGSL-Net was not timed"),
        Cell(f"{100 * sum(parts) / alone['median_ms']:.2g}"),
        Cell(_ms(totals[best]["median_ms"]), f"batch of {best}"),
        *size,
        Cell(f"{alone['peak_mib']:.3g}"),
    ]


def _number(method: published.Method, setting: str, dataset: str, quantity: str) -> dict[str, Any]:
    return {
        "name": method.name,
        "title": method.title,
        "setting": setting,
        "dataset": dataset,
        "quantity": quantity,
    }


def _recall(score: "pd.Series | None") -> Cell:
    if score is None:
        return Cell(reason="not run")
    number = Measured.of(score, scale=100.0)
    return Cell(f"{number.value:.2f}", interval(number.low, number.high))


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.3g}" if milliseconds < 1000 else f"{milliseconds:,.0f}"


def _caption(costs: Costs, all_results: Sequence[Results]) -> str:
    return " ".join(
        [
            f"Table 2. Run time and model size. The paper timed on a {PAPER_HARDWARE}.",
            costs.machine,
            *(results.caption for results in all_results),
        ]
    )


def _notes(all_results: Sequence[Results]) -> str:
    return " ".join(
        [
            "The paper prints run time in seconds, and a size that is MiB of float32 weights for "
            "at least some methods (A5). Ours: the median time of a single query, with quartiles "
            "beside it, from stored features and words to moments after NMS, and its ratio to that "
            "of MGSL-Net; the share of it spent on reading the input and on NMS; the time per "
            "query in the fastest batch size tried; float32 weights; multiply-adds of one query in "
            "matrix products and convolutions; peak memory beyond the weights. Weights and inputs "
            "are random, which does not affect the costs. All methods were timed in turns in one "
            "process, so ratios are more reliable than times.",
            *filter(None, (results.notes for results in all_results)),
            f"{DASH} : not printed, not run or not timed.",
        ]
    )
