"""An LSTM that reads a segment at every word: QSPN's matching, with captions beside it.

Notation    u      words     sentences steps hidden      states of the first LSTM
            v      clips     batch clips clip_dim        features of segments
            h      states    groups clips sentences hidden   of the second LSTM
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mgsl.models.parts.layers import Dropout

INITIAL, WIDTH = 0.08, 512  # weights start within ±0.08 in an LSTM of this width
Scores = Float[Tensor, "groups clips sentences"]


class EarlyFusion(nn.Module):
    """Score segments by words read one after the other; foretell each word from those before it.

    Of several widths the states begin as large as those of the published one: the bound of the
    weights grows with the inverse square root of it.
    """

    def __init__(
        self,
        *,
        word_dim: int,
        clip_dim: int,
        embedding_dim: int,
        hidden_dim: int,
        score_dim: int,
        vocabulary: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Linear(word_dim, embedding_dim, bias=False)
        self.begin = nn.Parameter(torch.empty(embedding_dim))
        self.words = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.of_word = nn.Linear(hidden_dim, 4 * hidden_dim)
        self.of_state = nn.Linear(hidden_dim, 4 * hidden_dim, bias=False)
        self.of_clip = nn.Linear(clip_dim, 4 * hidden_dim, bias=False)
        self.next_word = nn.Linear(hidden_dim, vocabulary)
        self.score = nn.Sequential(
            nn.Linear(hidden_dim, score_dim), nn.Sigmoid(), nn.Linear(score_dim, 1)
        )
        self.dropout = Dropout(dropout)
        bound = INITIAL * (WIDTH / hidden_dim) ** 0.5
        for name, parameter in self.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
            elif name.startswith("score"):
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.uniform_(parameter, -bound, bound)

    def scores(
        self,
        clips: Float[Tensor, "batch clips clip_dim"],
        query: Float[Tensor, "batch words word_dim"],
        mask: Bool[Tensor, "batch words"],
    ) -> Float[Tensor, "batch clips"]:
        """Of some segments, each with the query of its own row."""
        last, _ = self._read(clips, self._words(query)[:, None], mask[:, None])
        return self.score(self.dropout(last))[..., 0, 0].float()

    def pairs(
        self,
        clips: Float[Tensor, "groups size clip_dim"],
        query: Float[Tensor, "groups size words word_dim"],
        mask: Bool[Tensor, "groups size words"],
    ) -> tuple[Scores, Float[Tensor, "pairs steps hidden_dim"]]:
        """Of every segment with every sentence of its group; states of those that belong together.

        A step is the begin of a sentence or one of its words.
        """
        words = self._words(query.flatten(0, 1)).unflatten(0, query.shape[:2])
        last, states = self._read(clips, words, mask, matched=True)
        return self.score(self.dropout(last))[..., 0].float(), torch.stack(states, 2).flatten(0, 1)

    def captions(
        self,
        states: Float[Tensor, "pairs steps hidden_dim"],
        mask: Bool[Tensor, "pairs words"],
    ) -> Float[Tensor, "tokens vocabulary"]:
        """What comes after the begin and after each real word, of all sentences in a row."""
        real = F.pad(mask, (1, 0), value=True)
        return self.next_word(self.dropout(states[real])).float()

    def _words(
        self, query: Float[Tensor, "batch words word_dim"]
    ) -> Float[Tensor, "batch steps gates"]:
        """What the first LSTM tells the gates of the second, after the begin and after each word.

        Padding comes last and is read by no state that counts.
        """
        begin = self.begin.expand(len(query), 1, -1)
        embedded = torch.cat([begin, self.embedding(query)], dim=1)
        return self.of_word(self.dropout(self.words(self.dropout(embedded))[0]))

    def _read(
        self,
        clips: Float[Tensor, "groups clips clip_dim"],
        words: Float[Tensor, "groups sentences steps gates"],
        mask: Bool[Tensor, "groups sentences words"],
        *,
        matched: bool = False,
    ) -> tuple[
        Float[Tensor, "groups clips sentences hidden_dim"],
        list[Float[Tensor, "groups pairs hidden_dim"]],
    ]:
        """The second LSTM's state after the last real word; `matched`: all states of own pairs.

        The segment adds the same to all gates at every step: input, forget, output, candidate.
        """
        fixed = self.of_clip(clips)[:, :, None]
        dim = self.of_state.in_features
        ends = mask.sum(-1)[:, None, :, None]
        state = last = memory = fixed.new_zeros(())
        states = []
        for step in range(words.shape[2]):
            gates = fixed + words[:, None, :, step]
            if step:
                gates = gates + self.of_state(state)
            opened, candidate = gates.split([3 * dim, dim], dim=-1)
            enter, keep, leave = opened.sigmoid().chunk(3, dim=-1)
            memory = keep * memory + enter * candidate.tanh()
            state = leave * memory.tanh()
            last = torch.where(ends == step, state, last) if step else state
            if matched:
                states.append(state.diagonal(dim1=1, dim2=2).mT)
        return last, states


def ranking_loss(
    scores: Scores, *, margin: float, reading: Literal["stated", "as_run"]
) -> Float[Tensor, ""]:
    """A pair is to score higher, by a margin, than its segment or its sentence with any other.

    Stated is the mean of these hinges; the gradient that the reference follows is of their sum.
    """
    size = scores.shape[-1]
    own = scores.diagonal(dim1=1, dim2=2)
    other = ~torch.eye(size, dtype=torch.bool, device=scores.device)
    hinges = (margin - own[..., None] + scores).relu() + (margin - own[:, None] + scores).relu()
    total = (hinges * other).sum((1, 2)).mean()
    return total if reading == "as_run" else total / max(1, 2 * size * (size - 1))


def next_words(
    words: Int[Tensor, "pairs words"], mask: Bool[Tensor, "pairs words"]
) -> Int[Tensor, " tokens"]:
    """The words of all sentences in a row, each sentence with its end, 0."""
    return F.pad(words * mask, (0, 1))[F.pad(mask, (1, 0), value=True)]


def caption_loss(
    logits: Float[Tensor, "tokens vocabulary"],
    words: Int[Tensor, "pairs words"],
    mask: Bool[Tensor, "pairs words"],
) -> Float[Tensor, ""]:
    """Mean cross entropy over all words and ends together."""
    return F.cross_entropy(logits, next_words(words, mask))
