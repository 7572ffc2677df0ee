"""Cut the query into phrases, tell each clip what they say, and regress one moment from all clips.

Paper       J. Mun, M. Cho, B. Han. "Local-Global Video-Text Interactions for Temporal Grounding".
            CVPR 2020: "LGI".
Reference   JonghwanMun/LGI4temporalgrounding, commit 199e7ab, for Charades-STA and ActivityNet
Deviations  Word vectors are frozen and given; the reference learns a table from scratch. Videos are
            stretched to a fixed number of clips; the reference samples 128, with a random offset
            while it trains. Padding is zeroed before each convolution. The label of the clips'
            attention ends with the video; that of the reference may mark the clip behind it. An
            answer is put in order and cut at the video's ends. Weights are chosen on validation, by
            the reference on test. The constant of the words' attention, which a softmax does not
            see, and a layer whose output the reference throws away are absent. TACoS, which the
            reference does not have, is as ActivityNet. There is one answer to a query, so recall at
            more than one does not apply.

Notation    w, q   words, sentence   batch words dim, batch dim
            s      clips             batch clips dim
            e      phrases           batch phrases dim
            a, o   weights           of the words for each phrase, and of the clips
"""

from typing import Annotated, Literal, NamedTuple, final

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.layers import BiLSTM, masked_softmax
from mgsl.records import Batch, Moments

TINY = 1e-8  # keeps logarithms finite
Clips = Float[Tensor, "batch clips dim"]
Words = Float[Tensor, "batch words dim"]
Phrases = Float[Tensor, "batch phrases dim"]
WordWeights = Float[Tensor, "batch phrases words"]
ClipMask = Bool[Tensor, "batch clips"]
WordMask = Bool[Tensor, "batch words"]
Channels = Float[Tensor, "batch channels clips"]  # dim of them for each phrase


