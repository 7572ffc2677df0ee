"""Why the slots of a written memory become one vector: each term of the write, step by step.

Common   of some vectors: the share of their energy that is their mean, |mean|² / mean |·|²; 1 if
         all are the same, 0 if they cancel out.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, RunConfig
from mgsl.data.loading import Split, batches, load_splits
from mgsl.files import atomic_folder, write_json
from mgsl.models import build
from mgsl.models.memory import Mask, PersistentMemory, Steps, real
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.slot_state import effective_rank
from mgsl.records import Batch
from mgsl.studies import age
from mgsl.studies.plan import StudyParams
from mgsl.studies.rows import write_table
from mgsl.training.loop import train_one_epoch
from mgsl.training.progress import Training
from mgsl.training.seeding import seed_everything

STUDY = "collapse"
STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)  # of the optimiser, after which one looks
TERMS = ("slots", "rank", "keys", "values", "evenness", "added", "horizon")


def run(
    study: StudyParams,
    config: EvaluateConfig,
    folder: Path,
    say: Callable[[str], None] = print,
) -> None:
    """Watch the memories of a study's runs through their first steps; write rows.csv.

    Args:
        study: which runs on which dataset.
        config: the runs, whose memories are written, and seeds of the study (`plan.config_of`).
        folder: where the table goes. It is replaced as a whole, at the end.
        say: tells the person who waits what is being done.

    Raises:
        UserError: the dataset is not prepared.
    """
    torch.set_flush_denormal(True)
    names = config.names
    say(f"watching the first {STEPS[-1]} steps of {', '.join(names)} on {study.dataset}")
    tables = [measure(study.dataset, names, seed) for seed in config.seeds]
    with atomic_folder(folder) as new:
        write_table(new / "rows.csv", pd.concat(tables, ignore_index=True))
        runs = {name: _config(study.dataset, name) for name in names}
        write_json(new / "about.json", {"made_with": age.made_with(runs)})


def measure(dataset: str, names: Sequence[str], seed: int) -> pd.DataFrame:
    """Watch the memories of some runs through the first steps of their training.

    Args:
        dataset: prepared, with these runs configured.
        names: runs whose memories are written.
        seed: of weights and order.

    Returns:
        Columns dataset, name, seed, step, memory and those of `TERMS` (`terms`), each a mean over
        the streams of a memory.

    Raises:
        UserError: the dataset is not prepared, or a run is not configured.
    """
    rows = []
    for name in names:
        config = _config(dataset, name)
        split = load_splits(paths.prepared(dataset), config)["train"]
        seed_everything(seed)
        model = build(config)
        if not isinstance(model, GroundingModel):
            raise TypeError(f"{name} is not trained by steps")
        rows += [
            {"dataset": dataset, "name": name, "seed": seed, **row}
            for row in _watch(model, split, config, seed)
        ]
    return pd.DataFrame(rows)


@torch.no_grad()
def terms(memory: PersistentMemory, features: list[Steps], masks: list[Mask]) -> dict[str, float]:
    """What a memory holds, and what each part of its next write has in common (Eqs. 5-8).

    Args:
        memory: one that is written.
        features: the streams that write.
        masks: what is real of each.

    Returns:
        slots: how much the slots have in common; rank: their effective rank; keys, values: how much
        the write keys, as directions, and the values have in common; evenness: how evenly the slots
        are written, 1 if all get the same weight; added: how much what is added to the slots has in
        common; horizon: after how many steps half of a slot is forgotten, in the mean over slots.
    """
    numbers: dict[str, list[float]] = {key: [] for key in TERMS}
    for stream, x, mask in zip(memory.all_streams(), features, masks, strict=True):
        record = memory.record(stream, x, mask, memory.slots)
        weights, erase, value = real(record)
        share = weights.sum(0)
        erased = (weights.T @ erase / len(x) / (share / len(x)).clamp(min=1)[:, None]).mean()
        numbers["keys"].append(common(F.normalize(stream.write_key(x, mask), dim=-1)[mask]))
        numbers["values"].append(common(record.value[mask]))
        numbers["evenness"].append(
            (share.sum().square() / share.square().sum() / len(share)).item()
        )
        numbers["added"].append(common(weights.T @ value))
        numbers["horizon"].append(
            float(np.log(0.5) / np.log1p(-erased.clamp(1e-9, 1 - 1e-9).item()))
        )
    numbers["slots"].append(common(memory.slots))
    numbers["rank"].append(effective_rank(memory.slots).item())
    return {key: float(np.mean(values)) for key, values in numbers.items()}


def common(vectors: Float[Tensor, "vectors dim"]) -> float:
    """The share of the vectors' energy that is their mean."""
    energy = vectors.square().sum(-1).mean().clamp(min=1e-20)
    return (vectors.mean(0).square().sum() / energy).item()


def _watch(
    model: GroundingModel, split: Split, config: RunConfig, seed: int
) -> Iterator[dict[str, float | int | str]]:
    """Train for as many steps as are watched; a row for each memory whenever one looks."""
    training = Training(model, config, torch.device("cpu"))
    sample = split.batch(np.arange(min(config.batch_size, len(split))))
    order = _order(len(split), STEPS[-1] * config.batch_size, seed)
    steps = batches(split, order, batch_size=config.batch_size, rank=0, world_size=1)
    done = 0
    for until in STEPS:
        some = [next(steps) for _ in range(until - done)]
        if some:
            train_one_epoch(training, some, repeat(config.learning_rate))
        done = until
        yield from ({"step": done, **row} for row in _look(model, sample))


def _look(model: GroundingModel, sample: Batch) -> Iterator[dict[str, float | str]]:
    """The terms of each memory, as it would be written with the sample."""
    calls: list[tuple[str, PersistentMemory, tuple[list[Steps], list[Mask]]]] = []
    handles = [
        module.register_forward_pre_hook(
            lambda memory, inputs, name=name: calls.append((name, memory, inputs))
        )
        for name, module in model.named_modules()
        if isinstance(module, PersistentMemory)
    ]
    model.eval()
    with torch.no_grad():
        model(sample)
    for handle in handles:
        handle.remove()
    for name, memory, inputs in calls:
        yield {"memory": name.split("_")[0], **terms(memory, *inputs)}


def _order(num_queries: int, count: int, seed: int) -> np.ndarray:
    """Enough epochs, each in an order of its own."""
    epochs = -(-count // num_queries)
    orders = [np.random.default_rng([seed, e]).permutation(num_queries) for e in range(epochs)]
    return np.concatenate(orders)[:count]


def _config(dataset: str, name: str) -> RunConfig:
    return params.read(RunConfig, paths.config(dataset, name))
