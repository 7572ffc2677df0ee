"""LGI beside JonghwanMun/LGI4temporalgrounding, each query alone and in the padded batch."""

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
from mgsl.models.lgi import LGI, LGIConfig, LocalContext, attended
from mgsl.records import Batch

COMMON: dict[str, Any] = {
    "num_clips": 12, "video_dim": 10, "word_dim": 8, "hidden_dim": 16, "attention_dim": 8,
    "kernel": 5, "dropout": 0.0,
}  # fmt: skip
ACTIVITYNET: dict[str, Any] = {
    "phrases": 5, "blocks": 1, "heads": 1, "output": "sigmoid", "spread": 0.2,
}  # fmt: skip
CHARADES: dict[str, Any] = {
    "phrases": 3, "blocks": 2, "heads": 4, "output": "relu", "spread": 0.3,
}  # fmt: skip
RELEASED = {
    "num_clips": 128, "word_dim": 300, "hidden_dim": 512, "attention_dim": 256, "kernel": 15,
}  # fmt: skip
UNUSED, WORD = 262_656 + 1, 300  # parameters; of them those of a word
WHY = "the table of words, an unused layer, the constant of the attention to words"
TERMS = {"boundaries": "grounding", "clips": "tag", "words": "dqa"}
LONGEST = 64  # clips of a label's case


