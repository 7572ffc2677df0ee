"""The configurations of Tables 3-5 against one another, over more trainings than a report has.

reports/studies/tables_pairs.csv holds each configuration alone (`b` is empty) and each against each
(`mgsl.evaluation.pairs`), tables_trainings.csv what each training scores.
"""

import itertools
from collections.abc import Sequence

import pandas as pd

from mgsl import params, paths
from mgsl.configs import EvaluateConfig
from mgsl.evaluation import scoring
from mgsl.evaluation.metrics import groups
from mgsl.evaluation.pairs import NUMBERS, of_pair, of_trainings
from mgsl.studies.rows import replace_rows
from mgsl.studies.scores import scores_of

GROUP = "tables"  # of params.yaml, and of the study


def write(dataset: str, names: Sequence[str]) -> None:
    """Write both files' rows of one dataset.

    Args:
        dataset: on which all were run.
        names: of the runs.

    Raises:
        UserError: a run is missing.
    """
    pairs, trainings = compare(dataset, names)
    replace_rows(f"{GROUP}_pairs.csv", dataset, pairs)
    replace_rows(f"{GROUP}_trainings.csv", dataset, trainings)


def compare(dataset: str, names: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each run alone and against each other, and each training; the arguments are `write`'s.

    Returns:
        Columns dataset, a, b, group, metric and those of `pairs.of_pair`; and columns dataset,
        name, seed, group, metric, value. Fractions.
    """
    config = params.read(EvaluateConfig, paths.config(dataset, "evaluate"))
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
    return (
        pairs[["dataset", "a", "b", "group", "metric", *NUMBERS]],
        trainings[["dataset", "name", "seed", "group", "metric", "value"]],
    )
