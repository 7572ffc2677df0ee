"""What DRN costs, beside a direct reading of its released code with the same weights.

Run from the repository's root: python -m benchmarks.drn [--dataset charades_i3d] [--queries 32]
The direct reading does what the release does with a batch: words packed for the LSTM, positions
for every level, centre-ness and the IoU head in every step, a gradient through the label of that
head. What the release does in its dataset, the maximum over a segment's clips, it is given; ours
takes it from the clips. Both give the same scores, or it stops. All in processor time of one
thread, in turns; ratios under 1 say that ours is the faster.
"""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from benchmarks.methods import seconds
from benchmarks.tan_2d import random_batch
from mgsl import params, paths
from mgsl.models import CONFIGS, build
from mgsl.models.drn import DRN, LevelPrediction, segment_maxima
from mgsl.models.parts.per_clip import distance_iou
from mgsl.records import Batch
from mgsl.resolving import resolve_alone

TURNS = 8
CPU = torch.device("cpu")
NEARLY_RIGHT = torch.tensor([9.5, 11.5])  # near what a place in its middle says at the start


class DirectReading(nn.Module):
    """The released network's operations, one after the other, by the weights of ours."""

    def __init__(self, model: DRN) -> None:
        super().__init__()
        self.model = model
        forwards, backwards = model.query.lstm.forwards, model.query.lstm.backwards
        self.lstm = nn.LSTM(
            forwards.input_size, forwards.hidden_size, batch_first=True, bidirectional=True
        )
        with torch.no_grad():
            for name, weight in forwards.named_parameters():
                getattr(self.lstm, name).copy_(weight)
            for name, weight in backwards.named_parameters():
                getattr(self.lstm, f"{name}_reverse").copy_(weight)
        self.centerness = nn.Conv1d(model.config.hidden_dim, 1, 3, padding=1)

    def gates(self, batch: Batch) -> list[Tensor]:
        """One for each level of the backbone."""
        query = self.model.query
        lengths = batch.query_mask.sum(1)
        packed = pack_padded_sequence(batch.query, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        last = states[torch.arange(len(states)), lengths - 1]
        summary = torch.cat([states[:, 0], last], dim=-1)
        gates = []
        for level, gate in zip(query.levels, query.gates, strict=True):
            command = level(F.relu(query.summary(summary)))
            scores = query.attention(command[:, None] * states).squeeze(-1)
            scores = scores.masked_fill(~batch.query_mask, -1e30)
            gates.append(gate(torch.bmm(F.softmax(scores, -1)[:, None], states).squeeze(1)))
        return gates

    def forward(self, segments: Tensor, spans: Tensor, batch: Batch) -> LevelPrediction:
        """What the heads say of each place."""
        model = self.model
        gates = self.gates(batch)
        x = model.video(segments).permute(0, 2, 1)
        levels = []
        for level, layer in enumerate(model.backbone):
            where = model.position(spans[:, :: 2**level]).permute(0, 2, 1)
            x = gates[level][:, :, None] * x
            x = layer(torch.cat([x, where], dim=1) if level == 0 else x)
            levels.append(x)
        pyramid: list[Tensor] = []
        above: Tensor | None = None
        for index in (2, 1, 0):
            lateral = model.pyramid.lateral[index](levels[index])
            if above is not None:
                lateral = lateral + F.interpolate(above, scale_factor=2, mode="nearest")
            above = lateral
            pyramid.insert(0, model.pyramid.output[index](lateral))
        heads, outputs = model.heads, []
        for level, x in enumerate(pyramid):
            confidence, distances = (tower(x) for tower in heads.towers)
            logits = heads.confidence(confidence).squeeze(1)
            self.centerness(confidence)
            regression = torch.exp(heads.scales[level] * heads.distances(distances))
            iou = model.iou_head(torch.cat([confidence, distances], dim=1))
            outputs.append((logits, regression.permute(0, 2, 1), iou))
        return LevelPrediction(*(torch.cat(parts, 1) for parts in zip(*outputs, strict=True)))

    def loss(self, predicted: LevelPrediction, target: Tensor, step: int) -> Tensor:
        """The sum of a step's terms, with labels as ours assigns them."""
        model, config = self.model, self.model.config
        total = predicted.confidence.new_zeros(())
        if step != 1:
            truth, positive = model._assign(target)
            logits = predicted.confidence
            p = torch.sigmoid(logits)
            terms = torch.where(
                positive,
                -config.alpha * (1 - p) ** config.gamma * F.logsigmoid(logits),
                -(1 - config.alpha) * p**config.gamma * F.logsigmoid(-logits),
            )
            total = total + terms.sum() / (positive.sum() + len(target))
            if positive.any():
                iou = distance_iou(truth[positive], predicted.distances[positive])
                total = total - torch.log(iou.clamp(min=1e-6)).mean()
        if step > 0:
            spans = model._spans(predicted.distances)
            common = torch.minimum(spans[..., 1], target[:, 1:])
            common = (common - torch.maximum(spans[..., 0], target[:, :1])).clamp(min=0)
            union = torch.maximum(spans[..., 1], target[:, 1:])
            union = union - torch.minimum(spans[..., 0], target[:, :1])
            iou = common / (union + 1e-6)
            trusted = iou > config.trusted_iou
            if trusted.any():
                total = total + F.smooth_l1_loss(
                    torch.sigmoid(predicted.iou)[trusted], iou[trusted]
                )
        return total


def compare(model: DRN, batch: Batch, label: str) -> None:
    """Time both on one batch in turns, after a look whether they score alike."""
    direct, segments = DirectReading(model), model.config.segments
    edges = torch.arange(segments + 1) / segments
    spans = torch.stack([edges[:-1], edges[1:], edges[1:] - edges[:-1]], -1)
    spans = spans.expand(len(batch.video), -1, -1)
    maxima = segment_maxima(batch.video, batch.video_mask, segments)

    def forward() -> Tensor:
        with torch.inference_mode():
            return model(batch).scores

    def direct_forward() -> Tensor:
        with torch.inference_mode():
            predicted = direct(maxima, spans, batch)
            p = predicted.confidence.sigmoid()
            scores = (p * predicted.iou.sigmoid() ** model.trust).sqrt()
            return scores.sort(dim=1, descending=True).values

    def step() -> None:
        model.zero_grad()
        torch.stack(list(model.losses(batch).values())).sum().backward()

    def direct_step() -> None:
        direct.zero_grad()
        direct.loss(direct(maxima, spans, batch), batch.target, model.step).backward()

    model.enter(2)
    model.eval()
    torch.testing.assert_close(forward(), direct_forward())
    report(f"{label}, forward", forward, direct_forward)
    model.train()
    for stage in range(3):
        model.enter(stage)
        report(f"{label}, step {stage + 1} ", step, direct_step)


def report(label: str, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    """Print the shortest time of each, and their ratio."""
    ours(), theirs()  # warm up
    times = [(seconds(ours, CPU), seconds(theirs, CPU)) for _ in range(TURNS)]
    ours_s, direct_s = (min(column) for column in zip(*times, strict=True))
    print(
        f"{label} {1e3 * ours_s:8.1f} ms  direct {1e3 * direct_s:8.1f} ms  "
        f"ratio {ours_s / direct_s:.2f}",
        flush=True,
    )


def main() -> None:
    """Print processor times of both, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="charades_i3d")
    parser.add_argument("--queries", type=int, nargs="+", default=[8, 32])
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    parts = resolve_alone(
        params.load(paths.PARAMS), given.dataset, CONFIGS, scale="paper", methods=["drn"]
    )
    torch.manual_seed(0)
    model = build(parts.runs["drn"])
    assert isinstance(model, DRN)
    for queries in given.queries:
        batch = random_batch(queries, parts.prepare.num_clips, model.config.video_dim)
        batch.target[:] = NEARLY_RIGHT / model.config.segments
        compare(model, batch, f"{given.dataset}, {queries} queries")


if __name__ == "__main__":
    main()
