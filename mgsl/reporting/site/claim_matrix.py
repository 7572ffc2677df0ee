"""How the claims of the paper came out: counted for each dataset, and one mark for each claim."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mgsl import paths
from mgsl.reporting.draw import anchors
from mgsl.reporting.exhibits.claims.statements import (
    CONTRADICTED,
    NOT_REAL,
    NOT_REPRODUCED,
    NOT_RUN,
    ONE_TRAINING,
    SUPPORTED,
    UNDECIDED,
)

EXHIBIT = "claims"
PAPER = "Of the paper itself"
MIXED = "mixed"  # a claim whose measures have different verdicts
SIGNS = {SUPPORTED: "✓", CONTRADICTED: "✗", UNDECIDED: "?", MIXED: "±"}  # others: not tested
_ORDER = (
    *(SUPPORTED, CONTRADICTED, UNDECIDED, ONE_TRAINING, MIXED),
    *(NOT_REPRODUCED, NOT_REAL, NOT_RUN),
)

Counts = list[tuple[str, int]]


@dataclass(frozen=True)
class Mark:
    """The verdict on one claim. `anchor` is the claim's row in the page of all claims."""

    statement: str
    verdict: str

    @property
    def anchor(self) -> str:
        """The row's id."""
        return anchors.of("Claim", self.statement)

    @property
    def kind(self) -> str:
        """The verdict without its reason: the class in HTML."""
        return self.verdict.split(":")[0]

    @property
    def sign(self) -> str:
        """One letter for the verdict."""
        return SIGNS.get(self.kind, "·")


def verdicts(exhibits: Sequence[str]) -> list[tuple[str, Counts]]:
    """How the claims came out: of each dataset, and of the paper.

    Args:
        exhibits: names of the exhibits shown; without "claims" among them there is none.
    """
    return count(table) if (table := _read(exhibits)) is not None else []


def marks(exhibits: Sequence[str]) -> dict[str, dict[str, list[Mark]]]:
    """A mark for each claim, by topic and then by what it was tested on, as in `verdicts`.

    Args:
        exhibits: names of the exhibits shown; without "claims" among them there is none.
    """
    table = _read(exhibits)
    if table is None:
        return {}
    rows: dict[str, dict[str, list[Mark]]] = {
        str(topic): {place: [] for place, *_ in _places(table)} for topic in table["topic"].unique()
    }
    for place, part, column in _places(table):
        topics = dict(zip(part["claim"], part["topic"], strict=True))
        statements = dict(zip(part["claim"], part["statement"], strict=True))
        for claim, verdict in _by_claim(part, column).items():
            rows[topics[claim]][place].append(Mark(statements[claim], verdict))
    return rows


def count_file(path: Path) -> list[tuple[str, Counts]]:
    """How the claims of one CSV came out."""
    return count(_read_csv(path))


def count(table: pd.DataFrame) -> list[tuple[str, Counts]]:
    """The number of claims of each verdict: of each dataset, and of the paper."""
    counts = []
    for place, part, column in _places(table):
        number = Counter(_by_claim(part, column).values())
        ordered = sorted(number.items(), key=lambda item: (_rank(item[0]), item[0]))
        counts.append((place, ordered))
    return counts


def _rank(verdict: str) -> int:
    """Its place in what is listed; a verdict that is new comes last."""
    return _ORDER.index(verdict) if verdict in _ORDER else len(_ORDER)


def _places(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """What claims were tested on, with its rows and the column of its verdict."""
    simulated = table["simulated"].map({"True": " (simulated)", "False": ""})
    for name, part in table.groupby(table["dataset"] + simulated, sort=False):
        yield f"On {name}", part, "verdict_here"
    yield PAPER, table, "verdict"


def _by_claim(table: pd.DataFrame, column: str) -> dict[str, str]:
    """The verdict of each claim: that of all its measures, or that they differ."""
    groups = table.groupby("claim", sort=False)[column].unique()
    return {
        str(claim): verdicts[0] if len(verdicts) == 1 else MIXED
        for claim, verdicts in groups.items()
    }


def _read(exhibits: Sequence[str]) -> pd.DataFrame | None:
    path = paths.EXHIBITS / f"{EXHIBIT}.csv"
    return _read_csv(path) if EXHIBIT in exhibits and path.is_file() else None


def _read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)
