"""The results that stand on the front page: every run, all queries, the rare and the common."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mgsl.reporting import published
from mgsl.reporting.sources import Source, rule
from mgsl.reporting.tables import DASH, Cell, Columns, Table

METRIC = "R@1, IoU=0.5"
GROUPS = ("all", "rare", "common")


def build(datasets: Sequence[str]) -> Table:
    """R@1, IoU=0.5 in percent of every run on every dataset, with its interval.

    Args:
        datasets: names of evaluated datasets.
    """
    sources = [Source(dataset) for dataset in datasets]
    names = dict.fromkeys(name for source in sources for name in source.names)
    numbers: list[dict[Any, Any]] = []
    rows = []
    for name in names:
        cells = []
        for source in sources:
            for group in GROUPS:
                found = source.result(name, group, METRIC)
                cells.append(_cell(found))
                if found is not None:
                    numbers.append({"title": published.title(name), **found.to_dict()})
        rows.append((published.title(name), tuple(cells)))
    caption = " ".join(
        [
            f"{METRIC} in percent on the test split: all queries, those with a rare word, and the "
            "others.",
            *(source.caption for source in sources),
            rule(sources),
            f"The interval stands beside the number. {DASH} : not run, or does not apply.",
        ]
    )
    columns = tuple(Columns(f"ours: {source.label}", GROUPS, ours=True) for source in sources)
    return Table(caption, columns, tuple(rows), pd.DataFrame(numbers))


def _cell(found: "pd.Series | None") -> Cell:
    if found is None:
        return Cell()
    value, low, high = (100 * found[key] for key in ("value", "low", "high"))
    return Cell(f"{value:.1f}", f"{low:.1f}–{high:.1f}")
