"""Attend to the context of sliding windows, meet the sentence in an outer product, move the ends.

Paper       M. Liu, X. Wang, L. Nie, X. He, B. Chen, T.-S. Chua. "Attentive Moment Retrieval in
            Videos". SIGIR 2018: "ACRN".
Reference   Naman-Bhalla/ACRN_mirror, commit c53cc09: a mirror of the authors' code for TACoS
Deviations  The code is taken where it differs from what is told of the paper: one map projects
            windows and what is summed in the memory (paper: a map of its own); vectors pooled for
            the outer product have no constant appended, and the sides stand beside it unpooled
            (pooled, with a constant); at most 0.15 of a positive window lies outside the target
            (another rule). In training a window attends with its own sentence, whatever sentence
            it is then compared with: `attention_pairing: own_sentence`, against the actual one in
            the test; `full` has the actual one in both.
            By the harness: a sentence is where a BiLSTM over word vectors ends, for skip-thought
            is not at hand. Maps to the common space start with the weights that the framework has
            (the code: with unit variance, which saturates the attention from the start); their
            biases with zeros, as in the code. Windows count
            clips, see the mean of theirs, and are the same in training and test. An epoch takes
            each query once, with one of its positive windows at random; of queries that tell of
            one moment the first in a batch is taken (the code draws again). Windows end within
            the video and last a clip at least. The epoch is chosen on validation (the code
            reports on test throughout). The embedded dataset has no frames; offsets there are in
            clips.

Notation    x    contexts   batch windows 3 dim   before, in and after the window
            h    memory     batch windows 3 dim   what was seen up to each of the three
            m    attended   batch windows dim
            q'   query      batch dim
"""

from typing import Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import model_validator
from torch import Tensor, nn

from mgsl.fields import Positive
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import SentenceEncoder
from mgsl.models.parts.windows import (
    SlidingWindows,
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

Contexts = Float[Tensor, "#batch windows 3 dim"]
Queries = Float[Tensor, "batch dim"]


class ACRNConfig(WindowConfig):
    """Sizes: the common space of windows and sentences, and `pool` of its values to one factor."""

    video_dim: Positive
    word_dim: Positive
    sentence_dim: Positive
    common_dim: Positive
    hidden_dim: Positive
    pool: Positive
    attention_pairing: Literal["own_sentence", "full"]

    @model_validator(mode="after")
    def _divides(self) -> "ACRNConfig":
        if self.common_dim % self.pool:
            raise ValueError(f"common_dim must be a multiple of pool={self.pool}")
        return self


@final
class ACRN(GroundingModel):
    """A window seen with the context that the sentence asks for."""

    Config = ACRNConfig

    def __init__(self, config: ACRNConfig) -> None:
        super().__init__()
        self.config = config
        self.windows = SlidingWindows(
            config.windows, num_clips=config.num_clips, overlap=config.overlap
        )
        self.sentence = SentenceEncoder(word_dim=config.word_dim, dim=config.sentence_dim)
        self.from_video = nn.Linear(config.video_dim, config.common_dim)
        self.from_sentence = nn.Linear(config.sentence_dim, config.common_dim)
        self.head = AlignmentHead(config.common_dim, pool=config.pool, hidden_dim=config.hidden_dim)
        for layer in (self.from_video, self.from_sentence):
            nn.init.zeros_(layer.bias)

    def forward(self, batch: Batch) -> Moments:
        """Rank all windows, moved by their offsets."""
        windows, mask = self.windows(batch.video_mask), batch.video_mask
        before, after = neighbours(windows.spans, mask, self.config.context)
        clips = self.from_video(batch.video)
        contexts = torch.stack(
            [pool(clips, mask, spans) for spans in (before, windows.spans, after)], dim=2
        )
        query = self._query(batch)
        outputs = self.head(attend(contexts, query), query)
        return moments(outputs, windows, mask, self.config.frames)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Score every window drawn for a query with every query of the batch."""
        pairs = draw_pairs(self.windows(batch.video_mask), batch, self.config)
        part = batch.rows(pairs.rows)
        before, after = neighbours(pairs.spans, part.video_mask, self.config.context)
        views = [pool(part.video, part.video_mask, spans) for spans in (before, pairs.spans, after)]
        contexts, query = self.from_video(torch.stack(views, dim=2)), self._query(part)
        if self.config.attention_pairing == "full":
            attended = attend(contexts.transpose(0, 1), query)
        else:
            attended = attend(contexts, query).transpose(0, 1)
        return pair_losses(self.head(attended, query), pairs, self.config)

    def _query(self, batch: Batch) -> Queries:
        return self.from_sentence(self.sentence(batch.query, batch.query_mask))


def attend(contexts: Contexts, query: Queries) -> Float[Tensor, "batch windows dim"]:
    """What comes before, in and after each window, weighed by its memory's likeness to the query.

    The memory of each of the three is the squashed sum of it and those before it.
    """
    memory = contexts.cumsum(dim=2).tanh()
    relevance = memory @ query.tanh()[:, None, :, None]
    return (relevance.softmax(dim=2) * contexts).sum(dim=2)


class AlignmentHead(nn.Module):
    """Score and offsets from both sides, of unit length, and the outer product of them pooled.

    The outer product is never formed: its block of the first layer's weights is applied to the
    query, then to the windows.
    """

    def __init__(self, dim: int, *, pool: int, hidden_dim: int) -> None:
        super().__init__()
        self.pool = pool
        self.parts = (dim, dim, (dim // pool) ** 2)
        self.first = nn.Linear(sum(self.parts), hidden_dim)
        self.last = nn.Linear(hidden_dim, OUTPUTS)
        for layer in (self.first, self.last):
            nn.init.normal_(layer.weight, std=HEAD_STD)
            nn.init.zeros_(layer.bias)

    def forward(
        self, video: Float[Tensor, "#batch windows dim"], query: Queries
    ) -> Float[Tensor, "batch windows outputs"]:
        """Every query with every window of its row."""
        video, query = F.normalize(video, dim=-1), F.normalize(query, dim=-1)
        of_video, of_query, of_both = self.first.weight.split(self.parts, dim=1)
        few_video, few_query = (
            x.unflatten(-1, (-1, self.pool)).mean(dim=-1) for x in (video, query)
        )
        per_query = F.linear(few_query, of_both.reshape(-1, few_query.shape[-1]))
        hidden = video @ of_video.T + few_video @ per_query.unflatten(1, (len(of_both), -1)).mT
        hidden = hidden + (query @ of_query.T + self.first.bias)[:, None]
        return self.last(hidden.relu())
