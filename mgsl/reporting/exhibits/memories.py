"""The choice of a memory: what its candidates hold, on validation, over seeds and datasets.

The rule was written down before the runs were made. A reading *carries content* on a dataset if
both zeroing its memories and shuffling their slots cost `LEAST` points of R@1 at IoU 0.7 or more,
in the mean over the seeds. The reading that does so on most datasets is recommended; of several the
one with the highest R@1, the mean of IoU 0.5 and 0.7 and of the datasets.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import METRICS
from mgsl.reporting.draw import effects, figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.tables import Table
from mgsl.reporting.read import kept, published
from mgsl.reporting.read.compared import FULL, METRIC, WITHOUT
from mgsl.reporting.read.kept_runs import heading, of_memories
from mgsl.reporting.read.kept_trainings import pair

LEAST = 1.0  # points
_MARKS = {  # of recall with the memories as trained, and with each damage to them
    "intact": ("s", "■ as trained"),
    "zeroed": ("X", "✕ zeroed"),
    "shuffled": ("D", "◇ shuffled"),
    "initial": ("o", "○ as before training"),
}
_INKS = dict(zip(_MARKS, (style.INK, *style.SERIES[1:4]), strict=True))
_ROW, _HEAD = 0.3, 0.85  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """A row for each candidate: recall with its memories as trained and with each damage to them.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    study, means = of_memories(), summary()
    shown = [dataset for dataset in study.datasets(datasets) if dataset in set(means["dataset"])]
    if not shown:
        return effects.absent(study, datasets)
    tables = [means[means["dataset"] == dataset] for dataset in shown]
    titles = [(heading(dataset), study.trained(dataset)) for dataset in shown]
    parts = [partial(_part, table, title) for table, title in zip(tables, titles, strict=True)]
    caption = (
        "R@1 on the validation split, mean over seeds, with the memories as trained (line: from "
        f"the lowest to the highest seed) and with damaged memories. {study.not_run(datasets)}"
    )
    notes = " ".join(
        [
            "Shuffled: slots are addressed as trained, but the content of another slot is read. "
            "Right: effective rank of the slots of the video memory and the query memory, and the "
            "share of slots that is used. The rule, fixed before the runs: a memory holds content "
            f"where both zeroing and shuffling it cost {LEAST:g} point or more at IoU 0.7; the "
            "reading for which this is so on most datasets is recommended, and among several the "
            "one with the highest R@1.",
            *map(study.caption, shown),
        ]
    )
    heights = [_HEAD + _ROW * len(table) for table in tables]
    figure = figures.compose(heights, parts, width=style.WIDTH)
    said = " ".join([_verdict(means), *_against_none(means, shown)])
    return Drawing(figure, study.title, caption.strip(), said, notes)


def build(datasets: Sequence[str]) -> Table:
    """What each candidate changes in recall on the test split; the argument is `draw`'s."""
    return effects.build(of_memories(), datasets)


def summary() -> pd.DataFrame:
    """Each candidate on each dataset: the mean over seeds, and whether it has content by the rule.

    Returns:
        Columns of validation.csv of the study `memories`, recall in percent, with those of the
        lowest and the highest seed (low, high), and `content`. No rows without that file.
    """
    rows = kept.table("memories", "validation").copy()
    if rows.empty:
        return pd.DataFrame(columns=["dataset", "name"])
    recalls = [column for column in rows.columns if column.endswith(METRICS)]
    rows[recalls] *= 100
    runs = rows.groupby(["dataset", "name"], sort=False)
    means = runs.mean(numeric_only=True)
    for metric in METRICS:
        means[f"low, {metric}"] = runs[f"intact, {metric}"].min()
        means[f"high, {metric}"] = runs[f"intact, {metric}"].max()
    zeroed, shuffled = (
        means[f"intact, {METRICS[1]}"] - means[f"{damage}, {METRICS[1]}"]
        for damage in ("zeroed", "shuffled")
    )
    return means.assign(content=(zeroed >= LEAST) & (shuffled >= LEAST)).reset_index()


