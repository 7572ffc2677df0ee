"""One thing that the paper's printed numbers say about themselves, and how sure it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

COMPUTED = "computed here"
SURE = {  # how a fact about other people's work is known
    "code": "read in released code",
    "derived": "counted from a released configuration",
    "inferred": "inferred from matching numbers",
    "secondary": "as reported in later papers or issue threads",
    "recalled": "recalled from memory, not checked again",
}


@dataclass(frozen=True)
class Finding:
    """A row of the audit.

    `evidence` holds the numbers; `source` says where they are from, `checked` how they were.
    """

    topic: str
    place: str
    finding: str
    evidence: str
    source: str
    checked: str = COMPUTED


def records(table: pd.DataFrame) -> Iterator[Any]:
    """The rows of a table, each with its columns as attributes."""
    yield from table.itertuples(index=False)
