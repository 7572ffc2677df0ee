"""Read the video as a text is read for the answer to a question: where does the span start and end?

Paper       H. Zhang, A. Sun, W. Jing, J. T. Zhou. "Span-based Localizing Network for Natural
            Language Video Localization". ACL 2020.
Reference   26hzhang/VSLNet, commit 3793c62: its PyTorch port, with the recurrent span head
Deviations  Words have no characters and no vector of their own for what is unknown: every word has
            a frozen vector here. Padding is zeroed before each convolution, or a query would depend
            on what it is batched with. The highlight's cross entropy is taken of logits; the
            reference takes it of probabilities and cuts their logarithms at -100. Five answers are
            an extension: the reference gives the best cell of the joint matrix alone. Weights are
            chosen on validation, by the reference on test. Tables of positions are as long as the
            videos of this benchmark.
            Paper and code differ: the code takes 5 times the highlight loss and the whole sum of
            the two cross entropies (the paper their plain sum and half of the sum). The port's
            positions start from N(0, 1), eleven times wider than those of the original, which made
            the paper's numbers; `initial_positions` has both.

Notation    V, Q   clips, words   batch steps dim       encoded by the same layers
            S      similarity     batch clips words
            s, e   logits         batch clips           of the moment's first and last clip
"""

from typing import final

from jaxtyping import Float
from torch import Tensor

from mgsl.fields import Positive
from mgsl.models.parts.span_prediction import SpanConfig, SpanPrediction, SpanPredictor, best_cell
from mgsl.records import Batch, Moments


class VSLNetConfig(SpanConfig):
    """Those of the network; `proposals` answers are kept of each query."""

    proposals: Positive


@final
class VSLNet(SpanPredictor):
    """Rank the spans by how likely their ends are."""

    Config = VSLNetConfig
    config: VSLNetConfig

    def forward(self, batch: Batch) -> Moments:
        """Rank the spans by the product of the probabilities of both ends."""
        spans, logits = self.likeliest(self._predict(batch), self.config.proposals)
        count = batch.video_mask.sum(1)[:, None, None]
        return Moments((spans / count).clamp(max=1), logits.exp())

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Of both ends and of the highlight."""
        truth = best_cell(batch.target, batch.video_mask.sum(1))
        return self.span_losses(self._predict(batch), truth, batch.video_mask)

    def _predict(self, batch: Batch) -> SpanPrediction:
        return self.locate(self.encode(batch), batch)
