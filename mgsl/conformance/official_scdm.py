"""SCDM beside yytzsy/SCDM, on a grid that a video's clips fill."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

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
    unnamed,
)
from mgsl.models.scdm import SCDM, SCDMConfig
from mgsl.records import Batch
from mgsl.spans import nms

COMMON: dict[str, Any] = {
    "word_dim": 8, "head_channels": 8, "dropout": 0.0, "ratios": (0.25, 0.5, 0.75, 1.0),
    "negative_iou": 0.3, "hard_logit": 2.0, "positive_weight": 100.0, "negative_weight": 50.0,
    "weight_decay": 0.0,
}  # fmt: skip
CHARADES: dict[str, Any] = {
    "grid": 64, "video_dim": 10, "hidden_dim": 16, "kernel": 3, "sentence_blocks": 0,
    "least_width": 0.0, "center_weight": 50.0, "width_weight": 20.0,
}  # fmt: skip
ACTIVITYNET: dict[str, Any] = {
    "grid": 256, "video_dim": 6, "hidden_dim": 8, "kernel": 5, "sentence_blocks": 2,
    "least_width": 1.0, "center_weight": 1.0, "width_weight": 1.0,
}  # fmt: skip
RELEASED = {"word_dim": 300, "hidden_dim": 512, "head_channels": 64}
NMS = {"Charades-STA": 0.7, "ActivityNet Captions": 0.55}
SHORTEST = {"Charades-STA": 1, "ActivityNet Captions": 0}  # answer of theirs, in steps
TERMS = {
    "positive": "positive_loss_all",
    "hard_negative": "hard_negative_loss_all",
    "easy_negative": "easy_negative_loss_all",
    "center": "smooth_center_loss_all",
    "width": "smooth_width_loss_all",
}
COARSE = 3e-5  # in training: the coarsest map is normalised over one cell a query
SAME = 1e-5  # scores that differ by less may come in either order


class OfficialSCDM(Official[SCDM]):
    """Two of its configurations, of widths 16 and 8."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "Charades-STA": Setting(
            "scdm/charades", COMMON | CHARADES, RELEASED | {"video_dim": 1024}, 12_491_964
        ),
        "ActivityNet Captions": Setting(
            "scdm/activitynet", COMMON | ACTIVITYNET, RELEASED | {"video_dim": 4096}, 18_140_628
        ),
    }

    def make(self, sizes: Mapping[str, Any]) -> SCDM:
        """As it is."""
        return SCDM(SCDMConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Its layers have inputs before outputs, its convolutions an axis more."""
        names = {"fuse": "base_layer/fuse_multimodal_feature/dense", "stem": "base_layer/conv1"}
        for i, way in enumerate(("fw", "bw")):
            cell = f"sentence_encoding/bidirectional_rnn/{way}/SRUCell"
            names |= {f"query.inputs.{i}": f"{cell}/x_hat", f"query.gates.{i}": f"{cell}/gates"}
        state = {}
        for i in range(len(self.model.blocks)):
            layer = "anchor_layer" if i else "base_layer"
            kind = "scm" if i < self.model.config.sentence_blocks else "scdm"
            name = f"{layer}/{kind}_relu_conv{i}"
            names[f"blocks.{i}.convolution"] = f"{name}/conv"
            for part, theirs in enumerate(("gamma", "beta")):
                names[f"blocks.{i}.modulation.{part}"] = f"{name}/{kind}_norm/sentence_{theirs}"
            if i >= self.model.config.sentence_blocks:
                scope = f"{layer}/attend_sentence_with_videoattend_{i}/attention_multimodal"
                attention = f"blocks.{i}.attention"
                state[f"{attention}.from_words.weight"] = stored[f"W_v_{i}"].T
                state[f"{attention}.from_steps.weight"] = stored[f"W_k_{i}"].T
                state[f"{attention}.from_steps.bias"] = stored[f"{scope}/b"].flatten()
                state[f"{attention}.score.weight"] = stored[f"W_interaction_{i}"].view(1, -1)
        for level in range(len(self.model.heads)):
            for branch, theirs in (("overlap", "overlap"), ("offset", "reg")):
                for stage in (1, 2):
                    ours = f"heads.{level}.{branch}"
                    name = f"prediction_layer/predict{level + 1}_{stage}_{theirs}"
                    names[f"{ours}.{3 * stage - 1}"] = f"{name}/conv"
                    state |= norm(stored, f"{ours}.{3 * stage - 3}", f"{name}/bn")
        for ours, theirs in names.items():
            state |= layer_of(stored, ours, theirs)
        return state

    @property
    def batch(self) -> Batch:
        """Clips are steps of the grid; those behind a video's end are zeros that count."""
        words, grid = self.golden["in/word_vectors"], self.model.config.grid
        numbers = torch.arange(words.shape[1])
        return Batch(
            video=self.golden["in/video"],
            video_mask=torch.ones(len(words), grid, dtype=torch.bool),
            query=words,
            query_mask=numbers < self.golden["in/query_length"][:, None],
            target=self.golden["in/time"] / grid,
            words=unnamed(words),
        )

    def compare(self) -> Iterator[Comparison]:
        """Block by block, then labels, answers, losses, and the statistics of a batch."""
        golden, model, batch = self.golden, self.model, self.batch
        start, end = golden["anchors"].unbind(-1)
        anchors = torch.stack([(start + end) / 2, end - start], dim=-1)
        yield compare("labels", "anchors", model.anchors, anchors)
        parts: dict[str, nn.Module] = {f"block_{i}": block for i, block in enumerate(model.blocks)}
        parts |= {
            f"attended_attend_{i}": block.get_submodule("attention")
            for i, block in enumerate(model.blocks)
            if block.attention is not None
        }
        with torch.no_grad(), calls(words=model.query, **parts) as trace:
            predicted = model._predict(batch)
        for name, passes in trace.items():
            ours = passes[0][1]
            title = name.replace("attended_attend", "words seen by block").replace("_", " ")
            yield compare("outputs", title, ours, golden[f"eval/{name}"])
        yield from self._predicted(*predicted, "eval")
        yield from self._answers()
        yield from self._losses("eval")
        with torch.no_grad():
            predicted = model.train()._predict(batch)
        yield from self._predicted(*predicted, "train")
        yield from self._losses("train")

    def _predicted(self, logits: Tensor, offsets: Tensor, mode: str) -> Iterator[Comparison]:
        suffix = "" if mode == "eval" else " in training"
        for name, ours in (("logits", logits), ("offsets", offsets.flatten(1))):
            levels = range(len(self.model.heads))
            theirs = [self.golden[f"{mode}/{name}_{level}"].flatten(1) for level in levels]
            bound = COARSE if suffix else None
            yield compare("outputs", name + suffix, ours, torch.cat(theirs, dim=1), bound=bound)

    def _losses(self, mode: str) -> Iterator[Comparison]:
        terms = self.model.losses(self.batch)
        suffix = "" if mode == "eval" else " in training"
        for name, theirs in TERMS.items():
            title = name.replace("_", " ") + suffix
            yield compare("losses", title, terms[name], self.golden[f"{mode}/loss/{theirs}"])
        loss = torch.stack([terms[name] for name in TERMS]).sum()
        yield compare("losses", f"sum{suffix}", loss, self.golden[f"{mode}/loss/loss_ssad"])
        if norms := self.golden.under(f"{mode}/gradnorm/"):
            backward(self.model, loss)
            yield self.gradients("norms of parameters", norms)

    def _answers(self) -> Iterator[Comparison]:
        """Where scores are equal, as over padding of theirs, the order of answers is open."""
        golden = self.golden
        with torch.no_grad():
            moments = self.model(self.batch)
        spans = moments.spans * self.model.config.grid
        width = spans[..., 1] - spans[..., 0]
        real = (width <= golden["in/video_length"][:, None]) & (width >= SHORTEST[self.name])
        theirs = golden["eval/answer_scores"]
        kept = torch.from_numpy(
            nms(spans.numpy(), real.numpy(), threshold=NMS[self.name], keep=theirs.shape[1])
        )
        scores = moments.scores.gather(1, kept)
        yield compare("outputs", "scores of answers after NMS", scores, theirs)
        apart = (theirs[:, :, None] - theirs[:, None]).abs()
        apart.diagonal(dim1=1, dim2=2).fill_(1)
        alone = apart.amin(1) > SAME
        alone[1:, -1] = False  # the next may be as good
        answers = spans.gather(1, kept[..., None].expand(-1, -1, 2))
        expected = golden["eval/answers"].masked_fill(~alone[..., None], torch.nan)
        yield compare("outputs", "answers after NMS, steps", answers, expected)


def layer_of(stored: Arrays, ours: str, theirs: str) -> dict[str, Tensor]:
    """A dense layer or a convolution, with its bias if it has one."""
    if (dense := f"{theirs}/kernel") in stored:
        state = {f"{ours}.weight": stored[dense].T}
    else:
        state = {f"{ours}.weight": stored[f"{theirs}/weight"].squeeze(0).permute(2, 1, 0)}
    bias = f"{theirs}/bias"
    return state | ({f"{ours}.bias": stored[bias]} if bias in stored else {})


def norm(stored: Arrays, ours: str, theirs: str) -> dict[str, Tensor]:
    """A batch normalisation."""
    parts = {
        "weight": "gamma",
        "bias": "beta",
        "running_mean": "moving_mean",
        "running_variance": "moving_variance",
    }
    return {f"{ours}.{a}": stored[f"{theirs}/{b}"].view(-1, 1) for a, b in parts.items()}
