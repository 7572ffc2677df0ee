"""Local and global contexts of clips, which CBLN gathers for its biaffine forms.

Notation    L    clips      batch clips context_dim
            G    spans      batch spans context_dim    equal parts of the video
            G'   within     batch spans context_dim    that have asked each other
            L'   answers    batch clips context_dim    what a clip is answered by spans
"""

import math

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mgsl.models.parts.layers import Dropout

Clips = Float[Tensor, "batch clips dim"]
ClipMask = Bool[Tensor, "batch clips"]


class Contexts(nn.Module):
    """Two contexts of each clip by each window: the video's, led by it, and its own, led by that.

    For each number of spans, G' = Block(G, G) and L' = Block(L, G'). A window then joins G' with
    the L' of its clips, and those with its clips; of each number of spans comes a token, and of all
    tokens one.
    """

    def __init__(
        self,
        dim: int,
        context_dim: int,
        *,
        windows: tuple[int, ...],
        spans: tuple[int, ...],
        over_spans: str,
        shared: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.spans, self.over_spans = spans, over_spans
        self.narrow = nn.Linear(dim, context_dim)
        groups = 1 if shared else len(windows)
        self.within, self.across = (
            nn.ModuleList(Block(context_dim, dropout) for _ in range(groups * len(spans)))
            for _ in range(2)
        )
        self.windows = nn.ModuleList(Window(dim, context_dim, size, spans) for size in windows)

    def forward(self, clips: Clips, mask: ClipMask) -> list[tuple[Clips, Clips]]:
        """The global and the local context, by window."""
        real = mask[..., None]
        local = self.narrow(clips) * real
        parts = [self._pool(local, mask, number) for number in self.spans]
        parts = parts * (len(self.within) // len(parts))
        parts = [within(part, part) for within, part in zip(self.within, parts, strict=True)]
        answers = [
            across(local, part) * real for across, part in zip(self.across, parts, strict=True)
        ]
        number, contexts = len(self.spans), []
        for place, window in enumerate(self.windows):
            first = place * number % len(parts)
            group = slice(first, first + number)
            contexts.append(window(local, parts[group], answers[group]))
        return contexts

    def _pool(self, clips: Clips, mask: ClipMask, number: int) -> Float[Tensor, "batch spans dim"]:
        """The mean of each span, or the maximum over the clips that it touches."""
        weights = span_weights(mask, number).to(clips.dtype)
        if self.over_spans == "mean":
            return weights @ clips
        touched = (weights > 0)[..., None]
        return clips[:, None].masked_fill(~touched, -math.inf).amax(2)


def span_weights(mask: ClipMask, number: int) -> Float[Tensor, "batch {number} clips"]:
    """How much of each of `number` equal parts of the real clips every clip makes up."""
    width = mask.sum(1)[:, None, None] / number
    starts = torch.arange(number, device=mask.device)[:, None] * width
    clips = torch.arange(mask.shape[1], device=mask.device)
    common = torch.minimum(starts + width, clips + 1) - torch.maximum(starts, clips)
    return common.clamp(min=0) / width


class Block(nn.Module):
    """Let tokens ask others: x + W ReLU(Norm(softmax(QKᵀ/√d) V)), one head."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.norm = nn.LayerNorm(dim)
        self.output = nn.Linear(dim, dim)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], others: Float[Tensor, "batch others dim"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Add to each token what it is answered."""
        key, value = self.key_value(others).chunk(2, dim=-1)
        attended = F.scaled_dot_product_attention(self.query(x), key, value)
        return x + self.dropout(self.output(self.norm(attended).relu()))


class Window(nn.Module):
    """The contexts by one window: a token of each number of spans, and one of all.

    A token is linear in what it joins: each part has weights of its own, and what the answers say
    to both sides is one product.
    """

    def __init__(self, dim: int, context_dim: int, size: int, spans: tuple[int, ...]) -> None:
        super().__init__()
        self.size, wide = size, size * context_dim
        self.of_spans = nn.ModuleList(nn.Linear(n * context_dim, context_dim) for n in spans)
        of_answers = torch.empty(len(spans), wide, 2 * context_dim).uniform_(-1, 1)
        self.of_answers = nn.Parameter(of_answers / math.sqrt(wide))
        self.of_clips = nn.Linear(wide, len(spans) * context_dim)
        self.of_globals, self.of_locals = (
            nn.Linear(len(spans) * context_dim, dim) for _ in range(2)
        )

    def forward(
        self, clips: Clips, spans: list[Float[Tensor, "batch _ dim"]], answers: list[Clips]
    ) -> tuple[Float[Tensor, "batch clips out"], Float[Tensor, "batch clips out"]]:
        """The global and the local context of each clip."""
        near = neighbours(torch.stack([*answers, clips]), self.size)
        said = einsum(near[:-1], self.of_answers, "n b t w, n w d -> b t n d")
        to_global, to_local = (x.flatten(2) for x in said.chunk(2, dim=-1))
        of_spans = [of(x.flatten(1)) for of, x in zip(self.of_spans, spans, strict=True)]
        to_global = to_global + torch.cat(of_spans, dim=-1)[:, None]
        return self.of_globals(to_global), self.of_locals(to_local + self.of_clips(near[-1]))


def neighbours(
    x: Float[Tensor, "parts batch clips dim"], size: int
) -> Float[Tensor, "parts batch clips wide"]:
    """Each clip between those around it, `size` in all, side by side; zeros beyond the ends."""
    padded = F.pad(x, (0, 0, size // 2, size // 2))
    return torch.cat([padded[:, :, i : i + x.shape[2]] for i in range(size)], dim=-1)
