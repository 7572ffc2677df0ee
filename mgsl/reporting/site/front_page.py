"""What the front page says first: what was run, on which data, and what came out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl import paths
from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table, interval
from mgsl.reporting.exhibits.claims.statements import (
    CONTRADICTED,
    NOT_REAL,
    NOT_REPRODUCED,
    NOT_RUN,
    ONE_TRAINING,
    QUERIES_ALONE,
    SUPPORTED,
    UNDECIDED,
)
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results, rule

METRIC = "R@1, IoU=0.5"
GROUPS = ("all", "rare", "common")
MIXED = "mixed"  # a claim whose measures have different verdicts
_ORDER = (
    *(SUPPORTED, CONTRADICTED, UNDECIDED, ONE_TRAINING, QUERIES_ALONE, MIXED),
    *(NOT_REPRODUCED, NOT_REAL, NOT_RUN),
)


def build(datasets: Sequence[str]) -> Table:
    """R@1, IoU=0.5 in percent of every method on every dataset, with its interval.

    The rows of Tables 3 to 5 have tables of their own.

    Args:
        datasets: names of evaluated datasets.
    """
    sources = [Results(dataset) for dataset in datasets]
    names = dict.fromkeys(name for source in sources for name in source.names)
    numbers: list[dict[Any, Any]] = []
    rows = []
    for name in names:
        cells = []
        for source in sources:
            for group in GROUPS:
                result = source.result(name, group, METRIC)
                cells.append(_cell(result))
                if result is not None:
                    numbers.append({"title": published.title(name), **result.to_dict()})
        rows.append((sources[0].title(name), tuple(cells)))
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


def scope(datasets: Sequence[str]) -> str:
    """How much of the paper was run: methods of Table 1, and configurations of Tables 3 to 5."""
    names = {name for dataset in datasets for name in Results(dataset).config.names}
    printed = {method.printed for method in published.methods() if method.printed}
    run = {method.printed for method in published.methods() if method.name in names} - {""}
    rows = {str(name) for number in (3, 4, 5) for name in published.ablations(number).index}
    return (
        f"{len(run)} of the {len(printed)} methods of Table 1 and {len(rows & names)} of the "
        f"{len(rows)} configurations of Tables 3 to 5 were trained and scored anew"
    )


def verdicts(exhibits: Sequence[str]) -> list[tuple[str, list[tuple[str, int]]]]:
    """How the claims came out: of each dataset, and of the paper.

    Args:
        exhibits: names of the exhibits shown; without "claims" among them there is none.
    """
    path = paths.EXHIBITS / "claims.csv"
    if path.stem not in exhibits or not path.is_file():
        return []
    return count_verdicts(path)


def count_verdicts(path: Path) -> list[tuple[str, list[tuple[str, int]]]]:
    """The same, from one table of claims."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    simulated = table["simulated"].map({"True": " (simulated)", "False": ""})
    datasets = table.groupby(table["dataset"] + simulated, sort=False)
    here = [(f"On {name}", _count(rows, "verdict_here")) for name, rows in datasets]
    return [*here, ("Of the paper itself", _count(table, "verdict"))]


def _count(table: pd.DataFrame, column: str) -> list[tuple[str, int]]:
    by_claim = table.groupby("claim", sort=False)[column].unique()
    counts = Counter(verdicts[0] if len(verdicts) == 1 else MIXED for verdicts in by_claim)
    return sorted(counts.items(), key=lambda item: (_ORDER.index(item[0]), item[0]))


def _cell(result: "pd.Series | None") -> Cell:
    if result is None:
        return Cell()
    number = Measured.of(result, scale=100.0)
    return Cell(f"{number.value:.1f}", interval(number.low, number.high))
