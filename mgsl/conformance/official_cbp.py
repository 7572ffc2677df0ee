"""CBP beside JaywongWang/CBP: padded words take part, and its labels are learned, as there."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
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
    calls,
    compare,
    unnamed,
)
from mgsl.conformance.official_interactor import (
    CONSTANT,
    HIDDEN,
    compare_answers,
    interactor,
    labelled,
    linear,
    padding_as_words,
    remember,
)
from mgsl.models.cbp import CBP, CBPConfig, boundary_clips
from mgsl.records import Batch

DECAY = 1e-5
COMMON: dict[str, Any] = {
    "num_clips": 12, "video_dim": 10, "word_dim": 8, "hidden_dim": HIDDEN, "attention_dim": 8,
    "map_dim": 512, "dropout": 0.0, "bidirectional": False, "neighbours": 0,
    "anchors": (1, 2, 3, 5, 8), "positive_iou": 0.7, "negative_iou": 0.3, "weighed_iou": (0.7, 0.3),
    "most_weight": None, "weight_decay": DECAY,
}  # fmt: skip
TACOS: dict[str, Any] = {
    "neighbours": 4, "boundary_weight": 20.0, "positive_iou": 0.5, "negative_iou": 0.5,
}  # fmt: skip
CHARADES: dict[str, Any] = {
    "bidirectional": True, "boundary_weight": 4.0, "positive_iou": 0.85, "negative_iou": 0.15,
}  # fmt: skip
RELEASED = {"video_dim": 4096, "word_dim": 300, "hidden_dim": 512, "attention_dim": 512}
NMS = {"TACoS": 0.3, "Charades-STA": 0.55, "ActivityNet Captions": 0.55}


class OfficialCBP(Official[CBP]):
    """All of its configurations, of width 16."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "TACoS": Setting(
            "cbp/tacos", COMMON | TACOS, RELEASED | {"anchors": tuple(range(1, 33))},
            15_335_458, missing=1, why=CONSTANT,
        ),
        "Charades-STA": Setting(
            "cbp/charades", COMMON | CHARADES, RELEASED | {"anchors": tuple(range(3, 23))},
            18_298_902, missing=1, why=CONSTANT,
        ),
        "ActivityNet Captions": Setting(
            "cbp/activitynet", COMMON | {"neighbours": 6, "boundary_weight": 0.0},
            RELEASED | {"anchors": tuple(range(1, 101))}, 15_404_133, missing=1, why=CONSTANT,
        ),
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> CBP:
        """As it is."""
        return CBP(CBPConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """All but the constant of the attention."""
        state = interactor(stored)
        boundary = "interactor/predict_boundary/fully_connected"
        if f"{boundary}/weights" in stored:
            state |= linear(stored, "boundary", boundary)
        maps = {"linear_map": "query", "query_map": "query", "key_map": "key"}
        for theirs, ours in maps.items():
            if (name := f"interactor/selfatt_interactor/{theirs}") in stored:
                state[f"context.{ours}.weight"] = stored[name].T
        return state

    def load(self, model: CBP, stored: Arrays) -> None:
        """Theirs add 1 to the forget gates as they run; they are told the weights of positives."""
        super().load(model, stored)
        remember(model)
        model.positive_weight = self.golden["target/positive_weight"]
        if "target/boundary_weight" in self.golden:
            model.boundary_positive_weight = self.golden["target/boundary_weight"]

    def is_own(self, key: str) -> bool:
        """Torch's second bias; weights of positives are labels."""
        return "bias_hh" in key or key.endswith("positive_weight") or super().is_own(key)

    @property
    def batch(self) -> Batch:
        """Padded words are words in the setting of TACoS, whose LSTM runs on over them."""
        mask, words = self.golden["in/video_mask"].bool(), self.golden["in/query_mask"].bool()
        return Batch(
            video=self.golden["in/video"],
            video_mask=mask,
            query=self.golden["in/word_vectors"],
            query_mask=words | (self.name == "TACoS"),
            target=self._clips / mask.sum(1, keepdim=True),
            words=unnamed(self.golden["in/word_vectors"]),
        )

    @property
    def _clips(self) -> Tensor:
        """Moments in clips."""
        return self.golden["in/time"] / self.golden["in/seconds_per_feature"]

    def compare(self) -> Iterator[Comparison]:
        """One query without padding, then the padded batch, labels, and what NMS leaves."""
        alone = replace(self.batch, query_mask=self.golden["in/query_mask"].bool())
        anchors, _ = self.model._logits(alone)
        theirs = self.golden["full/proposal_scores"][0]
        yield compare("outputs", "scores of anchors, no padding", anchors[0].sigmoid(), theirs)
        with padding_as_words(self.model):
            yield from self._padded()
            yield from self._answers()
        yield from self._labels()

    def _padded(self) -> Iterator[Comparison]:
        golden, model, batch = self.golden, self.model, self.batch
        counts = golden["target/anchor_mask"].bool() | (self.name == "TACoS")
        labels = labelled(golden["target/proposal"], counts)
        parts = {
            "words": model.query_encoder,
            "clips": model.video_encoder,
            "states": model.interactor,
            "context": model.context,
            "anchors": model.grounder,
        }
        if model.boundary is not None:
            parts["boundaries"] = model.boundary
        with mock.patch.object(model, "_labels", return_value=labels), calls(**parts) as trace:
            terms = model.losses(batch)
        outputs = {name: passes[0][1] for name, passes in trace.items()}
        outputs["clips"] = outputs["clips"][0]
        padded = ~batch.video_mask[..., None]
        yield compare("outputs", "words", outputs["words"], golden["full/words"])
        for name, theirs in (
            ("clips", "video_states"),
            ("states", "interactor_states"),
            ("context", "context"),
        ):
            expected = golden[f"full/{theirs}"].masked_fill(padded, torch.nan)
            yield compare("outputs", theirs.replace("_", " "), outputs[name], expected)
        for name, theirs in (("anchors", "proposal"), ("boundaries", "boundary")):
            if name in outputs:
                expected = golden[f"full/{theirs}_scores"].masked_fill(padded, torch.nan)
                yield compare("outputs", f"scores of {name}", outputs[name].sigmoid(), expected)
        yield from self._losses(terms)

    def _losses(self, terms: dict[str, Tensor]) -> Iterator[Comparison]:
        """The gradient is that of both cross entropies."""
        golden, loss = self.golden, terms["anchors"]
        yield compare("losses", "anchors", loss, golden["full/loss/proposal"])
        if "boundary" in terms:
            boundary = terms["boundary"] / self.model.config.boundary_weight
            yield compare("losses", "boundary", boundary, golden["full/loss/boundary"])
            loss = loss + terms["boundary"]
        yield compare("losses", "sum", loss, golden["full/loss/sum"])
        constant = golden["param/interactor/word_attention/fully_connected_1/biases"]
        squares = terms["penalty"] / DECAY + constant.square().sum() / 2
        theirs = golden["full/loss/regulariser_sum"]
        yield compare("losses", "half squares of weights", squares, theirs)
        backward(self.model, loss)
        yield self.gradients("norms of parameters", golden.under("full/gradnorm/"))

    def _answers(self) -> Iterator[Comparison]:
        """The clip that holds an anchor's start is one earlier there."""
        model, golden = self.model, self.golden
        with mock.patch.object(model, "first", (model.first - 1).clamp(min=0)):
            yield from compare_answers(
                model, self.batch, golden, golden["full/answers"], golden["full/answer_scores"],
                NMS[self.name],
            )  # fmt: skip

    def _labels(self) -> Iterator[Comparison]:
        """Theirs has more negatives, far from the moment: a declared deviation."""
        golden, model, mask = self.golden, self.model, self.batch.video_mask[..., None]
        positive, negative = (sign & mask for sign in model._labels(self._clips + 0.5))
        theirs = golden["target/proposal"].bool() & mask
        yield compare("labels", "positive anchors", positive, theirs)
        counts = golden["target/anchor_mask"].bool() | (self.name == "TACoS")
        yield compare("labels", "negative anchors", negative & counts & ~theirs, negative)
        if "target/boundary" in golden:
            clips = boundary_clips(self.batch.target, mask.sum((1, 2)))
            there = torch.nn.functional.one_hot(clips, mask.shape[1]).amax(1)
            theirs = golden["target/boundary"].squeeze(-1).long()
            yield compare("labels", "clips of boundaries", there, theirs)