def choice(means: pd.DataFrame) -> str:
    """The reading that the rule recommends.

    Args:
        means: what `summary` returned; a reading that is not there on every dataset is no choice.
    """
    everywhere = means.groupby("name")["dataset"].nunique() == means["dataset"].nunique()
    runs = means[means["name"].map(everywhere)].groupby("name")
    content = runs["content"].sum()
    recall = runs[[f"intact, {metric}" for metric in METRICS]].mean().mean(axis=1)
    return str(recall[content == content.max()].idxmax())


def _verdict(means: pd.DataFrame) -> str:
    name = choice(means)
    content = means[means["name"] == name]["content"]
    said = (
        f"The rule recommends “{published.title(name)}”, whose memory holds content on "
        f"{int(content.sum())} of {len(content)} datasets"
    )
    return f"{said}." if name == FULL else f"{said}; that is not the repaired reading."


def _against_none(means: pd.DataFrame, datasets: Sequence[str]) -> Iterator[str]:
    """Whether any memory is worth something: test recall against the network without memories."""
    with_memory = means[means["video_slot_rank"].notna()]
    for dataset in datasets:
        names = with_memory.loc[with_memory["dataset"] == dataset, "name"]
        pairs = {name: pair("memories", dataset, name, WITHOUT, "all", METRIC) for name in names}
        changes = {
            name: Measured.of(row, scale=100.0) for name, row in pairs.items() if row is not None
        }
        if changes:
            yield effects.counted(dataset, changes, f"“{published.title(WITHOUT)}”")


def _part(table: pd.DataFrame, title: tuple[str, str], part: SubFigure) -> None:
    """Below its title stands how long and how often was trained."""
    part.suptitle(title[0], x=0.01, ha="left", size=8.5, weight="bold")
    part.text(0.01, 0.915, title[1], size=6.5, color=style.MUTED, va="top")
    left, right, held = part.subplots(1, 3, width_ratios=[1, 1, 0.8])
    for axes, metric in ((left, METRICS[0]), (right, METRICS[1])):
        _draw_recall(axes, table, metric)
    left.set_yticks([-row for row in range(len(table))], map(published.title, table["name"]))
    right.set_yticks([])
    _write_held(held, table)
    for axes in (left, right, held):
        axes.set_ylim(0.5 - len(table), 0.6)
    across = 0.42
    for damage, (_, label) in _MARKS.items():
        part.text(across, 0.985, label, size=6.5, color=_INKS[damage], va="top")
        across += 0.011 + 0.0095 * len(label)


def _draw_recall(axes: Axes, table: pd.DataFrame, metric: str) -> None:
    for row, (_, run) in enumerate(table.iterrows()):
        ends = [run[f"low, {metric}"], run[f"high, {metric}"]]
        axes.plot(ends, [-row, -row], color=style.INK, lw=1)
        for damage, (marker, _) in _MARKS.items():
            value, filled = run[f"{damage}, {metric}"], damage == "intact"
            marks.mark(axes, value, -row, _INKS[damage], marker=marker, size=5, filled=filled)
    axes.set_title(f"{metric}, %")
    marks.rows(axes, size=6.5)


def _write_held(axes: Axes, table: pd.DataFrame) -> None:
    style.bare(axes)
    columns = {0.0: "rank", 0.42: "used, %", 0.8: "content"}
    for across, title in columns.items():
        axes.text(across, 1.0, title, transform=axes.transAxes, size=6.5, color=style.MUTED)
    for row, (_, run) in enumerate(table.iterrows()):
        if pd.isna(run["video_slot_rank"]):
            continue
        used = [100 * run[f"{side}_used_slots"] for side in ("video", "query")]
        texts = (
            f"{run['video_slot_rank']:.1f} / {run['query_slot_rank']:.1f}",
            f"{used[0]:.0f} / {used[1]:.0f}",
            "yes" if run["content"] else "no",
        )
        for across, text in zip(columns, texts, strict=True):
            axes.text(across, -row, text, transform=axes.get_yaxis_transform(), size=6.5,
                      va="center")  # fmt: skip
