"""BPNet: its first stage is VSLNet; candidates, ratings and losses against literal ones."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.bpnet import BPNet, BPNetConfig, MatchRating, apart, around, means
from mgsl.models.parts.context_query import Encoded
from mgsl.models.parts.span_prediction import best_cell
from mgsl.models.parts.windows import shared
from mgsl.models.vslnet import VSLNet, VSLNetConfig
from mgsl.parsing import parse
from mgsl.records import Batch
from mgsl.resolving import resolve
from tests import tiny

FIRST_STAGE = {
    "num_clips": tiny.CLIPS,
    "video_dim": tiny.VIDEO_DIM,
    "word_dim": tiny.WORD_DIM,
    "hidden_dim": 16,
    "heads": 4,
    "positions": 16,
    "dropout": 0.0,
    "initial_positions": "normal",
    "extension": 0.1,
    "highlight_weight": 5.0,
    "proposals": 40,
}
SECOND_STAGE = {
    "rating_dim": 8,
    "candidates": 16,
    "candidate_nms": None,
    "with_truth": False,
    "fusion": "concat",
    "match_weight": 100.0,
    "warmup": 0.1,
    "joint_power": 0.0,
}


def net(stage: int = 1, **changes: object) -> BPNet:
    torch.manual_seed(0)
    model = BPNet(parse(BPNetConfig, FIRST_STAGE | SECOND_STAGE | changes, where="a test")).eval()
    model.enter(stage)
    return model


def proposed(model: BPNet, batch: Batch, number: int = 16) -> tuple[Tensor, Tensor]:
    return model._propose(model.locate(model.encode(batch), batch), batch, number)


def tiou(a: list[int], b: list[int]) -> float:
    """Of two spans, by the clips that they have."""
    clips, others = set(range(*a)), set(range(*b))
    return len(clips & others) / len(clips | others)


def test_the_first_stage_is_vslnet() -> None:
    batch, model = tiny.batch(), net(stage=0)
    torch.manual_seed(0)
    vslnet = VSLNet(parse(VSLNetConfig, FIRST_STAGE, where="a test")).eval()
    own, expected = model.state_dict(), vslnet.state_dict()
    assert all(torch.equal(own[name], value) for name, value in expected.items())
    assert all(name in expected or name.split(".")[0] in {"rating", "trust"} for name in own)
    moments, answers = model(batch), vslnet(batch)
    assert torch.equal(moments.spans, answers.spans)
    assert torch.equal(moments.scores, answers.scores)
    terms, theirs = model.losses(batch), vslnet.losses(batch)
    assert terms.keys() == theirs.keys()
    assert all(torch.equal(terms[name], theirs[name]) for name in terms)
    one = net(candidates=1)
    assert torch.equal(one(batch).spans[:, 0], answers.spans[:, 0])


def test_the_best_of_the_candidates_is_no_worse_than_the_first() -> None:
    batch, model = tiny.batch(), net()
    count = batch.video_mask.sum(1)[:, None, None]
    overlap, _ = shared(proposed(model, batch)[0] / count, batch.target[:, None])
    assert (overlap.amax(1) >= overlap[:, 0]).all()


@pytest.mark.parametrize("candidates", [16, 200])
def test_candidates_are_spans_of_real_clips(candidates: int) -> None:
    batch, model = tiny.batch(), net(proposals=200, candidates=candidates)
    spans, _ = proposed(model, batch, 200)
    count = batch.video_mask.sum(1)[:, None]
    assert spans.shape[1] == 78  # all there are of twelve clips
    assert (spans[..., 0] >= 0).all()
    assert (spans[..., 0] < spans[..., 1]).all()
    assert (spans[..., 1] <= count).all()
    moments = model(batch)
    assert torch.equal(moments.scores, moments.scores.sort(dim=1, descending=True).values)


def test_candidates_are_the_cells_of_the_highest_product() -> None:
    batch, model = tiny.batch(), net()
    spans, joint = proposed(model, batch)
    predicted = model.locate(model.encode(batch), batch)
    for row in range(len(batch)):
        n = int(batch.video_mask[row].sum())
        start, end = (x[row, :n].softmax(0) for x in (predicted.start, predicted.end))
        cells = [((start[i] * end[j]).item(), [i, j + 1]) for i in range(n) for j in range(i, n)]
        best = sorted(cells, reverse=True)[:16]
        assert spans[row].tolist() == [span for _, span in best]
        assert joint[row].tolist() == pytest.approx([p for p, _ in best], rel=1e-4)


def test_the_mean_of_a_span_is_the_literal_one() -> None:
    torch.manual_seed(0)
    clips = torch.randn(2, 9, 5)
    spans = torch.tensor([[[0, 9], [3, 4], [2, 7]], [[0, 1], [8, 9], [5, 9]]])
    for row in range(2):
        for place, (start, end) in enumerate(spans[row].tolist()):
            expected = clips[row, start:end].mean(0)
            torch.testing.assert_close(means(clips, spans)[row, place], expected)


@pytest.mark.parametrize("fusion", ["concat", "hadamard"])
def test_a_rating_is_the_literal_one(fusion: str) -> None:
    """Every clip through the linear layer, then the mean; the query by weights of its own."""
    batch, model = tiny.batch(), net(fusion=fusion)
    nn.init.normal_(model.rating.span.bias)  # it starts from 0
    rating, encoded = model.rating, model.encode(batch)
    spans, _ = proposed(model, batch)
    ratings = rating(encoded, batch, spans)
    for row in range(len(batch)):
        words = encoded.words[row, batch.query_mask[row]]
        h = rating.pool(words).softmax(0).T @ words
        for place, (start, end) in enumerate(spans[row].tolist()):
            u = torch.zeros(16)
            for t in range(start, end):
                u += (rating.span.weight @ encoded.clips[row, t] + rating.span.bias) / (end - start)
            if fusion == "concat":
                fused = rating.fusion(torch.cat([u, h[0]]))
            else:
                product = u * h[0]
                fused = rating.fusion(product / product.square().sum().sqrt())
            hidden = rating.match[0](fused).clamp(min=0)
            expected = rating.match[2](hidden)[0]
            torch.testing.assert_close(ratings[row, place], expected, atol=1e-5, rtol=1e-4)


def test_permuted_candidates_have_permuted_ratings() -> None:
    batch, model = tiny.batch(), net()
    encoded, (spans, _) = model.encode(batch), proposed(model, batch)
    order = torch.randperm(16)
    ratings = model.rating(encoded, batch, spans)
    again = model.rating(encoded, batch, spans[:, order])
    torch.testing.assert_close(again, ratings[:, order])


@pytest.mark.parametrize("with_truth", [False, True])
def test_the_match_is_the_literal_squared_error(with_truth: bool) -> None:
    batch, model = tiny.batch(), net(with_truth=with_truth)
    cells, counts = best_cell(batch.target, batch.video_mask.sum(1)), batch.video_mask.sum(1)
    encoded, (spans, _) = model.encode(batch), proposed(model, batch)
    if with_truth:
        truth = torch.stack([cells[:, 0], cells[:, 1] + 1], dim=1)[:, None]
        spans = torch.cat([spans, around(truth, counts)], dim=1)
    ratings = model.rating(encoded, batch, spans).sigmoid()
    errors = [
        (ratings[row, k].item() - tiou(span, [first, last + 1])) ** 2
        for row, (first, last) in enumerate(cells.tolist())
        for k, span in enumerate(spans[row].tolist())
    ]
    expected = 100 * sum(errors) / len(errors)
    assert model.losses(batch)["match"].item() == pytest.approx(expected, rel=1e-4)


def test_what_ignorance_costs() -> None:
    """A rating of one half, and no candidate that touches the moment: 100 times a quarter."""
    batch, model = tiny.batch(), net(candidates=1, proposals=1)
    last = model.rating.match[2]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    spans, _ = proposed(model, batch, 1)
    start, end = (spans[:, 0] / batch.video_mask.sum(1, keepdim=True)).unbind(1)
    before, behind = torch.stack([0 * start, start], 1), torch.stack([end, 0 * end + 1], 1)
    far = torch.where((start > 1 - end)[:, None], before, behind)
    assert model.losses(replace(batch, target=far))["match"].item() == pytest.approx(25)


def test_the_overlap_of_candidates_with_the_moment() -> None:
    spans = torch.tensor([[[4, 5], [4, 5], [0, 2], [4, 8], [4, 6]]]).float()
    truth = torch.tensor([[[4, 5], [6, 7], [2, 4], [4, 6], [4, 8]]]).float()
    assert shared(spans, truth)[0].tolist() == [[1, 0, 0, 0.5, 0.5]]


def test_copies_of_the_moment_stay_inside_the_video() -> None:
    spans = around(torch.tensor([[[2, 5]], [[0, 1]], [[8, 9]]]), torch.tensor([9, 9, 9]))
    assert sorted(spans[0].tolist()) == [[i, j] for i in (1, 2, 3) for j in (4, 5, 6)]
    assert {tuple(span) for span in spans[1].tolist()} == {(0, 1), (0, 2), (1, 2)}
    assert {tuple(span) for span in spans[2].tolist()} == {(7, 8), (7, 9), (8, 9)}


def test_candidates_kept_apart_are_those_of_greedy_nms() -> None:
    generator = torch.Generator().manual_seed(0)
    ends = torch.randint(0, 12, (3, 30, 2), generator=generator).sort(-1).values
    spans = ends + torch.tensor([0, 1])
    for threshold in (0.3, 0.7, 0.9):
        alive = apart(spans, threshold)
        for row in range(3):
            kept: list[list[int]] = []
            for place, span in enumerate(spans[row].tolist()):
                expected = all(tiou(span, other) <= threshold for other in kept)
                assert alive[row, place].item() == expected
                kept += [span] if expected else []
    batch = tiny.batch()
    spans, _ = proposed(net(candidate_nms=0.5, candidates=4), batch, 40)
    for row in spans[:, :4].tolist():
        assert all(tiou(a, b) <= 0.5 for i, a in enumerate(row) for b in row[:i])


def test_candidates_come_first_by_their_rating_and_the_others_behind() -> None:
    batch, model = tiny.batch(), net(joint_power=0.5)
    encoded, (spans, joint) = model.encode(batch), proposed(model, batch, 40)
    scores = model.rating(encoded, batch, spans).sigmoid() * joint.sqrt()
    moments, count = model(batch), batch.video_mask.sum(1)
    for row in range(len(batch)):
        first = scores[row, :16].argmax()
        expected = spans[row, first] / count[row]
        torch.testing.assert_close(moments.spans[row, 0], expected)
        best = scores[row, :16].sort(descending=True).values
        torch.testing.assert_close(moments.scores[row, :16], best)
        behind = (scores[row, 16:] * best[-1]).sort(descending=True).values
        torch.testing.assert_close(moments.scores[row, 16:], behind)


def step(model: BPNet, batch: Batch) -> set[str]:
    """The parameters that one step of training moves."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    torch.stack(list(model.losses(batch).values())).sum().backward()
    optimizer.step()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def test_each_stage_trains_what_it_should() -> None:
    batch, everything = tiny.batch(), {name for name, _ in net().named_parameters()}
    second = {name for name in everything if name.startswith("rating.")}
    unmoved = {"span.start.2.bias", "span.end.2.bias"}  # but by rounding: a softmax hides them
    assert step(net(stage=0), batch) | unmoved == everything - second
    assert step(net(stage=1), batch) | unmoved == everything
    model = net()
    assert [model.stage(epoch / 10) for epoch in range(10)] == [0] + [1] * 9
    assert set(net(stage=0).losses(batch)) == {"span", "highlight"}
    assert set(net(stage=1).losses(batch)) == {"span", "highlight", "match"}


