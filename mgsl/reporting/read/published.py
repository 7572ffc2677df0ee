"""The numbers the paper prints, one CSV for each of its tables, and what its methods are called."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl.reporting.read.unchanged import once

NO_DRAWINGS = "We had only the paper’s text, not the graphics of its Figures 3, 4, 5 and 7."
FOLDER = Path(__file__).parent / "published"

# The columns of Tables 3, 4 and 5 by the metric that they print.
COLUMNS = {"R@1, IoU=0.5": "r1_iou0.5", "R@1, IoU=0.7": "r1_iou0.7"}

# How the paper calls each benchmark, and the features it saw there.
BENCHMARKS = {
    "activitynet": ("ActivityNet Captions", "C3D"),
    "tacos": ("TACoS", "C3D"),
    "charades": ("Charades-STA", "I3D"),
}


@dataclass(frozen=True)
class Method:
    """A method or a configuration of one.

    `name` is its file or ablation here, `printed` its name in the paper's tables.
    """

    name: str
    title: str
    printed: str
    group: str


def methods() -> list[Method]:
    """The methods in the paper's order, then configurations of ours that share a printed row.

    A method without a printed row has an empty `printed`.
    """
    rows = _read("methods").fillna("")
    return [
        Method(**{str(key): value for key, value in row.items()}) for row in rows.to_dict("records")
    ]


def title(name: str) -> str:
    """What a method or ablation is called in reports; its own name if it has no title."""
    rows = pd.concat([_read("methods"), _read("ablations")])
    return str(dict(zip(rows["name"], rows["title"], strict=True)).get(name, name))


def without_code() -> dict[str, str]:
    """Methods of the paper that no model of ours can be held against, and why."""
    rows = _read("without_code")
    return dict(zip(rows["name"], rows["why"], strict=True))


def question(name: str) -> str:
    """Which entry of docs/open_questions.md an ablation reads otherwise; "" if none."""
    rows = _read("ablations")
    return str(dict(zip(rows["name"], rows["question"].fillna(""), strict=True)).get(name, ""))


def ablations(number: int) -> pd.DataFrame:
    """The rows of Table 3, 4 or 5 by the name of their configuration here.

    Its switches are 0 or 1; `r1_iou0.5` and `r1_iou0.7` are the printed recall in percent on
    ActivityNet Captions.
    """
    return _read(f"table{number}").set_index("name")


def table_1() -> dict[tuple[str, str, str], float]:
    """Recall in percent by (printed method, benchmark, metric); what is not printed is left out."""
    rows = _read("table1").dropna(subset="recall_percent")
    columns = (rows[name] for name in ("method", "dataset", "n", "iou", "recall_percent"))
    return {
        (method, benchmark, f"R@{n}, IoU={iou:g}"): float(percent)
        for method, benchmark, n, iou, percent in zip(*columns, strict=True)
    }


def table_2() -> pd.DataFrame:
    """Run time in seconds and model size in MB of each method, by its printed name (TACoS)."""
    return _read("table2").set_index("method")


def metrics(benchmark: str) -> list[str]:
    """The metrics that the paper's Table 1 prints for a benchmark, in its order."""
    rows = _read("table1").query("dataset == @benchmark")
    return [f"R@{n}, IoU={iou:g}" for n, iou in dict.fromkeys(zip(rows.n, rows.iou, strict=True))]


def bin_shares() -> list[float]:
    """Share of ActivityNet's pairs in each frequency bin in percent, the rarest first (Fig. 1b)."""
    return [float(percent) for percent in _read("figure1b_distribution")["percent"]]


def rare_and_common() -> dict[str, tuple[float, float]]:
    """R@1, IoU=0.5 on ActivityNet in percent, rare and common, by printed method (Fig. 1b)."""
    rows = _read("figure1b_recall").set_index(["method", "case_group"])["r1_iou0.5"]
    names = dict.fromkeys(rows.index.get_level_values("method"))
    return {name: (float(rows[name, "rare"]), float(rows[name, "common"])) for name in names}


def examples() -> dict[str, dict[str, tuple[float, float]]]:
    """The qualitative examples of Figure 6: for each query its truth and answers, in seconds.

    The truth is called "ground truth", the answers have their methods' printed names.
    """
    spans: dict[str, dict[str, tuple[float, float]]] = {}
    for query, source, start_s, end_s in _read("figure6_examples").itertuples(index=False):
        spans.setdefault(query, {})[source] = (float(start_s), float(end_s))
    return spans


def claims() -> pd.DataFrame:
    """What the paper says that can be tested, one statement a row, in our words."""
    return _read("claims").fillna({"a": "", "b": "", "group": "", "margin": 0.0})


def pairs() -> dict[tuple[str, str], int]:
    """How many pairs a split of a benchmark has, by (benchmark, split)."""
    rows = _read("datasets")
    columns = (rows[name] for name in ("dataset", "split", "pairs"))
    return {(name, split): int(n) for name, split, n in zip(*columns, strict=True)}


def shown_queries() -> list[dict[str, Any]]:
    """The queries that the figures show, with the moment printed (seconds)."""
    rows = _read("examples").fillna("").to_dict("records")
    return [{str(key): value for key, value in row.items()} for row in rows]


def datasets() -> pd.DataFrame:
    """How many pairs each split of each benchmark has."""
    return _read("datasets")


def sizes() -> pd.DataFrame:
    """Parameters of the public configurations of the methods of Table 2, counted exactly."""
    return _read("sizes")


def provenance() -> pd.DataFrame:
    """What is known of the features, test sets and origins of the rows of Table 1.

    `numbers` holds what the method reaches under `condition`, in percent, as "metric=value; …".
    """
    return _read("provenance").fillna("")


def _read(name: str) -> pd.DataFrame:
    return _read_csv(FOLDER / f"{name}.csv")


_read_csv = once(pd.read_csv)
