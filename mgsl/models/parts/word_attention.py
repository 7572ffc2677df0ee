"""Additive attention of the steps of a video to the words of a query: SCDM and CMIN."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgsl.models.parts.layers import masked_softmax

Steps = Float[Tensor, "batch steps step_dim"]
Words = Float[Tensor, "batch words word_dim"]
WordMask = Bool[Tensor, "batch words"]


class WordAttention(nn.Module):
    """a_tn = softmax_n w·tanh(W_1 v_t + b + W_2 q_n), among real words."""

    def __init__(self, *, step_dim: int, word_dim: int, dim: int) -> None:
        super().__init__()
        self.from_steps = nn.Linear(step_dim, dim)
        self.from_words = nn.Linear(word_dim, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(
        self, steps: Steps, words: Words, mask: WordMask
    ) -> Float[Tensor, "batch steps word_dim"]:
        """What each step attends to: a mean of the words."""
        return self.weights(steps, words, mask) @ words

    def weights(
        self, steps: Steps, words: Words, mask: WordMask
    ) -> Float[Tensor, "batch steps words"]:
        """How much each step attends to each word."""
        hidden = torch.tanh(self.from_steps(steps)[:, :, None] + self.from_words(words)[:, None])
        return masked_softmax(self.score(hidden).squeeze(-1), mask[:, None])
