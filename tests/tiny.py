"""Small things that many tests need: a split in memory, a configuration, a batch."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from mgsl import params, paths
from mgsl.configs import RunConfig
from mgsl.data.loading import Split
from mgsl.models import MODELS
from mgsl.models.parts.base import BlindMethod
from mgsl.nested import merge
from mgsl.params import Params
from mgsl.prepared import write_summary
from mgsl.queries import Query, write_queries
from mgsl.recipes import Constant
from mgsl.records import Batch
from mgsl.resolving import resolve

CLIPS, WORDS, VIDEO_DIM, WORD_DIM, VOCABULARY = 12, 6, 5, 8, 10


@cache
def parameters() -> Params:
    """The params.yaml of the repository, read once: hundreds of tests ask for it."""
    return params.load(paths.PARAMS)


def run_config(name: str = "mgsl_net", **changes: object) -> RunConfig:
    """One run of a method or ablation with the repository's choices and tiny sizes."""
    document = parameters()
    ablations = [name] if name not in MODELS else []
    methods = [name] if name in MODELS else ["mgsl_net"]
    document = document.model_copy(
        update={"methods": tuple(methods), "ablations": tuple(ablations)}
    )
    configs = {key: kind.Config for key, kind in MODELS.items()}
    config = resolve(document, "embedded", configs).runs[name]
    tiny = {
        "num_clips": CLIPS,
        "video_dim": VIDEO_DIM,
        "word_dim": WORD_DIM,
        "vocabulary": VOCABULARY,
        "video_slots": 40,
        "query_slots": 40,
        "dim": 16,
        "encoder": {"input_dim": 8, "word_input_dim": 8, "attention_heads": 2},
        "heads": {"channels": 16},
        "sentence_dim": 16,
        "common_dim": 16,
        "pool": 4,
        "attention_dim": 16,
        "anchors": [2, 3, 4, 5, 6, 7],
        "windows": [2, 3, 4, 6, 8, 12],
        "weight_decay": 0.0,  # it would give every parameter a gradient
        "hidden_dim": 16,
        "grid": 16,
    }
    small = {} if issubclass(MODELS[config.method], BlindMethod) else tiny  # nothing to shrink
    shrunk = {
        key: value
        for key, value in small.items()
        if isinstance(config.model.get(key), dict) == isinstance(value, dict)  # `heads` is a count
        and key in config.model
    }
    model = merge(config.model, shrunk)
    base = {"epochs": 2, "batch_size": 8, "schedule": Constant(kind="constant"), "model": model}
    return config.model_copy(update=base | changes)


def batch(size: int = 4, seed: int = 0) -> Batch:
    """Random videos and queries; all but the first are shorter than the longest."""
    generator = torch.Generator().manual_seed(seed)
    clips = torch.tensor([CLIPS] + [CLIPS - 3] * (size - 1))
    words = torch.tensor([WORDS] + [WORDS - 2] * (size - 1))
    video_mask = torch.arange(CLIPS) < clips[:, None]
    query_mask = torch.arange(WORDS) < words[:, None]
    start = torch.rand(size, generator=generator) * 0.5
    length = 0.2 + 0.3 * torch.rand(size, generator=generator)
    return Batch(
        video=torch.randn(size, CLIPS, VIDEO_DIM, generator=generator) * video_mask[..., None],
        video_mask=video_mask,
        query=torch.randn(size, WORDS, WORD_DIM, generator=generator) * query_mask[..., None],
        query_mask=query_mask,
        target=torch.stack([start, start + length], dim=1),
        words=torch.randint(1, VOCABULARY, (size, WORDS), generator=generator) * query_mask,
    )


def split(size: int, seed: int = 0) -> Split:
    """Queries over random videos whose moments can be learned: the clips inside are brighter."""
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 0.5, size)
    targets = np.stack([starts, starts + rng.uniform(0.2, 0.5, size)], 1).astype(np.float32)
    centers = (np.arange(CLIPS) + 0.5) / CLIPS
    inside = (centers >= targets[:, :1]) & (centers <= targets[:, 1:])
    features = rng.normal(size=(size, CLIPS, VIDEO_DIM)) * 0.1 + inside[..., None]
    words = np.zeros((size, WORDS), dtype=np.int64)
    for row in range(size):
        words[row, : 2 + row % (WORDS - 2)] = rng.integers(1, 10, 2 + row % (WORDS - 2))
    vectors = torch.from_numpy(rng.normal(size=(10, WORD_DIM)).astype(np.float32))
    queries = [
        Query(
            f"q{i}",
            f"v{i}",
            "a",
            "train",
            float(a * 10),
            float(b * 10),
            10.0,
            ("a",),
            ("NN",),
            5 if i % 2 else 50,
            i % 2,
            bool(i % 2),
        )
        for i, (a, b) in enumerate(targets)
    ]
    return Split(
        queries,
        words,
        np.arange(size),
        np.full(size, 10.0),
        targets,
        vectors,
        features.astype(np.float32),
        mask_padding=True,
    )


def prepare(folder: Path) -> None:
    """Write a prepared dataset of small splits, with the sizes of `run_config`."""
    parts = {"train": split(24), "val": split(10, seed=1), "test": split(10, seed=2)}
    queries = [
        replace(query, qid=f"{name}-{row}", video=f"{name}_{row}", split=name)
        for name, part in parts.items()
        for row, query in enumerate(part.queries)
    ]
    write_queries(folder / "queries.jsonl", queries)
    rows = "".join(f"{query.video},{query.duration_s}\n" for query in queries)
    (folder / "videos.csv").write_text("video,duration_s\n" + rows)
    (folder / "vocabulary.json").write_text('["", "a"]')
    vectors = np.stack([np.zeros(WORD_DIM), np.linspace(-1, 1, WORD_DIM)])
    np.save(folder / "word_vectors.npy", vectors.astype(np.float32))
    np.save(folder / "features.npy", np.concatenate([part.features for part in parts.values()]))
    sizes = {"num_clips": CLIPS, "video_dim": VIDEO_DIM, "word_dim": WORD_DIM}
    write_summary(folder, {"dataset": "embedded", **sizes})
