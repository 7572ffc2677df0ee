"""What the training log says of a memory."""

import pytest
import torch

from mgsl.models.parts.slot_state import effective_rank, entropy, of_memory
from tests.models.test_memory import memory, streams


def test_the_diagnostics_tell_a_collapsed_memory_from_a_spread_one() -> None:
    torch.manual_seed(0)
    m = memory().eval()
    m.slots = torch.eye(3)[:2]
    spread = of_memory(m, *streams())
    assert spread["slot_cosine"] == pytest.approx(0)
    m.slots = torch.ones(4, 3)
    collapsed = of_memory(m, *streams())
    assert collapsed["slot_cosine"] == pytest.approx(1)
    assert collapsed["read_entropy"] == pytest.approx(1)
    assert collapsed["read_variation"] == pytest.approx(0, abs=1e-6)
    assert collapsed["used_slots"] == 0


def test_entropy_and_rank_have_their_known_values() -> None:
    weights = torch.tensor([[[0.25, 0.25, 0.25, 0.25], [1.0, 0, 0, 0], [0.5, 0.5, 0, 0]]])
    torch.testing.assert_close(entropy(weights), torch.tensor([[1.0, 0.0, 0.5]]))
    torch.testing.assert_close(entropy(weights[:, 2:], torch.tensor([2])), torch.tensor([[1.0]]))
    line = torch.tensor([[1.0, 0, 0], [2.0, 0, 0], [5.0, 0, 0]])
    assert effective_rank(line).item() == pytest.approx(1)
    assert effective_rank(torch.cat([torch.eye(3), -torch.eye(3)])).item() == pytest.approx(3)
