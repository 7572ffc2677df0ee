"""Published annotations, read as they stand: one sentence, its video, its moment."""

from dataclasses import dataclass

TaggedTokens = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Annotation:
    """One published sentence and its moment, before anything is clamped or dropped.

    Times are seconds. `split` is one of `mgsl.queries.SPLITS`. `tagged` holds (token, Penn tag)
    pairs where the publication brings its own, else None.
    """

    qid: str
    video: str
    sentence: str
    split: str
    start_s: float
    end_s: float
    duration_s: float
    tagged: TaggedTokens | None
