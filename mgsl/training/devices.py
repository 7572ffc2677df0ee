"""Where to compute."""

import os

import torch

from mgsl.errors import UserError


def choose_device(name: str, precision: str) -> torch.device:
    """The device of this process.

    Args:
        name: auto (CUDA where there is one), cpu or cuda; each process of a `torchrun` gets its own
            card.
        precision: as in params.yaml.

    Raises:
        UserError: there is no CUDA device, or the device cannot compute in this precision.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda, but torch finds no CUDA device here; use --device cpu")
    if name == "cpu" or not torch.cuda.is_available():
        if precision != "float32":  # with AVX2 kernels torch's LSTM computes in nothing shorter
            raise UserError(f"training.precision {precision} needs CUDA; on a CPU use float32")
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
