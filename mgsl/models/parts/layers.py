"""Layers that several models share. Sizes come as keywords; masks are True on what is real."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

Steps = Float[Tensor, "batch steps dim"]
Mask = Bool[Tensor, "batch steps"]


class SelfAttention(nn.Module):
    """Multi-head self-attention with a residual and, after it, layer normalisation.

    Args:
        dim: of a step, a multiple of `attention_heads`.
        attention_heads: how many.
        dropout: of the attended values, in [0, 1).
        window: how far a step sees to either side; 0: all of the sequence.
        normalized: whether there is layer normalisation.
    """

    def __init__(
        self, *, dim: int, attention_heads: int, dropout: float, window: int, normalized: bool
    ) -> None:
        super().__init__()
        self.attention_heads, self.window = attention_heads, window
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim) if normalized else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Steps, mask: Mask) -> Steps:
        """Let every step look at every real step, or at those within the window."""
        query, key, value = (
            part.unflatten(-1, (self.attention_heads, -1)).transpose(1, 2)
            for part in self.qkv(x).chunk(3, dim=-1)
        )
        near = mask[:, None, None, :]
        if self.window:
            steps = torch.arange(mask.shape[1], device=mask.device)
            apart = (steps[:, None] - steps).abs()
            near = near & (apart <= self.window) | (apart == 0)  # padding sees itself, not nothing
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=near)
        return self.norm(x + self.dropout(self.out(attended.transpose(1, 2).flatten(2))))


class BiLSTM(nn.Module):
    """A bidirectional LSTM that padding cannot reach.

    Padding comes last, so the forward direction never sees it before a real step; the backward
    direction reads the real steps reversed. No packing: shapes stay static.

    Args:
        input_dim: of a step that goes in.
        dim: of a step that comes out, even: half of it for each direction.
    """

    def __init__(self, *, input_dim: int, dim: int) -> None:
        super().__init__()
        if dim % 2:
            raise ValueError(f"dim must be even, got {dim}")
        self.forwards = nn.LSTM(input_dim, dim // 2, batch_first=True)
        self.backwards = nn.LSTM(input_dim, dim // 2, batch_first=True)

    def forward(self, x: Float[Tensor, "batch steps input_dim"], mask: Mask) -> Steps:
        """Encode each step from both sides; padded steps come out as zeros."""
        order = reversal(mask)
        backwards = self.backwards(permute_steps(x, order))[0]
        both = torch.cat([self.forwards(x)[0], permute_steps(backwards, order)], dim=-1)
        return both * mask[..., None]


class SentenceEncoder(nn.Module):
    """One vector for a sentence: where the two directions of a BiLSTM end.

    Args:
        word_dim: of a word's vector.
        dim: of the sentence's vector, even.
    """

    def __init__(self, *, word_dim: int, dim: int) -> None:
        super().__init__()
        self.lstm = BiLSTM(input_dim=word_dim, dim=dim)

    def forward(
        self, words: Float[Tensor, "batch words word_dim"], mask: Bool[Tensor, "batch words"]
    ) -> Float[Tensor, "batch dim"]:
        """The state after the last real word, and the state before the first read backwards."""
        forwards, backwards = self.lstm(words, mask).chunk(2, dim=-1)
        rows = torch.arange(len(mask), device=mask.device)
        return torch.cat([forwards[rows, mask.sum(1) - 1], backwards[:, 0]], dim=-1)


class Dropout(nn.Dropout):
    """The framework's, in half the time on CPUs where its sampler draws one number at a time."""

    def forward(self, x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Zeros with probability `p` while training, and what is kept divided by 1 - p."""
        if x.is_cuda or not self.training or self.p == 0:
            return super().forward(x)
        kept = torch.rand(x.shape, device=x.device).ge_(self.p).div_(1 - self.p)
        return x * kept.to(x.dtype)


def reversal(mask: Mask) -> Int[Tensor, "batch steps"]:
    """For each row the order that reverses its real steps and leaves its padding: an involution."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    mirrored = mask.sum(dim=1, keepdim=True) - 1 - steps
    return torch.where(mask, mirrored, steps)


def permute_steps(
    x: Float[Tensor, "batch steps any_dim"], order: Int[Tensor, "batch steps"]
) -> Float[Tensor, "batch steps any_dim"]:
    """Reorder the steps of each row; `embedding` copies whole steps, `gather` single numbers."""
    rows = torch.arange(len(x), device=x.device)[:, None] * x.shape[1]
    return F.embedding(rows + order, x.flatten(0, 1))


def attend(
    query: Float[Tensor, "batch queries dim"],
    key: Float[Tensor, "batch keys dim"],
    mask: Bool[Tensor, "batch keys"],
) -> Float[Tensor, "batch queries dim"]:
    """Dot-product attention of one head without maps; the keys are also the values."""
    barred = mask.logical_not()[:, None, :] * torch.finfo(torch.float16).min
    scores = torch.baddbmm(barred.to(query.dtype), query, key.mT, alpha=query.shape[-1] ** -0.5)
    return scores.softmax(dim=-1) @ key


def masked_softmax(
    scores: Float[Tensor, "batch rows columns"], mask: Bool[Tensor, "batch #rows columns"]
) -> Float[Tensor, "batch rows columns"]:
    """Softmax over the last axis, among what is real."""
    return scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(dim=-1)
