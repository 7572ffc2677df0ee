"""Tables of several datasets that are studied one after the other."""

import pandas as pd

from mgsl import paths
from mgsl.files import atomic_path

_DECIMALS = 6


def replace_rows(file: str, dataset: str, rows: pd.DataFrame) -> None:
    """Put the rows of one dataset in the place of those that a study has had of it before.

    Args:
        file: name of a CSV of reports/studies.
        dataset: what the rows are of.
        rows: with a column dataset.
    """
    path = paths.STUDIES / file
    if path.is_file():
        before = pd.read_csv(path)
        others = before[before["dataset"] != dataset]
        rows = pd.concat([others, rows]).sort_values("dataset", kind="stable")
    with atomic_path(path) as temporary:
        rows.round(_DECIMALS).to_csv(temporary, index=False, lineterminator="\n")
