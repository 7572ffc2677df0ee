"""CTRL against its equations written out, and the sizes of its parts."""

import pytest
import torch
import torch.nn.functional as F

from mgsl.models import build
from mgsl.models.ctrl import CTRL, CTRLConfig, WindowHead
from mgsl.models.parts.windows import alignment, pool
from mgsl.parsing import parse
from tests import tiny


def model() -> CTRL:
    torch.manual_seed(0)
    built = build(tiny.run_config("ctrl"))
    assert isinstance(built, CTRL)
    return built


@torch.no_grad()
def test_the_head_sees_product_sum_and_both_sides() -> None:
    torch.manual_seed(0)
    head, video, query = WindowHead(6, hidden_dim=5), torch.randn(3, 4, 6), torch.randn(3, 6)
    torch.nn.init.normal_(head.first.weight)
    outputs = head(video, query)
    for b in range(3):
        for n in range(4):
            v, s = video[b, n], query[b]
            fused = torch.cat([v * s, v + s, v, s])
            torch.testing.assert_close(outputs[b, n], head.last(head.first(fused).relu()))
    torch.testing.assert_close(head(video[:1], query)[2], head(video[[0, 0, 0]], query)[2])


@torch.no_grad()
def test_windows_are_projected_clip_by_clip_to_the_same_end() -> None:
    net, batch = model().eval(), tiny.batch()
    windows = net.windows(batch.video_mask)
    views = [
        pool(batch.video, batch.video_mask, spans) for spans in net._seen(batch, windows.spans)
    ]
    video = F.normalize(net.from_video(torch.cat(views, dim=-1)), dim=-1)
    outputs = net.head(video, net._query(batch))
    scores = outputs[..., 0].sigmoid() * windows.real
    expected = scores.sort(dim=1, descending=True).values
    torch.testing.assert_close(net(batch).scores, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_losses_put_every_query_beside_every_window() -> None:
    net, batch = model(), tiny.batch()
    batch.target[:] = torch.tensor([2 / 12, 3.9 / 12])
    batch.video_mask[:] = True
    losses = net.losses(batch)  # every query has one answer: the window of clips 2 and 3
    spans = torch.tensor([[[2, 4]]]).expand(4, 1, 2)
    views = [pool(batch.video, batch.video_mask, part) for part in net._seen(batch, spans)]
    video = F.normalize(net.from_video(torch.cat(views, dim=-1)), dim=-1).transpose(0, 1)
    scores = net.head(video, net._query(batch))[..., 0]
    torch.testing.assert_close(losses["alignment"], alignment(scores))
    torch.testing.assert_close(net.losses(batch.rows(torch.tensor([2, 0, 3, 1]))), losses)


@pytest.mark.parametrize(
    ("video_dim", "number"), [(500, 6_686_627), (1024, 8_296_355), (4096, 17_733_539)]
)
def test_the_parameters_at_the_original_sizes_are_counted(video_dim: int, number: int) -> None:
    sizes = tiny.parameters().models["ctrl"].sizes["paper"] | {"video_dim": video_dim}
    config = parse(CTRLConfig, tiny.run_config("ctrl").model | sizes, where="the test")
    with torch.device("meta"):
        net = CTRL(config)
        skip_thought = torch.nn.Linear(4800, 1024)
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert sum(count.values()) - count["sentence"] == number
    if video_dim == 4096:
        frozen = sum(p.numel() for p in skip_thought.parameters())
        rest = count["from_video"] + count["head"]
        assert (count["from_video"], frozen, rest + frozen) == (12_583_936, 4_916_224, 21_600_163)
    assert len([name for name, _ in net.named_parameters() if not name.startswith("sentence")]) == 8
