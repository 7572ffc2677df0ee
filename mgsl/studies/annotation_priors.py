"""How much of each metric needs no video, and how far people get."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgsl.evaluation import people
from mgsl.evaluation.metrics import groups, metrics_table, per_query, targets
from mgsl.evaluation.predictions import Predictions
from mgsl.models import MODELS
from mgsl.models.parts import density
from mgsl.models.parts.base import BlindMethod
from mgsl.params import EvaluationParams, Params
from mgsl.parsing import parse
from mgsl.queries import Query
from mgsl.rarity import bin_labels
from mgsl.spans import to_seconds
from mgsl.studies.benchmarks import Benchmark

REANNOTATED = "reannotated"  # the group of queries that people were asked


def measure(benchmark: Benchmark, reannotations: Sequence[Path], params: Params) -> pd.DataFrame:
    """Score the methods that see no video on the test split, and people where they were asked.

    Args:
        benchmark: its queries.
        reannotations: files of people's answers to some of its test queries; may be empty.
        params: the blocks of the methods, the seeds, the rules of evaluation.

    Returns:
        Columns benchmark, name, seed, group, metric, value, low, high, queries; fractions. People
        have one seed, 0.
    """
    train, test = benchmark.split("train"), benchmark.split("test")
    rules = params.evaluation
    reannotated = people.match(people.read_reannotations(reannotations), test)
    masks = groups(test, bin_labels(params.preparation.rare))
    reannotated_mask = np.isin(np.arange(len(test)), list(reannotated))
    if reannotated:
        masks[REANNOTATED] = reannotated_mask
    values = pd.concat(
        {
            (name, seed): _answers(name, seed, train, test, params)
            for name in blind_methods()
            for seed in params.seeds
        },
        axis="columns",
        names=["name", "seed"],
    )
    tables = [metrics_table(values, masks, rules)]
    if reannotated:
        few = {name: mask[reannotated_mask] for name, mask in masks.items() if name != "all"}
        tables.append(metrics_table(_people(reannotated, test, rules), few, rules))
    table = pd.concat(tables, ignore_index=True)
    table.insert(0, "benchmark", benchmark.name)
    columns = ["benchmark", "name", "seed", "group", "metric", "value", "low", "high", "queries"]
    return table[columns]


def blind_methods() -> list[str]:
    """The methods that see no video."""
    return [name for name, kind in MODELS.items() if issubclass(kind, BlindMethod)]


def coverage(benchmark: Benchmark, reannotations: Sequence[Path]) -> dict[str, int]:
    """How many re-annotations there are, and how many fit exactly one test query."""
    answers = people.read_reannotations(reannotations)
    return {"told": len(answers), "matched": len(people.match(answers, benchmark.split("test")))}


def _answers(
    name: str, seed: int, train: list[Query], test: list[Query], params: Params
) -> pd.DataFrame:
    """One row for each test query, one column for each metric."""
    kind: Any = MODELS[name]
    block = params.models[name]
    document = block.sizes[params.scale] | block.choices
    method = kind(parse(kind.Config, document, where=f"params.yaml: models.{name}"))
    method.fit(train, seed=seed)
    spans, scores = method.answer(test)
    durations_s = np.array([query.duration_s for query in test])
    real = np.ones(scores.shape, bool)
    predictions = Predictions(to_seconds(spans, durations_s), scores, real)
    values = per_query(predictions, targets(test), params.evaluation)
    return pd.DataFrame(values).rename_axis(columns="metric")


def _people(
    reannotated: dict[int, people.Reannotation], test: list[Query], rules: EvaluationParams
) -> pd.DataFrame:
    """One row for each query that people were asked, in the order of `test`."""
    places = sorted(reannotated)
    truth = density.spans([test[place] for place in places])
    scores = people.per_query([reannotated[place].spans for place in places], truth, rules)
    tables = {(who, 0): pd.DataFrame(values) for who, values in scores.items()}
    return pd.concat(tables, axis="columns", names=["name", "seed", "metric"])
