import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgsl.data.planted import Event, Signatures, coverage, events_of_sentences, plant
from mgsl.params import PlantedParams

SILENT = PlantedParams(signature_from_word=0.5, background=0.0, noise=0.0, seed=3)
NOISY = PlantedParams(signature_from_word=0.5, background=0.5, noise=0.5, seed=3)
EVENTS = {
    "a": (Event(0.0, 5.0, ("lifts", "red")), Event(2.5, 10.0, ("box",))),
    "b": (Event(1.0, 4.0, ("box", "red")),),
}
DURATIONS_S = {"a": 10.0, "b": 8.0}


def vector(word: str, dim: int) -> np.ndarray:
    """A stand-in for word vectors: one random direction a word."""
    return np.random.default_rng(list(word.encode())).standard_normal(dim)


def simulate(
    params: PlantedParams = NOISY,
    *,
    events: Mapping[str, Sequence[Event]] = EVENTS,
    durations_s: Mapping[str, float] = DURATIONS_S,
    num_clips: int = 4,
) -> dict[str, np.ndarray]:
    clips = plant(
        events, durations_s, vector, params=params, num_clips=num_clips, video_dim=16, word_dim=12
    )
    return dict(zip(durations_s, clips, strict=True))


def signatures(share: float, *, video_dim: int) -> Signatures:
    params = SILENT.model_copy(update={"signature_from_word": share})
    return Signatures(vector, params=params, video_dim=video_dim, word_dim=12)


def test_a_clip_is_the_sum_of_the_signatures_weighted_by_the_time_their_events_cover() -> None:
    known = signatures(0.5, video_dim=16)
    both, box = known["lifts"] + known["red"], known["box"]
    expected = [both, both + box, box, box]
    np.testing.assert_allclose(simulate(SILENT)["a"], expected, atol=6e-5)
    half = simulate(SILENT, num_clips=2)["a"]
    np.testing.assert_allclose(half, [both + box / 2, box], atol=6e-5)


def test_clips_are_float32_and_rounded_without_a_negative_zero() -> None:
    clips = np.stack(list(simulate().values()))
    assert clips.dtype == np.float32
    np.testing.assert_array_equal(clips, np.round(clips.astype(float), 4).astype(np.float32))
    faint = NOISY.model_copy(update={"noise": 1e-5, "background": 0.0})
    zeros = simulate(faint, events={})["a"]
    assert not zeros.any()
    assert not np.signbit(zeros).any()


def test_any_subset_of_videos_in_any_order_gives_the_same_clips() -> None:
    everything = simulate()
    alone = simulate(durations_s={"b": 8.0})
    turned = simulate(durations_s={"b": 8.0, "a": 10.0})
    assert list(turned) == ["b", "a"]
    np.testing.assert_array_equal(alone["b"], everything["b"])
    np.testing.assert_array_equal(turned["a"], everything["a"])


def test_another_seed_gives_other_clips() -> None:
    other = NOISY.model_copy(update={"seed": 4})
    assert not np.allclose(simulate(other)["a"], simulate()["a"])


def test_a_video_without_events_shows_its_background_alone() -> None:
    still = NOISY.model_copy(update={"noise": 0.0})
    clips = simulate(still, events={})["a"]
    np.testing.assert_array_equal(clips, np.broadcast_to(clips[0], clips.shape))
    assert np.linalg.norm(clips[0]) == pytest.approx(NOISY.background, abs=1e-4)


def test_noise_has_the_stated_strength() -> None:
    noise = simulate(SILENT.model_copy(update={"noise": 0.5}), events={}, num_clips=4000)["a"]
    assert np.sqrt((noise**2).sum(axis=1).mean()) == pytest.approx(0.5, rel=0.02)


def test_a_signature_without_a_part_of_its_own_is_the_projected_word_vector() -> None:
    known = signatures(1.0, video_dim=16)
    words = [f"word{i}" for i in range(40)]
    vectors = np.array([vector(word, 12) for word in words])
    shown = np.array([known[word] for word in words])
    np.testing.assert_allclose(np.linalg.norm(shown, axis=1), 1)
    # Directions are linear in the vectors: a common linear map, up to each word's length.
    linear = known._projection @ vectors.T
    np.testing.assert_allclose(shown.T, linear / np.linalg.norm(linear, axis=0))


def test_a_signature_shares_the_stated_energy_with_the_word_vector() -> None:
    own, half, predicted = (signatures(share, video_dim=4096)["box"] for share in (0.0, 0.5, 1.0))
    assert half @ predicted == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert half @ own == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert np.linalg.norm(half) == pytest.approx(1, abs=0.05)


def test_a_video_without_length_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'a' lasts 0"):
        simulate(durations_s={"a": 0.0})


times = st.floats(-5, 105, allow_nan=False)


@given(st.tuples(times, times).map(sorted), st.integers(1, 50))
def test_coverage_adds_up_to_the_part_of_the_event_inside_the_video(
    span: list[float], num_clips: int
) -> None:
    shares = coverage(Event(span[0], span[1], ()), 100.0, num_clips)
    inside = max(0.0, min(span[1], 100.0) - max(span[0], 0.0))
    assert shares.min() >= 0
    assert shares.max() <= 1
    assert shares.sum() * 100.0 / num_clips == pytest.approx(inside, abs=1e-9)


def test_a_word_is_one_event_however_often_it_is_said_of_a_moment() -> None:
    events = events_of_sentences(
        [
            ("a", 0.0, 4.0, ["man", "knife"]),
            ("b", 0.0, 1.0, ["man"]),
            ("a", 3.0, 6.0, ["knife", "knife"]),
            ("a", 8.0, 9.0, ["knife"]),
            ("a", 5.0, 5.0, ["egg"]),
            ("a", 7.0, 5.0, ["egg"]),
        ]
    )
    knife = [Event(0.0, 6.0, ("knife",)), Event(8.0, 9.0, ("knife",))]
    assert events["a"] == [*knife, Event(0.0, 4.0, ("man",))]
    assert events["b"] == [Event(0.0, 1.0, ("man",))]


spans = st.tuples(st.floats(0, 100), st.floats(0, 100)).map(lambda ends: (min(ends), max(ends)))


@given(st.lists(spans, min_size=1, max_size=8))
def test_events_of_a_word_never_overlap_and_cover_what_sentences_cover(
    given_spans: list[tuple[float, float]],
) -> None:
    events = events_of_sentences([("a", *span, ["word"]) for span in given_spans]).get("a", [])
    for before, after in itertools.pairwise(events):
        assert before.end_s < after.start_s
    for instant in [time for span in given_spans for time in span]:
        said = any(start <= instant <= end and start < end for start, end in given_spans)
        assert any(event.start_s <= instant <= event.end_s for event in events) == said
