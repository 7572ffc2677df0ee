"""2D-TAN beside microsoft/2D-TAN, the variant that pools, with 256 clips a video."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from mgsl.conformance.golden import (
    Arrays,
    Comparison,
    Official,
    Setting,
    backward,
    calls,
    compare,
    total,
    unnamed,
)
from mgsl.models.tan_2d import TAN2D, TAN2DConfig, overlap, resampling
from mgsl.records import Batch
from mgsl.spans import nms

WIDTHS = {
    "video_dim": 6, "word_dim": 7, "hidden_dim": 8, "lstm_layers": 3, "iou_window": (0.5, 1.0),
}  # fmt: skip
SIZES = {
    "Charades-STA": {"side": 16, "lattice": (16,), "kernel": 5, "conv_layers": 8},
    "ActivityNet Captions": {"side": 64, "lattice": (16, 8, 8), "kernel": 9, "conv_layers": 4},
}
RELEASED = {"video_dim": 4096, "word_dim": 300, "hidden_dim": 512}
NMS = {"Charades-STA": 0.45, "ActivityNet Captions": 0.5}
FRAMES = (7, 75, 300, 700)


class OfficialTAN2D(Official[TAN2D]):
    """Two of its three configurations, of width 8."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "Charades-STA": Setting(
            "tan_charades", WIDTHS | SIZES["Charades-STA"], RELEASED, 60_925_953
        ),
        "ActivityNet Captions": Setting(
            "tan_activitynet", WIDTHS | SIZES["ActivityNet Captions"],
            RELEASED | {"video_dim": 500}, 91_588_609,
        ),
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> TAN2D:
        """As it is."""
        return TAN2D(TAN2DConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Convolutions hold a matrix for each place of their kernel here."""
        linears = {
            "stem": "frame_layer.vis_conv",
            "query": "fusion_layer.tex_linear",
            "map": "fusion_layer.vis_conv",
            "score": "pred_layer",
        }
        state = {}
        for ours, theirs in linears.items():
            state[f"{ours}.weight"] = stored[f"{theirs}.weight"].flatten(1)
            state[f"{ours}.bias"] = stored[f"{theirs}.bias"]
        for layer, kind, part in itertools.product(range(3), ("weight", "bias"), ("ih", "hh")):
            name = f"{kind}_{part}_l{layer}"
            state[f"lstm.{name}"] = stored[f"fusion_layer.textual_encoder.{name}"]
        for layer in range(len(self.model.convolutions)):
            theirs = f"map_layer.convs.{layer}"
            kernel = stored[f"{theirs}.weight"].permute(2, 3, 1, 0).flatten(0, 1)
            state[f"convolutions.{layer}.weight"] = kernel
            state[f"convolutions.{layer}.bias"] = stored[f"{theirs}.bias"]
        return state

    @property
    def batch(self) -> Batch:
        """Three queries; videos have no padding."""
        video = self.golden["in/video"]
        return Batch(
            video=video,
            video_mask=torch.ones(video.shape[:2], dtype=torch.bool),
            query=self.golden["in/words"],
            query_mask=self.golden["in/word_mask"][..., 0].bool(),
            target=self.golden["in/time"] / self.golden["in/duration"][:, None],
            words=unnamed(self.golden["in/words"]),
        )

    def compare(self) -> Iterator[Comparison]:
        """Layer by layer, then cells and labels, loss, gradients, answers."""
        golden, model, batch = self.golden, self.model, self.batch
        with calls(lstm=model.lstm, query=model.query, pool=model.pool, score=model.score) as trace:
            loss = total(model.losses(batch))
        words = batch.query_mask[..., None]
        states = golden["full/words_encoded"] * words
        yield compare("outputs", "encoded words", trace["lstm"][0][1][0] * words, states)
        yield compare("outputs", "query", trace["query"][0][1], golden["full/query"])
        ((clips,), pooled) = trace["pool"][0]
        yield compare("outputs", "encoded clips", clips.mT, golden["full/frame"])
        ((final,), logits) = trace["score"][0]
        if "full/pooled" in golden:
            yield compare("outputs", "pooled cells", pooled.mT, golden["full/pooled"])
            yield compare("outputs", "cells after the convolutions", final.mT, golden["full/final"])
        else:  # of the first query
            yield compare("outputs", "pooled cells", pooled[0].mT, golden["full/pooled_row0"])
            theirs = golden["full/final_row0"]
            yield compare("outputs", "cells after the convolutions", final[0].mT, theirs)
        yield compare("outputs", "logits", logits.squeeze(-1), golden["full/logits"])
        yield compare("labels", "cells", model.spans, golden["candidates/span"])
        tiou = overlap(model.spans, batch.target)
        yield compare("labels", "tIoU of cells", tiou, golden["target/iou"])
        yield compare("losses", "cross entropy", loss, golden["full/loss/total"])
        backward(model, loss)
        yield self.gradients("norms of parameters", golden.under("full/gradnorm/"))
        yield from self._answers(batch)
        for frames in FRAMES:
            if f"resample/in_{frames}" in golden:
                yield self._resampled(frames)

    def compare_doubles(self) -> Iterator[Comparison]:
        """Labels of the file keep their rounding, so they are taken from there."""
        golden, model, batch = self.golden, self.model, self.batch
        logits = model._logits(batch)
        yield compare("outputs", "logits", logits, golden["f64/logits"])
        target = (2 * golden["target/iou"] - 1).clamp(0, 1)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        yield compare("losses", "cross entropy", loss, golden["f64/loss/total"])
        backward(model, loss)
        yield self.gradients("norms of parameters", golden.under("f64/gradnorm/"))

    def _answers(self, batch: Batch) -> Iterator[Comparison]:
        with torch.no_grad():
            moments = self.model(batch)
        times = moments.spans * self.golden["in/duration"][:, None, None]
        ranked = self.golden["full/ranked_times"]
        yield compare("outputs", "ranked moments, s", times[:, : ranked.shape[1]], ranked)
        everything = torch.ones(times.shape[:2], dtype=torch.bool)
        kept = nms(times.numpy(), everything.numpy(), threshold=NMS[self.name], keep=5)
        columns = torch.from_numpy(kept)[..., None].expand(-1, -1, 2)
        best = times.gather(1, columns)
        yield compare("outputs", "first five after NMS, s", best, self.golden["full/nms/top5"])

    def _resampled(self, frames: int) -> Comparison:
        """All parts but the last, in whose mean theirs has no last frame."""
        mask = torch.ones(1, frames, dtype=torch.bool)
        parts = resampling(mask, 256)[0] @ self.golden[f"resample/in_{frames}"]
        theirs = self.golden[f"resample/out_{frames}"]
        return compare("outputs", f"{frames} frames as 256 means", parts[:-1], theirs[:-1])