def test_without_a_warm_up_there_is_one_stage() -> None:
    batch, model = tiny.batch(), net(stage=0, warmup=0.0)
    assert {model.stage(epoch / 10) for epoch in range(10)} == {0}
    assert "match" in model.losses(batch)
    assert model.trust.item() == 1


def test_a_stage_is_kept_with_the_weights() -> None:
    batch = tiny.batch()
    for stage in (0, 1):
        model, again = net(stage), net(1 - stage)
        again.load_state_dict(model.state_dict())
        assert torch.equal(again(batch).scores, model(batch).scores)


def test_it_learns_to_rate_its_candidates() -> None:
    batch, model = tiny.batch(), net().train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(200):
        optimizer.zero_grad()
        torch.stack(list(model.losses(batch).values())).sum().backward()
        optimizer.step()
    moments = model.eval()(batch)
    overlap, _ = shared(moments.spans, batch.target[:, None])
    assert (overlap[:, 0] > 0.7).all()
    both = torch.stack([moments.scores[:, :16], overlap[:, :16]])
    ranks = both.argsort(-1).argsort(-1).double()
    for a, b in ranks.unbind(1):
        assert torch.corrcoef(torch.stack([a, b]))[0, 1] > 0.5


def test_the_published_sizes() -> None:
    """VSLNet's count at 200 positions, and 0.07 million more."""
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("bpnet",)})
    configs = {name: kind.Config for name, kind in MODELS.items()}
    model = build(resolve(params, "activitynet_c3d", configs).runs["bpnet"])
    assert isinstance(model, BPNet)
    second = sum(p.numel() for p in model.rating.parameters())
    assert second == 128 * 129 + 128 + 128 * 257 + 128 * 129 + 129
    assert sum(p.numel() for p in model.parameters()) == 685_699 + 72 * 128 + second == 761_092


def test_more_candidates_than_proposals_are_refused() -> None:
    with pytest.raises(UserError, match="candidates=41 of proposals=40"):
        net(candidates=41)


def test_a_clip_outside_a_span_does_not_matter() -> None:
    torch.manual_seed(0)
    rating = MatchRating(dim=8, hidden_dim=4, fusion="concat")
    nn.init.normal_(rating.span.bias)
    batch, clips, words = tiny.batch(1), torch.randn(1, 12, 8), torch.randn(1, 6, 8)
    spans = torch.tensor([[[3, 5]]])
    expected = rating(Encoded(clips, words), batch, spans)
    longer = F.pad(clips[:, :5], (0, 0, 0, 30))
    torch.testing.assert_close(rating(Encoded(longer, words), batch, spans), expected)
