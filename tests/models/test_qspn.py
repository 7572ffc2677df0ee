"""QSPN: its labels, losses and both stages against literal ones, its sizes."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.parts.early_fusion import EarlyFusion, caption_loss, next_words, ranking_loss
from mgsl.models.parts.segments import (
    anchor_labels,
    centered_anchors,
    head_losses,
    moved,
    offsets,
    sample,
    segment_maxima,
    suppress,
)
from mgsl.models.parts.windows import shared
from mgsl.models.qspn import BOTH, QSPN, QSPNConfig
from mgsl.parsing import parse
from mgsl.resolving import resolve
from tests import tiny


def net(name: str = "qspn", **changes: object) -> QSPN:
    torch.manual_seed(0)
    document = tiny.run_config(name).model | {"dropout": 0.0, "contrasted": 4} | changes
    return QSPN(parse(QSPNConfig, document, where="a test")).eval()


def matching(**changes: int) -> EarlyFusion:
    torch.manual_seed(0)
    sizes = {"word_dim": 6, "clip_dim": 5, "embedding_dim": 4, "hidden_dim": 8, "score_dim": 3}
    return EarlyFusion(**(sizes | changes), vocabulary=12, dropout=0.0).eval()


def test_the_hinges_of_three_pairs() -> None:
    scores = torch.tensor([[[1, 0.9, 0.2], [0.5, 0.6, 0.7], [0, 0.3, 0.1]]])
    assert ranking_loss(scores, margin=0.2, reading="stated").item() == pytest.approx(2.6 / 12)
    assert ranking_loss(scores, margin=0.2, reading="as_run").item() == pytest.approx(2.6)


def test_equal_scores_cost_the_margin() -> None:
    equal = torch.full((2, 32, 32), 0.7)
    assert ranking_loss(equal, margin=0.2, reading="stated").item() == pytest.approx(0.2)
    total = ranking_loss(equal, margin=0.2, reading="as_run").item()
    assert total == pytest.approx(0.2 * 1984, rel=1e-5)


def test_one_pair_alone_has_nothing_to_be_contrasted_with() -> None:
    for reading in ("stated", "as_run"):
        assert ranking_loss(torch.ones(3, 1, 1), margin=0.2, reading=reading) == 0  # type: ignore[arg-type]


def test_the_gradient_as_run_is_one_for_each_hinge_that_is_missed() -> None:
    scores = torch.randn(1, 4, 4, requires_grad=True)
    ranking_loss(scores, margin=0.2, reading="as_run").backward()
    expected = torch.zeros(4, 4)
    for i in range(4):
        for j in range(4):
            for a, b in ((i, j), (j, i)) if i != j else ():
                if 0.2 - scores[0, i, i] + scores[0, a, b] > 0:
                    expected[i, i] -= 1
                    expected[a, b] += 1
    assert scores.grad is not None
    torch.testing.assert_close(scores.grad[0], expected)


def test_after_each_word_comes_the_next_and_then_the_end() -> None:
    words, mask = torch.tensor([[5, 3, 9], [7, 9, 9]]), torch.tensor([[1, 1, 0], [1, 1, 1]]).bool()
    assert next_words(words, mask).tolist() == [5, 3, 0, 7, 9, 9, 0]


def test_untrained_captions_cost_the_logarithm_of_the_vocabulary() -> None:
    words, mask = torch.randint(1, 1112, (4, 9)), torch.ones(4, 9).bool()
    cost = caption_loss(torch.zeros(40, 1112), words, mask).item()
    assert cost == pytest.approx(7.01, abs=0.005)


def literal(model: EarlyFusion, clip: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """All states of the second LSTM for one segment and one sentence, a step at a time."""
    embedded = torch.cat([model.begin[None], words @ model.embedding.weight.T])
    first = model.words(embedded[None])[0][0]
    state, memory, states = torch.zeros(8), torch.zeros(8), []
    for word in first:
        gates = model.of_word(word) + model.of_clip(clip) + model.of_state(state)
        enter, keep, leave, candidate = gates.chunk(4)
        memory = keep.sigmoid() * memory + enter.sigmoid() * candidate.tanh()
        state = leave.sigmoid() * memory.tanh()
        states.append(state)
    return torch.stack(states)


def test_every_segment_is_read_with_every_sentence_of_its_group() -> None:
    model, clips, query = matching(), torch.randn(2, 3, 5), torch.randn(2, 3, 7, 6)
    lengths = torch.tensor([[7, 2, 4], [1, 5, 3]])
    mask = torch.arange(7) < lengths[..., None]
    scores, states = model.pairs(clips, query, mask)
    for g in range(2):
        for i in range(3):
            for j in range(3):
                n = int(lengths[g, j])
                own = literal(model, clips[g, i], query[g, j, :n])
                assert len(own) == n + 1  # the begin too
                torch.testing.assert_close(scores[g, i, j], model.score(own[n])[0])
                if i == j:
                    torch.testing.assert_close(states[3 * g + i, : n + 1], own)
    logits = model.captions(states, mask.flatten(0, 1))
    assert logits.shape == (int(lengths.sum()) + 6, 12)
    torch.testing.assert_close(logits[:8], model.next_word(states[0]))


def test_answers_are_scored_as_pairs_are() -> None:
    model, clips, query = matching(), torch.randn(1, 4, 5), torch.randn(1, 4, 3, 6)
    mask = torch.tensor([[[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]]]).bool()
    scores, _ = model.pairs(clips, query, mask)
    for j in range(4):
        alone = model.scores(clips, query[:, j], mask[:, j])
        torch.testing.assert_close(alone, scores[..., j])


def test_without_features_it_is_a_plain_lstm_of_two_layers() -> None:
    model, words = matching(), torch.randn(5, 6)
    second = nn.LSTM(8, 8, batch_first=True)
    order = torch.arange(32).view(4, 8)[[0, 1, 3, 2]].flatten()  # torch: candidate, then output
    with torch.no_grad():
        second.weight_ih_l0.copy_(model.of_word.weight[order])
        second.weight_hh_l0.copy_(model.of_state.weight[order])
        second.bias_ih_l0.copy_(model.of_word.bias[order])
        second.bias_hh_l0.zero_()
        first = model.words(torch.cat([model.begin[None], model.embedding(words)])[None])[0]
        torch.testing.assert_close(second(first)[0][0], literal(model, torch.zeros(5), words))


def test_the_second_stage_has_the_published_number_of_parameters() -> None:
    model = EarlyFusion(word_dim=300, clip_dim=4096, embedding_dim=300, hidden_dim=512,
                        score_dim=64, vocabulary=1112, dropout=0.5)  # fmt: skip
    sizes = {
        part: sum(p.numel() for name, p in model.named_parameters() if name.startswith(part))
        for part in ("words", "of_", "next_word", "score")
    }
    second_bias = 4 * 512
    assert sizes == {
        "words": 1_665_024 + second_bias, "of_": 10_487_808, "next_word": 570_456, "score": 32_897,
    }  # fmt: skip
    bound = max(p.abs().max().item() for p in model.words.parameters())
    assert bound == pytest.approx(0.08, rel=1e-3)


def test_the_published_sizes_of_the_first_stage() -> None:
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("qspn",)})
    configs = {name: kind.Config for name, kind in MODELS.items()}
    config = resolve(params, "charades_i3d", configs).runs["qspn"]
    assert [stage.optimizer.kind for stage in config.training.stages] == ["sgd", "adam"]  # type: ignore[union-attr]
    with torch.device("meta"):
        model = build(config)
    assert isinstance(model, QSPN)
    count = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }
    kinds = len(config.model["anchors"])
    assert count["anchor_head"] / kinds == 2 * 36_936 / 36
    assert count["proposal_head"] == 8_194 + 16_388 / 2  # the foreground's offsets alone


def test_anchors_of_the_release() -> None:
    lengths = [*range(1, 9), *range(10, 17, 2), *(20, 24, 28, 32, 40, 48, 56), *range(64, 97, 2)]
    assert centered_anchors(96, lengths).shape == (3456, 2)
    assert centered_anchors(3, [1, 2])[2:4].tolist() == [[1, 2], [0.5, 2.5]]


def test_offsets_lead_back_to_where_they_point() -> None:
    of = torch.tensor([[[1.0, 3.0], [0.5, 9.0], [4.0, 5.0]]])
    to = torch.tensor([[2.0, 7.0]])[:, None]
    by, count = offsets(of, to), torch.tensor([12])
    torch.testing.assert_close(by[0, 0], torch.tensor([2.5 / 2, math.log(2.5)]))
    torch.testing.assert_close(moved(of, by, count), to.expand(1, 3, 2))
    assert offsets(to, to).abs().max() == 0
    assert moved(of, by, torch.tensor([6]))[0, 0].tolist() == pytest.approx([2, 6])


def test_labels_of_anchors() -> None:
    tiou = torch.tensor([[0.9, 0.7, 0.69, 0.3, 0.29, 0.0, -1], [0.2, 0.25, 0.25, 0.1, 0, -1, -1]])
    positive, negative = anchor_labels(tiou, 0.7, 0.3)
    assert positive.tolist() == [
        [True, True, False, False, False, False, False],
        [False, True, True, False, False, False, False],
    ]
    assert negative.tolist() == [
        [False, False, False, False, True, True, False],
        [True, False, False, True, True, False, False],
    ]


def test_at_most_half_of_a_sample_is_positive() -> None:
    positive = torch.zeros(3, 100).bool()
    positive[0, :40], positive[1, :3] = True, True
    negative = ~positive
    negative[2, 10:] = False
    yes, no = sample(positive, negative, 64)
    assert yes.sum(1).tolist() == [32, 3, 0]
    assert no.sum(1).tolist() == [32, 61, 10]
    assert not (yes & ~positive).any()
    assert not (no & ~negative).any()


def test_losses_of_a_head_are_the_literal_ones() -> None:
    torch.manual_seed(0)
    logits, by, to = torch.randn(2, 5, 2), torch.randn(2, 5, 2), torch.randn(2, 5, 2)
    yes = torch.tensor([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    no = torch.tensor([[0, 1, 0, 1, 0], [1, 0, 0, 0, 0]]).bool()
    cost = error = 0.0
    for b in range(2):
        number = int((yes[b] | no[b]).sum())
        for n in range(5):
            if yes[b, n] or no[b, n]:
                cost -= logits[b, n].log_softmax(0)[int(yes[b, n])].item() / number / 2
            for x in (by[b, n] - to[b, n]).abs().tolist() if yes[b, n] else ():
                error += (4.5 * x * x if x < 1 / 9 else x - 0.5 / 9) / number / 2
    terms = head_losses(logits, by, to, (yes, no), beta=1 / 9)
    assert [term.item() for term in terms] == pytest.approx([cost, error], rel=1e-5)


def test_suppression_is_the_greedy_one() -> None:
    torch.manual_seed(0)
    start = torch.rand(4, 30)
    segments = torch.stack([start, start + torch.rand(4, 30)], dim=-1)
    scores, real = torch.randn(4, 30), torch.rand(4, 30) < 0.8
    columns, alive = suppress(segments, scores, real, threshold=0.5, keep=25)
    for b in range(4):
        kept: list[int] = []
        for n in scores[b].argsort(descending=True).tolist():
            overlaps = (shared(segments[b, n], segments[b, m])[0] > 0.5 for m in kept)
            if real[b, n] and not any(overlaps):
                kept.append(n)
        assert columns[b][alive[b]].tolist() == kept[:25]


@pytest.mark.parametrize("count", [1, 7, 16])
def test_a_maximum_is_over_the_clips_that_a_segment_touches(count: int) -> None:
    clips = torch.randn(1, count, 3)
    ends = [(a, b) for a in range(count) for b in range(a + 1, count + 1)]
    whole = torch.tensor([ends]).float()
    expected = torch.stack([clips[0, a:b].amax(0) for a, b in ends])
    assert torch.equal(segment_maxima(clips, whole)[0], expected)
    inner = whole + torch.tensor([0.3, -0.3])
    assert torch.equal(segment_maxima(clips, inner)[0], expected)


def test_a_query_weighs_clips() -> None:
    model, batch = net(), tiny.batch()
    part, clips = model.guidance, model._clips(batch)
    assert part is not None
    weights = part(clips, batch.video_mask, batch.query, batch.query_mask)[..., 0]
    for b in range(len(batch)):
        n, t = int(batch.query_mask[b].sum()), int(batch.video_mask[b].sum())
        sentence = part.query(batch.query[b : b + 1, :n])[0][0, -1]
        said = [
            part.score((part.of_clip(clips[b, i]) + part.of_query(sentence)).tanh())
            for i in range(t)
        ]
        expected = F.pad(torch.cat(said).softmax(0), (0, weights.shape[1] - t))
        torch.testing.assert_close(weights[b], expected)


def test_guidance_has_three_forms() -> None:
    batch = tiny.batch()
    state = net().state_dict()
    logits = []
    for guidance in ("residual", "reweighted"):
        model = net(guidance=guidance)
        model.load_state_dict(state)
        logits.append(model._propose(batch, model._clips(batch)).anchor_logits)
    bias = model.anchor_head.bias.view(-1, 4)[:, :2]
    plain = net("qspn_unguided")
    plain.load_state_dict({k: v for k, v in state.items() if not k.startswith("guidance")})
    unguided = plain._propose(batch, plain._clips(batch)).anchor_logits
    kinds = len(bias)
    torch.testing.assert_close(
        (logits[0] - unguided).unflatten(1, (-1, kinds)),
        logits[1].unflatten(1, (-1, kinds)) - bias,
        atol=1e-5, rtol=1e-4,
    )  # fmt: skip


def test_each_stage_trains_its_own_part() -> None:
    model, batch = net().train(), tiny.batch()
    for stage, names in enumerate(
        ({"anchors", "anchor_offsets", "proposals", "proposal_offsets"}, {"ranking", "captions"})
    ):
        assert model.enter(stage) == 1
        terms = model.losses(batch)
        assert terms.keys() == names
        model.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        moving = {name.partition(".")[0] for name, p in model.named_parameters()
                  if p.grad is not None and p.grad.abs().sum() > 0}  # fmt: skip
        assert (moving == {"matching"}) == (stage == 1)
        assert ("matching" in moving) == (stage == 1)
        if stage == 1:
            assert all(p.grad is not None for p in model.matching.parameters())
    assert [model.stage(progress) for progress in (0.0, 0.49, 0.5, 0.9)] == [0, 0, 1, 1]


def test_both_at_once_train_all_of_it() -> None:
    model, batch = net("qspn_joint").train(), tiny.batch()
    assert model.step == BOTH
    assert model.stage(0.9) == 0
    assert len(model.losses(batch)) == 6


def test_in_the_second_stage_features_are_those_of_the_test() -> None:
    model, batch = net(dropout=0.5).train(), tiny.batch()
    model.enter(1)
    segments = torch.tensor([[[0.0, 3.0]]]).expand(4, 1, 2)
    clips = model._clips(batch)
    once, again = (model._features(batch, clips, segments) for _ in range(2))
    assert torch.equal(once, again)
    model.enter(0)
    assert not torch.equal(model._features(batch, clips, segments), once)


def test_what_was_trained_for_matching_ranks_by_it_wherever_it_is_loaded() -> None:
    model, batch = net(), tiny.batch()

    def scores(trained: QSPN) -> Tensor:  # torch multiplies what is frozen otherwise: all is here
        return trained.requires_grad_(False)(batch).scores

    first = scores(model)
    model.enter(1)
    second = scores(model)
    assert not torch.equal(first, second)
    other = net()
    other.load_state_dict(model.state_dict())
    assert torch.equal(scores(other), second)
    model.enter(0)
    other.load_state_dict(model.state_dict())
    assert torch.equal(scores(other), first)


def test_a_stage_that_matches_can_be_memorised_and_padding_does_not_reach_it() -> None:
    model, batch = net().train(), tiny.batch()
    model.enter(1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    costs = []
    for _ in range(150):
        loss = torch.stack(list(model.losses(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        costs.append(loss.item())
    assert costs[-1] < 0.5 * costs[0]
    scores = model.eval()(batch).scores
    for row, single in enumerate(batch.chunks(len(batch))):
        torch.testing.assert_close(model(single).scores[0], scores[row], atol=1e-6, rtol=1e-4)


def test_a_batch_is_ranked_in_groups() -> None:
    batch = tiny.batch(9)
    model = net(contrasted=4)
    model.enter(1)
    sizes = []
    hook = model.matching.score.register_forward_hook(lambda _, x, y: sizes.append(y.shape))
    model.losses(batch)
    hook.remove()
    assert sizes == [(2, 4, 4, 1)]


def test_thresholds_that_overlap_are_refused() -> None:
    with pytest.raises(UserError, match="positive at"):
        net(negative_iou=0.8)
