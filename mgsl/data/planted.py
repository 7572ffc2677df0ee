"""Features simulated from annotated events: what a camera would have to show, and no more.

A clip is the sum of the visual signatures of the words of the events under way, plus a background
that stays the same throughout a video, plus noise. A word's signature is partly a fixed projection
of its word vector, so that a word never trained on can be guessed at, and partly its own, so that
it cannot be guessed entirely.

Every random number comes from a digest of the seed and the word's or the video's name: a video
looks the same whichever others are simulated with it. Features are rounded, so that the same bytes
come out whichever kernels a machine multiplies and sums with.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mgsl.data.text import rounded
from mgsl.params import PlantedParams


@dataclass(frozen=True)
class Event:
    """Something that happens in a video, in the words that are true of it."""

    start_s: float
    end_s: float
    words: tuple[str, ...]


class Signatures:
    """The visual signature of each word: a vector of unit expected length, computed once.

    Args:
        vector: the vector of a word, given the word and the vector's length.
        params: `signature_from_word` is the share of a signature's energy that the word vector
            predicts, in [0, 1].
        video_dim: length of a signature.
        word_dim: length of a word vector.
    """

    def __init__(
        self,
        vector: Callable[[str, int], np.ndarray],
        *,
        params: PlantedParams,
        video_dim: int,
        word_dim: int,
    ) -> None:
        self._vector = vector
        self._params = params
        self._projection = _rng(params.seed, "projection").standard_normal((video_dim, word_dim))
        self._known: dict[str, Float[np.ndarray, " video_dim"]] = {}

    def __getitem__(self, word: str) -> Float[np.ndarray, " video_dim"]:
        if word not in self._known:
            self._known[word] = self._compute(word)
        return self._known[word]

    def _compute(self, word: str) -> Float[np.ndarray, " video_dim"]:
        video_dim, word_dim = self._projection.shape
        share = self._params.signature_from_word
        predicted = _unit(self._projection @ self._vector(word, word_dim))
        own = _unit(_rng(self._params.seed, "word", word).standard_normal((video_dim,)))
        return np.sqrt(share) * predicted + np.sqrt(1 - share) * own


def plant(
    events: Mapping[str, Sequence[Event]],
    durations_s: Mapping[str, float],
    vector: Callable[[str, int], np.ndarray],
    *,
    params: PlantedParams,
    num_clips: int,
    video_dim: int,
    word_dim: int,
) -> Iterator[Float[np.ndarray, "clips video_dim"]]:
    """Simulate the features of videos, one at a time, in the order of `durations_s`.

    Args:
        events: what happens in each video; a video without an entry shows its background only.
        durations_s: length of each video in seconds, above 0.
        vector: the vector of a word, given the word and the vector's length.
        params: strengths of signature, background and noise; the seed.
        num_clips: equal clips a video is cut into, at least 1.
        video_dim: length of a clip's feature.
        word_dim: length of a word vector.

    Yields:
        The clips of one video, float32, rounded.

    Raises:
        ValueError: a duration is not above 0.
    """
    signatures = Signatures(vector, params=params, video_dim=video_dim, word_dim=word_dim)
    for video, duration_s in durations_s.items():
        if not duration_s > 0:
            raise ValueError(f"video {video!r} lasts {duration_s} s")
        rng = _rng(params.seed, "video", video)
        background = params.background * _unit(rng.standard_normal(video_dim))
        noise = params.noise / np.sqrt(video_dim) * rng.standard_normal((num_clips, video_dim))
        clips = background + noise
        for event in events.get(video, ()):
            shown = np.sum([signatures[word] for word in event.words], axis=0)
            clips += coverage(event, duration_s, num_clips)[:, None] * shown
        yield rounded(clips)


def events_of_sentences(
    sentences: Iterable[tuple[str, float, float, Iterable[str]]],
) -> dict[str, list[Event]]:
    """What happens in videos, as far as sentences tell: each word while a sentence with it holds.

    A word that several sentences use of overlapping moments is one event, so that a moment
    described ten times looks no stronger than one described once.

    Args:
        sentences: video, start and end in seconds, and words that say what is to be seen. A
            sentence whose end is not after its start tells nothing.

    Returns:
        The events of each video, of one word each, in the order of words and of time.
    """
    spans: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for video, start_s, end_s, words in sentences:
        for word in words if start_s < end_s else ():
            spans.setdefault(video, {}).setdefault(word, []).append((start_s, end_s))
    return {
        video: [Event(*span, (word,)) for word in sorted(of_word) for span in _union(of_word[word])]
        for video, of_word in spans.items()
    }


def coverage(event: Event, duration_s: float, num_clips: int) -> Float[np.ndarray, " clips"]:
    """The share of each clip during which an event is under way, in [0, 1]."""
    edges = np.linspace(0, num_clips, num_clips + 1)
    start, end = np.array([event.start_s, event.end_s]) * num_clips / duration_s
    return np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, 1)


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _unit(vector: Float[np.ndarray, " dim"]) -> Float[np.ndarray, " dim"]:
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector


def _rng(*key: int | str) -> np.random.Generator:
    """A generator of its own for each key, the same on every machine and in every process."""
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
