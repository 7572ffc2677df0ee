"""What a memory holds, against known answers and slow loops; damage is undone."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from mgsl.configs import InspectConfig
from mgsl.data.loading import Split
from mgsl.errors import UserError
from mgsl.inspection import memory_tables, probes, slot_contents
from mgsl.inspection.use import Use, content_words, memories, watch
from mgsl.models import build
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.per_clip import inside
from mgsl.models.parts.slot_state import reading_weights
from mgsl.queries import Query
from mgsl.spans import tiou
from mgsl.training.loop import predict
from tests import tiny

CPU = torch.device("cpu")
WORDS = ("a", "man", "lifts", "red", "box", "gargoyle")
TAGS = ("DT", "NN", "VBZ", "JJ", "NN", "NN")


def inspect_config() -> InspectConfig:
    params = tiny.parameters()
    evaluation = params.evaluation.model_copy(update={"resamples": 50})
    return InspectConfig(
        names=("mgsl_net",), seeds=(0,), evaluation=evaluation, rare=params.preparation.rare
    )


def network(name: str = "mgsl_net") -> GroundingModel:
    """A fresh model that has read a few batches, so that its slots are no longer its initial."""
    torch.manual_seed(0)
    model = build(tiny.run_config(name))
    assert isinstance(model, GroundingModel)
    model.train()
    for seed in range(3):
        model.losses(tiny.batch(8, seed=seed))
        model.after_step()
    return model.eval()


def split(size: int) -> Split:
    """Tiny queries with words: as many as the batch has places for."""
    made = tiny.split(size)
    queries = []
    for row, query in enumerate(made.queries):
        count = int((made.words[row] > 0).sum())
        indices = [int(word) % len(WORDS) for word in made.words[row, :count]]
        fields = vars(query) | {
            "tokens": tuple(WORDS[i] for i in indices),
            "tags": tuple(TAGS[i] for i in indices),
        }
        queries.append(Query(**fields))
    return Split(**{**vars(made), "queries": queries})


def test_content_words_are_nouns_verbs_and_adjectives_at_their_places() -> None:
    queries = split(6).queries
    words, ids = content_words(queries, 4, ("NN", "VB", "JJ"))
    assert words == sorted({w for q in queries for w in q.tokens[:4]} - {"a"})
    for row, query in enumerate(queries):
        for place in range(4):
            token = query.tokens[place] if place < len(query.tokens) else "a"
            assert ids[row, place] == (-1 if token == "a" else words.index(token))


@torch.no_grad()
def test_use_is_what_loops_over_the_streams_find() -> None:
    model, asked = network(), split(11)
    config = tiny.run_config()
    used = watch(model, asked, config, ("NN", "VB", "JJ"), CPU)
    assert used.keys() == {"video", "query"} == memories(model).keys()
    batch = asked.batch(np.arange(len(asked)))
    words, ids = content_words(asked.queries, asked.words.shape[1], ("NN", "VB", "JJ"))
    weights_of: dict[str, torch.Tensor] = {}
    for name, memory in memories(model).items():
        memory.register_forward_hook(
            lambda m, i, _, name=name: weights_of.update({name: sum(reading_weights(m, *i)) / 2})
        )
    model(batch)
    steps_of = inside(batch.target, batch.video_mask)
    for name in used:
        use, weights = used[name], weights_of[name]
        given: dict[str, list[torch.Tensor]] = {word: [] for word in words}
        for row in range(len(asked)):
            places = [p for p in range(ids.shape[1]) if ids[row, p] >= 0]
            if name == "video":
                steps = [weights[row, t] for t in range(tiny.CLIPS) if steps_of[row, t]]
                for p in places:
                    given[words[ids[row, p]]].append(sum(steps) / len(steps))
            else:
                steps = [weights[row, p] for p in places]
                for p in places:
                    given[words[ids[row, p]]].append(weights[row, p])
            if steps:
                highest = torch.stack(steps).amax(0).numpy()
                np.testing.assert_allclose(use.by_query[row], highest, rtol=1e-4, atol=1e-7)
        for row, word in enumerate(words):
            mean = torch.stack(given[word]).mean(0).numpy()
            np.testing.assert_allclose(use.by_word[row], mean, rtol=1e-4, atol=1e-7)
        assert use.share.sum() == pytest.approx(1, rel=1e-5)


def use(by_word: list[list[float]]) -> Use:
    table = np.array(by_word)
    words = [f"w{row}" for row in range(len(table))]
    return Use(words, table, table.copy(), table.mean(axis=0))


def test_frequency_and_selectivity_of_slots_have_known_answers() -> None:
    uses = use([[0.9, 0.5], [0.0, 0.5]])  # w0 alone addresses slot 0; both share slot 1
    counts = {"w0": 3, "w1": 99}
    shares = slot_contents.addressed_by(uses)
    np.testing.assert_allclose(shares, [[1, 0], [0.5, 0.5]])
    np.testing.assert_allclose(slot_contents.frequency(uses, counts), [3, math.sqrt(4 * 100) - 1])
    np.testing.assert_allclose(slot_contents.selectivity(shares), [1, 0], atol=1e-12)


def test_an_isolated_slot_is_far_from_its_neighbours() -> None:
    crowd = np.array([[1.0, 0.01 * i] for i in range(6)])
    distance = slot_contents.neighbour_distance(np.vstack([crowd, [[-1.0, 0.0]]]))
    assert distance[-1] == pytest.approx(2, abs=0.01)
    assert distance[:-1].max() < 0.01


def test_the_principal_plane_of_points_on_a_line_is_that_line() -> None:
    line = np.outer(np.arange(5.0), [3.0, 4.0, 0.0])
    plane, shares = slot_contents.principal_plane(line)
    np.testing.assert_allclose(plane[:, 0], 5 * (np.arange(5) - 2), atol=1e-9)
    np.testing.assert_allclose(shares, [1, 0], atol=1e-12)
    same, shares = slot_contents.principal_plane(np.ones((4, 3)))
    np.testing.assert_allclose(same, 0)
    np.testing.assert_allclose(shares, 0)


def test_rank_correlation_is_spearmans_and_its_test_finds_order() -> None:
    rng = np.random.default_rng(1)
    x = np.round(rng.normal(size=60), 1)  # with ties
    y = x + rng.normal(size=60)
    params = inspect_config().evaluation
    row = slot_contents.correlate(x, y, params)
    assert row["correlation"] == pytest.approx(spearmanr(x, y).statistic)
    assert row["low"] < row["correlation"] < row["high"]
    assert row["p"] == pytest.approx(1 / 51)
    assert slot_contents.correlate(x, rng.permutation(y), params)["p"] > 0.05
    assert all(
        math.isnan(value) for value in slot_contents.correlate(x, np.ones(60), params).values()
    )


def test_slots_that_hold_the_same_have_no_representative_and_no_correlation() -> None:
    content = np.ones((8, 3)) + 1e-7 * np.random.default_rng(0).normal(size=(8, 3))
    uses = use(np.random.default_rng(0).dirichlet(np.ones(8), size=5).tolist())
    counts = {"w0": 1, "w3": 40}
    assert set(slot_contents.describe(content, uses, uses, counts)["representative"]) == {""}
    scattered = slot_contents.scatter(content, uses, counts, inspect_config().evaluation)
    assert scattered["correlation"].isna().all()


def test_representative_slots_are_used_selective_and_of_both_kinds() -> None:
    table = pd.DataFrame(
        {
            "slot": range(8),
            "share_train": [0.2] * 4 + [0.0] * 4,  # the last four are hardly read
            "frequency": [1.0, 2.0, 50.0, 90.0, 0.0, 0.0, 999.0, 999.0],
            "selectivity": [0.5, 0.1, 0.2, 0.9, 1.0, 1.0, 1.0, 1.0],
            "distance": [0.5] * 8,
        }
    )
    assert slot_contents.representatives(table) == ["rare", "", "", "common", "", "", "", ""]


@torch.no_grad()
def test_probes_start_from_the_predictions_and_leave_the_model_as_it_was() -> None:
    model, asked, config = network(), split(30), tiny.run_config()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    spans, _ = predict(model, asked, config, CPU)
    scores = probes.answers(model, asked, config, inspect_config().evaluation, CPU)
    table = probes.compare(scores, asked.queries, inspect_config().evaluation)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert not any(module.training for module in model.modules())
    again, _ = predict(model, asked, config, CPU)
    np.testing.assert_array_equal(spans, again)
    intact = table.query("probe == 'intact' and group == 'all'").set_index("metric")["value"]
    overlap = tiou(spans[:, 0], asked.targets.astype(np.float64))
    assert intact["R@1, IoU=0.5"] == pytest.approx((overlap >= 0.5).mean())
    assert list(table["probe"].unique()) == [
        "intact", "memory_zeroed", "memory_initial", "memory_shuffled", "memory_values_initial",
        "writes_at_test",
    ]  # fmt: skip
    shuffled = table.query("probe == 'memory_shuffled' and group == 'all'").iloc[0]
    assert shuffled["difference"] == pytest.approx(shuffled["value"] - intact["R@1, IoU=0.5"])
    kept = probes.by_query(scores, asked.queries)
    assert kept["memory_shuffled, R@1, IoU=0.5"].mean() == pytest.approx(shuffled["value"])
    assert kept["qid"].tolist() == [query.qid for query in asked.queries]


@torch.no_grad()
def test_shuffling_changes_what_is_read_unless_all_slots_are_one() -> None:
    model, batch = network(), tiny.batch()
    intact = model(batch).scores
    with probes._reading_from(model, probes._shuffled):
        assert not torch.allclose(model(batch).scores, intact)
    with probes._reading_from(model, lambda memory: memory.slots):
        torch.testing.assert_close(model(batch).scores, intact)
    for memory in memories(model).values():
        memory.slots = torch.ones_like(memory.slots) * memory.slots[:1]
    same = model(batch).scores
    with probes._reading_from(model, probes._shuffled):
        torch.testing.assert_close(model(batch).scores, same)


@torch.no_grad()
def test_writing_at_test_time_moves_the_slots_while_it_lasts() -> None:
    model, batch = network(), tiny.batch()
    memory = memories(model)["video"]
    kept = memory.slots.clone()
    with probes._writing(model):
        model(batch)
        assert not torch.equal(memory.slots, kept)
    assert torch.equal(memory.slots, kept)
    assert not memory.training


def test_inspection_writes_tables_for_every_memory() -> None:
    model, config = network(), tiny.run_config()
    splits = {"train": split(40), "val": split(8), "test": split(20)}
    tables, summary = memory_tables.inspect(
        model, splits, config, inspect_config(), held_out=True, device=CPU
    )
    assert tables.keys() == {"slots", "pairs", "scatter", "probes", "answers"}
    assert len(tables["slots"]) == 2 * 40
    assert summary["memories"].keys() == {"video", "query"}
    number = (tables["slots"]["representative"] != "").sum()
    assert len(tables["pairs"]) == number * 2 * memory_tables.PAIRS
    ranked = tables["pairs"].groupby(["memory", "slot", "split"])["score"]
    assert ranked.apply(lambda scores: scores.is_monotonic_decreasing).all()


def test_a_memory_of_one_vector_retrieves_nothing_and_says_so() -> None:
    model, config = network("printed"), tiny.run_config("printed")
    for memory in memories(model).values():
        memory.slots.copy_(memory.slots[:1].clone().expand_as(memory.slots))
    splits = {"train": split(12), "val": split(8), "test": split(8)}
    tables, _ = memory_tables.inspect(
        model, splits, config, inspect_config(), held_out=True, device=CPU
    )
    assert tables["pairs"].empty
    assert {"slot", "sentence", "memory"} <= set(tables["pairs"])
    assert tables["scatter"]["correlation"].isna().all()


def test_words_are_counted_where_rarity_was_counted() -> None:
    splits = {"train": split(4), "val": split(4), "test": split(4)}
    rare = inspect_config().rare
    once = memory_tables.word_counts(splits, rare, held_out=False)
    assert "a" not in once
    assert memory_tables.word_counts(splits, rare, held_out=True) == {
        w: 2 * n for w, n in once.items()
    }


def test_a_method_without_memory_is_refused_by_name() -> None:
    config = tiny.run_config("prior")
    with pytest.raises(UserError, match="prior has no memory to look into"):
        memory_tables.inspect(
            build(config), {}, config, inspect_config(), held_out=False, device=CPU
        )
