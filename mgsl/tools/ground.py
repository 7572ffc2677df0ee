"""One sentence asked of one video of the user's own: which moments does a trained method answer?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from mgsl import params, paths
from mgsl.data.archives.clip_arrays import checked, stretch
from mgsl.data.feature_files import read_clips
from mgsl.data.features import read_features, read_vectors
from mgsl.data.text import is_word, spelling_vector, tokenize
from mgsl.errors import UserError
from mgsl.prepared import read_summary, read_videos, read_vocabulary
from mgsl.queries import read_queries
from mgsl.spans import nms

MOMENTS = 5  # how many are told


@dataclass(frozen=True)
class Moment:
    """One answer, in seconds; the score orders the answers of one method."""

    start_s: float
    end_s: float
    score: float


@dataclass(frozen=True)
class Answer:
    """What a method answers to one sentence, best first.

    `unknown` are the words that the dataset of the checkpoint does not have.
    """

    query: str
    duration_s: float
    moments: tuple[Moment, ...]
    method: str
    dataset: str
    simulated: bool
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Asked:
    """A sentence asked of a video, and the moment that people annotated, where that is known."""

    clips: Float[np.ndarray, "clips video_dim"]
    duration_s: float
    query: str
    moment_s: tuple[float, float] | None = None


def ground(
    checkpoint: Path | str,
    features: Path | str | Float[np.ndarray, "clips video_dim"],
    *,
    duration_s: float,
    query: str,
    device: str = "auto",
) -> Answer:
    """Find the moments of a video that a sentence may describe.

    Args:
        checkpoint: of a method that sees the video; its dataset must be prepared, for its words.
        features: of the video's clips, in order: an array [clips, video_dim], or a file of one.
            They must be of the kind that the checkpoint was trained on.
        duration_s: how long the video is.
        query: the sentence.
        device: auto, cpu or cuda.

    Raises:
        UserError: a file is missing, damaged or of another kind; the features have another width,
            or hold NaN; the duration is not positive; the sentence has no word.
    """
    from mgsl.models.parts.base import GroundingModel
    from mgsl.training.checkpoint import load_checkpoint, trained_config
    from mgsl.training.devices import choose_device

    if not 0 < duration_s < float("inf"):
        raise UserError(f"the duration must be a positive number of seconds, got {duration_s}")
    rules = params.load(paths.PARAMS).evaluation
    config = trained_config(Path(checkpoint))
    model = load_checkpoint(Path(checkpoint), config)
    if not isinstance(model, GroundingModel):
        raise UserError(f"{checkpoint} is of {config.name}, which sees no video: name another")
    prepared = paths.prepared(config.dataset)
    summary = read_summary(prepared)
    for key in ("num_clips", "video_dim", "word_dim"):
        if config.model.get(key, summary[key]) != summary[key]:
            raise UserError(
                f"{checkpoint} was trained with {key} {config.model[key]}, but {prepared} has "
                f"{summary[key]}: train again, with `dvc repro`"
            )
    words = words_of(query)
    vectors, unknown = look_up(prepared, words, summary["word_dim"])
    if summary["unknown_words"] == "dropped":  # Q14
        vectors = vectors[[word not in unknown for word in words]]
        if not len(vectors):
            raise UserError(f"no word of the query is known to {config.dataset}: {query!r}")
    vectors = vectors[: config.max_words]
    if not config.training.mask_padding:  # Q25
        vectors = np.pad(vectors, ((0, config.max_words - len(vectors)), (0, 0)))
    clips = stretch(_clips(features, summary), summary["num_clips"])
    where = choose_device(device, config.training.precision)
    spans, scores = _ask(model, clips, vectors, config.training.precision, where)  # type: ignore[no-untyped-call]
    real = np.ones(scores.shape, bool)
    kept = nms(spans, real, threshold=rules.nms_threshold, keep=MOMENTS)[0]
    kept = kept[kept >= 0]
    moments = (
        Moment(float(start_s), float(end_s), float(score))
        for (start_s, end_s), score in zip(
            spans[0, kept] * duration_s, scores[0, kept], strict=True
        )
    )
    return Answer(
        query=query,
        duration_s=float(duration_s),
        moments=tuple(moments),
        method=config.name,
        dataset=config.dataset,
        simulated=bool(summary["simulated"]),
        unknown=unknown,
    )


def words_of(query: str) -> list[str]:
    """The words of a sentence, as when queries are prepared.

    Raises:
        UserError: it has none.
    """
    words = [token for token in tokenize(query) if is_word(token)]
    if not words:
        raise UserError(f"the query has no word: {query!r}")
    return words


def look_up(
    prepared: Path, words: Sequence[str], dim: int
) -> tuple[Float32[np.ndarray, "words dim"], tuple[str, ...]]:
    """The vectors of some words, and those words that the dataset does not have.

    Those get a vector from their spelling, as words without a published one do.

    Args:
        prepared: the folder of the dataset.
        words: at least one.
        dim: length of a vector.
    """
    vocabulary = read_vocabulary(prepared)
    table = read_vectors(prepared, vocabulary)
    row = {word: place for place, word in enumerate(vocabulary)}
    vectors = [table[row[w]] if w in row else spelling_vector(w, dim) for w in words]
    unknown = tuple(dict.fromkeys(word for word in words if word not in row))
    return np.stack(vectors).astype(np.float32), unknown


def example(dataset: str) -> Asked:
    """The first rare query of a prepared dataset's test split, else its first.

    Raises:
        UserError: the dataset is not prepared.
    """
    prepared = paths.prepared(dataset)
    queries = read_queries(prepared / "queries.jsonl")
    test = [query for query in queries if query.split == "test"]
    query = next((query for query in test if query.rare), test[0])
    videos = read_videos(prepared)
    clips = read_features(prepared, videos)[videos.index(query.video)]
    features = np.asarray(clips, np.float32)
    return Asked(features, query.duration_s, query.sentence, (query.start_s, query.end_s))


def as_text(answer: Answer) -> str:
    """An answer for people."""
    kind = "SIMULATED features" if answer.simulated else "real features"
    lines = [
        f"“{answer.query}” in a video of {answer.duration_s:g} s",
        f"{answer.method}, trained on {answer.dataset} ({kind})",
    ]
    if answer.unknown:
        lines.append(f"not a word of that dataset: {', '.join(answer.unknown)}")
    lines += ["", f"{'':>2} {'start, s':>9} {'end, s':>9} {'score':>7}"]
    lines += [
        f"{rank:>2} {moment.start_s:>9.2f} {moment.end_s:>9.2f} {moment.score:>7.3f}"
        for rank, moment in enumerate(answer.moments, start=1)
    ]
    return "\n".join(lines)


def as_json(answer: Answer) -> dict[str, Any]:
    """An answer for programs; seconds."""
    return asdict(answer)


def _clips(
    features: Path | str | Float[np.ndarray, "clips video_dim"], summary: dict[str, Any]
) -> Float32[np.ndarray, "clips video_dim"]:
    expected = f"(the checkpoint was trained on {summary['dataset']}: {summary['features']})"
    if isinstance(features, np.ndarray):
        return checked(features, summary["video_dim"], f"the array {expected}")
    path = Path(features)
    return read_clips(path, summary["video_dim"], f"{path} {expected}")


def _ask(model, clips, vectors, precision, device):  # type: ignore[no-untyped-def]
    """The spans and scores of one query, best first, as fractions of the duration."""
    import torch

    from mgsl.records import Batch
    from mgsl.training.loop import autocast

    video, query = torch.from_numpy(clips)[None], torch.from_numpy(vectors)[None]
    batch = Batch(
        video=video,
        video_mask=torch.ones(video.shape[:2], dtype=torch.bool),
        query=query,
        query_mask=torch.ones(query.shape[:2], dtype=torch.bool),
        target=torch.zeros(1, 2),
        words=torch.zeros(query.shape[:2], dtype=torch.long),
    )
    with torch.inference_mode(), autocast(precision, device):
        moments = model.to(device)(batch.to(device))
    return moments.spans.double().cpu().numpy(), moments.scores.double().cpu().numpy()
