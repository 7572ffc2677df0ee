"""How much of each metric needs no video: two priors and people beside the printed methods."""

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation import scoring
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.read import published
from mgsl.reporting.read.kept_no_video import BLIND, means, value
from mgsl.reporting.read.kept_records import seeds_in_words
from mgsl.reporting.read.kept_studies import STAMP, Studies
from mgsl.reporting.read.published import BENCHMARKS

METRICS = ("R@1, IoU=0.5", "R@5, IoU=0.5")
ASKED = "reannotated"  # the group of queries that people were asked
PEOPLE = {"random person": "random person", "representative person": "typical person"}
_PRINTED_NAMES = {"2DTAN": "2D-TAN"}
_ROW, _HEAD, _RARE = 0.142, 0.62, 1.75  # inches
_INKS = {name: style.color(name) for name in BLIND} | dict.fromkeys(PEOPLE, style.PEOPLE)


def draw(folder: str) -> Drawing:
    """Ranks by R@1 and R@5 on each benchmark, and rare beside common queries.

    Args:
        folder: of the studies.
    """
    studies = Studies(folder)
    table = means(studies)
    rows = len({m.printed for m in published.methods() if m.printed}) + len(BLIND) + len(PEOPLE)
    height = _HEAD + _ROW * rows
    parts = [partial(_ranks, table, metric) for metric in METRICS]
    figure = figures.compose(
        [height, height - 2 * _ROW, _RARE], [*parts, partial(_rare, table)], width=style.WIDTH
    )
    caption = (
        "How much of each metric needs no video. Diamonds: the paper’s numbers. Purple: methods "
        "that see no video. Orange: people who annotated the same queries again. Test splits of "
        f"{STAMP}."
    )
    title = "How much of each metric needs no video"
    return Drawing(figure, title, caption, _statement(table), _notes(studies, table))


def _statement(table: pd.DataFrame) -> str:
    """What the action prior reaches on each benchmark, and how many rows of the paper it beats."""
    metric, numbers = METRICS[0], published.table_1()
    said = []
    for benchmark, (title, _) in BENCHMARKS.items():
        blind = value(table, benchmark, "action_prior", "all", metric)["value"]
        rows = [v for (_, b, m), v in numbers.items() if (b, m) == (benchmark, metric)]
        beaten = sum(v < blind for v in rows)
        said.append(f"{blind:.0f} % on {title} (above {beaten} of the paper’s {len(rows)} methods)")
    return f"Without seeing a video, the action prior reaches {metric} of {listed(said)}."


def _ranks(table: pd.DataFrame, metric: str, part: SubFigure) -> None:
    part.suptitle(f"{metric}, %", x=0.01, ha="left", size=8.5, weight="bold")
    panels = part.subplots(1, len(BENCHMARKS))
    ranks = {benchmark: _ranked(table, benchmark, metric) for benchmark in BENCHMARKS}
    longest = max(map(len, ranks.values()))
    for axes, (benchmark, rows) in zip(panels, ranks.items(), strict=True):
        blind = value(table, benchmark, "action_prior", "all", metric)["value"]
        axes.axvspan(0, blind, color=_INKS["action_prior"], alpha=0.09, lw=0)
        _draw_ranks(axes, rows)
        axes.set_ylim(len(rows) - longest - 0.7, len(rows) - 0.3)
        axes.set_title(BENCHMARKS[benchmark][0], size=7.5)


def _ranked(table: pd.DataFrame, benchmark: str, metric: str) -> list[tuple[float, str, Any]]:
    """Percent, title and, for what was run here, its row of the study; the lowest first."""
    numbers = published.table_1()
    printed = dict.fromkeys(m.printed for m in published.methods() if m.printed)
    rows: list[tuple[float, str, Any]] = [
        (numbers[name, benchmark, metric], _PRINTED_NAMES.get(name, name), None)
        for name in printed
        if (name, benchmark, metric) in numbers
    ]
    for name, title in (BLIND | PEOPLE).items():
        score = value(table, benchmark, name, ASKED if name in PEOPLE else "all", metric)
        if score is not None:
            rows.append((score["value"], title, score))
    return sorted(rows, key=lambda row: row[0])


def _draw_ranks(axes: Axes, rows: list[tuple[float, str, Any]]) -> None:
    for place, (percent, _, score) in enumerate(rows):
        ink = style.MUTED if score is None else _INKS[score["name"]]
        axes.plot([0, percent], [place, place], color=ink, lw=0.7)
        if score is None:
            marks.mark(axes, percent, place, ink, marker="D", size=3, edge=0.8, filled=False)
        else:
            axes.plot([score["low"], score["high"]], [place, place], color=ink, lw=2.2, alpha=0.4)
            axes.plot(percent, place, "o", ms=4, color=ink, mew=0)
        axes.annotate(
            f"{percent:.1f}", (percent, place), (5, 0), textcoords="offset points", va="center",
            size=5.8, color=style.INK if score is None else ink,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [title for _, title, _ in rows], size=6.3)
    for label, (_, _, score) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(style.INK if score is None else _INKS[score["name"]])
        label.set_fontweight("normal" if score is None else "bold")
    axes.set_xlim(0, 108)  # room for the numbers
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.spines["bottom"].set_bounds(0, 100)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _rare(table: pd.DataFrame, part: SubFigure) -> None:
    metric = METRICS[0]
    part.suptitle(
        f"{metric}, %: queries with a rare word (filled) and without (open)",
        x=0.01, ha="left", size=8.5, weight="bold",
    )  # fmt: skip
    rows = [*BLIND, *PEOPLE]
    printed = published.rare_and_common()
    for axes, benchmark in zip(part.subplots(1, len(BENCHMARKS)), BENCHMARKS, strict=True):
        labels: list[str] = []
        for name in rows:
            ends = [value(table, benchmark, name, g, metric) for g in ("rare", "common")]
            if any(end is None for end in ends):
                continue
            marks.dumbbell(axes, len(labels), [end["value"] for end in ends], _INKS[name], "o")
            labels.append((BLIND | PEOPLE)[name])
        for name, shares in printed.items() if benchmark == "activitynet" else ():
            marks.dumbbell(axes, len(labels), list(shares), style.MUTED, "D")
            labels.append(_PRINTED_NAMES.get(name, name))
        axes.set_yticks(range(len(labels)), labels, size=6.3)
        axes.set_ylim(-0.7, 6.6)
        axes.set_xlim(0, 78)
        marks.rows(axes)


def _notes(studies: Studies, table: pd.DataFrame) -> str:
    matches = [
        f"{counts['matched']:,} of {counts['told']:,} re-annotated queries of "
        f"{BENCHMARKS[name][0]} were found among its test queries"
        for name, counts in studies.about["people"].items()
        if counts["told"]
    ]
    same = [
        f"{value(table, name, 'action_prior', ASKED, METRICS[0])['value']:.1f} on "
        f"{BENCHMARKS[name][0]}"
        for name, counts in studies.about["people"].items()
        if counts["told"]
    ]
    return (
        "The prior answers from the density of the training moments, the action prior from the "
        "density of the moments of the query’s first common verb (shaded: its recall). Random "
        "person: one of five annotators, drawn at random; typical person: the one who agrees most "
        "with the other four. People are scored only on the queries that they annotated, where the "
        f"action prior reaches {' and '.join(same)}. {'; '.join(matches)}. "
        f"Priors: means over {seeds_in_words(studies.about['seeds'])}. Bars: 95 % intervals over "
        "queries. The paper’s rare and common numbers are for another set of rare "
        f"pairs than ours (Q22). {scoring.rule(studies.evaluation)}"
    )
