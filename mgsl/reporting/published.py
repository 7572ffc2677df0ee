"""The numbers the paper prints, one CSV for each of its tables, and what its methods are called."""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent / "published"

# How the paper calls each benchmark, and the features it saw there.
BENCHMARKS = {
    "activitynet": ("ActivityNet Captions", "C3D"),
    "tacos": ("TACoS", "C3D"),
    "charades": ("Charades-STA", "I3D"),
}


def methods() -> pd.DataFrame:
    """The methods in the paper's order, then configurations of ours that share a printed row.

    Returns:
        Columns name (of our file or ablation), title, printed (its name in the paper's tables),
        group.
    """
    return _read("methods")


def title(name: str) -> str:
    """What a method or ablation is called in tables and figures; its own name if it has no title."""
    titles = methods().set_index("name")["title"]
    return str(titles.get(name, name))


def table_1() -> dict[tuple[str, str, str], float]:
    """Recall in percent by (printed method, benchmark, metric); what is not printed is left out."""
    rows = _read("table1").dropna(subset="recall_percent")
    return {
        (row.method, row.dataset, f"R@{row.n}, IoU={row.iou:g}"): float(row.recall_percent)
        for row in rows.itertuples()
    }


def metrics(benchmark: str) -> list[str]:
    """The metrics that the paper's Table 1 prints for a benchmark, in its order."""
    rows = _read("table1").query("dataset == @benchmark")
    return [f"R@{n}, IoU={iou:g}" for n, iou in dict.fromkeys(zip(rows.n, rows.iou, strict=True))]


def bin_shares() -> list[float]:
    """Share of ActivityNet's pairs in each frequency bin, the rarest first, in percent (Fig. 1b)."""
    return [float(percent) for percent in _read("figure1b_distribution")["percent"]]


def rare_and_common() -> pd.DataFrame:
    """R@1, IoU=0.5 on ActivityNet in percent (Fig. 1b): columns method, rare, common."""
    rows = _read("figure1b_recall").pivot_table(
        index="method", columns="case_group", values="r1_iou0.5", sort=False
    )
    return rows.reset_index()[["method", "rare", "common"]]


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"{name}.csv")