class LGIConfig(Frozen):
    """Sizes of the layers; how boundaries come out, and how far attentions spread.

    With one phrase the sentence itself is the phrase. `spread` is the inner product that the
    weights of a phrase shall have with themselves: the smaller, the more words it attends to.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    hidden_dim: Annotated[int, Field(gt=0, multiple_of=2)]
    attention_dim: Positive
    phrases: Positive
    kernel: Positive
    blocks: Positive
    heads: Positive
    dropout: Probability
    output: Literal["sigmoid", "relu"]
    spread: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _possible(self) -> "LGIConfig":
        if self.hidden_dim % self.heads:
            raise ValueError(f"hidden_dim={self.hidden_dim} is no multiple of heads={self.heads}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, got {self.kernel}")
        return self


class Prediction(NamedTuple):
    """Start and end as shares of the video, in any order, and the weights that they come from."""

    boundaries: Float[Tensor, "batch 2"]
    of_clips: Float[Tensor, "batch clips"]
    of_words: WordWeights | None  # none where the sentence is the phrase


@final
class LGI(GroundingModel):
    """Attend to words for phrases, see clips in their light, attend to clips for the moment."""

    Config = LGIConfig

    def __init__(self, config: LGIConfig) -> None:
        super().__init__()
        self.config = config
        dim, hidden = config.hidden_dim, config.attention_dim
        self.video = nn.Linear(config.video_dim, dim)
        self.positions = nn.Embedding(config.num_clips, dim)
        self.words = nn.ModuleList(
            BiLSTM(input_dim=inputs, dim=dim) for inputs in (config.word_dim, dim)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.attention = (
            PhraseAttention(dim, hidden, config.phrases) if config.phrases > 1 else None
        )
        self.fusion = PhraseFusion(dim, config.phrases)
        self.local = LocalContext(dim, config.phrases, kernel=config.kernel)
        self.phrase_score = attention_score(dim, hidden)
        self.blocks = nn.ModuleList(NonLocal(dim, config.heads) for _ in range(config.blocks))
        self.clip_score = attention_score(dim, hidden)
        self.pooled = nn.Linear(dim, dim)
        self.boundaries = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 2))

    def forward(self, batch: Batch) -> Moments:
        """The one moment."""
        spans = self._predict(batch).boundaries.sort(dim=1).values.clamp(0, 1)[:, None]
        return Moments(spans, spans.new_ones(len(spans), 1))

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Of the boundaries, of the attention to clips, and of that to words; all of weight 1."""
        predicted = self._predict(batch)
        label = attended(batch.target, batch.video_mask)
        terms = {
            "boundaries": 2 * F.smooth_l1_loss(predicted.boundaries, batch.target),
            "clips": ((predicted.of_clips + TINY).log() * label).sum(1).div(-label.sum(1)).mean(),
        }
        if predicted.of_words is not None:
            terms["words"] = distinctness(predicted.of_words, self.config.spread)
        return terms

    def _predict(self, batch: Batch) -> Prediction:
        mask = batch.video_mask
        phrases, of_words = self._phrases(batch)
        local = self.local(self.fusion(self._clips(batch), phrases), mask)
        weights = self.phrase_score(phrases).softmax(dim=1)
        by_phrase = local.unflatten(1, (self.config.phrases, -1))
        clips = einsum(weights, by_phrase, "b n one, b n d t -> b t d")
        for block in self.blocks:
            clips = block(clips, mask)
        of_clips = masked_softmax(self.clip_score(clips).mT.float(), mask[:, None])
        logits = self.boundaries(self.pooled((of_clips.to(clips.dtype) @ clips)[:, 0])).float()
        boundaries = logits.sigmoid() if self.config.output == "sigmoid" else logits.relu()
        return Prediction(boundaries, of_clips[:, 0], of_words)

    def _clips(self, batch: Batch) -> Clips:
        """Each clip and its position; the positions' dropout is one for the whole batch."""
        steps = torch.arange(batch.video.shape[1], device=batch.video.device)
        positions = self.positions(steps.clamp(max=self.config.num_clips - 1)).relu()
        clips = self.dropout(self.video(batch.video).relu()) + self.dropout(positions)
        return clips * batch.video_mask[..., None]

    def _phrases(self, batch: Batch) -> tuple[Phrases, WordWeights | None]:
        mask = batch.query_mask
        first, second = self.words
        words = second(self.dropout(first(batch.query, mask)), mask)
        forwards, backwards = words.chunk(2, dim=-1)
        rows = torch.arange(len(mask), device=mask.device)
        sentence = torch.cat([forwards[rows, mask.sum(1) - 1], backwards[:, 0]], dim=-1)
        if self.attention is None:
            return sentence[:, None], None
        phrases, weights = self.attention(words, sentence, mask)
        return phrases, weights


def attended(target: Float[Tensor, "batch 2"], mask: ClipMask) -> Bool[Tensor, "batch clips"]:
    """The clips that attention shall go to: from the one where the target starts to its end's.

    An end is rounded to the nearest line of the grid; the clip behind that line is still within.
    """
    count = mask.sum(1)
    start, end = (target.double() * count[:, None]).round().long().unbind(1)  # half to even
    start = torch.minimum(start, count - 1)
    end = torch.maximum(end, start + 1)
    clips = torch.arange(mask.shape[1], device=mask.device)
    return (clips >= start[:, None]) & (clips <= end[:, None]) & mask


def distinctness(weights: WordWeights, spread: float) -> Float[Tensor, ""]:
    """How far the phrases' weights are from orthogonal, of squared length `spread`: ‖AAᵀ - λI‖²."""
    wanted = spread * torch.eye(weights.shape[1], device=weights.device)
    return (weights @ weights.mT - wanted).square().sum((1, 2)).mean()


def attention_score(dim: int, hidden_dim: int) -> nn.Sequential:
    """A score for each step, w·tanh(W x)."""
    return nn.Sequential(
        nn.Linear(dim, hidden_dim, bias=False), nn.Tanh(), nn.Linear(hidden_dim, 1, bias=False)
    )


