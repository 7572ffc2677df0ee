"""Clips and words encoded by the same layers, then shown to each other: VSLNet, BPNet and GDP."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import Dropout, masked_softmax
from mgsl.records import Batch

KERNEL, CONVOLUTIONS = 7, 4  # of the shared encoder
EPSILON = 1e-6  # of layer normalisation
Steps = Float[Tensor, "batch steps dim"]
Mask = Bool[Tensor, "batch steps"]
Clips = Float[Tensor, "batch clips dim"]
Words = Float[Tensor, "batch words dim"]
ClipMask = Bool[Tensor, "batch clips"]
WordMask = Bool[Tensor, "batch words"]


class SharedEncoder(nn.Module):
    """Positions, four convolutions, attention and a linear layer, each beside a residual.

    Each reads its input normalised; what comes out is not. The convolutions go along the steps of
    each channel and then across the channels of each step. Padding does not reach what is real.
    """

    def __init__(self, *, dim: int, heads: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.positions = nn.Embedding(positions, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim, eps=EPSILON) for _ in range(CONVOLUTIONS))
        self.along = nn.ModuleList(
            nn.Conv1d(dim, dim, KERNEL, padding=KERNEL // 2, groups=dim, bias=False)
            for _ in range(CONVOLUTIONS)
        )
        self.across = nn.ModuleList(nn.Linear(dim, dim) for _ in range(CONVOLUTIONS))
        self.attention_norm = nn.LayerNorm(dim, eps=EPSILON)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.last_norm = nn.LayerNorm(dim, eps=EPSILON)
        self.last = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Steps, mask: Mask) -> Steps:
        """Encode each step in the light of all."""
        steps = torch.arange(x.shape[1], device=x.device)
        x = x + self.positions(steps.clamp(max=self.positions.num_embeddings - 1))
        kernels = self.along.parameters()
        for norm, kernel, across in zip(self.norms, kernels, self.across, strict=True):
            x = x + self.dropout(across(depthwise(norm(x), mask, kernel)).relu())
        x = x + self.dropout(self._attend(self.dropout(self.attention_norm(x)), mask))
        return x + self.dropout(self.last(self.dropout(self.last_norm(x))))

    def _attend(self, x: Steps, mask: Mask) -> Steps:
        query, key, value = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        rate = self.dropout.p if self.training else 0.0
        heads = F.scaled_dot_product_attention(query, key, value, mask[:, None, None], rate)
        return heads.transpose(1, 2).flatten(2)


def depthwise(x: Steps, mask: Mask, weight: Float[Tensor, "dim 1 kernel"]) -> Steps:
    """Convolve each channel along the real steps.

    As an image one step high whose channels lie side by side, as they do here already: several
    times as fast as in one dimension, for which they would be moved.
    """
    image = (x * mask[..., None]).mT[:, :, None]
    padding = (0, weight.shape[-1] // 2)
    return F.conv2d(image, weight[:, :, None], padding=padding, groups=len(weight))[:, :, 0].mT


class ContextQueryAttention(nn.Module):
    """Tell each clip what the words say about it, and what the clips say that they speak of.

    S_ij = w_v·v_i + w_q·q_j + (w_m ⊙ v_i)·q_j
    A = softmax_words(S) Q,  B = softmax_words(S) softmax_clips(S)ᵀ V
    """

    def __init__(self, *, dim: int, dropout: float) -> None:
        super().__init__()
        self.of_clip, self.of_word = (
            nn.Parameter(nn.init.xavier_uniform_(torch.empty(dim, 1))[:, 0]) for _ in range(2)
        )
        self.of_both = nn.Parameter(nn.init.xavier_uniform_(torch.empty(dim, dim))[0])
        self.output = nn.Linear(4 * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(
        self, clips: Clips, words: Words, clip_mask: ClipMask, word_mask: WordMask
    ) -> Clips:
        """W [V; A; V ⊙ A; V ⊙ B]."""
        score = self._similarity(self.dropout(clips), self.dropout(words))
        over_words = masked_softmax(score, word_mask[:, None])
        over_clips = masked_softmax(score.mT, clip_mask[:, None])
        values = torch.cat([words, over_clips @ clips], dim=-1)
        a, b = (over_words @ values).chunk(2, dim=-1)
        return self.output(torch.cat([clips, a, clips * a, clips * b], dim=-1))

    def _similarity(self, clips: Clips, words: Words) -> Float[Tensor, "batch clips words"]:
        return (clips * self.of_both + self.of_word) @ words.mT + (clips @ self.of_clip)[..., None]


class Encoded(NamedTuple):
    """Clips that have attended to the words, and the words as they were encoded before."""

    clips: Clips
    words: Words


class ContextQueryModel(GroundingModel):
    """What comes before the question where the moment is; the methods go on from there.

    Args:
        video_dim: of a clip's features.
        word_dim: of a word's vector.
        dim: of both once they are encoded, a multiple of `heads`.
        heads: of the encoder's attention.
        positions: of the longest video or query.
        dropout: in [0, 1).
    """

    def __init__(
        self, *, video_dim: int, word_dim: int, dim: int, heads: int, positions: int, dropout: float
    ) -> None:
        super().__init__()
        self.video = nn.Linear(video_dim, dim)
        self.query = nn.Linear(word_dim, dim)
        self.dropout = Dropout(dropout)
        self.encoder = SharedEncoder(dim=dim, heads=heads, positions=positions, dropout=dropout)
        self.attention = ContextQueryAttention(dim=dim, dropout=dropout)

    def encode(self, batch: Batch) -> Encoded:
        """Clips and words by the same layers, then each clip in the light of the words."""
        clips = self.encoder(self.video(self.dropout(batch.video)), batch.video_mask)
        words = self.encoder(self.query(self.dropout(batch.query)), batch.query_mask)
        attended = self.attention(clips, words, batch.video_mask, batch.query_mask)
        return Encoded(attended, words)
