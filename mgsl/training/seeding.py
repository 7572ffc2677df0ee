"""The same seed gives the same training."""

import os

import torch


def seed_everything(seed: int) -> None:
    """Seed torch and ask for deterministic kernels; call before a model is built."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory before it is written, so none need be filled.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(seed)


def random_state() -> dict[str, torch.Tensor | list[torch.Tensor]]:
    """Where the generators of torch stand."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def restore_random_state(state: dict[str, torch.Tensor | list[torch.Tensor]]) -> None:
    """Put the generators of torch back to where they stood."""
    torch.set_rng_state(state["cpu"].cpu())  # type: ignore[union-attr]
    torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda"]])
