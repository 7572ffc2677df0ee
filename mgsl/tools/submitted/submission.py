"""A prediction file as the metric wants it, and what a person should know about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgsl.errors import UserError
from mgsl.evaluation.predictions import Predictions, ranked
from mgsl.evaluation.released import Released
from mgsl.params import Unanswered
from mgsl.queries import Query
from mgsl.tools.submitted.answer_files import read_answers
from mgsl.tools.submitted.matching import listing, match
from mgsl.tools.submitted.units import suspicion


@dataclass(frozen=True)
class Submission:
    """Ranked proposals of each query, and what a person should know of how they were read.

    Where a query has no answer, none of its proposals is real. `warning` says what seems wrong.
    """

    predictions: Predictions
    notes: Sequence[str]
    warning: str | None


def read_submission(
    path: Path, queries: Sequence[Query], released: Released, unanswered: Unanswered
) -> Submission:
    """Read anybody's prediction file, and align it with the queries.

    Where the windows of a query have scores, the highest comes first and ties keep the file's
    order; where they have none, the file's order is the ranking.

    Args:
        path: the file, as `answer_files` reads it.
        queries: what was asked, at least one, in the order of their files.
        released: what the queries may be called besides.
        unanswered: whether a query without an answer is a miss, or the file is refused.

    Raises:
        UserError: the file is missing or malformed, answers what was not asked or a query twice,
            or leaves out a query where that is refused.
    """
    answers = read_answers(path)
    answer_of, notes = match(path, answers, queries, released)
    windows = [
        answer_of[query.qid].windows if query.qid in answer_of else np.empty((0, 3))
        for query in queries
    ]
    if without := [q.qid for q, rows in zip(queries, windows, strict=True) if not len(rows)]:
        if unanswered == "refuse":
            raise UserError(
                f"{path} must answer each of {len(queries):,} queries; it has no window for "
                f"{listing(without)}; to count them as misses: --missing miss"
            )
        notes.append(
            f"{len(without):,} of {len(queries):,} queries have no answer and count as misses: "
            f"{listing(without[:3])}{', ...' if len(without) > 3 else ''}"
        )
    if as_text := sum(answer.as_text for answer in answers):
        number = f"{as_text:,} of {len(answers):,} answers"
        notes.append(f"numbers that stand as text were read as numbers ({number})")
    predictions = ranked(windows)
    strange = suspicion(predictions, np.array([query.duration_s for query in queries]))
    warning = f"{strange}; they are scored as seconds" if strange else None
    return Submission(predictions, notes, warning)
