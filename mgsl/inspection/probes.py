"""What the memories are worth: R@1 on the test split with the memories damaged, query by query.

memory_zeroed, ...     what the model itself offers as probes
memory_shuffled        slots are addressed as trained; what is read is another slot's content
memory_values_initial  slots are addressed as trained; read is what they held before training
writes_at_test         every test batch is written before it is looked up, and kept: a diagnostic,
                       for the answer to a query then depends on those before it (Q6)
"""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from mgsl.configs import RunConfig
from mgsl.data.loading import Split
from mgsl.evaluation.bootstrap import interval, paired_difference
from mgsl.evaluation.metrics import groups, hits
from mgsl.inspection.use import memories
from mgsl.models.memory import PersistentMemory
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.slot_state import reading_weights
from mgsl.params import EvaluationParams
from mgsl.queries import Query
from mgsl.training.loop import first_tiou

INTACT = "intact"
WRITING = "writes_at_test"
IOU = (0.5, 0.7)
METRICS = tuple(f"R@1, IoU={m:g}" for m in IOU)

Values = Callable[[PersistentMemory], Tensor]


def compare(
    scores: dict[str, Float[np.ndarray, "queries metrics"]],
    queries: Sequence[Query],
    params: EvaluationParams,
) -> pd.DataFrame:
    """R@1 of one training with its memories intact and with each damage done to them.

    Args:
        scores: what `answers` returned.
        queries: that were asked.
        params: of the bootstrap.

    Returns:
        Columns probe, group, metric, value, low, high, difference, difference_low,
        difference_high, p, queries: R@1 in fractions, and the damaged model less the intact one,
        with intervals over queries.
    """
    masks = groups(queries, ())
    tables = [
        _compare(name, group, values[mask], scores[INTACT][mask], params)
        for name, values in scores.items()
        for group, mask in masks.items()
    ]
    return pd.concat(tables, ignore_index=True)


def by_query(
    scores: dict[str, Float[np.ndarray, "queries metrics"]], queries: Sequence[Query]
) -> pd.DataFrame:
    """Whether each query was answered with a hit: 1 or 0, by probe and metric.

    Several trainings can be compared by it, query by query.

    Args:
        scores: what `answers` returned.
        queries: that were asked.

    Returns:
        A row for each query: qid, and a column for each probe and metric, "PROBE, R@1, IoU=M".
    """
    columns = {
        f"{name}, {metric}": values[:, place].astype(int)
        for name, values in scores.items()
        for place, metric in enumerate(METRICS)
    }
    return pd.DataFrame({"qid": [query.qid for query in queries], **columns})


def answers(
    model: GroundingModel,
    split: Split,
    config: RunConfig,
    params: EvaluationParams,
    device: torch.device,
    wanted: Container[str] | None = None,
) -> dict[str, Float[np.ndarray, "queries metrics"]]:
    """Whether the first answer to each query is a hit at each of `IOU`, by probe.

    Args:
        model: as trained, on `device`; it is left as it was.
        split: what is asked.
        config: of the model.
        params: the rule for a hit.
        device: where to compute.
        wanted: names of probes, `INTACT` among them; by default all.
    """
    intact: list[tuple[str, AbstractContextManager[None]]] = [(INTACT, nullcontext())]
    scores = {}
    for name, damage in [*intact, *model.probes(), *_probes(model)]:
        if wanted is None or name in wanted:
            with damage:
                scores[name] = _hits(first_tiou(model, split, config, device), params)
    return scores


def _probes(model: GroundingModel) -> Iterator[tuple[str, AbstractContextManager[None]]]:
    if not memories(model):
        return
    yield "memory_shuffled", _reading_from(model, _shuffled)
    yield "memory_values_initial", _reading_from(model, lambda memory: memory.initial)
    yield WRITING, _writing(model)


def _shuffled(memory: PersistentMemory) -> Tensor:
    """Each slot has the content of another: no slot keeps its own."""
    generator = torch.Generator().manual_seed(0)
    cycle = torch.randperm(len(memory.slots), generator=generator)
    order = torch.empty_like(cycle)
    order[cycle] = cycle.roll(1)
    return memory.slots[order.to(memory.slots.device)]


@contextmanager
def _reading_from(model: GroundingModel, values: Values) -> Iterator[None]:
    """Address the slots, but read something else in their place."""

    def look(memory: PersistentMemory, inputs: tuple[Any, ...], _: object) -> list[Tensor]:
        return [weights @ values(memory) for weights in reading_weights(memory, *inputs)]

    handles = [memory.register_forward_hook(look) for memory in memories(model).values()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _writing(model: GroundingModel) -> Iterator[None]:
    """Let the memories, and nothing else of the model, behave as in training."""
    states = [
        (memory, {name: tensor.clone() for name, tensor in memory.state_dict().items()})
        for memory in memories(model).values()
    ]

    def wake(*_: object) -> None:
        for memory in memories(model).values():
            memory.train()

    handles = [
        model.register_forward_pre_hook(wake),
        model.register_forward_hook(lambda *_: model.after_step()),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for memory, state in states:
            memory.eval()
            memory.load_state_dict(state)


def _hits(
    first: Float[np.ndarray, " queries"], params: EvaluationParams
) -> Float[np.ndarray, "queries metrics"]:
    columns = [hits(first[:, None], n=1, m=m, strict=params.strict) for m in IOU]
    return np.stack(columns, axis=1).astype(np.float64)


def _compare(
    name: str,
    group: str,
    values: Float[np.ndarray, "queries metrics"],
    intact: Float[np.ndarray, "queries metrics"],
    params: EvaluationParams,
) -> pd.DataFrame:
    low, high = interval(values, params)
    difference = paired_difference(values, intact, params)
    return pd.DataFrame(
        {
            "probe": name,
            "group": group,
            "metric": METRICS,
            "value": values.mean(axis=0) if len(values) else np.nan,
            "low": low,
            "high": high,
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p": difference.p,
            "queries": len(values),
        }
    )
