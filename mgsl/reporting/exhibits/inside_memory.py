"""Inside the memory: does it carry content, and what happened to it in training?"""

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.ticker import MaxNLocator

from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import METRICS
from mgsl.reporting.draw import figures, marks, style
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import effect, listed
from mgsl.reporting.read import inspections, published
from mgsl.reporting.read.inspections import Inspected
from mgsl.reporting.read.results import Results

_GROUPS = {"all": 0.22, "rare": 0.0, "common": -0.22}  # and where each stands in its row
_PROBES = {
    "memory_zeroed": "zeroed",
    "memory_initial": "as before training",
    "memory_shuffled": "shuffled",
    "memory_values_initial": "trained addresses,\ncontent as before training",
    "writes_at_test": "written at test time\n(diagnostic)",
}
_CURVES = (
    ("slot_cosine", "Slot cosine"),
    ("slot_rank", "Effective rank"),
    ("slot_norm", "Slot norm"),
    ("read_entropy", "Read entropy"),
    ("write_entropy", "Write entropy"),
)
_TITLE = "Inside the memory"
_DAMAGE, _CURVE, _HEAD, _VERDICT = 2.5, 1.75, 0.3, 0.17  # inches


def draw(datasets: Sequence[str]) -> Drawing:
    """For each dataset: what each damage to the memories costs, and the memories in training.

    Args:
        datasets: names of datasets whose memories were looked into.
    """
    all_results = [Results(dataset) for dataset in datasets]
    read = {results: inspections.read(results) for results in all_results}
    runs_of = {results: runs for results, runs in read.items() if runs}
    if not runs_of:
        return figures.absent(_TITLE, inspections.NOTHING)
    heights = [_HEAD + _DAMAGE + _CURVE + _VERDICT * (1 + len(runs)) for runs in runs_of.values()]
    parts = [partial(_part, results, runs) for results, runs in runs_of.items()]
    figure = figures.compose(heights, parts, width=style.WIDTH)
    caption = (
        "Inside the memory. Above: the change in R@1, in points, when the memories are damaged. "
        "Below: the state of the memories over training. "
        + " ".join(results.caption for results in all_results)
    )
    notes = (
        "R@1 on the test queries with damaged memories minus R@1 with the memories as trained, "
        "with a paired bootstrap interval: on all (square), rare (filled) and common queries "
        "(open). Shuffled: slots are addressed as trained, but the content of another slot is "
        "read; if slots hold distinct content, recall must drop. The rule, fixed beforehand: yes "
        "if the interval of all queries lies below 0, no if nothing changes. Below: the memories "
        "over training, video (solid) and query (dashed): mean cosine between slots (1: all are "
        "equal), participation ratio of their spectrum, mean norm, entropy of reading and writing "
        "as a share of its maximum (1: all slots are used equally)."
    )
    said = " ".join(_statement(run) for runs in runs_of.values() for run in runs)
    return Drawing(figure, _TITLE, caption, said, notes)


def _statement(run: Inspected) -> str:
    """What shuffling the slots of a run costs, and what that says of them."""
    name, costs = published.title(run.name), []
    if all(inspections.carries_content(run, metric).startswith("no") for metric in METRICS):
        return f"Shuffling the slots of {name} changes nothing: they hold no distinct content."
    for metric in METRICS:
        rows = run.probes.query(
            "probe == @inspections.SHUFFLED and group == 'all' and metric == @metric"
        )
        keys = ("difference", "difference_low", "difference_high")
        ends = [100 * float(rows.iloc[0][key]) for key in keys]
        content = inspections.carries_content(run, metric)
        costs.append(f"{metric} by {effect(*ends)} [{content}]")
    return (
        f"Shuffling the slots of {name} changes {listed(costs)}; in brackets, whether the slots "
        "hold distinct content."
    )


def _part(results: Results, runs: list[Inspected], part: SubFigure) -> None:
    part.suptitle(results.heading, x=0.01, ha="left", size=8.5, weight="bold")
    verdicts = _VERDICT * (1 + len(runs))
    heights = [_DAMAGE, verdicts, _CURVE]
    above, middle, below = part.subfigures(3, 1, height_ratios=heights, squeeze=False)[:, 0]
    left, right = above.subplots(1, 2, sharey=True)
    for axes, metric in ((left, METRICS[0]), (right, METRICS[1])):
        _draw_damage(axes, runs, metric)
    _write_verdicts(middle, runs)
    panels = below.subplots(1, len(_CURVES))
    for axes, (key, title) in zip(panels, _CURVES, strict=True):
        _draw_curve(axes, results, runs, key, title)


def _draw_damage(axes: Axes, runs: list[Inspected], metric: str) -> None:
    tables = [run.probes for run in runs]
    probes = [probe for probe in _PROBES if (tables[0]["probe"] == probe).any()]
    step = len(runs) + 0.6
    for row, probe in enumerate(probes):
        for place, (run, table) in enumerate(zip(runs, tables, strict=True)):
            base = -(row * step + place)
            ink = style.color(run.name)
            rows = table[(table["probe"] == probe) & (table["metric"] == metric)]
            for group, offset in _GROUPS.items():
                one = rows[rows["group"] == group].iloc[0]
                number = Measured.of(one, scale=100.0, prefix="difference")
                marks.interval(
                    axes, number, base + offset, ink, marker="s" if group == "all" else "o",
                    size=3.4, edge=0.8, filled=group != "common",
                )  # fmt: skip
    axes.axvline(0, color=style.MUTED, lw=0.7)
    middles = [-(row * step + (len(runs) - 1) / 2) for row in range(len(probes))]
    axes.set_yticks(middles, [_PROBES[probe] for probe in probes], size=6.5)
    marks.rows(axes)
    axes.set_title(metric)
    axes.text(1, 1.03, "■ all   ● rare   ○ common", transform=axes.transAxes, ha="right", size=6.5,
              color=style.MUTED)  # fmt: skip
    axes.set_xlabel("change from the memory as trained, points")


def _write_verdicts(part: SubFigure, runs: list[Inspected]) -> None:
    axes = part.subplots()
    style.bare(axes)
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(runs) - 0.5, 0.5)
    axes.text(0, 0, "Do the slots hold distinct content?", size=7, weight="bold", va="center")
    for place, run in enumerate(runs, start=1):
        intact = run.probes.query("probe == 'intact' and group == 'all'")
        values = dict(zip(intact["metric"], intact["value"], strict=True))
        said = "; ".join(
            f"{metric} {100 * values[metric]:.1f} %: {inspections.carries_content(run, metric)}"
            for metric in METRICS
        )
        axes.text(
            0, -place, f"{published.title(run.name)}   {said}", size=6.8, va="center",
            color=style.color(run.name),
        )  # fmt: skip


def _draw_curve(axes: Axes, results: Results, runs: list[Inspected], key: str, title: str) -> None:
    for run in runs:
        for seed in run.seeds:
            curve = results.curve(run.name, seed)
            for domain, dashes in (("video", "-"), ("query", (0, (3, 1.6)))):
                if f"{domain}_{key}" in curve:
                    axes.plot(curve["epoch"], curve[f"{domain}_{key}"], ls=dashes, lw=1.1,
                              color=style.color(run.name),
                              marker="o" if len(curve) == 1 else "", ms=3)  # fmt: skip
    axes.set_title(title, size=7, weight="normal")
    axes.set_xlabel("epoch", size=6.5)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if not key.endswith("norm"):
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.grid(axis="y")
