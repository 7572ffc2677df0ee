"""TGN beside JaywongWang/TGN, each query alone and in the padded batch."""

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
    calls,
    compare,
    total,
    unnamed,
)
from mgsl.conformance.official_interactor import (
    CONSTANT,
    HIDDEN,
    compare_answers,
    interactor,
    labelled,
    padding_as_words,
    remember,
)
from mgsl.models.tgn import TGN, TGNConfig
from mgsl.records import Batch

DECAY = 1e-5
COMMON: dict[str, Any] = {
    "num_clips": 12, "video_dim": 10, "word_dim": 8, "hidden_dim": HIDDEN, "attention_dim": 12,
    "dropout": 0.0, "weighed_iou": (0.7, 0.3), "most_weight": None,
    "weight_decay": DECAY,
}  # fmt: skip
CHARADES: dict[str, Any] = {
    "bidirectional": True, "anchors": (2, 3, 4, 6, 8, 10), "positive_iou": 0.85,
    "negative_iou": 0.15,
}  # fmt: skip
TACOS: dict[str, Any] = {
    "bidirectional": False, "anchors": (1, 2, 3, 4, 6), "positive_iou": 0.5, "negative_iou": 0.5,
}  # fmt: skip
RELEASED = {"video_dim": 4096, "word_dim": 300, "hidden_dim": 512, "attention_dim": 512}
NMS = {"Charades-STA": 0.55, "TACoS": 0.3}


class OfficialTGN(Official[TGN]):
    """Two of its configurations, of width 16."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "Charades-STA": Setting(
            "tgn_charades", COMMON | CHARADES, RELEASED | {"anchors": tuple(range(3, 23))},
            18_025_493, missing=1, why=CONSTANT,
        ),
        "TACoS": Setting(
            "tgn_tacos", COMMON | TACOS, RELEASED | {"anchors": tuple(range(1, 33))},
            15_055_905, missing=1, why=CONSTANT,
        ),
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> TGN:
        """As it is."""
        return TGN(TGNConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """All but the constant of the attention."""
        return interactor(stored)

    def load(self, model: TGN, stored: Arrays) -> None:
        """Theirs add 1 to the forget gates as they run; they are told the weights of positives."""
        super().load(model, stored)
        remember(model)
        model.positive_weight = self.golden["target/positive_weight"]

    def is_own(self, key: str) -> bool:
        """Torch's second bias; weights of positives are labels."""
        return "bias_hh" in key or key == "positive_weight" or super().is_own(key)

    @property
    def batch(self) -> Batch:
        """Anchors end with a clip here, in the middle of one there: moments are half a clip on."""
        mask = self.golden["in/video_mask"].bool()
        return Batch(
            video=self.golden["in/video"],
            video_mask=mask,
            query=self.golden["in/words"],
            query_mask=self.golden["in/word_mask"].bool(),
            target=(self.golden["in/time"] + 0.5) / mask.sum(1, keepdim=True),
            words=unnamed(self.golden["in/words"]),
        )

    def compare(self) -> Iterator[Comparison]:
        """Alone, then as padded; then candidates and labels, and what NMS leaves."""
        yield from self._version("alone")
        with padding_as_words(self.model):
            yield from self._version("full")
            theirs = self.golden["full/answer"]
            yield from compare_answers(
                self.model, self.batch, self.golden, theirs[..., :2], theirs[..., 2],
                NMS[self.name],
            )  # fmt: skip
        yield from self._labels()

    def _version(self, version: str) -> Iterator[Comparison]:
        golden, model, batch = self.golden, self.model, self.batch
        suffix = "" if version == "alone" else ", padded words too"
        positive, counts = golden["target/positive"], golden["target/anchor_mask"]
        if self.name == "TACoS":  # where it is switched off
            counts = torch.ones_like(counts)
        with (
            mock.patch.object(model, "_labels", return_value=labelled(positive, counts)),
            calls(
                words=model.query_encoder,
                clips=model.video_encoder,
                states=model.interactor,
                logits=model.grounder,
            ) as trace,
        ):
            terms = model.losses(batch)
        outputs = {name: passes[0][1] for name, passes in trace.items()}
        outputs["clips"] = outputs["clips"][0]
        for ours, theirs in (
            ("words", "words_encoded"),
            ("clips", "video_states"),
            ("states", "interactor_states"),
            ("logits", "logits"),
        ):
            if f"{version}/{theirs}" in golden:
                expected = golden[f"{version}/{theirs}"]
                if ours != "words":
                    expected = expected.masked_fill(~batch.video_mask[..., None], torch.nan)
                name = theirs.replace("_", " ") + suffix
                yield compare("outputs", name, outputs[ours], expected)
        expected = golden[f"{version}/loss/anchors"]
        yield compare("losses", f"cross entropy{suffix}", terms["anchors"], expected)
        constant = golden["param/interactor/word_attention/fully_connected_1/biases"]
        squares = terms["penalty"] / DECAY + constant.square().sum() / 2
        yield compare("losses", "half squares of weights", squares, golden["full/loss/l2"])
        backward(model, total(terms))
        norms = golden.under(f"{version}/gradnorm/")
        yield self.gradients(f"norms of parameters{suffix}", norms)

    def _labels(self) -> Iterator[Comparison]:
        """Theirs has more negatives, far from the moment: a declared deviation."""
        golden, model = self.golden, self.model
        yield compare("labels", "anchors", model.anchors - 0.5, golden["candidates/span"])
        inside = torch.zeros(model.anchors.shape[:2], dtype=torch.bool).flatten()
        inside[model.inside] = True
        kept = golden["candidates/kept"].flatten()
        yield compare("labels", "anchors that begin within the video", inside, kept)
        positive, negative = model._labels(golden["label_cases/time"] + 0.5)
        theirs = golden["label_cases/positive"].bool()
        yield compare("labels", "positive anchors", positive, theirs)
        counts = golden["label_cases/anchor_mask"].bool() | (self.name == "TACoS")
        yield compare("labels", "negative anchors", negative & counts & ~theirs, negative)
