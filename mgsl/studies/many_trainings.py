"""The runs of a study against one another: what claims rest on, and the noise of training.

pairs.csv holds each run alone (`b` is empty) and each against each (`mgsl.evaluation.pairs`),
trainings.csv what each training scores.
"""

import itertools

import pandas as pd

from mgsl import paths
from mgsl.configs import EvaluateConfig
from mgsl.evaluation import scoring
from mgsl.evaluation.metrics import groups
from mgsl.evaluation.pairs import NUMBERS, of_pair, of_trainings
from mgsl.studies.scores import scores_of

STUDIES = ("tables", "parts", "methods", "memories")  # which keep these files besides


def compare(config: EvaluateConfig) -> dict[str, pd.DataFrame]:
    """Each run alone and against each other, and each training.

    Args:
        config: the runs, their seeds, and how they are scored.

    Returns:
        pairs, with columns dataset, a, b, group, metric and those of `pairs.of_pair`; trainings,
        with columns dataset, name, seed, group, metric, value. Fractions.

    Raises:
        UserError: a run is missing.
    """
    dataset, names = config.dataset, config.names
    queries, _ = scoring.read_test(paths.prepared(dataset))
    masks = groups(queries, ())
    rules = config.evaluation.model_copy(update={"recall_at": (1,)})  # which NMS does not change
    scores = {name: scores_of(config, queries, name, rules) for name in names}
    tables = [
        of_pair(scores[a], scores[b] if b else None, masks, rules).assign(a=a, b=b)
        for a, b in [*((name, "") for name in names), *itertools.combinations(names, 2)]
    ]
    parts = [
        of_trainings(by_seed, config.seeds, masks).assign(name=name)
        for name, by_seed in scores.items()
    ]
    pairs, trainings = (pd.concat(p, ignore_index=True).assign(dataset=dataset)
                        for p in (tables, parts))  # fmt: skip
    return {
        "pairs": pairs[["dataset", "a", "b", "group", "metric", *NUMBERS]],
        "trainings": trainings[["dataset", "name", "seed", "group", "metric", "value"]],
    }
