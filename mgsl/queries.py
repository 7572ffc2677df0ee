"""A query and its moment, and the file that holds a dataset's queries. No torch here."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mgsl.errors import UserError
from mgsl.files import write_json_lines

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Query:
    """One sentence asked of one video, and the moment that answers it.

    Times are seconds. `frequency` is how often the query's rarest noun, verb or adjective occurs in
    the counting corpus, or None where the query has no such word; `bin` is the index of its
    frequency bin, the rarest first; `rare` is the paper's rule (Section 1).
    """

    qid: str
    video: str
    sentence: str
    split: str
    start_s: float
    end_s: float
    duration_s: float
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    frequency: int | None
    bin: int
    rare: bool


def write_queries(path: Path, queries: Iterable[Query]) -> None:
    """Write one query a line, in the order given."""
    write_json_lines(path, map(asdict, queries))


def read_queries(path: Path) -> list[Query]:
    """Read what `write_queries` wrote.

    Raises:
        UserError: the file is missing.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro` or `python -m mgsl prepare`") from None
    rows = map(json.loads, lines)
    return [
        Query(**{**row, "tokens": tuple(row["tokens"]), "tags": tuple(row["tags"])}) for row in rows
    ]
