"""Where to compute, and what cannot be computed there."""

import pytest
import torch

from mgsl.errors import UserError
from mgsl.training.devices import choose_device


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_refused_on_a_cpu(precision: str) -> None:
    with pytest.raises(UserError, match=f"{precision} needs CUDA; on a CPU use float32"):
        choose_device("cpu", precision)
    assert choose_device("cpu", "float32") == torch.device("cpu")


def test_a_gpu_that_is_not_there_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda, but torch finds no CUDA device"):
        choose_device("cuda", "float32")
    assert choose_device("auto", "float32") == torch.device("cpu")
