"""Remedies for rare words that need no new data: what each is worth to three methods.

The rule was written before the runs (docs/tuning.md): on a dataset a remedy is recommended for a
method if it gains in R@1, IoU=0.5, of rare validation queries, in the mean over seeds, while all
validation queries lose no more than `MOST_LOST`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from mgsl.reporting.draw import effects
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.draw.phrases import effect, listed
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.read import kept, published
from mgsl.reporting.read.compared import METRIC
from mgsl.reporting.read.kept_runs import heading, of_remedies

MOST_LOST = 1.0  # points
_RARE, _ALL = f"rare, {METRIC}", f"intact, {METRIC}"
_HEADS = ("rare", "all", "recommended")


def draw(datasets: Sequence[str]) -> Drawing:
    """A row for each method and remedy: the change in recall of each group of test queries.

    Its statement is of rare queries, which remedies are for.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    study = of_remedies()
    said = effects.statement(study, study.datasets(datasets), "rare")
    return replace(effects.draw(study, datasets), statement=said)


def build(datasets: Sequence[str]) -> Table:
    """The same as a table, with what every run reaches; the argument is `draw`'s."""
    return effects.build(of_remedies(), datasets)


def choice(datasets: Sequence[str]) -> Table:
    """What the rule says, on validation: a row for each method and remedy.

    Args:
        datasets: shown first; the others that were studied follow.
    """
    study, gains = of_remedies(), validation()
    shown = study.datasets(datasets)
    names = list(dict.fromkeys(gains["name"])) if len(gains) else []
    places = {(row["dataset"], row["name"]): row for row in gains.to_dict("records")}
    rows = [
        (
            published.title(name),
            tuple(cell for dataset in shown for cell in _cells(places.get((dataset, name)))),
        )
        for name in names
    ]
    columns = [Columns(f"ours: {heading(d)}, validation", _HEADS, ours=True) for d in shown]
    recommended = []
    for row in gains[gains["recommended"].astype(bool)].to_dict("records"):
        test = study.row(row["dataset"], row["name"], "rare", METRIC)
        assert test is not None, row  # both tables are of the same runs
        ends = (float(test[f"difference{end}"]) for end in ("", "_low", "_high"))
        where = f"on {row['dataset']}, rare test queries {effect(*ends)}"
        recommended.append(f"{published.title(row['name'])} ({where})")
    return Table(
        caption=(
            f"{METRIC} on validation, less that of the same method without a remedy, in points; "
            f"means over seeds. {study.not_run(datasets)}"
        ).strip(),
        columns=tuple(columns) or (Columns("not run", _HEADS, ours=True),),
        rows=tuple(rows),
        tidy=gains.round(4),
        stub="Remedy, by the rule",
        statement=(
            f"Recommended by the rule: {listed(recommended)}."
            if recommended
            else "No remedy is recommended by the rule." * bool(len(gains))
        ),
        notes=(
            "Recommended: rare validation queries gain, and all of them lose no more than "
            f"{MOST_LOST:g} point. The rule was written before the runs. {DASH}: not run."
        ),
    )


def validation() -> pd.DataFrame:
    """What each remedy gains on validation, in points: the means over the seeds of each training.

    Returns:
        Columns dataset, name, rare, all, recommended; no rows where nothing was studied.
    """
    rows = []
    study = of_remedies()
    for name in (study.name, *study.more):
        table = kept.table(name, "validation")
        if table.empty:
            continue
        keys = ["dataset", "name"]
        means = table.groupby(keys, sort=False, as_index=False)[[_RARE, _ALL]].mean()
        bases = means[means["name"].isin(study.bases)].set_index("dataset")
        for row in means[~means["name"].isin(study.bases)].to_dict("records"):
            base = bases.loc[row["dataset"]]
            rare, everything = (100 * float(row[key] - base[key]) for key in (_RARE, _ALL))
            good = rare > 0 and everything >= -MOST_LOST
            rows.append((row["dataset"], row["name"], rare, everything, good))
    return pd.DataFrame(rows, columns=["dataset", "name", "rare", "all", "recommended"])


def _cells(row: Mapping[object, object] | None) -> tuple[Cell, Cell, Cell]:
    if row is None:
        return Cell(DASH), Cell(DASH), Cell(DASH)
    rare, everything = (signed(float(str(row[key])), 1) for key in ("rare", "all"))
    return Cell(rare), Cell(everything), Cell("yes" if row["recommended"] else "no")
