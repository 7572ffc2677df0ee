"""The first training step and evaluation batch of a method, taken in a process of its own.

What is measured is noted as soon as it is known, so that a process that is stopped leaves it.
"""

import math
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mgsl.configs import RunConfig
from mgsl.data.loading import Split, load_splits
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.models import build
from mgsl.models.parts.base import BlindMethod
from mgsl.records import Batch
from mgsl.training import plateau, recipe
from mgsl.training.allocator import keep_freed_memory
from mgsl.training.blind import fit_blind
from mgsl.training.devices import choose_device
from mgsl.training.loop import PREDICT_FACTOR, predict, train_one_epoch
from mgsl.training.progress import Training
from mgsl.training.seeding import seed_everything

GIB = 2**30
LOADING, STEP, EVALUATION = "loading the data", "a training step", "an evaluation batch"
COPIES = 3  # of all answers, that `loop.predict` holds while it joins them
_OUT_OF_MEMORY = re.compile(
    "allocate memory|out of memory|bad_alloc|could not create a (primitive|memory)", re.IGNORECASE
)


@dataclass(frozen=True)
class Rehearsal:
    """What is tried: a method, on a sample of a dataset.

    `pairs` counts the queries of each split of the whole dataset, `vocabulary` its words and the
    padding. The process may take `memory` bytes of the host, if it is limited. A second step is
    taken if the first took less than `patience_s`.
    """

    config: RunConfig
    prepared: Path
    notes: Path
    pairs: Mapping[str, int]
    vocabulary: int
    device: str
    threads: int
    memory: int | None
    patience_s: float


@dataclass
class Notes:
    """Figures that are written down as they come."""

    path: Path
    device: torch.device | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, **figures: Any) -> None:
        """Write some figures down, and the peak memory so far."""
        self.figures |= figures | {"host_gib": peak_bytes() / GIB}
        if self.device is not None and self.device.type == "cuda":
            self.figures["device_gib"] = torch.cuda.max_memory_reserved(self.device) / GIB
        write_json(self.path, self.figures)


def take(one: Rehearsal) -> None:
    """Take the first steps of a method, and note what they need or why they fail.

    The notes are `doing`, `host_gib`, `device_gib`, `step_s`, `evaluation_s`, `steps_per_epoch`,
    `epochs`, `hours`, `parameters`; `fails`, and `memory` where that is what is wanting.
    """
    notes = Notes(one.notes)
    try:
        if one.memory is not None:
            limit_memory(one.memory)
        torch.set_num_threads(one.threads)
        torch.set_flush_denormal(True)
        keep_freed_memory()
        _take(one, notes)
    except UserError as error:
        notes.add(fails=str(error))
    except Exception as error:  # whatever a method does at sizes it has not been run at
        memory = isinstance(error, MemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))
        first_line = str(error).partition("\n")[0]
        notes.add(fails=f"{type(error).__name__}: {first_line}", memory=memory)


