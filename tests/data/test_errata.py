"""The errata of the printed equations: what the printed form would do, and what the code does."""

import pytest
import torch
import torch.nn.functional as F

from mgsl.models import build
from mgsl.models.memory import Record, sum_write
from mgsl.models.mgsl_net import Alignment, MGSLNet
from mgsl.models.parts.per_clip import clip_centers, distance_iou, inside
from mgsl.nested import merge
from tests import tiny


def model(**choices: dict[str, object]) -> MGSLNet:
    torch.manual_seed(0)
    config = tiny.run_config("printed")
    built = build(config.model_copy(update={"model": merge(config.model, choices)}))
    assert isinstance(built, MGSLNet)
    return built


def views(clips: int = 3, words: int = 2) -> tuple[Alignment, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return Alignment(4, normalized=False), torch.randn(1, clips, 4), torch.randn(1, words, 4)


def masks(*steps: int) -> list[torch.Tensor]:
    return [torch.ones(1, n, dtype=torch.bool) for n in steps]


def test_eq_1_a_scalar_has_no_transpose_both_attentions_share_it() -> None:
    layer, video, query = views()
    attention = layer(video, query, *masks(3, 2))
    torch.testing.assert_close(attention.over_words.sum(-1), torch.ones(1, 3))
    torch.testing.assert_close(attention.over_clips.sum(-1), torch.ones(1, 2))
    affinity = layer.from_video(video) @ layer.from_query(query).mT
    torch.testing.assert_close(attention.over_clips, affinity.softmax(dim=1).mT)
    printed = attention.over_words.mT  # A1 transposed, which sums to 1 over the wrong axis
    assert not torch.allclose(printed.sum(-1), torch.ones(1, 2))


def test_eq_2_the_graph_convolution_is_one_linear_step() -> None:
    layer, video, query = views()
    attention = layer(video, query, *masks(3, 2))
    torch.testing.assert_close(
        attention.textual, attention.over_words @ query @ layer.textual.weight.T
    )
    rectified = attention.textual.relu()  # what the name of a network would suggest
    assert not torch.allclose(attention.textual, rectified)


def test_eq_3_to_10_reading_and_writing_have_keys_of_their_own() -> None:
    memory = model().memories()[0].train()
    stream, x = memory.streams[0], torch.randn(1, 3, 16)
    inputs = stream, x, *masks(3), memory.slots
    before = memory.read(*inputs), memory.record(*inputs)
    with torch.no_grad():
        stream.read_key.weight.mul_(-1)
    after = memory.read(*inputs), memory.record(*inputs)
    assert not torch.allclose(before[0], after[0])  # with one key, as printed, both would move
    torch.testing.assert_close(before[1].weights, after[1].weights)


def test_eq_5_slots_that_many_steps_erase_do_not_change_their_sign() -> None:
    slots, steps = torch.ones(1, 2), 5
    r = Record(
        weights=torch.ones(1, steps, 1),
        erase=torch.full((1, steps, 2), 0.9),
        value=torch.zeros(1, steps, 2),
        mask=torch.ones(1, steps, dtype=torch.bool),
    )
    printed = slots * (1 - (r.weights.mT @ r.erase)[0])  # all steps at once
    assert (printed < -3).all()
    written = sum_write(slots, r, "mean")
    assert ((written >= 0) & (written <= 1)).all()


def test_eq_6_and_8_weights_of_the_old_memory_write_into_the_new() -> None:
    streams, mask = [torch.randn(1, 3, 16), torch.randn(1, 3, 16)], masks(3, 3)
    old, new = (
        model(memory={"readdress": r, "beta": 20.0}).memories()[0].train() for r in (False, True)
    )
    assert not torch.allclose(old.write(streams, mask), new.write(streams, mask))


def test_eq_7_and_8_words_write_what_is_theirs_whatever_the_number_of_clips() -> None:
    memory = model().memories()[1].train()
    words = torch.randn(1, 2, 16)  # indices t of the printed u and e would run over 12 clips
    record = memory.record(memory.streams[0], words, *masks(2), memory.slots)
    assert record.value.shape[1] == record.erase.shape[1] == record.weights.shape[1] == 2
    torch.testing.assert_close(record.value, memory.streams[0].value(words))


def test_eq_11_the_iou_of_distances_is_that_of_their_spans() -> None:
    truth, predicted = torch.tensor([[[0.3, 0.2]]]), torch.tensor([[[0.1, 0.4]]])
    printed = (0.2 - 0.3) / (0.4 - 0.1)  # min(d_e) - max(d_s) over max(d_e) - min(d_s)
    assert printed < 0  # which has no logarithm
    assert distance_iou(truth, predicted).item() == pytest.approx((0.1 + 0.2) / (0.3 + 0.4))


@pytest.mark.parametrize("norm", ["positives", "clips"])
@torch.no_grad()
def test_eq_12_all_clips_over_the_positive_ones_or_over_all(norm: str) -> None:
    net, batch = model(losses={"confidence_norm": norm}).eval(), tiny.batch(1)
    logits = net._predict(batch).confidence
    positive = inside(batch.target, batch.video_mask)
    total = F.binary_cross_entropy_with_logits(logits, positive.float(), reduction="sum")
    count = {"positives": positive.sum(), "clips": batch.video_mask.sum()}[norm]
    assert count == {"positives": positive.sum(), "clips": tiny.CLIPS}[norm]
    torch.testing.assert_close(net.losses(batch)["confidence"], total / count)


@torch.no_grad()
def test_eq_13_is_the_smooth_l1_which_below_one_is_half_a_square() -> None:
    net, batch = model().eval(), tiny.batch(1)
    predicted, centers = net._predict(batch), clip_centers(batch.video_mask)
    truth = torch.stack([centers - batch.target[:, :1], batch.target[:, 1:] - centers], -1)
    error = predicted.iou - distance_iou(truth, predicted.distances)
    smooth, l1 = (error.square() / 2).mean(), error.abs().mean()
    torch.testing.assert_close(net.losses(batch)["iou"], smooth)
    assert not torch.isclose(smooth, l1)


@torch.no_grad()
def test_the_video_that_calibrates_is_the_encoded_one() -> None:
    net, batch = model().eval(), tiny.batch(1)
    videos: list[torch.Tensor] = []
    net.attention.context.register_forward_pre_hook(lambda _, inputs: videos.append(inputs[0]))
    net(batch)
    torch.testing.assert_close(videos[0], net.video_encoder(batch.video, batch.video_mask))
    assert videos[0].shape != batch.video.shape  # the features as extracted have another width
