"""What CTRL and ACRN share: windows with their context as three clips, a vector for a sentence.

Times of their files are frames. Each window is the middle one of three clips, so that its context
is what its file says, and all else of the methods runs as it is.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeVar
from unittest import mock

import torch
from torch import Tensor, nn

from mgsl.conformance.golden import (
    Arrays,
    Comparison,
    Official,
    backward,
    calls,
    compare,
    total,
    unnamed,
)
from mgsl.models.acrn import ACRN
from mgsl.models.ctrl import CTRL
from mgsl.models.parts.windows import Pairs, WindowConfig, Windows, draw_pairs
from mgsl.records import Batch
from mgsl.spans import nms

Method = TypeVar("Method", CTRL, ACRN)
SIZES: dict[str, Any] = {
    "num_clips": 3, "windows": (1,), "overlap": 0.0, "context": 1, "frames": 1,
    "least_iou": 0.5, "most_outside": 0.15, "regression_weight": 0.01, "video_dim": 6,
    "word_dim": 9, "sentence_dim": 10, "common_dim": 16, "hidden_dim": 24, "vector": 9,
}  # fmt: skip
RELEASED = {"video_dim": 4096, "common_dim": 1024, "hidden_dim": 1000, "vector": 4800}
MIDDLE = 1  # the clip that is the window
FOUND = (0.1, 0.3, 0.5)  # tIoU of their recalls; NMS at 0.05 less
LAYERS = {
    "from_video": "v2s_lt",
    "from_sentence": "s2s_lt",
    "head.first": "vs_multilayer_lt/layer1",
    "head.last": "vs_multilayer_lt/layer2",
}


class Given(nn.Module):
    """The vector of a sentence, where there would be an encoder of words."""

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        """The only word."""
        return words[:, 0]


def read_vectors(model: Method, width: int) -> Method:
    """Let a model read vectors of sentences, where it has its own encoder of words."""
    model.add_module("sentence", Given())
    model.add_module("from_sentence", nn.Linear(width, model.config.common_dim))
    return model


def layers(stored: Arrays) -> dict[str, Tensor]:
    """Their weights have inputs first, two of them as convolutions of one place."""
    state = {}
    for ours, theirs in LAYERS.items():
        state[f"{ours}.weight"] = stored[f"CTRL_Model/{theirs}/weights"].flatten(0, -2).T
        state[f"{ours}.bias"] = stored[f"CTRL_Model/{theirs}/biases"]
    return state


def batch(clips: Tensor, sentences: Tensor) -> Batch:
    """Windows with their context as videos of three clips, each with a sentence of one word."""
    return Batch(
        video=clips,
        video_mask=torch.ones(clips.shape[:2], dtype=torch.bool),
        query=sentences[:, None],
        query_mask=torch.ones(len(sentences), 1, dtype=torch.bool),
        target=torch.zeros(len(sentences), 2),
        words=unnamed(sentences[:, None]),
    )


def compare_training(
    official: Official[Method], module: ModuleType, clips: Tensor
) -> Iterator[Comparison]:
    """Every sentence of a batch with every window; losses; gradients.

    Args:
        official: the method.
        module: where it finds `draw_pairs`, which is told the drawn windows.
        clips: the windows with their context.
    """
    golden, model = official.golden, official.model
    offsets = golden["target/offset"]
    spans = torch.tensor([[[MIDDLE, MIDDLE + 1]]]).expand(len(offsets), 1, 2)
    pairs = Pairs(torch.arange(len(offsets)), spans, offsets)
    with (
        mock.patch.object(module, "draw_pairs", return_value=pairs),
        calls(head=model.head, sentence=model.from_sentence) as trace,
    ):
        terms = model.losses(batch(clips, golden["in/sentence"]))
    ((video, query), outputs) = trace["head"][0]
    unit = nn.functional.normalize
    theirs = golden["train/sentence_projected"]
    yield compare("outputs", "projected sentence", trace["sentence"][0][1], theirs)
    yield compare("outputs", "window", unit(video[0], dim=-1), golden["train/video_unit"])
    yield compare("outputs", "sentence", unit(query, dim=-1), golden["train/sentence_unit"])
    yield compare("outputs", "scores and offsets in training", outputs, golden["train/output"])
    yield compare("losses", "alignment", terms["alignment"], golden["train/loss/alignment"])
    error = terms["regression"] / SIZES["regression_weight"]
    yield compare("losses", "regression, frames", error, golden["train/loss/regression"])
    loss = total(terms)
    yield compare("losses", "total", loss, golden["train/loss/total"])
    backward(model, loss)
    yield official.gradients("norms of parameters", golden.under("train/gradnorm/"))


def compare_test(official: Official[Method], clips: Tensor) -> Iterator[Comparison]:
    """Every sentence with every window of the movie, and what their evaluation keeps."""
    golden, model = official.golden, official.model
    theirs = golden["test/output"]
    sentences, windows, _ = theirs.shape
    queries = golden["test/sentence"].repeat_interleave(windows, dim=0)
    with torch.no_grad(), calls(head=model.head) as trace:
        model(batch(clips.repeat(sentences, 1, 1), queries))
    outputs = trace["head"][0][1][:, MIDDLE].view(theirs.shape)
    yield compare("outputs", "scores and offsets, frames", outputs, theirs)
    spans = golden["test/window"] + outputs[..., 1:]
    yield compare("outputs", "spans, frames", spans, golden["test/span"])
    order = outputs[..., 0].argsort(dim=1, descending=True, stable=True)
    ranked = spans.gather(1, order[..., None].expand_as(spans))
    real = torch.ones(order.shape, dtype=torch.bool)
    for iou in FOUND:
        columns = golden[f"test/nms_{iou}"]
        kept = torch.from_numpy(
            nms(ranked.numpy(), real.numpy(), threshold=iou - 0.05, keep=columns.shape[1])
        )
        ours = order.gather(1, kept.clamp(min=0)).masked_fill(kept < 0, -1)
        yield compare("outputs", f"windows kept by NMS at {iou - 0.05:.2f}", ours, columns)


def compare_labels(official: Official[Method]) -> Iterator[Comparison]:
    """Which windows answer a moment, and by how much they miss it: all pairs of one movie.

    A window is a video of its own here, of one clip: times are frames from the beginning.
    """
    golden, rows = official.golden, []
    spans = golden["windows/train/span"]
    config: WindowConfig = official.model.config
    for moment in golden["sentences/train/moment"].unique(dim=0):
        near = spans[spans[:, 0] == moment[0], 1:]
        numbered = torch.arange(len(near), dtype=torch.float32)[:, None, None]
        videos = batch(numbered, torch.zeros(len(near), 1))
        videos.video_mask[:] = True
        videos.target[:] = moment[1:]
        windows = Windows(near[:, None], torch.ones(len(near), 1, dtype=torch.bool))
        pairs = draw_pairs(windows, videos, config)
        taken = near[pairs.rows]
        rows.append(torch.cat([moment.expand(len(taken), -1), taken, pairs.offsets], dim=1))
    parts = [golden[f"labels/{name}"].float() for name in ("moment", "window", "offset")]
    ours, theirs = torch.cat(rows).float().unique(dim=0), torch.cat(parts, dim=1).unique(dim=0)
    yield compare("labels", "windows of moments, and offsets", ours, theirs, bound=0.0)
