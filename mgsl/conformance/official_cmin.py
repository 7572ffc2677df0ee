"""CMIN beside ikuinen/CMIN_moment_retrieval, with the parse of its queries."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor, nn

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
from mgsl.models import cmin
from mgsl.models.cmin import CMIN, CMINConfig, GraphLayer, legal
from mgsl.records import Batch

RELATIONS = 39  # of the parser that its authors used
LAYERS = range(2)
SIZES: dict[str, Any] = {
    "num_clips": 12, "video_dim": 8, "word_dim": 8, "input_dim": 8, "word_input_dim": 8,
    "hidden_dim": 16, "heads": 4, "attention_layers": len(LAYERS), "attention_window": 3,
    "graph_layers": len(LAYERS), "dropout": 0.0, "anchors": (2, 4, 7), "least_label": 0.3,
    "regression_weight": 1e-3,
}  # fmt: skip
RELEASED = {
    "num_clips": 200, "video_dim": 500, "word_dim": 300, "input_dim": 500, "word_input_dim": 300,
    "hidden_dim": 512, "anchors": (6, 18, 32),
}  # fmt: skip
GRUS = {"video": "video_encoder.rnn", "query": "sentence_encoder.rnn", "fusion": "rnn"}


class OfficialCMIN(Official[CMIN]):
    """Its one configuration, of width 16; `full` has whole videos, `alone` their own lengths."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "TACoS": Setting("cmin", SIZES, RELEASED, 8_223_545)
    }

    def make(self, sizes: Mapping[str, Any]) -> CMIN:
        """With a graph of all relations, where ours has one."""
        model = CMIN(CMINConfig(**sizes))
        layers = (GraphLayer(sizes["word_dim"], relations=RELATIONS) for _ in LAYERS)
        model.graph = nn.ModuleList(layers)
        return model

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Biases of all relations and directions are one tensor here."""
        names = {
            "word_attention.from_steps": "v2s.ws1",
            "word_attention.from_words": "v2s.ws2",
            "word_attention.score": "v2s.wst",
            "gate_of_words": "cross_gate.fc_gate1",
            "gate_of_video": "cross_gate.fc_gate2",
            "score": "fc_score",
            "offset": "fc_reg",
        }
        state = {}
        for k in LAYERS:
            names[f"attention.{k}.out"] = f"video_encoder.attn_layers.{k}.out_proj"
            layer = f"sentence_encoder.gcn_layers.{k}"
            for ours, theirs in (("message", "dir"), ("gate", "gate")):
                for way in range(3):
                    names[f"graph.{k}.{ours}.{way}"] = f"{layer}.fc_{theirs}_weight.{way}"
            kinds = ("dir", "gate")
            own = [stored[f"{layer}.fc_{kind}_bias1.0"] for kind in kinds]
            state[f"graph.{k}.own_bias"] = torch.stack(own)
            by_way = [
                torch.stack([stored[f"{layer}.fc_{kind}_bias{way}"] for way in (2, 3)])
                for kind in kinds
            ]
            state[f"graph.{k}.biases"] = torch.stack(by_way)[:, :, :, None, None]
            for part in ("weight", "bias"):
                theirs = f"video_encoder.attn_layers.{k}.in_proj_{part}"
                state[f"attention.{k}.qkv.{part}"] = stored[theirs]
        for ours, theirs in names.items():
            state[f"{ours}.weight"] = stored[f"{theirs}.weight"].flatten(1)
            if f"{theirs}.bias" in stored:
                state[f"{ours}.bias"] = stored[f"{theirs}.bias"]
        for ours, theirs in GRUS.items():
            for direction, suffix in (("forwards", ""), ("backwards", "_reverse")):
                for part in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
                    state[f"{ours}.{direction}.{part}"] = stored[f"{theirs}.gru.{part}{suffix}"]
        return state

    def batch(self, version: str) -> Batch:
        """Three queries; their ends are of whole clips, the last one included."""
        golden = self.golden
        count = torch.full((3,), 12) if version == "full" else golden["in/video_length"]
        return Batch(
            video=golden["in/video"],
            video_mask=torch.arange(12) < count[:, None],
            query=golden["in/word_vectors"],
            query_mask=golden["in/query_mask"].bool(),
            target=(golden["target/frames"] + torch.tensor([0, 1])) / count[:, None],
            words=unnamed(golden["in/word_vectors"]),
        )

    def compare(self) -> Iterator[Comparison]:
        """Each version layer by layer; losses and gradients of the whole videos."""
        anchors = self.golden["anchors"].flatten(0, 1) + torch.tensor([0.0, 1.0])
        yield compare("labels", "anchors", self.model.anchors, anchors)
        relations = torch.arange(RELATIONS)[:, None, None, None] + 2
        graph = (self.golden["in/adjacency"] == relations).to(torch.get_default_dtype())
        with mock.patch.object(cmin, "chain", return_value=graph):
            for version in ("full", "alone"):
                yield from self._layers(version)
                yield from self._answers(version)
            yield from self._losses()

    def _layers(self, version: str) -> Iterator[Comparison]:
        model, batch = self.model, self.batch(version)
        suffix = ", alone" if version == "alone" else ""
        clips, words = batch.video_mask[..., None], batch.query_mask[..., None]
        parts = {name: getattr(model, name) for name in ("video", "query", "fusion")}
        with calls(attended=model.word_attention, **parts) as trace:
            logits, offsets = model._predict(batch)
        gated_video, gated_words = trace["fusion"][0][0][0].chunk(2, dim=-1)
        for name, ours, real in (
            ("video_before_rnn", trace["video"][0][0][0], clips),
            ("words_before_rnn", trace["query"][0][0][0], words),
            ("video", trace["video"][0][1], clips),
            ("words", trace["query"][0][1], words),
            ("attended_words", trace["attended"][0][1], clips),
            ("gated_video", gated_video, clips),
            ("gated_words", gated_words, clips),
            ("fused", trace["fusion"][0][1], clips),
            ("score_logits", logits.unflatten(1, (12, -1)), clips),
            ("offsets", offsets.unflatten(1, (12, -1)).flatten(2), clips),
        ):
            theirs = self.golden[f"{version}/{name}"].flatten(2).masked_fill(~real, torch.nan)
            yield compare("outputs", name.replace("_", " ") + suffix, ours, theirs)

    def _answers(self, version: str) -> Iterator[Comparison]:
        """Here none leaves the video."""
        golden, batch = self.golden, self.batch(version)
        suffix = ", alone" if version == "alone" else ""
        moments, count = self.model(batch), batch.video_mask.sum(1, keepdim=True)
        answer = golden[f"{version}/answer"] + torch.tensor([0.0, 1.0])
        theirs = torch.minimum(answer.clamp(min=0), count)
        ours = moments.spans[:, 0] * count
        yield compare("outputs", f"answer, clips{suffix}", ours, theirs)
        where = ("target/legal", "target/label")
        if version == "alone":
            where = ("alone/legal", "alone/label")
        real, label = (golden[name].nan_to_num().flatten(1) for name in where)
        ours = legal(self.model.anchors, count.squeeze(1))
        yield compare("labels", f"anchors in the video{suffix}", ours, real.bool())
        ours = self.model._labels(batch.target * count, count.squeeze(1))
        yield compare("labels", f"labels of anchors{suffix}", ours, label)

    def _losses(self) -> Iterator[Comparison]:
        golden, model = self.golden, self.model
        terms = model.losses(self.batch("full"))
        regression = terms["regression"] / model.config.regression_weight
        for name, ours, theirs in (
            ("overlap", terms["overlap"], "classification"),
            ("regression", regression, "regression"),
            ("total", total(terms), "total"),
        ):
            yield compare("losses", name, ours, golden[f"full/loss/{theirs}"])
        backward(model, total(terms))
        yield self.gradients("norms of parameters", golden.under("full/gradnorm/"))
