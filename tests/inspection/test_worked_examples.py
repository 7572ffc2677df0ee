"""The worked examples against slow, literal loops over the numbers that they give."""

import math
from typing import Any

import pytest
import torch

from mgsl.inspection.worked_examples import SHARP, compute

TWO = range(2)
Rows = list[list[float]]


@pytest.fixture(scope="module")
def examples() -> dict[int, dict[str, Any]]:
    """The values of each example by symbol, under the first of its equations."""
    return {
        example["equations"][0]: {step["symbol"]: step["value"] for step in example["steps"]}
        for example in compute()
    }


def softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value) for value in values]
    return [e / sum(exponentials) for e in exponentials]


def times(a: Rows, b: Rows) -> Rows:
    return [[sum(x * b[k][j] for k, x in enumerate(row)) for j in TWO] for row in a]


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def smooth_l1(x: float) -> float:
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


def near(expected: Any) -> Any:
    return pytest.approx(torch.tensor(expected).numpy(), abs=2e-6)


def test_the_alignment(examples: dict[int, dict[str, Any]]) -> None:
    one, two = examples[1], examples[2]
    a = [[sum(one["V"][t][d] * one["Q"][n][d] for d in TWO) for n in TWO] for t in TWO]
    assert one["a"] == a
    over_words = [softmax(row) for row in a]
    over_clips = [softmax([a[t][n] for t in TWO]) for n in TWO]
    assert torch.tensor(one["A_1"]).numpy() == near(over_words)
    assert torch.tensor(one["A_2"]).numpy() == near(over_clips)
    visual = times(times(over_clips, one["V"]), two["W_V"])
    textual = times(times(over_words, one["Q"]), two["W_Q"])
    assert torch.tensor(two[r"\hat{V}"]).numpy() == near(visual)
    assert torch.tensor(two[r"\hat{Q}"]).numpy() == near(textual)


def test_the_memory(examples: dict[int, dict[str, Any]]) -> None:
    address, first, second, read = (examples[number] for number in (3, 5, 6, 9))
    slots = address["M"]
    for beta, symbol in ((1, "w"), (SHARP, r"w_{\beta = 20}")):
        weights = softmax([beta * cosine(address["k"], slot) for slot in slots])
        assert torch.tensor(address[symbol]).numpy() == near(weights)
    assert first["w"] == address["w"]
    assert second["w"] == near(softmax([cosine(second["u"], slot) for slot in slots]))
    for write, name in ((first, "M'"), (second, "M''")):
        slots = [
            [write["w"][k] * write["u"][d] + slots[k][d] * (1 - write["w"][k] * write["e"][d])
             for d in TWO]
            for k in TWO
        ]  # fmt: skip
        assert torch.tensor(write[name]).numpy() == near(slots)
    assert read["M''"] == second["M''"]
    assert read["w"] == near(softmax([cosine(read["k"], slot) for slot in slots]))
    expected = [sum(read["w"][k] * slots[k][d] for k in TWO) for d in TWO]
    assert read["v'"] == near(expected)


def test_the_losses(examples: dict[int, dict[str, Any]]) -> None:
    boundary, confidence, iou, total = (examples[number] for number in (11, 12, 13, 14))
    expected = 0.0
    for t in TWO:
        truth, predicted = boundary["d"][t], boundary[r"\hat{d}"][t]
        common = min(truth[0], predicted[0]) + min(truth[1], predicted[1])
        overlap = common / (sum(truth) + sum(predicted) - common)
        assert boundary[r"\operatorname{IoU}(d, \hat{d})"][t] == pytest.approx(overlap, abs=2e-6)
        if boundary[r"\mathbb{1}"][t]:
            expected += sum(smooth_l1(truth[side] - predicted[side]) for side in TWO)
            expected -= math.log(overlap)
    assert boundary["L_b"] == pytest.approx(expected, abs=2e-6)
    bce = [
        -math.log(share if inside else 1 - share)
        for inside, share in zip(confidence["c"], confidence[r"\hat{c}"], strict=True)
    ]
    assert confidence["L_c"] == pytest.approx(sum(bce) / sum(confidence["c"]), abs=2e-6)
    errors = [smooth_l1(i - j) for i, j in zip(iou["i"], iou[r"\hat{i}"], strict=True)]
    assert iou["L_i"] == pytest.approx(sum(errors) / 2, abs=2e-6)
    assert total["L"] == pytest.approx(total["L_b"] + total["L_c"] + total["L_i"], abs=2e-6)


def test_they_leave_the_random_state_as_it_was_and_are_the_same_each_time() -> None:
    before = torch.get_rng_state()
    assert compute() == compute()
    assert torch.equal(torch.get_rng_state(), before)