def _take(one: Rehearsal, notes: Notes) -> None:
    config, pairs = one.config, one.pairs
    notes.add(doing=LOADING)
    notes.device = device = choose_device(one.device, config.training.precision)
    recipe.refuse(config, num_validation=pairs["val"])
    splits = load_splits(one.prepared, config)
    refuse_words(one.vocabulary, config)
    seed_everything(0)
    model = build(config)
    if isinstance(model, BlindMethod):
        started = time.perf_counter()
        with redirect_stdout(StringIO()):  # what it says of made-up features is no result
            fit_blind(model, splits["train"], splits["val"], config, seed=0)
        each_s = (time.perf_counter() - started) / len(splits["val"])  # answers are what takes
        notes.add(hours=each_s * (pairs["val"] + pairs["test"]) / 3600, doing="")
        return
    course = recipe.course(config, pairs["train"])
    places = Counter(model.stage(epoch / course.epochs) for epoch in range(course.epochs))
    notes.add(
        steps_per_epoch=course.steps_per_epoch,
        epochs=course.epochs,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        doing=STEP,
    )
    training = Training(model.to(device), config, device)
    model.before_training(torch.from_numpy(splits["train"].targets).to(device))
    training.log({}, recall=0.0)  # a later stage starts from these weights
    before = peak_bytes()
    batch = splits["train"].batch(first_batch(splits["train"], config.batch_size))
    total_s = 0.0
    for stage, epochs in places.items():
        rate = training.enter(stage) * recipe.rate_at(1, course, config)
        step_s = _step_s(training, batch, rate, one.patience_s)
        total_s += step_s * course.steps_per_epoch * epochs
        slowest_s = max(step_s, notes.figures.get("step_s", 0.0))
        notes.add(step_s=slowest_s, hours=total_s / 3600)
    notes.add(doing=EVALUATION)
    rows = head(splits["val"], PREDICT_FACTOR * config.batch_size)
    started = time.perf_counter()
    spans, scores = predict(model, rows, config, device)
    evaluation_s = time.perf_counter() - started
    looks = sum(1 + plateau.due(config, epoch + 1) for epoch in range(course.epochs))
    total_s += evaluation_s * (looks * pairs["val"] + pairs["test"]) / len(rows)
    notes.add(evaluation_s=evaluation_s, hours=total_s / 3600, doing="")
    refuse_answers((spans.nbytes + scores.nbytes) // len(rows), one, before=before)


def refuse_answers(each: int, one: Rehearsal, *, before: int) -> None:
    """See that the answers to all test queries have room, when a training has ended.

    Args:
        each: bytes of the answers to one query.
        one: what is tried.
        before: bytes that the process had before its first step.

    Raises:
        UserError: they have not.
    """
    needed = before + COPIES * each * one.pairs["test"]
    if one.memory is not None and needed > one.memory:
        raise UserError(
            f"the answers to all {one.pairs['test']:,} test queries, {each:,} bytes each, take "
            f"{needed / GIB:.1f} GiB when a training has ended, and there are "
            f"{one.memory / GIB:.1f} GiB: train fewer at once, as with `taskset -c 0`"
        )


def refuse_words(vocabulary: int, config: RunConfig) -> None:
    """See that a method that tells words apart has an output for each of the whole dataset.

    Raises:
        UserError: it has fewer.
    """
    room = config.model.get("vocabulary", vocabulary)
    if room < vocabulary:
        raise UserError(
            f"{config.name} has outputs for vocabulary={room} words, and {config.dataset} has "
            f"{vocabulary}: correct data.{config.dataset}.vocabulary in params.yaml"
        )


def first_batch(split: Split, size: int) -> np.ndarray:
    """Rows of a batch, the longest query of the split among them: all are padded to that."""
    lengths = (split.words > 0).sum(axis=1)
    return np.argsort(-lengths, kind="stable")[:size]


def head(split: Split, size: int) -> Split:
    """The first queries of a split."""
    return replace(
        split,
        queries=split.queries[:size],
        words=split.words[:size],
        videos=split.videos[:size],
        durations_s=split.durations_s[:size],
        targets=split.targets[:size],
    )


def limit_memory(size: int) -> None:
    """Let this process allocate no more than so many bytes: more is an error, and kills nothing.

    Linux counts what a process may write to and does not share; other systems may ignore it.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def peak_bytes(process: int | None = None) -> int:
    """The most memory that a process has had at one time; of this one, or by its number.

    Linux tells it in /proc. Elsewhere it is known of this process alone, and 0 of another.
    """
    status = Path(f"/proc/{process or 'self'}/status")
    if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(peak[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return 0 if process else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _step_s(training: Training, batch: Batch, rate: float, patience_s: float) -> float:
    """Seconds of a step; of the second if there is one, since the first makes buffers."""
    step_s = math.inf
    for _ in range(2):
        started = time.perf_counter()
        train_one_epoch(training, [batch], [rate])
        if training.device.type == "cuda":
            torch.cuda.synchronize(training.device)
        step_s = min(step_s, time.perf_counter() - started)
        if step_s > patience_s:
            break
    return step_s
