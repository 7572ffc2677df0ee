"""Which published pairs are used, and how many are not: counted, never in silence."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mgsl.data.annotations import Annotation
from mgsl.errors import UserError
from mgsl.queries import SPLITS


@dataclass
class Tally:
    """What became of the published pairs of one split. Clamped pairs may be dropped as well."""

    published: int = 0
    clamped: int = 0
    dropped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Of two splits together."""
        return Tally(*(getattr(self, name) + getattr(other, name) for name in vars(self)))


def clamp(annotations: Sequence[Annotation]) -> tuple[list[Annotation], dict[str, Tally]]:
    """Cut moments off at the end of their video; drop those of which nothing is left.

    Args:
        annotations: as published, of every split.

    Returns:
        The pairs kept, train first, then val, then test; and the counts of each split.

    Raises:
        UserError: a time is negative, a duration is not above 0 or not the same for all queries of
            a video, a query's id comes twice in a split, a training video is in another split too,
            or a split is left empty. Validation and test may share videos: ActivityNet's do.
    """
    tallies = {split: Tally() for split in SPLITS}
    pairs: dict[str, list[Annotation]] = {split: [] for split in SPLITS}
    _check(annotations)
    for a in annotations:
        end_s = min(a.end_s, a.duration_s)
        tally = tallies[a.split]
        tally.published += 1
        tally.clamped += end_s < a.end_s
        if a.start_s < end_s:
            pairs[a.split].append(replace(a, end_s=end_s))
        else:
            tally.dropped += 1
    if empty := [split for split in SPLITS if not pairs[split]]:
        raise UserError(f"no query is left in {', '.join(empty)}")
    return [a for split in SPLITS for a in pairs[split]], tallies


def leave_out(
    annotations: Sequence[Annotation], absent: Collection[str]
) -> tuple[list[Annotation], dict[str, Any]]:
    """Leave out the queries of videos that have no features.

    Args:
        annotations: the pairs that `clamp` kept.
        absent: the videos.

    Returns:
        The other pairs; and how many videos of how many, and queries by split, were left out:
        nothing if none.

    Raises:
        UserError: a split is left empty.
    """
    if not absent:
        return list(annotations), {}
    absent = set(absent)
    kept = [a for a in annotations if a.video not in absent]
    if empty := [split for split in SPLITS if not any(a.split == split for a in kept)]:
        raise UserError(
            f"no query is left in {', '.join(empty)} without those of {len(absent):,} videos that "
            "have no features: place features of these videos"
        )
    queries = Counter(a.split for a in annotations) - Counter(a.split for a in kept)
    return kept, {
        "videos": len(absent),
        "of_videos": len({a.video for a in annotations}),
        "queries": {split: queries[split] for split in SPLITS},
    }


def _check(annotations: Sequence[Annotation]) -> None:
    ids: set[tuple[str, str]] = set()
    videos: dict[str, float] = {}
    trained = {a.video for a in annotations if a.split == "train"}
    for a in annotations:
        duration_s = videos.setdefault(a.video, a.duration_s)
        if (a.split, a.qid) in ids:
            raise UserError(f"query {a.qid!r} comes twice in {a.split}")
        if a.split != "train" and a.video in trained:
            raise UserError(f"query {a.qid!r}: video {a.video!r} is in train and in {a.split}")
        if not a.duration_s > 0 or duration_s != a.duration_s:
            raise UserError(
                f"query {a.qid!r}: video {a.video!r} lasts {a.duration_s} s, first {duration_s} s"
            )
        if not min(a.start_s, a.end_s) >= 0:
            raise UserError(f"query {a.qid!r}: its moment is {a.start_s} to {a.end_s} s")
        ids.add((a.split, a.qid))
