"""Figure 7: what the slots of the memories hold, and which pairs they retrieve."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import SubFigure

from mgsl.reporting.draw import figures, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.read import inspections, published
from mgsl.reporting.read.inspections import MEMORIES, SAME, Inspected
from mgsl.reporting.read.results import Results

_TITLE = "Figure 7. What the slots hold"
_PLANE, _LINE, _HEAD = 2.55, 0.125, 0.6  # inches: of a plane, of a line of text, of the heading
_PAIRS = 3  # test pairs of a slot that are listed
_COLORS = "viridis"
UNITS = ("words", "slots")  # over which frequency and distance are correlated
_NEAR = 0.06  # of a plane's width: nearer letters stand together
_LONGEST = 50  # letters of a line
_TICKS = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)


def draw(datasets: Sequence[str]) -> Drawing:
    """For each run: its memories' slots on their principal plane, and what some of them retrieve.

    Args:
        datasets: names of datasets whose memories were looked into.
    """
    runs = [one for dataset in datasets for one in inspections.read(Results(dataset))]
    if not runs:
        return figures.absent(_TITLE, inspections.NOTHING)
    heights = [_HEAD + _plane(one) + _LINE * _lines(one) for one in runs]
    figure = figures.compose(heights, [partial(_part, one) for one in runs], width=style.WIDTH)
    rule = runs[0].summary(runs[0].seeds[0])["rule"]
    caption = (
        "Figure 7. The slots of each memory on their first two principal components, coloured by "
        "the training frequency of the words that address them. "
        + " ".join(dict.fromkeys(one.results.caption for one in runs))
    )
    notes = (
        f"{published.NO_DRAWINGS} Axis labels give the share of the variance. The frequency of a "
        "slot is the geometric mean over the words that address it in reading, each counted once; "
        f"its area shows how much it is read. Letters mark representative slots, {rule}. "
        "Below them: the words that address the slot most, and the test pairs that give it most "
        "weight, with that weight and, in brackets, the training frequency of their rarest word. "
        "The paper’s statement that rare content lies in scattered slots is tested in two ways, "
        "here and among the claims, by Spearman’s correlation between training frequency and the "
        "distance of a slot to its five nearest neighbours: over words (for the slots that each "
        "word addresses) and over slots (for the words that address each). A negative correlation "
        "agrees with the paper. Slots and pairs are of seed "
        f"{runs[0].seeds[0]}, correlations of all seeds."
    )
    return Drawing(figure, _TITLE, caption, _statement(runs), notes)


def _statement(runs: Sequence[Inspected]) -> str:
    """Whether rare content lies in scattered slots, of each run and memory, by both units."""
    sentences = []
    for run in runs:
        said = [
            f"{MEMORIES.get(memory, memory).lower()} "
            + ", ".join(f"{_verdict(run, memory, unit)} over {unit}" for unit in UNITS)
            for memory in _shown(run)
        ]
        same = "not testable, because all slots of a memory are equal"
        sentences.append(f"{published.title(run.name)}: {same if _same(run) else '; '.join(said)}.")
    return f"Does rare content lie in scattered slots? {' '.join(sentences)}"


def _verdict(run: Inspected, memory: str, unit: str) -> str:
    """In words, with the correlation and its interval where there is one."""
    row = run.scatter().query("memory == @memory and unit == @unit").iloc[0]
    verdict = inspections.scattered(row)
    if np.isnan(row["correlation"]):
        return verdict
    ends = " to ".join(signed(float(row[key])) for key in ("low", "high"))
    return f"{verdict} (ρ = {signed(float(row['correlation']))}, {ends})"


def _shown(run: Inspected) -> list[str]:
    """The memories that have a panel."""
    return list(run.summary(run.seeds[0])["memories"])[:2]


def _same(run: Inspected) -> bool:
    """Whether no memory has two slots that differ."""
    return bool(run.table("slots", run.seeds[0])["distance"].max() <= SAME)


def _plane(run: Inspected) -> float:
    """Inches: a point needs less room than a plane."""
    return 0.7 if _same(run) else _PLANE


def _lines(run: Inspected) -> int:
    slots = run.table("slots", run.seeds[0])
    representatives = slots[slots["representative"] != ""]
    most = int(representatives.groupby("memory").size().max()) if len(representatives) else 0
    return max(1, most * (_PAIRS + 1)) + 4


def _part(run: Inspected, part: SubFigure) -> None:
    title = f"{published.title(run.name)}, {run.results.heading}"
    part.suptitle(title, x=0.01, ha="left", size=8.5, weight="bold")
    memories = _shown(run)
    grid = part.subplots(
        2, len(memories), height_ratios=[_plane(run), _LINE * _lines(run)], squeeze=False
    )
    slots = run.table("slots", run.seeds[0])
    norm = _norm(slots["frequency"])
    for column, memory in enumerate(memories):
        memory_slots = slots[slots["memory"] == memory].reset_index(drop=True)
        _draw_plane(grid[0, column], run, memory, memory_slots, norm)
        _write(grid[1, column], run, memory, memory_slots)
    if _same(run):
        return
    bar = part.colorbar(
        ScalarMappable(norm, _COLORS), ax=list(grid[0]), shrink=0.7, aspect=25, pad=0.01
    )
    low, high = bar.mappable.get_clim()
    ticks = [f for f in _TICKS if (low or 0) <= 1 + f <= (high or 0)]
    bar.set_ticks([1 + f for f in ticks], labels=[str(f) for f in ticks])
    bar.minorticks_off()
    bar.set_label("training frequency", size=6.5)
    bar.outline.set_visible(False)


def _norm(frequency: pd.Series) -> LogNorm:
    """Colours of 1 + frequency: over the middle nine tenths of the slots, at least a decade."""
    low, high = np.quantile(1 + frequency, [0.05, 0.95])
    return LogNorm(min(low, high / 10), high)


def _draw_plane(
    axes: Axes, run: Inspected, memory: str, slots: pd.DataFrame, norm: LogNorm
) -> None:
    axes.set_title(f"{MEMORIES.get(memory, memory)}, {len(slots)} slots")
    if slots["distance"].max() <= SAME:
        style.bare(axes)
        axes.plot(0, 0, "o", ms=9, color=style.MUTED)
        axes.annotate(
            f"all {len(slots)} slots hold the same", (0, 0), (0, 10), textcoords="offset points",
            ha="center", size=7,
        )  # fmt: skip
        return
    shares = run.summary(run.seeds[0])["memories"][memory]["variance_shares"]
    area = 6 + 90 * np.sqrt(slots["share_train"] / max(slots["share_train"].max(), 1e-12))
    axes.scatter(
        slots["x"], slots["y"], s=area, c=1 + slots["frequency"], cmap=_COLORS, norm=norm,
        alpha=0.85, linewidths=0.3, edgecolors="white",
    )  # fmt: skip
    for letters, place in _together(slots):
        axes.annotate(
            letters, place, (7, 7), textcoords="offset points", size=8,
            weight="bold", arrowprops={"arrowstyle": "-", "lw": 0.6, "color": style.INK},
        )  # fmt: skip
    axes.set_xlabel(f"first component, {shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second, {shares[1]:.0%}")
    axes.margins(0.12)


def _representatives(slots: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Letters of the representative slots, those of rare words first."""
    representatives = slots[slots["representative"] != ""]
    order = representatives.sort_values("representative", ascending=False, kind="stable")
    return [("ABCDEFGH"[place], row) for place, (_, row) in enumerate(order.iterrows())]


