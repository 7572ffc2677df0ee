"""The terms of a write, on vectors whose common share is known."""

import pytest
import torch

from mgsl.studies.write_terms import common, terms
from tests.models.test_memory import memory, streams


def test_equal_vectors_have_everything_in_common_and_opposite_ones_nothing() -> None:
    assert common(torch.ones(4, 3)) == pytest.approx(1)
    assert common(torch.tensor([[1.0, 0], [-1.0, 0]])) == pytest.approx(0)
    assert common(torch.tensor([[1.0, 0], [0.0, 1]])) == pytest.approx(0.5)


def test_equal_slots_are_written_alike_for_ever_and_flat_addressing_is_close_to_that() -> None:
    collapsed, flat, sharp = memory(), memory(), memory(beta=300.0)
    collapsed.slots = torch.ones_like(collapsed.slots)
    rows = [terms(m.train(), *streams()) for m in (collapsed, flat, sharp)]
    assert rows[0]["added"] == pytest.approx(1)
    assert rows[0]["evenness"] == pytest.approx(1)
    assert rows[0]["added"] > rows[1]["added"] > rows[2]["added"]
    assert rows[0]["evenness"] > rows[1]["evenness"] > rows[2]["evenness"]


def test_half_of_a_slot_is_forgotten_after_its_horizon() -> None:
    m = memory().train()
    m.slots = torch.ones_like(m.slots)  # all are written alike
    with torch.no_grad():
        for stream in m.streams:
            stream.erase.weight.zero_()
            stream.erase.bias.zero_()  # every erase is 1/2
    features, masks = streams()
    row = terms(m, features, masks)
    weight = float(masks[0].sum() / len(masks[0]) / len(m.slots))  # of a slot, by one write
    assert (1 - weight / 2) ** row["horizon"] == pytest.approx(0.5, rel=1e-4)
