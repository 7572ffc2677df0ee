"""A query and its moment, and the file that holds a dataset's queries. No torch here."""

import json
from collections.abc import Iterable, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mgsl.errors import UserError
from mgsl.files import write_json_lines
from mgsl.prepared import read_text

SPLITS = ("train", "val", "test")

TaggedTokens = tuple[tuple[str, str], ...]  # lower-cased (token, Penn tag) pairs of a sentence


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


def only_words(query: Query, known: Set[str]) -> Query:
    """The query without the words that are not known; it stays as rare as it was.

    Raises:
        UserError: it has no other.
    """
    kept = [place for place, token in enumerate(query.tokens) if token in known]
    if not kept:
        raise UserError(
            f"none of the words of query {query.qid!r}, {' '.join(query.tokens)!r}, has a vector: "
            "set preparation.unknown_words, now dropped, to spelled in params.yaml"
        )
    tokens, tags = (tuple(words[at] for at in kept) for words in (query.tokens, query.tags))
    return replace(query, tokens=tokens, tags=tags)


def write_queries(path: Path, queries: Iterable[Query]) -> None:
    """Write one query a line, in the order given."""
    write_json_lines(path, map(asdict, queries))


def read_queries(path: Path) -> list[Query]:
    """Read what `write_queries` wrote.

    Raises:
        UserError: the file is missing, or not what the stage `prepare` wrote.
    """
    rows = map(json.loads, read_text(path).splitlines())
    return [
        Query(**{**row, "tokens": tuple(row["tokens"]), "tags": tuple(row["tags"])}) for row in rows
    ]
