"""QSPN beside a transcription of its second stage; the authors' program did not run."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from mgsl.conformance.golden import Arrays, Comparison, Official, Setting, compare
from mgsl.models.parts.early_fusion import caption_loss, next_words, ranking_loss
from mgsl.models.qspn import QSPN, QSPNConfig

MATCHING = "matching."
SIZES: dict[str, Any] = {  # of the first stage: any
    "num_clips": 4, "video_dim": 5, "word_dim": 6, "vocabulary": 12, "hidden_dim": 8,
    "feature_dim": 10, "embedding_dim": 6, "score_dim": 5, "dropout": 0.0, "anchors": (1, 2),
    "guidance": "none", "pooled": "input", "positive_iou": 0.7, "negative_iou": 0.3,
    "foreground_iou": 0.5, "sampled_anchors": 64, "sampled_proposals": 128, "nms_threshold": 0.7,
    "proposals": 8, "positives": 32, "contrasted": 32, "joint": False, "matching_from": 0.5,
    "rates": (1.0, 1.0), "margin": 0.2, "ranking": "stated", "ranking_weight": 40.0,
    "caption_weight": 20.0,
}  # fmt: skip
RELEASED = {
    "word_dim": 300, "vocabulary": 1112, "hidden_dim": 512, "feature_dim": 4096,
    "embedding_dim": 300, "score_dim": 64,
}  # fmt: skip


class OfficialQSPN(Official[QSPN]):
    """Scores of all clips and sentences, captions of those that belong together."""

    settings: ClassVar[Mapping[str, Setting]] = {
        "second stage, transcribed": Setting(
            "qspn_stage_b", SIZES, RELEASED, 13_089_785,
            missing=1111 * 300, why="the table of words, but for that of the begin",
            transcribed=True,
        )
    }  # fmt: skip

    def make(self, sizes: Mapping[str, Any]) -> QSPN:
        """As it is; the second stage is that of no first one."""
        return QSPN(QSPNConfig(**sizes))

    def weights(self, stored: Arrays) -> dict[str, Tensor]:
        """Gates are input, forget, output, candidate there; torch's LSTM has the last two swapped.

        The begin is the row 0 of the table.
        """
        first = {
            "weight_ih_l0": stored["lstm1/W_xc"],
            "weight_hh_l0": stored["lstm1/W_hc"],
            "bias_ih_l0": stored["lstm1/b_c"],
        }
        state = {"begin": stored["embedding"][0]}
        for name, weight in first.items():
            enter, keep, leave, candidate = weight.chunk(4)
            state[f"words.{name}"] = torch.cat([enter, keep, candidate, leave])
        state["of_word.weight"] = stored["lstm2/W_xc"]
        state["of_word.bias"] = stored["lstm2/b_c"]
        state["of_state.weight"] = stored["lstm2/W_hc"]
        state["of_clip.weight"] = stored["lstm2/W_xc_static"]
        for ours, theirs in (
            ("next_word", "predict"),
            ("score.0", "score1"),
            ("score.2", "score2"),
        ):
            for part in ("weight", "bias"):
                state[f"{ours}.{part}"] = stored[f"{theirs}/{part}"]
        return {MATCHING + name: weight for name, weight in state.items()}

    def is_own(self, key: str) -> bool:
        """The first stage, the map of word vectors, and torch's second bias."""
        own = not key.startswith(MATCHING) or key == f"{MATCHING}embedding.weight"
        return own or "bias_hh" in key or super().is_own(key)

    def load(self, model: QSPN, stored: Arrays) -> None:
        """Vectors of words are taken as they are."""
        super().load(model, stored)
        with torch.no_grad():
            model.matching.embedding.weight.copy_(torch.eye(SIZES["word_dim"]))

    def compare(self) -> Iterator[Comparison]:
        """State by state, then scores, captions, losses, and the gradient of the scores."""
        golden, matching = self.golden, self.model.matching
        words = golden["in/input_words"][:, 1:]
        mask = words >= 0
        query = golden["param/embedding"][words.clamp(min=0)]
        steps = torch.cat([torch.ones(len(mask), 1), mask], dim=1)[..., None].bool()
        with torch.no_grad():
            begin = matching.begin.expand(len(query), 1, -1)
            first = matching.words(torch.cat([begin, query], dim=1))[0]
            scores, states = matching.pairs(golden["in/clip"][None], query[None], mask[None])
            last, _ = matching._read(
                golden["in/clip"][None], matching._words(query)[None], mask[None]
            )
            logits = matching.captions(states, mask)
        expected = golden["mid/lstm1"].masked_fill(~steps, torch.nan)
        yield compare("outputs", "states of the first LSTM", first, expected)
        expected = golden["mid/lstm2"].diagonal().permute(2, 0, 1)
        expected = expected.masked_fill(~steps, torch.nan)
        yield compare("outputs", "states of the second, of own pairs", states, expected)
        yield compare("outputs", "states at the last word", last[0], golden["mid/last"])
        yield compare("outputs", "scores", scores[0], golden["out/score"])
        expected = golden["out/caption_logits"][steps[..., 0]]
        yield compare("outputs", "logits of the next words", logits, expected)
        targets = next_words(words, mask)
        expected = golden["in/target_words"][steps[..., 0]]
        yield compare("labels", "next words", targets, expected)
        yield from self._losses(scores, logits, words, mask)

    def compare_doubles(self) -> Iterator[Comparison]:
        """The same: all of the file is in double precision but the weights."""
        yield from self.compare()

    def _losses(
        self, scores: Tensor, logits: Tensor, words: Tensor, mask: Tensor
    ) -> Iterator[Comparison]:
        """The hinge as stated, and the gradient that the released layer hands back."""
        golden, margin = self.golden, self.setting.sizes["margin"]
        captions = caption_loss(logits, words, mask)
        yield compare("losses", "captions", captions, golden["loss/caption"])
        scores.requires_grad_()
        ranking = ranking_loss(scores, margin=margin, reading="stated")
        yield compare("losses", "ranking", ranking, golden["loss/retrieval"])
        total = 40 * ranking + 20 * captions
        yield compare("losses", "both as stated", total, golden["loss/stated"])
        for loss, reading in (
            (40 * ranking, "stated"),
            (ranking_loss(scores, margin=margin, reading="as_run"), "run"),
        ):
            (gradient,) = torch.autograd.grad(loss, scores)
            theirs = golden[f"grad/score_as_{reading}"]
            yield compare("gradients", f"scores, as {reading}", gradient[0], theirs)
