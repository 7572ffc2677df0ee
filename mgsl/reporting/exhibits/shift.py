"""What recall is left where moments lie elsewhere than in training: the tests of Charades-CD.

Both have the training and validation pairs in common. The tests are of other queries, so that the
interval of their difference is that of independent numbers.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import METRICS
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.numbers import interval, measured, signed
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_runs import RunStudy, of_shift

ALIKE, ELSEWHERE = "charades_cd_iid_actions", "charades_cd_ood_actions"  # where test moments lie
TITLE = "Charades-CD: what is left where moments lie elsewhere"
_HEADS = ("alike", "elsewhere", "Δ", "left, %")
_ROW, _HEAD, _ASIDE = 0.3, 0.75, 0.15  # inches, inches, rows


def draw(datasets: Sequence[str]) -> Drawing:
    """A row for each method: its recall where moments lie as in training, and elsewhere.

    Args:
        datasets: not asked for: the study is of Charades-CD alone.
    """
    study, shifts = of_shift(), table()
    if shifts.empty:
        return figures.absent(TITLE, study.not_run([ALIKE, ELSEWHERE]))
    height = _HEAD + _ROW * shifts["name"].nunique()
    figure = figures.compose([height], [partial(_panels, study, shifts)], width=style.WIDTH)
    caption = (
        "R@1 on the two tests of Charades-CD: open marks, where test moments lie as in training; "
        "filled marks, where they lie elsewhere. Bars: 95% intervals over queries and trainings."
    )
    return Drawing(figure, TITLE, caption, statement(shifts), _notes(study))


def build(datasets: Sequence[str]) -> Table:
    """The same as a table; the argument is `draw`'s."""
    study, shifts = of_shift(), table()
    names = list(dict.fromkeys(shifts["name"]))
    places = {(row["name"], row["metric"]): row for row in shifts.to_dict("records")}
    rows = [
        (
            published.title(name),
            tuple(cell for metric in METRICS for cell in _cells(study, name, places[name, metric])),
        )
        for name in names
    ]
    columns = [
        Columns(f"ours: {metric}", _HEADS, ours=True, best=("alike", "elsewhere"))
        for metric in METRICS
    ]
    return Table(
        caption=(
            "R@1 in percent where test moments lie as in training (alike) and elsewhere; Δ, the "
            "second less the first in points; and the share of the first that is left. "
            f"{study.not_run([ALIKE, ELSEWHERE])}"
        ).strip(),
        columns=tuple(columns) if names else (Columns("not run", _HEADS, ours=True),),
        rows=tuple(rows),
        tidy=shifts.round(4),
        stub="Method",
        notes=f"± is the standard deviation over trainings. {_notes(study)} {DASH}: not run.",
    )


def table() -> pd.DataFrame:
    """What each method reaches on both tests, and what it loses.

    Returns:
        Columns name, metric, alike, elsewhere, difference, difference_low, difference_high (percent
        and points), left (percent of `alike`) and trainings, those that reach most elsewhere first;
        no rows unless both tests were studied.
    """
    study = of_shift()
    rows = []
    for name in study.names(ELSEWHERE):
        for metric in METRICS:
            pair = [study.row(dataset, name, "all", metric) for dataset in (ALIKE, ELSEWHERE)]
            if pair[0] is None or pair[1] is None:
                continue
            alike, elsewhere = Measured.of(pair[0]), Measured.of(pair[1])
            less = elsewhere.value - alike.value
            below = math.hypot(elsewhere.value - elsewhere.low, alike.high - alike.value)
            above = math.hypot(elsewhere.high - elsewhere.value, alike.value - alike.low)
            left = 100 * elsewhere.value / alike.value if alike.value else math.nan
            numbers = (alike.value, elsewhere.value, less, less - below, less + above, left)
            trainings = min(alike.trainings, elsewhere.trainings)
            rows.append((name, metric, *numbers, trainings))
    columns = ["name", "metric", "alike", "elsewhere", "difference", "difference_low",
               "difference_high", "left", "trainings"]  # fmt: skip
    shifts = pd.DataFrame(rows, columns=columns)
    first = shifts[shifts["metric"] == METRICS[0]].sort_values("elsewhere", ascending=False)
    order = {name: place for place, name in enumerate(first["name"])}
    return shifts.sort_values("name", key=lambda names: names.map(order), kind="stable")


def statement(shifts: pd.DataFrame) -> str:
    """What of its recall each method keeps, the one that keeps most first."""
    metric = METRICS[0]
    rows = shifts[shifts["metric"] == metric].sort_values("left", ascending=False)
    kept = listed(
        f"{published.title(row['name'])} {row['left']:.0f} % ({signed(row['difference'], 1)} "
        f"{interval(row['difference_low'], row['difference_high'], sign=True)})"
        for row in rows.to_dict("records")
    )
    return (
        f"Of its {metric} on Charades-CD, in the mean over {rows['trainings'].min()} trainings, a "
        f"method keeps where moments lie elsewhere (in brackets the change in points): {kept}."
    )


def _cells(study: RunStudy, name: str, row: Mapping[Any, Any]) -> list[Cell]:
    pair = [study.row(dataset, name, "all", str(row["metric"])) for dataset in (ALIKE, ELSEWHERE)]
    ends = interval(row["difference_low"], row["difference_high"], sign=True)
    return [
        *(measured(Measured.of(one), digits=1) for one in pair if one is not None),
        Cell(signed(row["difference"], 1), ends),
        Cell(f"{row['left']:.0f}"),
    ]


def _panels(study: RunStudy, shifts: pd.DataFrame, part: SubFigure) -> None:
    panels = part.subplots(1, len(METRICS), sharey=True, sharex=True)
    for axes, metric in zip(panels, METRICS, strict=True):
        rows = shifts[shifts["metric"] == metric]["name"].tolist()
        for place, name in enumerate(rows):
            _draw_row(axes, study, name, metric, -place)
        axes.set_title(f"{metric}, %: ○ alike  ● elsewhere", size=7.5, weight="normal")
        marks.rows(axes, size=7.0)
    names = list(dict.fromkeys(shifts["name"]))
    panels[0].set_yticks([-n for n in range(len(names))], [published.title(name) for name in names])
    panels[0].set_ylim(-len(names) + 0.4, 0.6)
    panels[0].set_xlim(left=0)


def _draw_row(axes: Axes, study: RunStudy, name: str, metric: str, place: int) -> None:
    ink = style.color(name)
    for dataset, aside in ((ALIKE, _ASIDE), (ELSEWHERE, -_ASIDE)):
        row = study.row(dataset, name, "all", metric)
        if row is not None:
            filled = dataset == ELSEWHERE
            marks.interval(axes, Measured.of(row), place + aside, ink, filled=filled, width=1.2)


def _notes(study: RunStudy) -> str:
    return " ".join(
        [
            "The tests are of other queries: the interval of Δ takes both as independent.",
            *map(study.caption, study.datasets([ALIKE, ELSEWHERE])),
        ]
    )
