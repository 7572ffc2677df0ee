"""The noise of training as two tables: of each method, and of each effect that the paper prints."""

from collections.abc import Sequence

import pandas as pd

from mgsl.evaluation.intervals import Measured
from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.pairs import VISIBLE
from mgsl.reporting.draw import tables
from mgsl.reporting.draw.numbers import decimals, interval, measured, signed
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.exhibits.noise import visibility
from mgsl.reporting.exhibits.noise.visibility import GROUPS, PrintedEffect
from mgsl.reporting.read.results import Results, rule

_NONE = "none"  # the smallest difference that one training shows
_EFFECTS_NOTES = (
    "Half the width of the 95% interval of the difference between the two methods of the claim, "
    "if further trainings vary as much as those that were made. With one training nothing can be "
    "detected, as no verdict rests on it. An effect exactly as large as the half width is detected "
    "in only half of all cases, a larger one more often. Few trainings give a rough estimate of "
    "their own spread: with three, the half widths may be off by half. "
    f"{DASH} : a method of the claim was not run, or was trained once."
)
_MORE = f"more than {VISIBLE[-1]}"


def build(all_results: Sequence[Results]) -> Table:
    """How far apart the trainings of each method lie, and what of the interval they give.

    Args:
        all_results: on each dataset.
    """
    numbers = pd.concat([visibility.of_methods(one) for one in all_results], ignore_index=True)
    blocks = [(one, metric, group) for one in all_results for metric in METRICS for group in GROUPS]
    columns = tuple(
        Columns(f"{one.head}, {metric}, {group}",
                ("mean", "range", "from queries, %", "from trainings, %"), ours=True,
                best=("mean",))
        for one, metric, group in blocks
    )  # fmt: skip
    rows = []
    for name, run in numbers.groupby("name", sort=False):
        cells: list[Cell] = []
        for one, metric, group in blocks:
            keys = {"dataset": one.dataset, "metric": metric, "group": group}
            row = run[(run[[*keys]] == pd.Series(keys)).all(axis=1)]
            cells += _cells(row.iloc[0]) if len(row) else [Cell(reason=f"{name} not run")] * 4
        rows.append((str(run["title"].iloc[0]), tuple(cells)))
    caption = " ".join(
        [
            "Trainings that differ only in the seed: R@1 in percent on the test split, mean ± "
            "standard deviation over trainings, with the 95% interval of the mean beside it.",
            *(one.caption for one in all_results),
        ]
    )
    notes = _notes(all_results, numbers)
    return Table(caption, columns, tuple(rows), numbers, notes=notes)


def build_effects(all_results: Sequence[Results]) -> Table:
    """The effects that the paper prints, beside the smallest that are visible here.

    Args:
        all_results: on each dataset.
    """
    effects_of = [visibility.effects(one) for one in all_results]
    columns = [Columns("paper", tuple(METRICS), ours=False)]
    for one in all_results:
        heads = ("1", *map(str, VISIBLE), "detected with")
        columns += [
            Columns(f"{one.head}, {metric}, smallest detectable with", heads, ours=True)
            for metric in METRICS
        ]
    rows = []
    for claim in dict.fromkeys(effect.claim for effect in effects_of[0]):
        by_metric = [{e.measure: e for e in some if e.claim == claim} for some in effects_of]
        cells = [_printed(by_metric[0].get(metric)) for metric in METRICS]
        for effects in by_metric:
            for metric in METRICS:
                cells += _visible(effects.get(metric))
        rows.append((f"{claim.place}: {claim.statement}", tuple(cells)))
    tidy = [
        _tidy(results, effect)
        for results, effects in zip(all_results, effects_of, strict=True)
        for effect in effects
    ]
    caption = " ".join(
        [
            "The differences that the paper prints for ActivityNet Captions, in points, and the "
            "smallest detectable on our data with 1, 3, 5 and 10 trainings of each method.",
            *(one.caption for one in all_results),
        ]
    )
    table = pd.DataFrame(tidy)
    return Table(caption, tuple(columns), tuple(rows), table, "Claim", notes=_EFFECTS_NOTES)


def save(methods: Table, effects: Table, stem: str) -> None:
    """Write both: the second with `.effects` behind the stem."""
    tables.save(methods, stem)
    tables.save(effects, stem, part="effects")


def _cells(row: pd.Series) -> list[Cell]:
    number = Measured.of(row.rename({"mean": "value"}))
    mean = measured(number, digits=decimals(row["queries"]))
    if row["trainings"] == 1:
        return [mean, *[Cell(reason="one training")] * 3]
    shares = [Cell(f"{100 * row[key]:.0f}") for key in ("of_queries", "of_trainings")]
    trainings = f"of {row['trainings']}"
    return [mean, Cell(interval(row["lowest"], row["highest"]), trainings), *shares]


def _printed(effect: PrintedEffect | None) -> Cell:
    if effect is None:
        return Cell(reason="the claim is of another measure")
    return Cell(signed(effect.printed))


def _visible(effect: PrintedEffect | None) -> list[Cell]:
    if effect is None or not effect.visible:
        reason = effect.reason if effect else "the claim is of another measure"
        return [Cell(reason=reason)] * (2 + len(VISIBLE))
    least = [Cell(f"{effect.visible[number]:.1f}") for number in VISIBLE]
    return [Cell(_NONE, reason="no verdict rests on one training"), *least, _seen(effect)]


def _seen(effect: PrintedEffect) -> Cell:
    return Cell(_MORE if effect.seen_with is None else str(effect.seen_with))


def _tidy(results: Results, effect: PrintedEffect) -> dict[str, object]:
    return {
        "dataset": results.dataset,
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


def _notes(all_results: Sequence[Results], numbers: pd.DataFrame) -> str:
    one = " Each was trained once: the variation between trainings is unknown." * bool(
        (numbers["trainings"] == 1).all()
    )
    return " ".join(
        [
            "The range is from the lowest to the highest of that many trainings. Then come the "
            "shares of the interval’s variance that are due to queries alone and to trainings "
            "alone; the rest is due to both together and falls with more of either." + one,
            *filter(None, (one.notes for one in all_results)),
            rule(all_results),
            f"{DASH} : not run, or trained once.",
        ]
    )
