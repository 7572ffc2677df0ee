"""What the runs of a study scored, query by query."""

from collections.abc import Sequence

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
    folders = (paths.run(config.dataset, name, seed) for seed in config.seeds)
    return [
        scoring.query_scores(queries, path / "predictions.jsonl", evaluation) for path in folders
    ]
