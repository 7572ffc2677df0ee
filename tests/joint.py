"""What one process of a distributed training does in `test_loop.py`; started by torchrun."""

import sys
from pathlib import Path

import torch

from mgsl.distributed import process_group, rank, world_size
from mgsl.models import build
from mgsl.nested import merge
from mgsl.training import loop
from mgsl.training.seeding import seed_everything
from tests import tiny

JOINT = ("mgsl_net", "printed", "no_memory_drop")  # they see the joint batch as one process would
MEMORIES = ("video_memory.memories.0.slots", "query_memory.memories.0.slots")
NAMES = (*JOINT, "drn")  # whose batch normalisation sees each process's own part


def main(folder: Path) -> None:
    """Train without dropout; leave losses and weights of each process."""
    with process_group(torch.device("cpu")):
        for name in NAMES:
            config = tiny.run_config(name, epochs=5 if name == "drn" else 2)  # all of its steps
            if name in JOINT:  # alike for one process and for two
                plain = {"encoder": {"dropout": 0.0}, "heads": {"norm": False}}
                config = config.model_copy(update={"model": merge(config.model, plain)})
            seed_everything(rank())  # whatever a process starts from, it trains what process 0 has
            model = build(config)
            curve = loop.fit(
                model,
                tiny.split(21),  # the last joint batch has 5 queries: shares of 3 and 2
                tiny.split(9, seed=1),
                config,
                seed=0,
                device=torch.device("cpu"),
                state_path=folder / f"state-{name}-{world_size()}.pt",
            )
            losses = torch.tensor(curve.filter(like="loss").to_numpy())
            result = {"losses": losses, "state": model.state_dict()}
            torch.save(result, folder / f"{name}-{world_size()}-{rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
