"""The noise of training as two tables: of each method, and of each effect that the paper prints."""

from collections.abc import Sequence

import pandas as pd

from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.pairs import METRICS, VISIBLE
from mgsl.reporting.draw import tables
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table, interval
from mgsl.reporting.exhibits.claims import claims_table
from mgsl.reporting.exhibits.noise import visibility
from mgsl.reporting.exhibits.noise.visibility import GROUPS, PrintedEffect
from mgsl.reporting.read.comparisons import Comparisons
from mgsl.reporting.read.results import rule

_NONE = "none"  # the smallest difference that one training shows
_MORE = f"more than {VISIBLE[-1]}"


def build(runs: Sequence[Comparisons]) -> Table:
    """How far apart the trainings of each method lie, and what of the interval they give.

    Args:
        runs: on each dataset.
    """
    numbers = pd.concat([visibility.of_methods(one) for one in runs], ignore_index=True)
    blocks = [(one, metric, group) for one in runs for metric in METRICS for group in GROUPS]
    columns = tuple(
        Columns(f"ours: {one.source.label}, {metric}, {group}",
                ("mean", "range", "from queries, %", "from trainings, %"), ours=True)
        for one, metric, group in blocks
    )  # fmt: skip
    rows = []
    for name, mine in numbers.groupby("name", sort=False):
        cells: list[Cell] = []
        for one, metric, group in blocks:
            keys = {"dataset": one.source.dataset, "metric": metric, "group": group}
            found = mine[(mine[[*keys]] == pd.Series(keys)).all(axis=1)]
            cells += _cells(found.iloc[0]) if len(found) else [Cell(reason=f"{name} not run")] * 4
        rows.append((str(mine["title"].iloc[0]), tuple(cells)))
    return Table(_caption(runs, numbers), columns, tuple(rows), numbers)


def build_effects(runs: Sequence[Comparisons]) -> Table:
    """The effects that the paper prints, beside the smallest that are visible here.

    Args:
        runs: on each dataset.
    """
    found = [visibility.effects(one) for one in runs]
    columns = [Columns("printed", tuple(METRICS), ours=False)]
    for one in runs:
        heads = ("1", *map(str, VISIBLE), "seen with")
        columns += [
            Columns(f"ours: {one.source.label}, {metric}, smallest visible with", heads, ours=True)
            for metric in METRICS
        ]
    rows = []
    for claim in dict.fromkeys(effect.claim for effect in found[0]):
        mine = [{e.measure: e for e in effects if e.claim == claim} for effects in found]
        cells = [_printed(mine[0].get(metric)) for metric in METRICS]
        for effects in mine:
            for metric in METRICS:
                cells += _visible(effects.get(metric))
        rows.append((f"{claim.place}: {claim.statement}", tuple(cells)))
    tidy = [_tidy(one, effect) for one, some in zip(runs, found, strict=True) for effect in some]
    return Table(_effects_caption(runs), tuple(columns), tuple(rows), pd.DataFrame(tidy), "Claim")


def save(methods: Table, effects: Table, stem: str) -> None:
    """Write both: the second with `.effects` behind the stem."""
    tables.save(methods, stem)
    tables.save(effects, f"{stem}.effects")


def _cells(row: pd.Series) -> list[Cell]:
    mean = tables.measured(Measured.of(row.rename({"mean": "value"})))
    if row["trainings"] == 1:
        return [mean, *[Cell(reason="one training")] * 3]
    shares = [Cell(f"{100 * row[key]:.0f}") for key in ("of_queries", "of_trainings")]
    number = f"of {row['trainings']}"
    return [mean, Cell(interval(row["lowest"], row["highest"]), number), *shares]


def _printed(effect: PrintedEffect | None) -> Cell:
    if effect is None:
        return Cell(reason="the claim is of another measure")
    return Cell(claims_table.written(effect.claim, effect.printed))


def _visible(effect: PrintedEffect | None) -> list[Cell]:
    if effect is None or not effect.visible:
        reason = effect.reason if effect else "the claim is of another measure"
        return [Cell(reason=reason)] * (2 + len(VISIBLE))
    least = [Cell(f"{effect.visible[number]:.1f}") for number in VISIBLE]
    return [Cell(_NONE, reason="no verdict rests on one training"), *least, _seen(effect)]


def _seen(effect: PrintedEffect) -> Cell:
    return Cell(_MORE if effect.seen_with is None else str(effect.seen_with))


def _tidy(runs: Comparisons, effect: PrintedEffect) -> dict[str, object]:
    return {
        "dataset": runs.source.dataset,
        "claim": effect.claim.claim,
        "place": effect.claim.place,
        "statement": effect.claim.statement,
        "a": effect.claim.a,
        "b": effect.claim.b,
        "metric": effect.measure,
        "printed_points": effect.printed,
        **{f"visible_{n}": round(v, 2) for n, v in effect.visible.items()},
        "seen_with": _seen(effect).text if effect.visible else "",
        "trainings": effect.trainings or None,
        "reason": effect.reason,
    }


def _caption(runs: Sequence[Comparisons], numbers: pd.DataFrame) -> str:
    one = " Each was trained once: nothing is known of another training." * bool(
        (numbers["trainings"] == 1).all()
    )
    return " ".join(
        [
            "Trainings that differ in the seed alone: R@1 in percent on the test split, the mean "
            "± the standard deviation over trainings, with the 95% interval of the mean beside it; "
            "the lowest and the highest training; and the shares of the interval’s variance that "
            "queries alone and trainings alone give. The rest is of both together: it falls with "
            f"more of either.{one}",
            *(one.source.caption for one in runs),
            rule([one.source for one in runs]),
            f"{DASH} : not run, or trained once.",
        ]
    )


def _effects_caption(runs: Sequence[Comparisons]) -> str:
    return " ".join(
        [
            "The differences that the paper prints for ActivityNet Captions, in points, and the "
            "smallest that is visible on our data with 1, 3, 5 and 10 trainings of each side: half "
            "of the 95% interval of the difference of the two methods of the claim, if their "
            "trainings varied as those that were made. With one training nothing is visible, for "
            "no verdict rests on it. A printed difference of that size would be seen where it is "
            "larger; an effect as large as the half width is found in half of all cases only. Few "
            "trainings tell their own spread roughly: with three, the half widths may be off by "
            "half.",
            *(one.source.caption for one in runs),
            f"{DASH} : a method of the claim was not run, or was trained once.",
        ]
    )
