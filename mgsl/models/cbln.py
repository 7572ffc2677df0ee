"""Score every pair of a first and a last clip by a biaffine form, in local and global contexts.

Paper       D. Liu, X. Qu, J. Dong, P. Zhou, Y. Cheng, W. Wei, Z. Xu, Y. Xie. "Context-aware
            Biaffine Localizing Network for Temporal Sentence Grounding". CVPR 2021.
Reference   none was released; the repository of that name has two figures and no code
Deviations  Read from the paper's abstract and figures, not from its text. The paper's: a query's
            words and the clips attend together, then a BiLSTM; windows of 1, 3 and 5 clips ask
            6, 4 and 2 spans of the video, and both sides' answers are joined as drawn; the biaffine
            form of each window size; the mean of their three maps. From the code of works that it
            names or resembles: the biaffine form (bias on both sides, zero at the start, dropout of
            its inputs), and the block in which tokens attend (scaled softmax, then LayerNorm, ReLU
            and a linear layer beside a residual). From the authors' other works: dropout, and
            encoders, with the LSTM of MGSL-Net and not the GRU of their released code. From another
            group's reading of it: how words and clips attend. Ours: that spans are means, that
            contexts are narrower than clips, that the three window sizes share what a size of span
            asks and answers, labels (those of 2D-TAN), NMS and recipe. `choices` has the other
            readings. The linear layers between the blocks and the biaffine form follow each other
            without an activation, as drawn. What a window has beyond the ends of the video is zero.
            A clip asks a span the same in whichever window it lies, so each is asked once, and a
            window gathers the answers. Memory at 200 clips is that of the pairs of word and clip:
            for each, and each of `pair_dim` dimensions, seven numbers are kept for the backward
            pass, which forms six more; no weights of attention are, where the framework fuses it.
            Measured at the paper's sizes: 0.12 GB a query of 20 words, 16 GB a batch of 128.
            `micro_batches` divides that.

Notation    v, q   clips, words   batch steps dim
            x      pairs          batch words clips pair_dim
            f      clips          batch clips dim         that have seen the query
            G, L   spans, clips   batch steps context_dim
            M      logits         batch cells             a cell is a first and a last clip
"""

import math
from typing import Annotated, Literal, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from mgsl.fields import Frozen, Positive, Probability
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.contexts import Contexts
from mgsl.models.parts.layers import BiLSTM, Dropout, SelfAttention
from mgsl.models.parts.windows import shared
from mgsl.records import Batch, Moments

Clips = Float[Tensor, "batch clips dim"]
Words = Float[Tensor, "batch words dim"]
ClipMask = Bool[Tensor, "batch clips"]
WordMask = Bool[Tensor, "batch words"]
Cells = Float[Tensor, "batch cells"]
IoU = Annotated[float, Field(ge=0, le=1)]
Counts = Annotated[tuple[Positive, ...], Field(min_length=1)]


class CBLNConfig(Frozen):
    """Sizes of the layers, and what is read one way or another.

    `joint_attention` is over the clips beside each word, over all pairs of word and clip, or over
    the clips and then the words of one sequence; of pairs, each clip's `over_words` goes on. With
    `contexts` a clip knows its `local_windows`, in clips, and the video in as many parts as
    `global_spans` says. A label rises from 0 to 1 where the tIoU does from one end of `iou_window`
    to the other. `proposals` answers are kept of each query.
    """

    num_clips: Positive
    video_dim: Positive
    word_dim: Positive
    hidden_dim: Annotated[int, Field(gt=0, multiple_of=2)]
    pair_dim: Positive
    context_dim: Positive
    biaffine_dim: Positive
    heads: Positive
    attention_layers: Positive
    dropout: Probability
    joint_attention: Literal["by_word", "pairs", "sequence"]
    over_words: Literal["mean", "max"]
    contexts: bool
    local_windows: Counts
    global_spans: Counts
    over_spans: Literal["mean", "max"]
    shared_blocks: bool
    iou_window: tuple[IoU, IoU]
    proposals: Positive

    @model_validator(mode="after")
    def _possible(self) -> "CBLNConfig":
        if self.hidden_dim % self.heads:
            raise ValueError(f"hidden_dim={self.hidden_dim} is no multiple of heads={self.heads}")
        if any(window % 2 == 0 for window in self.local_windows):
            raise ValueError(f"local_windows must be odd, got {list(self.local_windows)}")
        if self.iou_window[0] >= self.iou_window[1]:
            raise ValueError(f"iou_window must ascend, got {list(self.iou_window)}")
        return self