def _together(slots: pd.DataFrame) -> list[tuple[str, tuple[float, float]]]:
    """Letters and where they stand; those of slots that lie on one another stand together."""
    near = _NEAR * max(float(np.ptp(slots["x"])), float(np.ptp(slots["y"])))
    places: list[tuple[str, tuple[float, float]]] = []
    for letter, row in _representatives(slots):
        x, y = float(row["x"]), float(row["y"])
        for index, (letters, other) in enumerate(places):
            if np.hypot(x - other[0], y - other[1]) < near:
                places[index] = f"{letters}, {letter}", other
                break
        else:
            places.append((letter, (x, y)))
    return places


def _write(axes: Axes, run: Inspected, memory: str, slots: pd.DataFrame) -> None:
    """The pairs of each representative slot, and the verdict."""
    style.bare(axes)
    count = _lines(run)
    axes.set_ylim(-count, 0)
    axes.set_xlim(0, 1)
    line = -0.5
    pairs = run.table("pairs", run.seeds[0])
    for letter, row in _representatives(slots):
        words = ", ".join(word.partition(":")[0] for word in row["words"].split()[:4])
        _say(axes, line, f"{letter}  {row['representative']}: {words}", weight="bold")
        slot_pairs = pairs.query("memory == @memory and slot == @row.slot and split == 'test'")
        for place, (_, pair) in enumerate(slot_pairs[:_PAIRS].iterrows(), start=1):
            frequency = "" if pd.isna(pair["frequency"]) else f" [{int(pair['frequency'])}]"
            ink = style.GROUPS["rare"] if pair["rare"] else style.INK
            text = _shorten(pair["sentence"], _LONGEST - len(frequency)) + frequency
            _say(axes, line - place, f"{pair['score']:.2f}  {text}", color=ink)
        line -= _PAIRS + 1
    _say(axes, 2.0 - count, "Does rare content lie in scattered slots?", weight="bold")
    for place, unit in enumerate(UNITS):
        _say(axes, 1.1 - place - count, f"over {unit}: {_verdict(run, memory, unit)}")


def _say(axes: Axes, line: float, text: str, **look: str) -> None:
    said = axes.text(0, line, text, size=6.2, va="center", **look)  # type: ignore[arg-type]
    said.set_in_layout(False)


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
