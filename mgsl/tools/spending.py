"""What all trainings took, collected from both pipelines, so that others can plan."""

import pandas as pd

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import atomic_path, write_json
from mgsl.inspection.costs import machine
from mgsl.training import spent

COLUMNS = ("pipeline", "dataset", "name", "trainings", "processor_s")


def collect(*, keep: bool = False) -> pd.DataFrame:
    """A row for each run of a pipeline, with the mean over its trainings that were noted.

    Args:
        keep: write it, and of which machine it is, for the exhibit `cost`.

    Returns:
        Columns `COLUMNS`.

    Raises:
        UserError: nothing was noted.
    """
    rows = []
    for pipeline, artifacts in (("main", paths.PIPELINE), ("studies", paths.OF_STUDIES)):
        for (dataset, name), seconds in sorted(spent.of_runs(artifacts).items()):
            mean = round(sum(seconds) / len(seconds), 1)
            rows.append((pipeline, dataset, name, len(seconds), mean))
    if not rows:
        raise UserError(f"no training is noted in {paths.SPENT}: run `dvc repro` first")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if keep:
        with atomic_path(paths.COST) as path:
            table.to_csv(path, index=False, lineterminator="\n")
        write_json(paths.COST.with_suffix(".json"), machine() | {"threads": 1})
    return table