@final
class CBLN(GroundingModel):
    """Let words and clips attend together, gather contexts of clips, score all pairs of them."""

    Config = CBLNConfig
    cells: Int[Tensor, "2 cells"]

    def __init__(self, config: CBLNConfig) -> None:
        super().__init__()
        self.config, dim = config, config.hidden_dim
        self.video, self.query = (
            AlignedEncoder(
                inputs,
                dim,
                heads=config.heads,
                layers=config.attention_layers,
                dropout=config.dropout,
            )
            for inputs in (config.video_dim, config.word_dim)
        )
        self.joint = JointAttention(
            dim,
            config.pair_dim,
            reading=config.joint_attention,
            over_words=config.over_words,
            dropout=config.dropout,
        )
        self.lstm = BiLSTM(input_dim=dim, dim=dim)
        self.contexts = (
            Contexts(
                dim,
                config.context_dim,
                windows=config.local_windows,
                spans=config.global_spans,
                over_spans=config.over_spans,
                shared=config.shared_blocks,
                dropout=config.dropout,
            )
            if config.contexts
            else None
        )
        self.maps = nn.ModuleList(
            Biaffine(3 * dim if config.contexts else dim, config.biaffine_dim, config.dropout)
            for _ in (config.local_windows if config.contexts else (1,))
        )
        cells = torch.triu_indices(config.num_clips, config.num_clips)
        self.register_buffer("cells", cells, persistent=False)

    def forward(self, batch: Batch) -> Moments:
        """Rank the spans from any clip to a later one, or itself."""
        scores = torch.stack([logits.sigmoid() for logits in self._maps(batch)]).mean(0)
        count = batch.video_mask.sum(1)[:, None]
        scores = scores.masked_fill(self.cells[1] >= count, 0)
        best, cell = scores.topk(min(self.config.proposals, scores.shape[1]), dim=1)
        first, last = self.cells
        spans = torch.stack([first[cell], last[cell] + 1], dim=-1) / count[..., None]
        return Moments(spans.clamp(max=1), best)

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Cross entropy of the mean map with each cell's label, over the cells of real clips."""
        maps = torch.stack(self._maps(batch))
        yes, no = (F.logsigmoid(logits).logsumexp(0) for logits in (maps, -maps))
        count = batch.video_mask.sum(1)[:, None]
        label = labels(self.cells, batch.target, count, self.config.iou_window)
        cost = math.log(len(maps)) - label * yes - (1 - label) * no
        real = self.cells[1] < count
        return {"overlap": (cost * real).sum() / real.sum()}

    def _maps(self, batch: Batch) -> list[Cells]:
        """The logits of every cell, by each biaffine form."""
        mask = batch.video_mask
        clips, words = self.video(batch.video, mask), self.query(batch.query, batch.query_mask)
        clips = self.lstm(self.joint(clips, words, mask, batch.query_mask), mask)
        if self.contexts is None:
            places = [clips]
        else:
            places = [torch.cat([*both, clips], dim=-1) for both in self.contexts(clips, mask)]
        flat = self.cells[0] * mask.shape[1] + self.cells[1]
        scores = (score(place) for score, place in zip(self.maps, places, strict=True))
        return [x.flatten(1).index_select(1, flat).float() for x in scores]


def labels(
    cells: Int[Tensor, "2 cells"],
    target: Float[Tensor, "batch 2"],
    count: Int[Tensor, "batch 1"],
    window: tuple[float, float],
) -> Cells:
    """The tIoU of each cell with the target, stretched from `window` to [0, 1].

    Args:
        cells: first and last clip.
        target: as fractions of the duration.
        count: how many clips a video has.
        window: where the label leaves 0 and where it reaches 1.
    """
    spans = torch.stack([cells[0], cells[1] + 1], dim=-1).to(target.dtype)
    tiou, _ = shared(spans, (target * count)[:, None])
    return ((tiou - window[0]) / (window[1] - window[0])).clamp(0, 1)


