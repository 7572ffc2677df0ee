"""How well people do: moments that others gave for the same queries, against the published ones.

The re-annotations are those of M. Otani et al. "Uncovering Hidden Challenges in Query-Based Video
Moment Retrieval". BMVC 2020 (mayu-ot/hidden-challenges-MR): five people for each of 1,000 test
queries of Charades-STA and 1,288 of ActivityNet Captions.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mgsl.errors import UserError, missing
from mgsl.evaluation.metrics import hits
from mgsl.params import EvaluationParams
from mgsl.queries import Query
from mgsl.spans import tiou

RANDOM, REPRESENTATIVE = "random person", "representative person"
_COLUMNS = ("HITId", "video_id", "description", "start", "end")


@dataclass(frozen=True)
class Reannotation:
    """What several people answered to one query; `spans` are fractions of the duration."""

    video: str
    sentence: str
    spans: Float[np.ndarray, "people 2"]


def read_reannotations(files: Sequence[Path]) -> list[Reannotation]:
    """Read published re-annotations: one answer a row, those of one query under one HITId.

    Args:
        files: CSV with the columns HITId, video_id, description, start and end, the times in
            percent of the video.

    Raises:
        UserError: a file is missing or lacks a column, or a row's times are no span within 0 and
            100; the message names file, line and value.
    """
    queries: dict[str, tuple[str, str]] = {}
    answers: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for path in files:
        try:
            rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            raise missing(path, "run `python -m mgsl study`") from None
        if lacking := [name for name in _COLUMNS if name not in (rows.fieldnames or ())]:
            raise UserError(f"{path} has no column {', '.join(lacking)}")
        for row in rows:
            span = _span(row["start"], row["end"], f"{path}, line {rows.line_num}")
            queries[row["HITId"]] = row["video_id"], row["description"]
            answers[row["HITId"]].append(span)
    return [
        Reannotation(video, sentence, np.array(answers[key], np.float64) / 100)
        for key, (video, sentence) in queries.items()
    ]


def match(
    reannotations: Sequence[Reannotation], queries: Sequence[Query]
) -> dict[int, Reannotation]:
    """Find the query that each re-annotation is of, by video and sentence.

    Args:
        reannotations: of some test queries.
        queries: the test queries.

    Returns:
        The re-annotation of each query, by its place among `queries`. One that fits no query, or
        several, is left out.
    """
    places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, query in enumerate(queries):
        places[_key(query.video, query.sentence)].append(place)
    matches = {}
    for reannotation in reannotations:
        if len(fitting := places[_key(reannotation.video, reannotation.sentence)]) == 1:
            matches[fitting[0]] = reannotation
    return matches


def representative(spans: Float[np.ndarray, "people 2"]) -> int:
    """Who agrees best with the others: the highest mean tIoU with them, the first of equals.

    Args:
        spans: one for each person, at least 1.
    """
    overlap = tiou(spans[:, None], spans[None])
    np.fill_diagonal(overlap, 0)
    return int(overlap.sum(axis=1).argmax())


def per_query(
    spans: Sequence[Float[np.ndarray, "people 2"]],
    truth: Float[np.ndarray, "queries 2"],
    params: EvaluationParams,
) -> dict[str, dict[str, Float[np.ndarray, " queries"]]]:
    """What people score on each query by R@1 and mIoU.

    Of a person drawn at random it is the mean over the people: the chance of a hit.

    Args:
        spans: the answers of people to each query.
        truth: the published moments, in the unit of `spans`.
        params: which IoU are asked for, and the rule for a hit.

    Returns:
        Values by who answers and by metric.
    """
    overlaps = [tiou(answers, target) for answers, target in zip(spans, truth, strict=True)]
    typical = [overlap[[representative(a)]] for a, overlap in zip(spans, overlaps, strict=True)]
    return {
        who: {f"R@1, IoU={m:g}": _hit_shares(tious, m, params) for m in params.iou}
        | {"mIoU": np.array([overlap.mean() for overlap in tious])}
        for who, tious in ((RANDOM, overlaps), (REPRESENTATIVE, typical))
    }


def _hit_shares(
    overlaps: Sequence[Float[np.ndarray, " people"]], m: float, params: EvaluationParams
) -> Float[np.ndarray, " queries"]:
    """Which share of the people hits, for each query."""
    return np.array(
        [hits(overlap[:, None], n=1, m=m, strict=params.strict).mean() for overlap in overlaps]
    )


def _span(start: str, end: str, where: str) -> tuple[float, float]:
    try:
        span = float(start), float(end)
    except ValueError:
        span = np.nan, np.nan
    if not 0 <= span[0] < span[1] <= 100:
        raise UserError(f"{where}: expected a start and an end in percent, got {start!r}, {end!r}")
    return span


def _key(video: str, sentence: str) -> tuple[str, str]:
    """What a query has in common with its re-annotation: there, names lack `v_` or gain `.mp4`."""
    name = video.removeprefix("v_").removesuffix(".mp4")
    return name, " ".join(sentence.split())
