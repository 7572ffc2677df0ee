"""Methods that see no video: their densities, their answers, and the published results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mgsl.data import counted, preparing
from mgsl.data.annotations.charades import read_charades
from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.action_prior import ActionPrior
from mgsl.models.parts import density
from mgsl.models.parts.base import BlindMethod
from mgsl.models.prior import Prior
from mgsl.queries import Query
from mgsl.spans import tiou
from tests import tiny

BLIND = [name for name, kind in MODELS.items() if issubclass(kind, BlindMethod)]
PUBLISHED_VERBS = "mayu-ot/hidden-challenges-MR/data/processed/charades/top50_actions"


def query_with(number: int, verb: str, start: float, end: float, *, tag: str = "VBZ") -> Query:
    """A query of a video of 20 seconds; `start` and `end` are fractions of it."""
    return Query(
        qid=f"v{number}-0", video=f"v{number}", sentence=f"a man {verb}", split="train",
        start_s=20 * start, end_s=20 * end, duration_s=20.0, tokens=("a", "man", verb),
        tags=("DT", "NN", tag), frequency=1, bin=0, rare=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def queries() -> list[Query]:
    """Who opens does so at the beginning, who closes at the end; three others jump."""
    rng = np.random.default_rng(0)
    moments = [
        ("opens", *(np.array([0.1, 0.3]) + rng.normal(0, 0.02, 2)), "VBZ") for _ in range(40)
    ]
    moments += [
        ("closed", *(np.array([0.7, 0.9]) + rng.normal(0, 0.02, 2)), "VBD") for _ in range(30)
    ]
    moments += [("jumps", 0.4, 0.6, "VBZ")] * 3
    return [query_with(i, v, float(a), float(b), tag=t) for i, (v, a, b, t) in enumerate(moments)]


def fitted(name: str, queries: list[Query], seed: int = 0) -> BlindMethod:
    method = build(tiny.run_config(name))
    assert isinstance(method, BlindMethod)
    method.fit(queries, seed=seed)
    return method


def test_the_prior_answers_where_most_moments_are(queries: list[Query]) -> None:
    spans, _ = fitted("prior", queries).answer([query_with(100, "closes", 0.0, 1.0)])
    np.testing.assert_allclose(spans[0, 0], [0.1, 0.3], atol=0.1)


def test_a_verb_moves_the_answer_to_where_its_moments_are(queries: list[Query]) -> None:
    method = fitted("action_prior", queries)
    asked = [query_with(100, "opens", 0.0, 1.0), query_with(101, "closed", 0.0, 1.0, tag="VBD")]
    spans, _ = method.answer(asked)
    np.testing.assert_allclose(spans[:, 0], [[0.1, 0.3], [0.7, 0.9]], atol=0.06)


@pytest.mark.parametrize("verb", ["jumps", "varnishes"])  # too few moments; never seen
def test_a_verb_without_a_density_is_answered_as_by_the_prior(
    verb: str, queries: list[Query]
) -> None:
    asked = [query_with(100, verb, 0.0, 1.0)]
    expected, _ = fitted("prior", queries).answer(asked)
    np.testing.assert_array_equal(fitted("action_prior", queries).answer(asked)[0], expected)


def test_a_noun_is_no_verb(queries: list[Query]) -> None:
    method = fitted("action_prior", queries)
    noun, unknown = (
        query_with(100, verb, 0.0, 1.0, tag=t) for verb, t in (("opens", "NNS"), ("x", "NN"))
    )
    np.testing.assert_array_equal(method.answer([noun])[0], method.answer([unknown])[0])


@pytest.mark.parametrize("name", BLIND)
def test_answers_lie_in_the_video_densest_first_and_apart(name: str, queries: list[Query]) -> None:
    spans, scores = fitted(name, queries).answer(queries)
    assert ((spans >= 0) & (spans <= 1)).all()
    assert (spans[..., 0] < spans[..., 1]).all()
    assert (np.diff(scores, axis=1) <= 0).all()
    overlap = tiou(spans[:, :, None], spans[:, None])
    same = np.isclose(overlap, 1) | (overlap == 0)  # the last answer may be repeated
    assert (same | (overlap <= 0.45)).all()


@pytest.mark.parametrize("name", BLIND)
def test_an_answer_depends_on_its_query_and_the_seed_alone(name: str, queries: list[Query]) -> None:
    method = fitted(name, queries)
    together, _ = method.answer(queries)
    alone, _ = method.answer(queries[5:6])
    np.testing.assert_array_equal(alone[0], together[5])
    np.testing.assert_array_equal(fitted(name, queries).answer(queries)[0], together)
    assert (fitted(name, queries, seed=1).answer(queries)[0] != together).any()


@pytest.mark.parametrize("name", BLIND)
def test_what_is_kept_gives_the_same_answers(name: str, queries: list[Query]) -> None:
    method, other = fitted(name, queries), build(tiny.run_config(name))
    other.load_state_dict(method.state_dict())
    assert isinstance(other, BlindMethod)
    np.testing.assert_array_equal(other.answer(queries)[0], method.answer(queries)[0])


@pytest.mark.parametrize("name", BLIND)
def test_moments_that_are_too_few_or_alike_are_refused(name: str, queries: list[Query]) -> None:
    for few in (queries[:5], [replace(queries[0], qid=str(i)) for i in range(20)]):
        with pytest.raises(UserError, match=f"{len(few)} training moments are too few or alike"):
            fitted(name, few)


def test_the_density_is_scipys_whatever_tells_a_moment() -> None:
    """The kernel has the data's covariance: start and length give the density of start and end."""
    from scipy.stats import gaussian_kde

    moments = np.random.default_rng(1).uniform(size=(50, 2)).cumsum(axis=1) / 2
    lengths = np.stack([moments[:, 0], moments[:, 1] - moments[:, 0]])
    np.testing.assert_allclose(gaussian_kde(moments.T)(moments.T), gaussian_kde(lengths)(lengths))
    config = Prior.Config.model_validate(tiny.parameters().models["prior"].choices)
    pool = density.draw_pool(moments, config, seed=0)
    assert pool is not None
    inside = ((pool.spans > 0) & (pool.spans < 1)).all(axis=1)
    expected = gaussian_kde(moments.T)(pool.spans[inside].T.astype(np.float64))
    np.testing.assert_allclose(pool.heights[inside], expected, rtol=1e-4)


