"""What all trainings took, collected from both pipelines, so that others can plan."""

import pandas as pd
import torch

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import atomic_path
from mgsl.inspection.costs import machine
from mgsl.training import spent

_RUN = ["pipeline", "dataset", "name"]
COLUMNS = (*_RUN, "trainings", "processor_s", "processor", "torch")


def collect(*, keep: bool = False) -> pd.DataFrame:
    """A row for each run of a pipeline, with the mean over its trainings that were noted.

    Args:
        keep: write it for the exhibit `cost`; what is kept there of runs of which fewer trainings
            were noted here, or none, stays.

    Returns:
        Columns `COLUMNS`, of what was noted here.

    Raises:
        UserError: nothing was noted.
    """
    about = machine()["processor"], torch.__version__
    rows = []
    for pipeline, artifacts in (("main", paths.PIPELINE), ("studies", paths.OF_STUDIES)):
        for (dataset, name), seconds in sorted(spent.of_runs(artifacts).items()):
            mean = round(sum(seconds) / len(seconds), 1)
            rows.append((pipeline, dataset, name, len(seconds), mean, *about))
    if not rows:
        raise UserError(f"no training is noted in {paths.SPENT}: run `dvc repro` first")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if keep:
        _keep(table)
    return table


def _keep(table: pd.DataFrame) -> None:
    before = pd.read_csv(paths.COST) if paths.COST.is_file() else table.iloc[:0]
    everything = pd.concat([before, table]).sort_values([*_RUN, "trainings"], kind="stable")
    everything = everything.drop_duplicates(_RUN, keep="last")
    with atomic_path(paths.COST) as path:
        everything.to_csv(path, index=False, lineterminator="\n", columns=list(COLUMNS))
