"""What the stage `inspect` found in one dataset's memories: read, averaged over seeds, judged.

The rules of judgement are stated here, before any number is seen. An interval over several seeds
has the mean ends of their intervals, as everywhere (`scoring.summary`).
"""

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mgsl import params, paths
from mgsl.errors import UserError
from mgsl.params import InspectConfig
from mgsl.reporting.sources import Source

SAME = 1e-4  # slots no farther apart than this (1 - cosine) hold the same
SHUFFLED = "memory_shuffled"
MEMORIES = {
    "video": "Video memory",
    "video_view": "Memory of the textual view",
    "query": "Query memory",
    "query_view": "Memory of the visual view",
}

_TEXTS = ("representative", "words")


@dataclass(frozen=True)
class Inspected:
    """The memories of one method or ablation, over the seeds that were run."""

    source: Source
    name: str
    seeds: tuple[int, ...]

    def table(self, kind: str, seed: int) -> pd.DataFrame:
        """One table of one seed: slots, pairs, scatter or probes.

        Raises:
            UserError: it is missing.
        """
        path = paths.inspected(self.source.dataset, self.name, seed) / f"{kind}.csv"
        try:
            found = pd.read_csv(path, dtype=dict.fromkeys(_TEXTS, str))
        except FileNotFoundError:
            raise UserError(f"{path} is missing: run `dvc repro`") from None
        except pd.errors.EmptyDataError:
            return pd.DataFrame()
        return found.fillna({column: "" for column in _TEXTS if column in found})

    def summary(self, seed: int) -> dict[str, Any]:
        """What one seed's memories are, by name, and the rule by which slots are shown.

        Raises:
            UserError: it is missing.
        """
        path = paths.inspected(self.source.dataset, self.name, seed) / "summary.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path} is missing: run `dvc repro`") from None
        return found

    def probes(self) -> pd.DataFrame:
        """Means over the seeds: R@1 by probe, group and metric, and the difference to intact."""
        return self._means("probes", ["probe", "group", "metric"])

    def scatter(self) -> pd.DataFrame:
        """Means over the seeds: rank correlations by memory and unit."""
        return self._means("scatter", ["memory", "unit"])

    def _means(self, kind: str, keys: list[str]) -> pd.DataFrame:
        rows = pd.concat([self.table(kind, seed) for seed in self.seeds])
        return rows.groupby(keys, sort=False, as_index=False).mean(numeric_only=True)


def read(source: Source) -> list[Inspected]:
    """What was looked into, in the order of params.yaml."""
    told = params.read(InspectConfig, paths.config(source.dataset, "inspect"))
    return [Inspected(source, name, told.seeds) for name in told.names]


def carries_content(found: Inspected, metric: str) -> str:
    """Whether slots hold something of their own, by what shuffling them costs all queries.

    Content: the interval of the difference lies below 0. None: both of its ends are 0. Else
    undecided.
    """
    rows = found.probes().query("probe == @SHUFFLED and group == 'all' and metric == @metric")
    low, high = rows.iloc[0]["difference_low"], rows.iloc[0]["difference_high"]
    if high < 0:
        return "yes"
    return "no: nothing changes" if low == high == 0 else "undecided"


def scattered(row: pd.Series) -> str:
    """Whether rare content lies in scattered slots, by the interval of the rank correlation.

    As in the paper: the interval lies below 0. The opposite: above 0. Else undecided; not testable
    where all slots hold the same.
    """
    if pd.isna(row["correlation"]):
        return "not testable: all slots hold the same"
    if row["high"] < 0:
        return "as in the paper"
    return "the opposite" if row["low"] > 0 else "undecided"