@pytest.fixture(scope="module")
def charades(mirror: Path) -> list[Query]:
    """The queries of Charades-STA in their published splits."""
    published = preparing.tag(read_charades(mirror), mirror / preparing.TAGGER)
    held_out = preparing.hold_out(published, share=0.1, seed=0)
    kept, _ = counted.clamp(held_out)
    queries = preparing.make_queries(kept, published, tiny.parameters().preparation)
    return [replace(q, split="train") if q.split == "val" else q for q in queries]


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "published"), [("prior", 0.229), ("action_prior", 0.283)])
def test_the_published_results_on_charades_are_reached(
    name: str, published: float, charades: list[Query]
) -> None:
    method = fitted(name, [query for query in charades if query.split == "train"])
    asked = [query for query in charades if query.split == "test"]
    spans, _ = method.answer(asked)
    hit = tiou(spans[:, 0], density.spans(asked)) > 0.5
    assert hit.mean() == pytest.approx(published, abs=0.01)


@pytest.mark.mirror
def test_the_most_common_verbs_are_the_published_ones(mirror: Path, charades: list[Query]) -> None:
    published = set((mirror / PUBLISHED_VERBS).read_text().split())
    method = fitted("action_prior", [query for query in charades if query.split == "train"])
    assert isinstance(method, ActionPrior)
    assert len(published & set(method.pools)) >= 44
