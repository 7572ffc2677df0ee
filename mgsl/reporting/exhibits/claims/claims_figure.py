"""The claims as a picture: the printed effect and ours on one axis, claim by claim."""

import textwrap
from collections.abc import Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.exhibits.claims import claims_table, statements
from mgsl.reporting.exhibits.claims.statements import Verdict
from mgsl.reporting.read.claims import Claim, printed
from mgsl.reporting.read.results import Results

_UNITS = {"cost": "ratio", "scatter": "rank correlation", "share": "share of test pairs, %"}
_MARKS = {  # verdict: marker, colour, whether filled
    statements.SUPPORTED: ("o", style.SUPPORTED, True),
    statements.CONTRADICTED: ("s", style.CONTRADICTED, True),
    statements.UNDECIDED: ("o", style.MUTED, False),
    statements.NOT_REPRODUCED: ("v", style.MUTED, True),
}
_BY_MEASURE = ("points", "rank correlation")  # units of which each measure has a panel
_LEFT, _RIGHT, _BETWEEN = 0.43, 0.985, 0.02  # where panels begin and end, shares of the width
_HEAD, _ROW, _FOOT, _KEY = 0.34, 0.185, 0.24, 0.5  # inches
_LETTERS = 60  # of a statement on one line
_PAPER = "paper"
_EDGES = 0.2  # how far axes reach beyond what they show, a share of it


def draw(findings: Sequence[Verdict]) -> Drawing:
    """A part for each topic and unit; a row for each claim.

    Args:
        findings: of all claims on all datasets (`claim_tests.find`).
    """
    parts, heights = [], []
    all_results = list(dict.fromkeys(finding.results for finding in findings))
    for results in all_results:
        parts.append(partial(_draw_key, results))
        heights.append(_KEY)
        topic = ""
        for rows in _grouped([f for f in findings if f.results == results]):
            first = next(iter(rows)).topic
            parts.append(partial(_part, rows, first if first != topic else ""))
            heights.append(_HEAD + _FOOT + _ROW * len(rows))
            topic = first
    caption = (
        "The claims of the paper, each with the effect that its numbers give (diamond) and ours "
        "with its 95% interval. " + " ".join(results.caption for results in all_results)
    )
    notes = (
        "Intervals are over queries and trainings; where there was only one training, over queries "
        "alone (dashed), and there is no verdict. Effects on recall are differences in points, of "
        "costs ratios. The vertical line is no effect; a grey band is the margin within which a "
        "claimed sameness holds. Axes differ from topic to topic."
    )
    figure = figures.compose(heights, parts, width=style.WIDTH)
    title = "The claims of the paper, its effects and ours"
    return Drawing(figure, title, caption, claims_table.statement(findings), notes)


def _grouped(findings: Sequence[Verdict]) -> list[dict[Claim, list[Verdict]]]:
    """Findings by claim, in parts of one topic and unit."""
    parts: dict[tuple[str, str], dict[Claim, list[Verdict]]] = {}
    for finding in findings:
        claim = finding.claim
        part = parts.setdefault((claim.topic, _UNITS.get(claim.kind, "points")), {})
        part.setdefault(claim, []).append(finding)
    return list(parts.values())


def _draw_key(results: Results, part: SubFigure) -> None:
    part.text(0.01, 0.72, results.heading, size=9, weight="bold", va="center")
    axes = part.add_axes((0.0, 0.0, 1.0, 0.5))
    style.bare(axes)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    keys = [(_PAPER, ("D", style.INK, False)), *_MARKS.items()]
    for place, (text, (marker, ink, filled)) in zip(
        (0.36, 0.44, 0.555, 0.69, 0.815), keys, strict=True
    ):
        if text != _PAPER:
            axes.plot([place - 0.012, place + 0.012], [0.5, 0.5], color=ink, lw=1)
        marks.mark(axes, place, 0.5, ink, **_look(marker, filled=filled))
        axes.text(place + 0.017, 0.5, text, va="center", size=7, color=ink)