class AlignedEncoder(nn.Module):
    """A linear layer, self-attention and a BiLSTM."""

    def __init__(self, inputs: int, dim: int, *, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, dim)
        self.attention = nn.ModuleList(
            SelfAttention(
                dim=dim, attention_heads=heads, dropout=dropout, window=0, normalized=True
            )
            for _ in range(layers)
        )
        self.lstm = BiLSTM(input_dim=dim, dim=dim)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch steps inputs"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch steps dim"]:
        """Encode each step in the light of all; padding comes out as zeros."""
        x = self.dropout(self.project(x))
        for attention in self.attention:
            x = attention(x, mask)
        return self.dropout(self.lstm(x, mask))


class JointAttention(nn.Module):
    """Clips in the light of the query: x_nt = W_v v_t + W_q q_n attend to each other.

    y = x + Attention(Norm(x)),  z = y + W Norm(y); one head, no map of what it says.
    """

    def __init__(
        self, dim: int, pair_dim: int, *, reading: str, over_words: str, dropout: float
    ) -> None:
        super().__init__()
        self.reading, self.over_words = reading, over_words
        self.of_clips = nn.Linear(dim, pair_dim)
        self.of_words = nn.Linear(dim, pair_dim, bias=False)
        self.norm, self.last_norm = nn.LayerNorm(pair_dim), nn.LayerNorm(pair_dim)
        self.qkv = nn.Linear(pair_dim, 3 * pair_dim)
        self.last = nn.Linear(pair_dim, pair_dim)
        self.output = nn.Linear(pair_dim, dim)
        self.dropout = Dropout(dropout)

    def forward(
        self, clips: Clips, words: Words, clip_mask: ClipMask, word_mask: WordMask
    ) -> Clips:
        """Each clip, from all words. A mean is taken before the last linear layer: it is one."""
        v, q, size = self.of_clips(clips), self.of_words(words), word_mask.shape
        if self.reading == "sequence":
            mask = torch.cat([clip_mask, word_mask], dim=1)
            y = self._attend(torch.cat([v, q], dim=1), mask)[:, : v.shape[1]]
            return self.output(y + self.last(self.dropout(self.last_norm(y))))
        x = q[:, :, None] + v[:, None]
        if self.reading == "pairs":
            real = (word_mask[:, :, None] & clip_mask[:, None]).flatten(1)
            y = self._attend(x.relu().flatten(1, 2), real).view_as(x)
        else:
            real = clip_mask[:, None].expand(*size, -1).flatten(0, 1)
            y = self._attend(x.flatten(0, 1), real).view_as(x)
        normal = self.last_norm(y)
        if self.over_words == "mean":
            weights = (word_mask / word_mask.sum(1, keepdim=True)).to(y.dtype)[:, None]
            y, normal = ((weights @ x.flatten(2)).view_as(v) for x in (y, normal))
        y = y + self.last(self.dropout(normal))
        if self.over_words == "max":
            y = y.masked_fill(~word_mask[..., None, None], -math.inf).amax(1)
        return self.output(y)

    def _attend(
        self, x: Float[Tensor, "rows steps pair_dim"], mask: Bool[Tensor, "rows steps"]
    ) -> Float[Tensor, "rows steps pair_dim"]:
        query, key, value = self.qkv(self.norm(x)).chunk(3, dim=-1)
        return x + F.scaled_dot_product_attention(query, key, value, mask[:, None])


class Biaffine(nn.Module):
    """Logits of each first and last clip: M_ij = [s_i; 1]ᵀ U [e_j; 1]; U starts at zero."""

    def __init__(self, inputs: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.ends = nn.Linear(inputs, 2 * dim)
        self.weight = nn.Parameter(torch.zeros(dim + 1, dim + 1))
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "batch clips inputs"]) -> Float[Tensor, "batch clips clips"]:
        """Rows are first clips, columns last ones."""
        start, end = (F.pad(h, (0, 1), value=1) for h in self.dropout(self.ends(x)).chunk(2, -1))
        return start @ self.weight @ end.mT
