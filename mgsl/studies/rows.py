"""Tables that are kept in git."""

from pathlib import Path

import pandas as pd

_DECIMALS = 6


def write_table(path: Path, rows: pd.DataFrame) -> None:
    """Write a table, fractions to six places: the same bytes wherever they agree to so many."""
    rows.round(_DECIMALS).to_csv(path, index=False, lineterminator="\n")