def _part(rows: dict[Claim, list[Verdict]], topic: str, part: SubFigure) -> None:
    """One topic and unit; its heading is empty where another part of the topic stands above."""
    first = next(iter(rows))
    unit = _UNITS.get(first.kind, "points")
    columns = [first.measures[0]]
    if unit in _BY_MEASURE:
        columns = list(dict.fromkeys(measure for claim in rows for measure in claim.measures))
    height = _HEAD + _FOOT + _ROW * len(rows)
    bottom, tall = _FOOT / height, _ROW * len(rows) / height
    part.text(0.01, 1 - 0.5 * _HEAD / height, topic, size=8, weight="bold", va="center")
    wide = (_RIGHT - _LEFT - _BETWEEN * (len(columns) - 1)) / len(columns)
    panels = [
        part.add_axes((_LEFT + place * (wide + _BETWEEN), bottom, wide, tall))
        for place in range(len(columns))
    ]
    limits = _limits(rows, log=unit == "ratio")
    for axes, measure in zip(panels, columns, strict=True):
        _draw_rows(axes, rows, measure if unit in _BY_MEASURE else None)
        if unit == "ratio":
            axes.set_xscale("log")
            axes.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5], minor=False)
            axes.xaxis.set_major_formatter("×{x:g}")
            axes.minorticks_off()
        axes.set_xlim(limits)
        axes.set_ylim(-len(rows) + 0.4, 0.6)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        title = f"{measure}, points" if unit == "points" else _title(measure, unit)
        axes.set_title(title, size=6.5, weight="normal", color=style.MUTED, pad=3)
        axes.tick_params(labelsize=6.3, pad=1.5)
    for place, claim in enumerate(rows):
        panels[0].annotate(
            textwrap.fill(claim.statement, _LETTERS), (0, -place), (-8, 0),
            xycoords=panels[0].get_yaxis_transform(), textcoords="offset points",
            ha="right", va="center", size=6.5, linespacing=0.95,
        )  # fmt: skip


def _title(measure: str, unit: str) -> str:
    return "run time and model size, ratio" if unit == "ratio" else measure


def _draw_rows(axes: Axes, rows: dict[Claim, list[Verdict]], measure: str | None) -> None:
    """The claims of one measure; of each claim's only one where `measure` is None."""
    for place, (claim, verdicts) in enumerate(rows.items()):
        null = statements.reference(claim)
        axes.plot([null, null], [-place - 0.5, -place + 0.5], color=style.MUTED, lw=0.8, zorder=1)
        finding = next((f for f in verdicts if measure in (None, f.measure)), None)
        if finding is None:
            continue
        if claim.expects == "same":
            left, right = null - claim.margin, null + claim.margin
            axes.fill_betweenx([-place - 0.42, -place + 0.42], left, right, color=style.GRID, lw=0)
        if (value := printed(claim, finding.measure)) is not None:
            height = (0.17 if finding.effect else 0.0) - place
            marks.mark(axes, value, height, style.INK, **_look("D", filled=False))
        if finding.effect is None:
            axes.annotate(
                "not run", (1, -place), (-2, 0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", ha="right", va="center", size=5.8, color=style.MUTED,
            )  # fmt: skip
            continue
        marker, ink, filled = _MARKS[finding.verdict.split(":")[0]]
        height = -place - (0.17 if value is not None else 0.0)
        dashes = (0, (2, 1)) if finding.effect.trainings == 1 else "-"
        look = _look(marker, filled=filled)
        marks.interval(axes, finding.effect, height, ink, width=1.1, dashes=dashes, **look)


def _limits(rows: dict[Claim, list[Verdict]], *, log: bool) -> tuple[float, float]:
    """The range of a part: nulls, margins, printed effects and intervals."""
    values: list[float] = []
    for claim, verdicts in rows.items():
        null, margin = statements.reference(claim), claim.margin if claim.expects == "same" else 0
        values += [null - margin, null + margin]
        values += [v for f in verdicts if (v := printed(claim, f.measure)) is not None]
        values += [end for f in verdicts if f.effect for end in (f.effect.low, f.effect.high)]
    low, high = min(values), max(values)
    if log:
        return low / 1.6, high * 1.6
    edge = _EDGES * (high - low) or 1.0
    words = (
        0.1 * (high - low)
        if any(not f.effect for verdicts in rows.values() for f in verdicts)
        else 0
    )
    return low - edge, high + edge + words


def _look(marker: str, *, filled: bool) -> dict[str, Any]:
    size = 3.6 if marker == "D" else 4.2
    return {"marker": marker, "size": size, "filled": filled, "zorder": 3}
