"""ACRN against its equations written out, and the sizes of its parts."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.acrn import ACRN, ACRNConfig, AlignmentHead, attend
from mgsl.models.parts.windows import alignment, neighbours, pool
from mgsl.parsing import parse
from tests import tiny


def model(**changes: object) -> ACRN:
    torch.manual_seed(0)
    config = tiny.run_config("acrn")
    built = build(config.model_copy(update={"model": config.model | changes}))
    assert isinstance(built, ACRN)
    return built


def test_attention_weighs_the_contexts_by_their_running_sum() -> None:
    torch.manual_seed(0)
    contexts, query = torch.randn(2, 3, 3, 5), torch.randn(2, 5)
    attended = attend(contexts, query)
    for b in range(2):
        for n in range(3):
            relevance = []
            for t in range(3):
                memory = [math.tanh(sum(contexts[b, n, : t + 1, d].tolist())) for d in range(5)]
                squashed = [math.tanh(value) for value in query[b].tolist()]
                relevance.append(sum(a * c for a, c in zip(memory, squashed, strict=True)))
            total = sum(map(math.exp, relevance))
            weights = [math.exp(value) / total for value in relevance]
            expected = sum(w * x for w, x in zip(weights, contexts[b, n], strict=True))
            torch.testing.assert_close(attended[b, n], expected)


def test_contexts_of_nothing_are_attended_to_as_nothing() -> None:
    nothing = attend(torch.zeros(1, 2, 3, 4), torch.randn(1, 4))
    assert torch.equal(nothing, torch.zeros(1, 2, 4))
    outputs = AlignmentHead(4, pool=2, hidden_dim=3)(nothing, torch.zeros(1, 4))
    assert outputs.isfinite().all()


def test_the_order_of_the_contexts_matters() -> None:
    torch.manual_seed(0)
    contexts, query = torch.randn(1, 1, 3, 4), torch.randn(1, 4)
    swapped = contexts[:, :, [2, 1, 0]]
    a, b = contexts.cumsum(2).tanh(), swapped.cumsum(2).tanh()
    torch.testing.assert_close(a[:, :, 2], b[:, :, 2])
    assert not torch.allclose(a[:, :, 0], b[:, :, 0])
    assert not torch.allclose(a[:, :, 1], b[:, :, 1])
    assert not torch.allclose(attend(contexts, query), attend(swapped, query))


@torch.no_grad()
def test_the_head_sees_both_sides_and_their_outer_product() -> None:
    torch.manual_seed(0)
    head, video, query = (
        AlignmentHead(6, pool=2, hidden_dim=5),
        torch.randn(3, 4, 6),
        torch.randn(3, 6),
    )
    torch.nn.init.normal_(head.first.weight)
    outputs = head(video, query)
    for b in range(3):
        for n in range(4):
            m, q = F.normalize(video[b, n], dim=0), F.normalize(query[b], dim=0)
            few_m, few_q = ([float(x[i : i + 2].mean()) for i in (0, 2, 4)] for x in (m, q))
            product = torch.tensor([c * d for c in few_m for d in few_q])
            fused = torch.cat([m, q, product])
            expected = head.last(head.first(fused).relu())
            torch.testing.assert_close(outputs[b, n], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(head(video[:1], query)[2], head(video[[0, 0, 0]], query)[2])


@torch.no_grad()
@pytest.mark.parametrize("pairing", ["own_sentence", "full"])
def test_a_window_attends_with_its_own_sentence_or_with_each(pairing: str) -> None:
    net, batch = model(attention_pairing=pairing), tiny.batch()
    torch.nn.init.normal_(net.head.first.weight)
    batch.target[:] = torch.tensor([2 / 12, 3.9 / 12])
    batch.video_mask[:] = True
    loss = net.losses(batch)["alignment"]  # every query has one answer: clips 2 and 3
    spans = torch.tensor([[[2, 4]]]).expand(4, 1, 2)
    before, after = neighbours(spans, batch.video_mask, net.config.context)
    views = [pool(batch.video, batch.video_mask, part) for part in (before, spans, after)]
    contexts, query = net.from_video(torch.stack(views, dim=2)), net._query(batch)
    scores = torch.zeros(4, 4)
    for i in range(4):
        for j in range(4):
            asks = query[j] if pairing == "own_sentence" else query[i]
            attended = attend(contexts[j][None], asks[None])
            scores[i, j] = net.head(attended, query[i][None])[0, 0, 0]
    torch.testing.assert_close(loss, alignment(scores))


@torch.no_grad()
def test_clips_are_projected_before_or_after_they_are_pooled() -> None:
    net, batch = model(), tiny.batch()
    spans = net.windows(batch.video_mask).spans
    first = pool(net.from_video(batch.video), batch.video_mask, spans)
    last = net.from_video(pool(batch.video, batch.video_mask, spans))
    torch.testing.assert_close(first, last, atol=1e-5, rtol=0)


def test_the_projection_learns_through_memory_and_through_sum() -> None:
    torch.manual_seed(0)
    contexts, query = torch.randn(1, 1, 3, 4, requires_grad=True), torch.randn(1, 4)
    (whole,) = torch.autograd.grad(attend(contexts, query).sum(), contexts)
    weights = (contexts.cumsum(2).tanh() @ query.tanh()[:, None, :, None]).softmax(2).detach()
    (through_sum,) = torch.autograd.grad((weights * contexts).sum(), contexts)
    assert (whole - through_sum).abs().max() > 1e-3
    assert through_sum.abs().min() > 0


def count(video_dim: int, **changes: Any) -> int:
    sizes = tiny.parameters().models["acrn"].sizes["paper"] | {"video_dim": video_dim} | changes
    config = parse(ACRNConfig, tiny.run_config("acrn").model | sizes, where="the test")
    with torch.device("meta"):
        net = ACRN(config)
    return sum(p.numel() for p in net.parameters()) - sum(
        p.numel() for p in net.sentence.parameters()
    )


def test_the_parameters_at_the_original_sizes_are_counted() -> None:
    assert count(500) == 7_710_627
    assert count(1024) == 8_247_203
    assert count(4096) == 11_392_931
    skip_thought, sentence = 4800 * 1024 + 1024, 1024 * 1024 + 1024
    assert count(4096) - sentence + skip_thought == 15_259_555


@pytest.mark.parametrize(("pool", "fused"), [(16, 6144), (8, 18_432)])
def test_the_fused_vector_is_as_long_as_published(pool: int, fused: int) -> None:
    assert AlignmentHead(1024, pool=pool, hidden_dim=1).first.in_features == fused


def test_a_pooling_that_does_not_divide_is_refused() -> None:
    with pytest.raises(UserError, match="multiple of pool=5"):
        model(pool=5)
