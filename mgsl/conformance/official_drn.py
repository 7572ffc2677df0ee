"""DRN beside Alvin-Zeng/DRN, in evaluation and in the three steps of its training."""

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
from mgsl.models.drn import DRN, DRNConfig
from mgsl.records import Batch
from mgsl.spans import nms

SIZES: dict[str, Any] = {  # a level answers for moments that reach so many of 32 segments
    "video_dim": 12, "word_dim": 10, "hidden_dim": 16, "segments": 32,
    "ranges": ((0.0, 6 / 32), (5.6 / 32, 11 / 32), (11 / 32, 1.0)), "alpha": 0.25, "gamma": 2.0,
    "trusted_iou": 0.9, "steps": (0.3, 0.6), "rates": (1.0, 1.0, 1.0),
}  # fmt: skip
LEVELS = range(3)
LEAST_CONFIDENCE = 0.05  # of what their evaluation reads
ADDED = 1e-5  # theirs adds 1e-6 where a union could be 0; ours takes the larger of both


class OfficialDRN(Official[DRN]):
    """Its one configuration, of width 16."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "Charades-STA": Setting(
            "drn", SIZES, {"video_dim": 4096, "word_dim": 300, "hidden_dim": 512}, 45_511_378,
            missing=390_600 + 6_295_553 + 1_537,
            why="the table of words, an attention and the centre-ness, both unused",
        )
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> DRN:
        """As it is."""
        return DRN(DRNConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Its parts by their names here; each head's scales are one tensor."""
        names = {
            "query.summary": "query_encoder.qInput",
            "query.attention": "query_encoder.cmd_inter2logits",
            "video": "prop_fc",
            "position": "position_transform",
            "heads.confidence": "fcos.head.cls_logits",
            "heads.distances": "fcos.head.bbox_pred",
            "iou_head.0": "fcos.head.mix_fc.0",
            "iou_head.1": "fcos.head.mix_fc.1",
            "iou_head.3": "fcos.head.iou_scores.0",
            "iou_head.4": "fcos.head.iou_scores.1",
            "iou_head.6": "fcos.head.iou_scores.3",
        }
        for i in LEVELS:
            names[f"query.levels.{i}"] = f"query_encoder.qInput{i}"
            names[f"query.gates.{i}"] = f"qInput{i}"
            for part in (0, 1):
                names[f"backbone.{i}.{part}"] = f"backbone_net.forward_conv{i}.{part}"
                names[f"pyramid.lateral.{i}.{part}"] = f"fpn.fpn_inner{i + 1}.{part}"
                names[f"pyramid.output.{i}.{part}"] = f"fpn.fpn_layer{i + 1}.{part}"
        for i, tower in enumerate(("cls_tower", "bbox_tower")):
            for part in (0, 1):
                names[f"heads.towers.{i}.{part}"] = f"fcos.head.{tower}.{part}"
        state = {
            f"{ours}.{kind}": stored[f"{theirs}.{kind}"]
            for ours, theirs in names.items()
            for kind in ("weight", "bias", "running_mean", "running_var")
            if f"{theirs}.{kind}" in stored
        }
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            for way, suffix in (("forwards", ""), ("backwards", "_reverse")):
                theirs = f"query_encoder.biLSTM.{kind}_l0{suffix}"
                state[f"query.lstm.{way}.{kind}_l0"] = stored[theirs]
        scales = [stored[f"fcos.head.scales.{i}.scale"] for i in LEVELS]
        return state | {"heads.scales": torch.cat(scales)}

    def is_own(self, key: str) -> bool:
        """Whether the IoU head is trained is a number of ours."""
        return key == "trust" or super().is_own(key)

    @property
    def batch(self) -> Batch:
        """Four queries; segments stand for clips."""
        segments, words = self.golden["in/segments"], self.golden["in/word_vectors"]
        return Batch(
            video=segments,
            video_mask=torch.ones(segments.shape[:2], dtype=torch.bool),
            query=words,
            query_mask=torch.arange(words.shape[1]) < self.golden["in/word_length"][:, None],
            target=self.golden["target/span"],
            words=unnamed(words),
        )

    def compare(self) -> Iterator[Comparison]:
        """Layer by layer in evaluation, then labels, answers, and training step by step."""
        yield from self._layers()
        yield compare("labels", "places", self.model.points, self.golden["candidates/point"])
        for spans, theirs in (
            ("target/span", "target/positive"),
            ("label_cases/span", "label_cases/positive"),
        ):
            _, positive = self.model._assign(self.golden[spans])
            yield compare("labels", "positive places", positive, self.golden[theirs])
        distances, _ = self.model._assign(self.golden["target/span"])
        yield compare("labels", "distances", distances, self.golden["target/distances"])
        yield from self._answers()
        yield from self._losses("")
        yield from self._training("")
        yield self._statistics()

    def compare_doubles(self) -> Iterator[Comparison]:
        """Heads, losses and gradients."""
        predicted = self.model._predict(self.batch)._asdict()
        for name, ours in predicted.items():
            yield compare("outputs", name, ours, self.golden[f"f64/eval/{name}"])
        yield from self._losses("f64/")
        yield from self._training("f64/")

    def _layers(self) -> Iterator[Comparison]:
        model, golden, batch = self.model, self.golden, self.batch
        parts = {"query": model.query, "lstm": model.query.lstm, "video": model.video}
        parts |= {f"backbone/{i}": model.backbone[i] for i in LEVELS}
        with torch.no_grad(), calls(**parts, pyramid=model.pyramid) as trace:
            predicted = model._predict(batch)
        outputs = {name: passes[0][1] for name, passes in trace.items()}
        yield compare("outputs", "encoded words", outputs["lstm"], golden["eval/words_encoded"])
        yield compare("outputs", "segments", outputs["video"], golden["eval/video_projected"])
        for i in LEVELS:
            of_level = {
                "gate": outputs["query"][i],
                "backbone": outputs[f"backbone/{i}"],
                "pyramid": outputs["pyramid"][i],
            }
            for name, ours in of_level.items():
                yield compare("outputs", f"{name} {i}", ours, golden[f"eval/{name}/{i}"])
        for name, ours in predicted._asdict().items():
            yield compare("outputs", name, ours, golden[f"eval/{name}"])
        spans = model._spans(predicted.distances)
        yield compare("outputs", "spans", spans, golden["eval/span"])

    def _answers(self) -> Iterator[Comparison]:
        """Of the first step, where a score tells whether its place is confident enough."""
        self.model.enter(0)
        with torch.no_grad():
            moments = self.model(self.batch)
        confident = moments.scores**2 > LEAST_CONFIDENCE
        spans = torch.cat([moments.spans, moments.scores[..., None]], dim=-1)
        for iou in (0.5, 0.7):
            theirs = self.golden[f"eval/step1/nms_{iou}"]
            kept = nms(
                moments.spans.numpy(), confident.numpy(), threshold=iou - 0.05, keep=theirs.shape[1]
            )
            columns = torch.from_numpy(kept)
            ours = spans.gather(1, columns.clamp(min=0)[..., None].expand(-1, -1, 3))
            ours = ours.masked_fill(columns[..., None] < 0, -1)
            yield compare("outputs", f"answers after NMS at {iou}", ours, theirs.nan_to_num(-1))

    def _losses(self, precision: str) -> Iterator[Comparison]:
        """With running statistics."""
        for step in (1, 2, 3):
            self.model.eval().enter(step - 1)
            with torch.no_grad():
                terms = self.model.losses(self.batch)
            for name, ours in terms.items():
                theirs = self.golden[f"{precision}eval/step{step}/loss/{name}"]
                yield compare("losses", f"{name}, step {step}", ours, theirs, bound=ADDED)

    def _training(self, precision: str) -> Iterator[Comparison]:
        """With statistics of the batch; no gradient through the label of the IoU head."""
        with torch.no_grad():
            predicted = self.model.train()._predict(self.batch)
        for name, ours in predicted._asdict().items():
            theirs = self.golden[f"{precision}train/{name}"]
            yield compare("outputs", f"{name} in training", ours, theirs)
        for step in (1, 2, 3):
            self.model.enter(step - 1)
            loss = total(self.model.losses(self.batch))
            theirs = self.golden[f"{precision}train/step{step}/loss/total"]
            yield compare("losses", f"total, step {step}", loss, theirs, bound=ADDED)
            backward(self.model, loss)
            name = "step3_label_detached" if step == 3 else f"step{step}"
            norms = self._norms(f"{precision}train/{name}")
            yield self.gradients(f"norms of parameters, step {step}", norms, bound=3 * ADDED)

    def _norms(self, where: str) -> dict[str, Tensor]:
        """By name, or in the order of the parameters."""
        if f"{where}/gradnorms" not in self.golden:
            return self.golden.under(f"{where}/gradnorm/")
        names = self.golden.under("param/")
        return dict(zip(names, self.golden[f"{where}/gradnorms"], strict=True))

    def _statistics(self) -> Comparison:
        """Means and variances of batch normalisation after one batch, seen level by level."""
        golden, model = self.golden, self.build()
        self.load(model, golden.under("param/") | golden.under("buffer/"))
        with torch.no_grad():
            model.train()._predict(self.batch)
        after = self.weights(golden.under("param/") | golden.under("train/buffer_after/"))
        names = [name for name, _ in model.named_buffers() if "running" in name]
        ours, theirs = (
            torch.cat([state[name] for name in names]) for state in (model.state_dict(), after)
        )
        return compare("outputs", "running statistics after a batch", ours, theirs)
