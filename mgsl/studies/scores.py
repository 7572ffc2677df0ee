"""What the runs of a study scored, query by query."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mgsl import paths
from mgsl.configs import EvaluateConfig
from mgsl.evaluation import scoring
from mgsl.params import EvaluationParams
from mgsl.queries import Query


def scores_of(
    config: EvaluateConfig,
    queries: Sequence[Query],
    name: str,
    rules: EvaluationParams | None = None,
) -> list[pd.DataFrame]:
    """What each test query scored under each training of a run: a table for each training.

    Args:
        config: of the dataset.
        queries: of its test split.
        name: of the run.
        rules: of scoring; by default the run's own.

    Raises:
        UserError: a prediction file is missing, or does not answer the queries.
    """
    evaluation = rules or config.scoring_of(name)
    files = (folder(config, name, seed) / "predictions.jsonl" for seed in config.seeds)
    return [scoring.query_scores(queries, path, evaluation) for path in files]


def folder(config: EvaluateConfig, name: str, seed: int) -> Path:
    """What one training left."""
    return paths.run(config.dataset, name, seed, config.groups.get(name))
