"""What TGN and CBP share: an LSTM over the words, and one over the clips that looks at them."""

from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgsl.models.parts.layers import permute_steps, reversal

Words = Float[Tensor, "batch words query_dim"]
Clips = Float[Tensor, "batch clips dim"]
WordMask = Bool[Tensor, "batch words"]
Recurrent = TypeVar("Recurrent", nn.LSTM, nn.LSTMCell)


class QueryEncoder(nn.Module):
    """An LSTM over the words, and one backwards where it is asked for; padding comes out as zeros.

    Dropout, as the code has it, of the forward direction's input and output.
    """

    def __init__(
        self, word_dim: int, *, hidden_dim: int, dropout: float, bidirectional: bool
    ) -> None:
        super().__init__()
        self.forwards = recurrent(nn.LSTM(word_dim, hidden_dim, batch_first=True))
        self.backwards = (
            recurrent(nn.LSTM(word_dim, hidden_dim, batch_first=True)) if bidirectional else None
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, words: Float[Tensor, "batch words word_dim"], mask: WordMask) -> Words:
        """Encode each word in the light of those before it, or of all."""
        encoded = self.dropout(self.forwards(self.dropout(words))[0])
        if self.backwards is not None:
            order = reversal(mask)
            backwards = self.backwards(permute_steps(words, order))[0]
            encoded = torch.cat([encoded, permute_steps(backwards, order)], dim=-1)
        return encoded * mask[..., None]


class Interactor(nn.Module):
    """An LSTM over the clips that looks at the words before every step.

    β_i = w·tanh(W_S h^s_i + W_V h^v_t + W_R h^r_{t-1} + b),  α = softmax β,  H_t = Σ_i α_i h^s_i
    h^r_t = LSTM([h^v_t ‖ H_t], h^r_{t-1})

    What does not depend on the state is computed for all steps at once. Dropout is of the LSTM's
    input.
    """

    def __init__(
        self, *, clip_dim: int, query_dim: int, hidden_dim: int, attention_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.from_words = dense(nn.Linear(query_dim, attention_dim))
        self.from_clips = dense(nn.Linear(clip_dim, attention_dim, bias=False))
        self.from_state = dense(nn.Linear(hidden_dim, attention_dim, bias=False))
        self.score = dense(nn.Linear(attention_dim, 1, bias=False))
        self.cell = recurrent(nn.LSTMCell(clip_dim + query_dim, hidden_dim))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, words: Words, mask: WordMask, clips: Clips
    ) -> Float[Tensor, "batch clips hidden"]:
        """The state after each clip."""
        cell, keys = self.cell, self.from_words(words)
        of_clips, of_words = cell.weight_ih.split([clips.shape[-1], words.shape[-1]], dim=1)
        gates = self.dropout(clips) @ of_clips.T + (cell.bias_ih + cell.bias_hh)
        projections = self.from_clips(clips)
        of_state = torch.cat([self.from_state.weight, cell.weight_hh]).T
        kept = self.dropout(words.new_ones(clips.shape[1], len(words), words.shape[-1]))
        absent = torch.zeros_like(mask, dtype=words.dtype).masked_fill(~mask, -torch.inf)
        state = memory = clips.new_zeros(len(clips), cell.hidden_size)
        states = []
        for gate, clip, keep in zip(
            gates.unbind(1), projections.unbind(1), kept.unbind(0), strict=True
        ):
            asked, recurred = (state @ of_state).split([keys.shape[-1], gate.shape[-1]], dim=1)
            beta = self.score((keys + (clip + asked)[:, None]).tanh()).squeeze(-1)
            alpha = (beta + absent).softmax(dim=1)
            attended = (alpha[:, None] @ words).squeeze(1)
            gate = gate + recurred + (attended * keep) @ of_words.T
            enter, forget, new, leave = gate.chunk(4, dim=1)
            memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
            state = leave.sigmoid() * memory.tanh()
            states.append(state)
        return torch.stack(states, dim=1)


def recurrent(layer: Recurrent) -> Recurrent:
    """One orthogonal matrix for input and state together; one bias, 1 of the gate that forgets.

    The framework has two biases: the second stays 0.
    """
    inputs, states, bias, unused = layer.parameters()
    joint = nn.init.orthogonal_(torch.empty(len(inputs), inputs.shape[1] + states.shape[1]))
    with torch.no_grad():
        inputs.copy_(joint[:, : inputs.shape[1]])
        states.copy_(joint[:, inputs.shape[1] :])
        nn.init.zeros_(bias)
        nn.init.ones_(bias.chunk(4)[1])
        nn.init.zeros_(unused)
    unused.requires_grad_(False)
    return layer


def dense(layer: nn.Linear) -> nn.Linear:
    """Glorot's uniform weights, no bias."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def half_square(model: nn.Module) -> Float[Tensor, ""]:
    """Of all that is learned, less the 1 that the biases of the forget gates begin at."""
    squares = [p.square().sum() for p in model.parameters() if p.requires_grad]
    for layer in model.modules():
        if isinstance(layer, nn.LSTM | nn.LSTMCell):
            _, _, bias, _ = layer.parameters()
            squares.append((1 - 2 * bias.chunk(4)[1]).sum())  # (b - 1)² is b² and this
    return torch.stack(squares).sum() / 2
