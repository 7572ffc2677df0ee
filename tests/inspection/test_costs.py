"""What an answer costs: products counted wherever they hide, times of all that a query needs."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mgsl.inspection import costs
from mgsl.models.parts.layers import SelfAttention
from mgsl.records import Batch
from tests import tiny

B, STEPS, IN, DIM = 3, 7, 5, 8


class Reading(nn.Module):
    """A module that is given the clips of a batch."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, batch: Batch) -> object:
        return self.inner(batch.video)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = SelfAttention(
            dim=IN * 2, attention_heads=2, dropout=0.0, window=0, normalized=True
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(torch.cat([x, x], -1), torch.ones(x.shape[:2], dtype=torch.bool))


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(IN, DIM)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state[0]


LSTM = STEPS * 4 * DIM * (IN + DIM)
CASES = {
    "linear": (nn.Linear(IN, DIM), STEPS * IN * DIM),
    "lstm": (nn.LSTM(IN, DIM, batch_first=True), LSTM),
    "bidirectional": (nn.LSTM(IN, DIM, batch_first=True, bidirectional=True), 2 * LSTM),
    "layers": (nn.LSTM(IN, DIM, 2, batch_first=True), LSTM + STEPS * 4 * DIM * 2 * DIM),
    "cells": (Cells(), LSTM),
    "gru": (nn.GRU(IN, DIM, batch_first=True), LSTM * 3 // 4),
    "convolution": (nn.Conv1d(STEPS, DIM, 3, padding=1), IN * 3 * STEPS * DIM),
    "attention": (Attention(), STEPS * 4 * (2 * IN) ** 2 + 2 * STEPS**2 * 2 * IN),
}


@pytest.mark.parametrize("name", CASES)
def test_multiply_adds_are_those_of_the_textbook(name: str) -> None:
    module, expected = CASES[name]
    video = torch.randn(B, STEPS, IN)
    real = torch.ones(B, STEPS, dtype=torch.bool)
    batch = Batch(video, real, video, real, torch.zeros(B, 2), real.long())
    assert costs.multiply_adds(Reading(module).eval(), batch) == B * expected


@pytest.mark.parametrize("groups", [1, 4])
def test_a_convolution_learns_at_twice_what_it_costs(groups: int) -> None:
    layer = nn.Conv1d(DIM, 2 * DIM, 3, padding=1, groups=groups)
    x = torch.randn(B, DIM, STEPS, requires_grad=True)
    forward = 2 * B * STEPS * 3 * DIM * 2 * DIM // groups
    assert costs.operations(lambda: layer(x)) == forward
    assert costs.operations(lambda: layer(x).sum().backward()) == 3 * forward
    assert costs.operations(lambda: layer(x.detach()).sum().backward()) == 2 * forward


def test_a_product_that_is_added_in_place_counts() -> None:
    a, b, total = torch.randn(B, STEPS), torch.randn(STEPS, DIM), torch.zeros(B, DIM)
    assert costs.operations(lambda: total.addmm_(a, b)) == 2 * B * STEPS * DIM


def test_what_is_counted_is_counted_without_numbers() -> None:
    params = tiny.parameters().model_copy(update={"methods": ("prior", "mgsl_net", "tan_2d")})
    table = costs.count(params).set_index(["setting", "name"])
    assert list(table.index) == [
        (setting, name) for setting in ("embedded", "paper") for name in ("mgsl_net", "tan_2d")
    ]
    tan = table.loc[("paper", "tan_2d")]
    assert tan["parameters"] == 60_925_953
    assert tan["mib"] == pytest.approx(232.414, abs=1e-3)
    assert table.loc[("paper", "mgsl_net"), "multiply_adds"] < tan["multiply_adds"] < 1.1e12
    assert costs.count(params).equals(costs.count(params))


def test_every_part_of_an_answer_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "SETTINGS", {"embedded": "embedded"})
    params = tiny.parameters().model_copy(update={"methods": ("mgsl_net", "drn")})
    said: list[str] = []
    table = costs.measure(params, rounds=4, seconds=60.0, say=said.append)
    assert len(table) == 2 * len(costs.BATCHES) * len(costs.PARTS)
    assert set(table["calls"]) == {4}
    assert (table["low_ms"] <= table["median_ms"]).all()
    assert (table["median_ms"] <= table["high_ms"]).all()
    assert (table["peak_mib"] > 0).all()
    by = table.pivot_table(index=["name", "batch"], columns="part", values="median_ms")
    assert (by["answer"] < by["total"]).all()
    assert any("round 4 of 4" in line for line in said)


def test_a_slow_method_is_called_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "SETTINGS", {"embedded": "embedded"})
    monkeypatch.setattr(costs, "_answer", lambda *_: [0.0, 9.0, 0.5])
    params = tiny.parameters().model_copy(update={"methods": ("drn",)})
    table = costs.measure(params, rounds=10, seconds=5.0, say=lambda _: None)
    assert set(table["batch"]) == {1}
    assert set(table["calls"]) == {3}
    answers = table.set_index("part")["median_ms"]
    np.testing.assert_allclose([answers["answer"], answers["total"]], [9000, 9500])


def test_peak_memory_is_that_of_the_largest_moment() -> None:
    class Doubling(nn.Module):
        def forward(self, batch: Batch) -> torch.Tensor:
            large = torch.zeros(2**18)  # 1 MiB
            larger = torch.zeros(2**19) + F.relu(large).sum()
            del large
            return larger

    stored = costs.Stored(costs.settings(tiny.parameters()).__next__()[2])
    peak = costs._peak_mib(Doubling(), stored, 1)  # type: ignore[arg-type]
    assert peak == pytest.approx(5, abs=0.1)
