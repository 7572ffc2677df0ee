"""A query that weighs the clips of a video."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgsl.models.parts.layers import masked_softmax

Clips = Float[Tensor, "batch clips dim"]


class Guidance(nn.Module):
    """How much each clip matters to the query: a = softmax over clips of wᵀ tanh(W_x x + W_s s)."""

    def __init__(self, dim: int, word_dim: int) -> None:
        super().__init__()
        self.query = nn.LSTM(word_dim, dim, batch_first=True)
        self.of_query = nn.Linear(dim, dim)
        self.of_clip = nn.Linear(dim, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(
        self,
        clips: Clips,
        mask: Bool[Tensor, "batch clips"],
        query: Float[Tensor, "batch words word_dim"],
        query_mask: Bool[Tensor, "batch words"],
    ) -> Float[Tensor, "batch clips 1"]:
        """The query is where an LSTM ends."""
        states = self.query(query)[0]
        rows = torch.arange(len(states), device=states.device)
        sentence = states[rows, query_mask.sum(1) - 1]
        hidden = (self.of_clip(clips) + self.of_query(sentence)[:, None]).tanh()
        return masked_softmax(self.score(hidden).mT, mask[:, None]).mT
