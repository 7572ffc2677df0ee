"""VSLNet beside 26hzhang/VSLNet, its PyTorch port, with its characters and without."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor

from mgsl.conformance.golden import (
    Arrays,
    Comparison,
    Official,
    Setting,
    backward,
    compare,
    total,
    unnamed,
)
from mgsl.models.parts import context_query
from mgsl.models.parts.context_query import depthwise
from mgsl.models.parts.span_prediction import best_cell, highlighted
from mgsl.models.vslnet import VSLNet, VSLNetConfig
from mgsl.records import Batch

WORD, CHARACTERS = 8, 100  # numbers in the vectors of a word
EXTENSION = 0.1
SIZES: dict[str, Any] = {
    "num_clips": 12, "video_dim": 10, "word_dim": WORD, "hidden_dim": 16, "heads": 4,
    "positions": 16, "dropout": 0.0, "initial_positions": "normal", "extension": EXTENSION,
    "highlight_weight": 5.0, "proposals": 100,
}  # fmt: skip
RELEASED = {
    "video_dim": 1024, "word_dim": 300, "hidden_dim": 128, "heads": 8, "positions": 128,
}  # fmt: skip
PARAMETERS = 782_771
QUERY = "embedding_net.linear.conv1d"  # the map of both
SEPARABLE = "feature_encoder.conv_block.depthwise_separable_conv"


class OfficialVSLNet(Official[VSLNet]):
    """Its recurrent head, of width 16; characters come as what their convolutions give."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "words": Setting(
            "vslnet", SIZES, RELEASED, PARAMETERS,
            missing=30_000, why="characters, and the vector of unknown words",
        ),
        "words with characters": Setting(
            "vslnet", SIZES | {"word_dim": WORD + CHARACTERS}, RELEASED | {"word_dim": 400},
            PARAMETERS, missing=17_200, why="what makes the vectors of characters, and that of "
            "unknown words",
        ),
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> VSLNet:
        """As it is."""
        return VSLNet(VSLNetConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Its convolutions of one place are linear layers here; heads share one."""
        attention = "feature_encoder.attention_block"
        names = {
            "video": "video_affine.linear.conv1d",
            "query": QUERY,
            "attention.output": "cq_attention.cqa_linear.conv1d",
            "concatenation": "cq_concat.conv1d.conv1d",
            "highlight": "highlight_layer.conv1d.conv1d",
            "encoder.attention_norm": f"{attention}.layer_norm1",
            "encoder.last_norm": f"{attention}.layer_norm2",
            "encoder.last": f"{attention}.out_layer.conv1d",
        }
        state = {}
        for i in range(4):
            names[f"encoder.norms.{i}"] = f"feature_encoder.conv_block.layer_norms.{i}"
            names[f"encoder.across.{i}"] = f"{SEPARABLE}.{i}.1"
            state[f"encoder.along.{i}.weight"] = stored[f"{SEPARABLE}.{i}.0.weight"]
        for end, layer in itertools.product(("start", "end"), (0, 2)):
            names[f"span.{end}.{layer}"] = f"predictor.{end}_block.{layer}.conv1d"
        for ours, theirs in names.items():
            weight = stored[f"{theirs}.weight"]
            state[f"{ours}.weight"] = weight[..., 0] if weight.dim() == 3 else weight
            state[f"{ours}.bias"] = stored[f"{theirs}.bias"]
        state["query.weight"] = state["query.weight"][:, : self.setting.sizes["word_dim"]]
        parts = [f"{attention}.{part}.conv1d" for part in ("query", "key", "value")]
        state["encoder.qkv.weight"] = torch.cat([stored[f"{p}.weight"][..., 0] for p in parts])
        state["encoder.qkv.bias"] = torch.cat([stored[f"{p}.bias"] for p in parts])
        positions = "feature_encoder.pos_embedding.position_embeddings.weight"
        state["encoder.positions.weight"] = stored[positions]
        for end, kind, part in itertools.product(
            ("start", "end"), ("weight", "bias"), ("ih", "hh")
        ):
            name = f"{kind}_{part}_l0"
            state[f"span.{end}_states.{name}"] = stored[f"predictor.{end}_encoder.lstm.{name}"]
        state["attention.of_clip"] = stored["cq_attention.w4C"][:, 0]
        state["attention.of_word"] = stored["cq_attention.w4Q"][:, 0]
        state["attention.of_both"] = stored["cq_attention.w4mlu"][0, 0]
        state["pool.weight"] = stored["cq_concat.weighted_pool.weight"].T
        return state

    @property
    def batch(self) -> Batch:
        """Three queries; two videos are shorter than the longest."""
        golden, query = self.golden, self.golden["in/word_vectors"]
        if self.name != "words":
            query = torch.cat([golden["full/word_emb"], golden["full/char_emb"]], dim=-1)
        return Batch(
            video=golden["in/video"],
            video_mask=golden["in/video_mask"].bool(),
            query=query,
            query_mask=golden["in/query_mask"].bool(),
            target=golden["in/time"] / golden["in/duration"][:, None],
            words=unnamed(query),
        )

    def compare(self) -> Iterator[Comparison]:
        """Each query alone and as padded; where padding leaks, convolutions are made to read it."""
        if self.name == "words":
            yield from self._layers()
            yield from self._outputs("alone")
            yield from self._answers()
            yield from self._labels()
        with mock.patch.object(
            context_query, "depthwise", lambda x, mask, weight: depthwise(x, mask | True, weight)
        ):
            yield from self._outputs("nochar" if self.name == "words" else "full")
            if self.name != "words":
                yield self._ranked()

    def _layers(self) -> Iterator[Comparison]:
        golden, model, batch = self.golden, self.model, self.batch
        video, query = model.video(batch.video), model.query(batch.query)
        clips = model.encoder(video, batch.video_mask)
        words = model.encoder(query, batch.query_mask)
        attended = model.attention(clips, words, batch.video_mask, batch.query_mask)
        for name, ours in (
            ("video_projected", video),
            ("query_projected", query),
            ("video_encoded", clips),
            ("query_encoded", words),
            ("cqa_score", model.attention._similarity(clips, words)),
            ("cqa", attended),
        ):
            yield compare("outputs", name.replace("_", " "), ours, golden[f"alone/{name}"])

    def _outputs(self, version: str) -> Iterator[Comparison]:
        golden, model, batch = self.golden, self.model, self.batch
        suffix = "" if version == "alone" else ", padding read"
        predicted, terms = model._predict(batch), model.losses(batch)
        for name, ours, theirs in (
            ("highlight", predicted.highlight.sigmoid(), "highlight"),
            ("start logits", predicted.start, "start_logits"),
            ("end logits", predicted.end, "end_logits"),
        ):
            yield compare("outputs", name + suffix, ours, golden[f"{version}/{theirs}"])
        highlight = terms["highlight"] / model.config.highlight_weight
        for name, ours, theirs in (
            ("both ends", terms["span"], "location"),
            ("highlight", highlight, "highlight"),
            ("total", total(terms), "total"),
        ):
            yield compare("losses", name + suffix, ours, golden[f"{version}/loss/{theirs}"])
        norms = golden.under(f"{version}/gradnorm/")
        if norms:  # that of the map of words counts the columns of characters, which are not here
            del norms[f"{QUERY}.weight"]
            backward(model, total(terms))
            yield self.gradients(f"norms of parameters{suffix}", norms)

    def _answers(self) -> Iterator[Comparison]:
        moments, count = self.model(self.batch), self.batch.video_mask.sum(1)
        first, end = (moments.spans[:, 0] * count[:, None]).round().long().unbind(1)
        yield compare("outputs", "first clip", first, self.golden["alone/start_index"])
        yield compare("outputs", "last clip", end - 1, self.golden["alone/end_index"])

    def _ranked(self) -> Comparison:
        """The probabilities of all spans of real clips, the best first."""
        batch = self.batch
        inside = batch.video_mask[:, :, None] & batch.video_mask[:, None]
        joint = self.golden["full/joint"].masked_fill(~inside.triu(), -1)
        ranked = joint.flatten(1).sort(dim=1, descending=True).values
        ours = self.model(batch).scores
        theirs = ranked[:, : ours.shape[1]]
        theirs = theirs.masked_fill(theirs < 0, torch.nan)
        return compare("outputs", "scores of spans, padding read", ours, theirs)

    def _labels(self) -> Iterator[Comparison]:
        golden, batch = self.golden, self.batch
        start, end, clips, duration, first, last, *_ = golden["label_cases"].double().unbind(1)
        cells = best_cell(torch.stack([start, end], 1) / duration[:, None], clips.long())
        yield compare("labels", "best cells", cells, torch.stack([first, last], 1).long())
        cells = best_cell(batch.target, batch.video_mask.sum(1))
        label = highlighted(cells, batch.video_mask, EXTENSION).long()
        yield compare("labels", "highlight", label, golden["target/highlight"])
