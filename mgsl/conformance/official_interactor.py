"""What TGN and CBP share: weights of TensorFlow's LSTMs, and padded words that take part."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mgsl.conformance.golden import Arrays, Comparison, Golden, compare
from mgsl.models.cbp import CBP
from mgsl.models.tgn import TGN
from mgsl.records import Batch
from mgsl.spans import nms

HIDDEN = 16
CONSTANT = "the attention's constant, which a softmax does not see"
LSTMS = {  # ours, with what torch adds to the names of its parameters
    "query_encoder.forwards": ("sentence_encoding/rnn", "_l0"),
    "query_encoder.backwards": ("sentence_encoding/sentence_bw/rnn", "_l0"),
    "video_encoder": ("interactor/video_rnn", "_l0"),
    "interactor.cell": ("interactor/interactor_rnn", ""),
}


def interactor(stored: Arrays) -> dict[str, Tensor]:
    """LSTMs, whose input and state share a kernel, and the attention to words."""
    state = {}
    for ours, (theirs, suffix) in LSTMS.items():
        if f"{theirs}/lstm_cell/kernel" not in stored:
            continue
        kernel = gates(stored[f"{theirs}/lstm_cell/kernel"].T)
        inputs, states = kernel.split([kernel.shape[1] - HIDDEN, HIDDEN], dim=1)
        state[f"{ours}.weight_ih{suffix}"] = inputs
        state[f"{ours}.weight_hh{suffix}"] = states
        state[f"{ours}.bias_ih{suffix}"] = gates(stored[f"{theirs}/lstm_cell/bias"])
    attention = "interactor/word_attention/fully_connected"
    joint = stored[f"{attention}/weights"].T
    parts = joint.split([HIDDEN, HIDDEN, joint.shape[1] - 2 * HIDDEN], dim=1)
    for name, part in zip(("state", "clips", "words"), parts, strict=True):
        state[f"interactor.from_{name}.weight"] = part
    state["interactor.from_words.bias"] = stored[f"{attention}/biases"]
    state["interactor.score.weight"] = stored[f"{attention}_1/weights"].T
    return state | linear(stored, "grounder", "interactor/predict_proposal/fully_connected")


def linear(stored: Arrays, ours: str, theirs: str) -> dict[str, Tensor]:
    """A layer whose weights have inputs first."""
    return {
        f"{ours}.weight": stored[f"{theirs}/weights"].T,
        f"{ours}.bias": stored[f"{theirs}/biases"],
    }


def gates(kernel: Tensor) -> Tensor:
    """From the order input, candidate, forget, output to that of torch."""
    enter, new, forget, leave = kernel.chunk(4)
    return torch.cat([enter, forget, new, leave])


@torch.no_grad()
def remember(model: TGN | CBP) -> None:
    """Add the 1 that TensorFlow adds as it runs; it has one bias, torch has two."""
    for layer in model.modules():
        if isinstance(layer, nn.LSTM | nn.LSTMCell):
            _, _, bias, unused = layer.parameters()
            bias.chunk(4)[1].add_(1)
            unused.zero_()


@contextmanager
def padding_as_words(model: TGN | CBP) -> Iterator[None]:
    """Let padded words take a share of the attention, as theirs do."""
    handle = model.interactor.register_forward_pre_hook(
        lambda _, inputs: (inputs[0], torch.ones_like(inputs[1]), inputs[2])
    )
    try:
        yield
    finally:
        handle.remove()


def labelled(positive: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Which anchors are positive and which negative, of those that count."""
    return positive.bool() & counts.bool(), ~positive.bool() & counts.bool()


def compare_answers(
    model: TGN | CBP, batch: Batch, golden: Golden, theirs: Tensor, scores: Tensor, threshold: float
) -> Iterator[Comparison]:
    """Ten after NMS; theirs end with the middle of a clip, and are cut at the beginning.

    Args:
        model: with released weights.
        batch: what it is asked.
        golden: tells how many seconds a clip has.
        theirs: spans in seconds, NaN where there are fewer.
        scores: of them.
        threshold: of NMS.
    """
    with torch.no_grad():
        moments = model(batch)
    clips = batch.video_mask.sum(1)[:, None, None]
    spans = (moments.spans * clips - 0.5).clamp(min=0)
    if "in/seconds_per_feature" in golden:
        spans = spans * golden["in/seconds_per_feature"]
    real = (moments.scores > 0).numpy()
    kept = torch.from_numpy(nms(spans.numpy(), real, threshold=threshold, keep=scores.shape[1]))
    columns = kept.clamp(min=0)
    ours = spans.gather(1, columns[..., None].expand(-1, -1, 2))
    ours = ours.masked_fill(kept[..., None] < 0, -1)
    said = moments.scores.gather(1, columns).masked_fill(kept < 0, -1)
    yield compare("outputs", "answers after NMS, s", ours, theirs.nan_to_num(-1))
    yield compare("outputs", "scores of answers", said, scores.nan_to_num(-1))