class OfficialLGI(Official[LGI]):
    """Both of its configurations, of width 16."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "ActivityNet Captions": Setting(
            "lgi_anet", COMMON | ACTIVITYNET, RELEASED | {"video_dim": 500}, 53_591_283,
            missing=11_124 * WORD + UNUSED, why=WHY,
        ),
        "Charades-STA": Setting(
            "lgi_charades", COMMON | CHARADES, RELEASED | {"video_dim": 1024}, 33_818_355,
            missing=1_140 * WORD + UNUSED, why=WHY,
        ),
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> LGI:
        """As it is."""
        return LGI(LGIConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """What it has for each phrase is one layer of groups here."""
        names = {
            "video": "video_enc.vid_emb_fn.0",
            "attention.guide": "sqan.guide_emb_fn.0",
            "attention.of_guide": "sqan.att_fn.key2att",
            "attention.of_words": "sqan.att_fn.feat2att",
            "pooled": "ta_reg_fn.tatt.fc",
            "boundaries.0": "ta_reg_fn.MLP_reg.0",
            "boundaries.2": "ta_reg_fn.MLP_reg.2",
        }
        for i in range(self.model.config.blocks):
            names[f"blocks.{i}.query"] = f"vti_fn.global_fn.{i}.v_lin"
            names[f"blocks.{i}.key_value"] = f"vti_fn.global_fn.{i}.c_lin"
        state = {
            f"{ours}.{part}": stored[f"{theirs}.{part}"]
            for (ours, theirs), part in itertools.product(names.items(), ("weight", "bias"))
        }
        state["positions.weight"] = stored["video_enc.pos_emb_fn.0.weight"]
        state["attention.score.weight"] = stored["sqan.att_fn.to_alpha.weight"]
        for ours, theirs in (("phrase", "vti_fn.satt_fn"), ("clip", "ta_reg_fn.tatt")):
            state[f"{ours}_score.0.weight"] = stored[f"{theirs}.feat2att.weight"]
            state[f"{ours}_score.2.weight"] = stored[f"{theirs}.to_alpha.weight"]
        for layer, kind, part in itertools.product((0, 1), ("weight", "bias"), ("ih", "hh")):
            theirs = f"query_enc.rnn.{kind}_{part}_l{layer}"
            state[f"words.{layer}.forwards.{kind}_{part}_l0"] = stored[theirs]
            state[f"words.{layer}.backwards.{kind}_{part}_l0"] = stored[f"{theirs}_reverse"]
        return state | self._of_phrases(stored)

    def _of_phrases(self, stored: Arrays) -> dict[str, Tensor]:
        names = {
            "attention.of_sentence": "sqan.global_emb_fn.{}",
            "fusion.of_clips": "vti_fn.fusion_fn.{}.fc_1",
            "fusion.of_phrases": "vti_fn.fusion_fn.{}.fc_2",
            "fusion.of_both": "vti_fn.fusion_fn.{}.fc_3",
            "local.first": "vti_fn.local_fn.{}.blocks.0.0",
            "local.first_norm": "vti_fn.local_fn.{}.blocks.0.1",
            "local.second": "vti_fn.local_fn.{}.blocks.0.3",
            "local.second_norm": "vti_fn.local_fn.{}.blocks.0.4",
        }
        state, phrases = {}, range(self.model.config.phrases)
        kinds = ("weight", "bias", "running_mean", "running_var")
        for (ours, theirs), kind in itertools.product(names.items(), kinds):
            if f"{theirs.format(0)}.{kind}" in stored:
                joint = torch.cat([stored[f"{theirs.format(n)}.{kind}"] for n in phrases])
                convolves = ours.startswith("fusion") and kind == "weight"
                state[f"{ours}.{kind}"] = joint[..., None] if convolves else joint
        return state

    @property
    def batch(self) -> Batch:
        """Three queries; two videos are shorter than the longest."""
        return Batch(
            video=self.golden["in/video"],
            video_mask=self.golden["in/video_mask"].bool(),
            query=self.golden["in/word_vectors"],
            query_mask=self.golden["in/query_mask"].bool(),
            target=self.golden["target/span"],
            words=unnamed(self.golden["in/word_vectors"]),
        )

    def compare(self) -> Iterator[Comparison]:
        """Each query alone and as padded; where padding leaks, convolutions are made to read it."""
        yield from self._layers()
        yield from self._outputs("alone", "alone")
        forward = LocalContext.forward
        with mock.patch.object(
            LocalContext, "forward", lambda layer, x, mask: forward(layer, x, mask | True)
        ):
            yield from self._outputs("full", "full_within")
        yield from self._labels()

    def _layers(self) -> Iterator[Comparison]:
        golden, model, batch = self.golden, self.model, self.batch
        clips, (phrases, _) = model._clips(batch), model._phrases(batch)
        fused = model.fusion(clips, phrases)
        local = model.local(fused, batch.video_mask)
        first = golden["alone/nonlocal0_in"].nan_to_num()
        by_phrase = (x.unflatten(1, (phrases.shape[1], -1)).mT for x in (fused, local))
        for name, ours in (
            ("segments", clips),
            ("phrases", phrases),
            *zip(("fused", "local"), by_phrase, strict=True),
            ("aggregation", model.phrase_score(phrases).softmax(1).squeeze(-1)),
            ("nonlocal0_out", model.blocks[0](first, batch.video_mask)),
        ):
            yield compare("outputs", name.replace("_", " "), ours, golden[f"alone/{name}"])

    def _outputs(self, version: str, losses: str) -> Iterator[Comparison]:
        """Losses with labels that end with the video."""
        golden, model, batch = self.golden, self.model, self.batch
        suffix = "" if version == "alone" else ", padding read"
        predicted, terms = model._predict(batch), model.losses(batch)
        assert predicted.of_words is not None
        for name, ours, theirs in (
            ("attention to words", predicted.of_words, "phrase_attention"),
            ("attention to clips", predicted.of_clips, "temporal_attention"),
            ("boundaries", predicted.boundaries, "loc"),
        ):
            yield compare("outputs", name + suffix, ours, golden[f"{version}/{theirs}"])
        for name, ours in terms.items():
            expected = golden[f"{losses}/loss/{TERMS[name]}"]
            yield compare("losses", name + suffix, ours, expected)
        yield compare("losses", f"total{suffix}", total(terms), golden[f"{losses}/loss/total_loss"])
        if norms := golden.under(f"{losses}/gradnorm/"):
            backward(model, total(terms))
            yield self.gradients(f"norms of parameters{suffix}", norms)

    def _labels(self) -> Iterator[Comparison]:
        golden, batch = self.golden, self.batch
        start, end, clips, duration, first, last = golden["label_cases"].double().unbind(1)
        numbers = torch.arange(LONGEST)
        mask = numbers < clips[:, None]
        label = attended(torch.stack([start, end], dim=1) / duration[:, None], mask)
        theirs = (numbers >= first[:, None]) & (numbers <= last[:, None]) & mask
        yield compare("labels", "clips of moments", label, theirs)
        label = attended(batch.target, batch.video_mask)
        theirs = golden["target/attention_within"].bool()
        yield compare("labels", "clips of the batch's moments", label, theirs)
