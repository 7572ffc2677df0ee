"""Every equation of the paper computed for tiny numbers, by the code that trains.

The exhibit `method` shows them. All maps are the identity (W_V is twice that), so that a pocket
calculator is enough: two clips and two words of two numbers each, a memory of two slots, a moment
that is the first half of its video. The equations are taken as printed: with unit slots, say, the
numbers would show the normalisation more than the equation.
"""

from typing import Any

import torch
from torch import Tensor, nn

from mgsl.models.memory import MemoryConfig, PersistentMemory, address, sum_write
from mgsl.models.mgsl_net import Alignment, boundary_loss, confidence_loss, iou_loss
from mgsl.models.parts.per_clip import clip_centers, distance_iou, inside

DECIMALS = 6
VIDEO = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
QUERY = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
FIRST, SECOND = torch.tensor([[[0.6, 0.8]]]), torch.tensor([[[1.0, 0.0]]])  # streams that write
SHARP = 20.0
PRINTED = MemoryConfig(
    video="shared", query="shared", initial_slots="normal", beta=1.0, learn_beta=False, write="sum",
    pooling="mean", readdress=False, own_first=True, learned_slots=False, values="map",
    centered_keys=False, centered_values=False, unit_slots=False, write_slots=0, residual=False,
)  # fmt: skip


@torch.no_grad()
def compute() -> list[dict[str, Any]]:
    """The examples, in the order of the equations.

    Returns:
        For each the `equations` it is of, and its `steps`: what is `given` and what is `computed`,
        by its symbol in LaTeX; a number, a row of numbers, or rows.
    """
    state = torch.get_rng_state()  # parts draw weights, which are then replaced
    try:
        return [*_alignment(), *_memory(), *_losses()]
    finally:
        torch.set_rng_state(state)


def _alignment() -> list[dict[str, Any]]:
    layer = Alignment(2, normalized=False)
    for part in (layer.from_video, layer.from_query, layer.visual, layer.textual):
        _make_identity(part)
    layer.visual.weight.mul_(2.0)
    every = torch.ones(1, 2, dtype=torch.bool)
    views = layer(VIDEO, QUERY, every, every)
    scores = layer.from_video(VIDEO) @ layer.from_query(QUERY).mT
    given = {"V": VIDEO[0], "Q": QUERY[0]}
    first = {"a": scores[0], "A_1": views.over_words[0], "A_2": views.over_clips[0]}
    maps = {"W_V": layer.visual.weight.T, "W_Q": layer.textual.weight.T}
    second = {r"\hat{V}": views.visual[0], r"\hat{Q}": views.textual[0]}
    return [_example([1], given, first), _example([2], maps, second)]


def _memory() -> list[dict[str, Any]]:
    memory = PersistentMemory(num_slots=2, dim=2, num_streams=2, config=PRINTED)
    memory.slots.copy_(torch.eye(2))
    for stream in memory.all_streams():
        for part in (stream.read_key, stream.write_key, stream.value):
            _make_identity(part)
        stream.erase.weight.zero_()
        stream.erase.bias.zero_()
    features, masks = [FIRST, SECOND], [torch.ones(1, 1, dtype=torch.bool)] * 2
    first, second = (
        memory.record(stream, x, mask, memory.slots)
        for stream, x, mask in zip(memory.all_streams(), features, masks, strict=True)
    )
    sharp = address(FIRST, memory.slots, torch.tensor(SHARP))
    between = sum_write(memory.slots, first, PRINTED.pooling)
    after = memory.write(features, masks)
    looked_up = memory.all_streams()[0], FIRST, masks[0], after
    weights, read = memory.look(*looked_up), memory.read(*looked_up)
    return [
        _example(
            [3, 4],
            {"M": memory.slots, "k": FIRST[0, 0]},
            {
                "w": first.weights[0, 0],
                r"w_{\beta = 20}": sharp[0, 0],
            },
        ),
        _example(
            [5, 7],
            {"w": first.weights[0, 0], "e": first.erase[0, 0], "u": first.value[0, 0]},
            {"M'": between},
        ),
        _example(
            [6, 8],
            {"w": second.weights[0, 0], "e": second.erase[0, 0], "u": second.value[0, 0]},
            {"M''": after},
        ),
        _example([9, 10], {"k": FIRST[0, 0], "M''": after}, {"w": weights[0, 0], "v'": read[0, 0]}),
    ]


def _losses() -> list[dict[str, Any]]:
    mask = torch.ones(1, 2, dtype=torch.bool)
    target = torch.tensor([[0.0, 0.5]])
    centers, positive = clip_centers(mask), inside(target, mask)
    truth = torch.stack([centers - target[:, :1], target[:, 1:] - centers], dim=-1)
    predicted = torch.tensor([[[0.25, 0.15], [0.5, 0.1]]])
    logits, opinions = torch.tensor([[1.0, -1.0]]), torch.tensor([[0.7, 0.4]])
    overlaps = distance_iou(truth, predicted)
    boundary = boundary_loss(predicted, truth, overlaps, positive)[0]
    confidence = confidence_loss(logits, positive, mask, positive.sum(1))[0]
    iou = iou_loss(opinions, overlaps, mask)[0]
    return [
        _example(
            [11],
            {"d": truth[0], r"\hat{d}": predicted[0], r"\mathbb{1}": positive[0].float()},
            {r"\operatorname{IoU}(d, \hat{d})": overlaps[0], "L_b": boundary},
        ),
        _example(
            [12],
            {"c": positive[0].float(), r"\hat{c}": logits[0].sigmoid()},
            {"L_c": confidence},
        ),
        _example([13], {"i": overlaps[0], r"\hat{i}": opinions[0]}, {"L_i": iou}),
        _example(
            [14],
            {"L_b": boundary, "L_c": confidence, "L_i": iou},
            {"L": boundary + confidence + iou},
        ),
    ]


def _make_identity(part: nn.Module) -> None:
    """Give a linear map the identity as its weight and no bias."""
    assert isinstance(part, nn.Linear)
    nn.init.eye_(part.weight)
    if part.bias is not None:
        part.bias.zero_()


def _example(
    equations: list[int], given: dict[str, Tensor], computed: dict[str, Tensor]
) -> dict[str, Any]:
    steps = [
        {"symbol": symbol, "given": values is given, "value": _plain(tensor)}
        for values in (given, computed)
        for symbol, tensor in values.items()
    ]
    return {"equations": equations, "steps": steps}


def _plain(tensor: Tensor) -> Any:
    """Nested lists of rounded numbers; without a negative zero."""
    return (tensor.double().round(decimals=DECIMALS) + 0.0).tolist()