class PhraseAttention(nn.Module):
    """Phrases one after the other, each in the light of the sentence and the phrase before.

    g = ReLU(W_g [W_q q; e before]),  a = softmax(w·tanh(W_1 g + W_2 w)),  e = Σ a_l w_l

    Only W_q is a phrase's own. What does not depend on the phrase before is computed for all at
    once.
    """

    def __init__(self, dim: int, hidden_dim: int, phrases: int) -> None:
        super().__init__()
        self.phrases = phrases
        self.of_sentence = nn.Linear(dim, phrases * dim)
        self.guide = nn.Linear(2 * dim, dim)
        self.of_guide = nn.Linear(dim, hidden_dim)
        self.of_words = nn.Linear(dim, hidden_dim)
        self.score = nn.Linear(hidden_dim, 1, bias=False)

    def forward(
        self, words: Words, sentence: Float[Tensor, "batch dim"], mask: WordMask
    ) -> tuple[Phrases, WordWeights]:
        """The phrases, and the weights of their words."""
        of_own, of_last = self.guide.weight.chunk(2, dim=1)
        own = self.of_sentence(sentence).unflatten(1, (self.phrases, -1))
        own = F.linear(own, of_own, self.guide.bias)
        keys, phrase = self.of_words(words), torch.zeros_like(sentence)
        phrases, weights = [], []
        for n in range(self.phrases):
            guide = (own[:, n] + phrase @ of_last.T).relu()
            scores = self.score((keys + self.of_guide(guide)[:, None]).tanh()).mT
            weights.append(masked_softmax(scores.float(), mask[:, None]))
            phrase = (weights[-1].to(words.dtype) @ words)[:, 0]
            phrases.append(phrase)
        return torch.stack(phrases, dim=1), torch.cat(weights, dim=1)


class PhraseFusion(nn.Module):
    """The product of each clip and each phrase, by layers of the phrase's own.

    Layers of all phrases are one convolution, whose groups they are; all start alike.
    """

    def __init__(self, dim: int, phrases: int) -> None:
        super().__init__()
        channels = phrases * dim
        self.of_clips = alike(nn.Conv1d(dim, channels, 1), phrases)
        self.of_phrases = alike(nn.Conv1d(channels, channels, 1, groups=phrases), phrases)
        self.of_both = alike(nn.Conv1d(channels, channels, 1, groups=phrases), phrases)

    def forward(self, clips: Clips, phrases: Phrases) -> Channels:
        """All clips in the light of each phrase, phrase after phrase."""
        of_phrases = self.of_phrases(rearrange(phrases, "b n d -> b (n d) 1")).relu()
        return self.of_both(self.of_clips(clips.mT).relu() * of_phrases).relu()


class LocalContext(nn.Module):
    """A residual block of two convolutions along the clips, for each phrase its own."""

    def __init__(self, dim: int, phrases: int, *, kernel: int) -> None:
        super().__init__()
        channels = phrases * dim
        self.first, self.second = (
            alike(
                nn.Conv1d(
                    channels, channels, kernel, padding=kernel // 2, groups=phrases, bias=False
                ),
                phrases,
            )
            for _ in range(2)
        )
        self.first_norm, self.second_norm = nn.BatchNorm1d(channels), nn.BatchNorm1d(channels)

    def forward(self, x: Channels, mask: ClipMask) -> Channels:
        """Each clip in the light of those around it."""
        real = mask[:, None]
        hidden = self.first_norm(self.first(x * real)).relu()
        return (x + self.second_norm(self.second(hidden * real))).relu()


class NonLocal(nn.Module):
    """Let every clip look at all of them; a residual, no map of what the heads say."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)

    def forward(self, clips: Clips, mask: ClipMask) -> Clips:
        """Add to each clip what it attends to."""
        parts = (self.query(clips), *self.key_value(clips).chunk(2, dim=-1))
        query, key, value = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in parts)
        heads = F.scaled_dot_product_attention(query, key, value, mask[:, None, None])
        return clips + heads.transpose(1, 2).flatten(2)


def alike(layer: nn.Conv1d, phrases: int) -> nn.Conv1d:
    """Let the weights of all phrases start as those of the first."""
    with torch.no_grad():
        for parameter in layer.parameters():
            first, *others = parameter.chunk(phrases)
            for other in others:
                other.copy_(first)
    return layer
