"""Additive attention of the steps of a video to the words of a query: SCDM and CMIN."""

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
        """How much each step attends to each word.

        tanh(x) is 2σ(2x) - 1, and a softmax does not see the 1. On a CPU σ takes a third of the
        time of tanh, which here is most of what a step of training costs.
        """
        steps, words = 2 * self.from_steps(steps), 2 * self.from_words(words)
        scores = 2 * self.score((steps[:, :, None] + words[:, None]).sigmoid()).squeeze(-1)
        return masked_softmax(scores, mask[:, None])
