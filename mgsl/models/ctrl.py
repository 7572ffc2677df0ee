"""Score sliding windows with their context against the sentence, and move the ends of the best.

Paper       J. Gao, C. Sun, Z. Yang, R. Nevatia. "TALL: Temporal Activity Localization via Language
            Query". ICCV 2017 (arXiv 1705.02101): "CTRL", with regression "reg-np".
Reference   jiyanggao/TALL, commit 3df6794
Deviations  Where paper and code differ, the code is taken: at most 0.15 of a positive window lies
            outside the target (paper 0.2); the common space has 1024 dimensions (1000); product,
            sum and both sides go straight to the head (the paper maps the sides by a layer
            first); both sides have unit length (not in the paper); the ends learn by plain L1
            (smooth L1); the alignment is a mean over all pairs (over queries).
            By the harness: a sentence is where a BiLSTM over word vectors ends, for skip-thought
            is not at hand; the paper has an LSTM as a variant. Windows count clips, the last of
            each size ends with the video, and training and test have the same (the code has four
            sizes to train and two to test). What a window sees is the mean of its clips, and of
            `context` clips on either side; the code has a feature for each window of frames. An
            epoch takes each query once, with one of its positive windows at random (the code
            takes each window once); of queries that tell of one moment the first in a batch is
            taken (the code draws again). Windows end within the video and last a clip at least
            (the code leaves them as they are). The epoch is chosen on validation (the code
            reports on test throughout).
            The embedded dataset has no frames; offsets there are in clips. See `WindowConfig`.
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mgsl.fields import Positive
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import SentenceEncoder
from mgsl.models.parts.windows import (
    SlidingWindows,
    Spans,
    WindowConfig,
    draw_pairs,
    moments,
    neighbours,
    pair_losses,
    pool,
)
from mgsl.records import Batch, Moments

OUTPUTS = 3  # score, offset of the start, offset of the end
HEAD_STD = 0.01  # of the head's initial weights


class CTRLConfig(WindowConfig):
    """Sizes: `dim` of the space in which windows and sentences meet, and of the layers around."""

    video_dim: Positive
    word_dim: Positive
    sentence_dim: Positive
    common_dim: Positive
    hidden_dim: Positive


@final
class CTRL(GroundingModel):
    """A linear map of windows, one of sentences, and a small network for each pair of them."""

    Config = CTRLConfig

    def __init__(self, config: CTRLConfig) -> None:
        super().__init__()
        self.config = config
        self.windows = SlidingWindows(
            config.windows, num_clips=config.num_clips, overlap=config.overlap
        )
        self.sentence = SentenceEncoder(word_dim=config.word_dim, dim=config.sentence_dim)
        self.from_video = nn.Linear(3 * config.video_dim, config.common_dim)
        self.from_sentence = nn.Linear(config.sentence_dim, config.common_dim)
        self.head = WindowHead(config.common_dim, hidden_dim=config.hidden_dim)
        for layer in (self.from_video, self.from_sentence):
            nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, batch: Batch) -> Moments:
        """Rank all windows, moved by their offsets."""
        windows, mask = self.windows(batch.video_mask), batch.video_mask
        parts = self.from_video.weight.chunk(3, dim=1)
        views = [
            pool(batch.video @ part.T, mask, spans)
            for part, spans in zip(parts, self._seen(batch, windows.spans), strict=True)
        ]
        video = F.normalize(torch.stack(views).sum(0) + self.from_video.bias, dim=-1)
        outputs = self.head(video, self._query(batch))
        return moments(outputs, windows, mask, self.config.frames)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Score every window drawn for a query with every query of the batch."""
        pairs = draw_pairs(self.windows(batch.video_mask), batch, self.config)
        part = batch.rows(pairs.rows)
        views = [
            pool(part.video, part.video_mask, spans) for spans in self._seen(part, pairs.spans)
        ]
        video = F.normalize(self.from_video(torch.cat(views, dim=-1)), dim=-1)
        return pair_losses(self.head(video.transpose(0, 1), self._query(part)), pairs, self.config)

    def _seen(self, batch: Batch, spans: Spans) -> tuple[Spans, Spans, Spans]:
        before, after = neighbours(spans, batch.video_mask, self.config.context)
        return before, spans, after

    def _query(self, batch: Batch) -> Float[Tensor, "batch dim"]:
        sentence = self.sentence(batch.query, batch.query_mask)
        return F.normalize(self.from_sentence(sentence), dim=-1)


class WindowHead(nn.Module):
    """Score and offsets from product, sum and both sides of a window and a query.

    The four are never put side by side: each has its block of the first layer's weights, and a
    block that sees one side alone is applied to that side alone.
    """

    def __init__(self, dim: int, *, hidden_dim: int) -> None:
        super().__init__()
        self.first = nn.Linear(4 * dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, OUTPUTS)
        for layer in (self.first, self.last):
            nn.init.normal_(layer.weight, std=HEAD_STD)
            nn.init.zeros_(layer.bias)

    def forward(
        self, video: Float[Tensor, "#batch windows dim"], query: Float[Tensor, "batch dim"]
    ) -> Float[Tensor, "batch windows outputs"]:
        """Every query with every window of its row."""
        product, both, of_video, of_query = self.first.weight.chunk(4, dim=1)
        hidden = (video * query[:, None]) @ product.T + video @ (both + of_video).T
        hidden = hidden + (query @ (both + of_query).T + self.first.bias)[:, None]
        return self.last(hidden.relu())
