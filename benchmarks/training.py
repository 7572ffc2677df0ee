"""How long a training step and an evaluation batch take: each method, each dataset's sizes.

Run from the repository's root: python -m benchmarks.training [--scale paper] [--device cuda]
The queries are random, of the sizes and the file layout of the real ones. At the paper's sizes a
step takes minutes on a CPU: --dataset activitynet_c3d --method mgsl_net --steps 1 --warm-up 0
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import torch

from mgsl import params, paths
from mgsl.configs import PrepareConfig, RunConfig
from mgsl.data.features import open_features, store_features
from mgsl.data.loading import Split, ahead, batches
from mgsl.models import CONFIGS, TRAINED, build
from mgsl.models.parts.base import GroundingModel
from mgsl.params import Params
from mgsl.queries import Query
from mgsl.records import Batch
from mgsl.resolving import resolve
from mgsl.tools.first_steps import head
from mgsl.training.devices import choose_device
from mgsl.training.loop import predict, train_one_epoch
from mgsl.training.progress import Training
from mgsl.training.seeding import seed_everything

VOCABULARY = 1000


def make_split(config: PrepareConfig, num_queries: int, folder: Path, *, videos: int) -> Split:
    """Random queries; their features are mapped from a file, as those of a prepared dataset."""
    rng = np.random.default_rng(0)
    shape = (videos, config.num_clips, config.video_dim)
    path = folder / "features.npy"
    arrays = (rng.standard_normal(shape[1:], dtype=np.float32) for _ in range(videos))
    store_features(path, (("v", array) for array in arrays), shape=shape, dtype=np.float16)
    words = rng.integers(1, VOCABULARY, (num_queries, config.max_words))
    words[np.arange(config.max_words) >= rng.integers(4, 13, (num_queries, 1))] = 0
    targets = np.sort(rng.random((num_queries, 2)), axis=1).astype(np.float32)
    query = Query("q", "v", "a", "train", 0.0, 1.0, 1.0, ("a",), ("NN",), 1, 0, True)
    vectors = rng.standard_normal((VOCABULARY, config.preparation.word_dim), dtype=np.float32)
    return Split(
        queries=[query] * num_queries,
        words=words,
        videos=rng.integers(0, videos, num_queries),
        durations_s=np.ones(num_queries),
        targets=targets,
        word_vectors=torch.from_numpy(vectors),
        features=open_features(path, shape),
        mask_padding=True,
    )


def timed(items: Iterable[Batch], waits_s: list[float]) -> Iterator[Batch]:
    """The same batches; how long each was waited for goes to `waits_s`."""
    iterator = iter(items)
    while True:
        start = time.perf_counter()
        batch = next(iterator, None)
        waits_s.append(time.perf_counter() - start)
        if batch is None:
            return
        yield batch


def measure(
    config: RunConfig, split: Split, device: torch.device, *, steps_timed: int, warm_up: int
) -> None:
    """Print one row: what a step and an evaluation batch of one method take."""

    def steps(first: int, count: int) -> Iterator[Batch]:
        size = config.batch_size
        order = np.arange(first * size, (first + count) * size)
        return batches(split, order, batch_size=size, rank=0, world_size=1)

    seed_everything(0)
    model = build(config)
    assert isinstance(model, GroundingModel)
    training, rates = Training(model.to(device), config, device), repeat(config.learning_rate)
    model.before_training(torch.from_numpy(split.targets).to(device))
    if warm_up:
        train_one_epoch(training, steps(0, warm_up), rates)
    built_s: list[float] = []
    for _ in timed(steps(warm_up, steps_timed), built_s):
        pass  # one batch in memory at a time
    waits_s: list[float] = []
    start = time.perf_counter()
    train_one_epoch(training, timed(ahead(steps(warm_up, steps_timed)), waits_s), rates)
    step_s = (time.perf_counter() - start) / steps_timed
    start = time.perf_counter()
    predict(model, head(split, steps_timed * config.batch_size), config, device)
    evaluation_s = (time.perf_counter() - start) / steps_timed
    size = sum(p.numel() for p in model.parameters())
    print(
        f"{config.dataset:<18} {config.name:<16} {size / 1e6:7.2f} {1e3 * step_s:9.1f} "
        f"{1e3 * evaluation_s:9.1f} {1e3 * np.mean(built_s):9.2f} "
        f"{np.mean(built_s) / step_s:9.1%} {np.sum(waits_s) / steps_timed / step_s:9.1%}",
        flush=True,
    )


def denormals() -> None:
    """Print what numbers too small for float32's normal range cost on this processor."""
    x, best_s = torch.full((256, 256), 1e-39), []
    for flush in (False, True):
        torch.set_flush_denormal(flush)
        taken_s = []
        for _ in range(50):
            start = time.perf_counter()
            (x * 0.5) @ x
            taken_s.append(time.perf_counter() - start)
        best_s.append(min(taken_s))
    print(
        f"denormal numbers take {best_s[0] / best_s[1]:.1f} times as long as flushed ones here; "
        "training flushes them"
    )


def everything(parameters: Params, scale: str) -> Params:
    """All datasets, methods that learn by gradient, and ablations of params.yaml, at one scale."""
    ablations = [name for block in parameters.models.values() for name in block.ablations]
    listed = {"datasets": tuple(parameters.data), "methods": TRAINED, "scale": scale}
    return parameters.model_copy(update=listed | {"ablations": tuple(ablations)})


def main() -> None:
    """Measure every method on every dataset's sizes, or some of them."""
    parameters = params.load(paths.PARAMS)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("embedded", "paper"), default="embedded")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--dataset", choices=parameters.data, action="append", help="else all")
    parser.add_argument(
        "--method", choices=TRAINED, action="append", help="else all, and ablations"
    )
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before")
    parser.add_argument("--videos", type=int, default=500, help="in the file of features")
    given = parser.parse_args()
    parameters = everything(parameters, given.scale)
    if given.method:
        parameters = parameters.model_copy(update={"methods": given.method, "ablations": ()})
    device = choose_device(given.device, parameters.training.precision)
    print(f"{device.type}, {torch.get_num_threads()} threads, {given.scale} scale")
    denormals()
    torch.set_flush_denormal(True)
    print("\nms per batch; built: in the loader; waited: for the loader, which works ahead")
    print(
        f"{'dataset':<18} {'name':<16} {'M params':>7} {'train':>8} {'evaluate':>9} "
        f"{'built':>9} {'of step':>9} {'waited':>9}"
    )
    for dataset in given.dataset or parameters.datasets:
        parts = resolve(parameters, dataset, CONFIGS)
        runs = list(parts.runs.values())
        with tempfile.TemporaryDirectory() as folder:
            largest = max(config.batch_size for config in runs)
            num_queries = (given.warm_up + given.steps) * largest
            split = make_split(parts.prepare, num_queries, Path(folder), videos=given.videos)
            for config in runs:
                measure(config, split, device, steps_timed=given.steps, warm_up=given.warm_up)
    unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, else KiB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"\npeak memory of the process: {peak:.1f} GB")


if __name__ == "__main__":
    main()
