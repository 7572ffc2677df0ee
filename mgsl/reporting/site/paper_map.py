"""A map of the paper: each of its tables and figures, the exhibit that answers it, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

from mgsl import paths
from mgsl.documents import read_json
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import contents

PAPER = {  # what the paper has, in its order, and the exhibit of each
    "Figure 1a": "figure_1a",
    "Figure 1b": "figure_1b",
    "Figure 2": "figure_2",
    "Figure 3": "figure_3",
    "Equations 1–14": "method",
    "Table 1": "table_1",
    "Table 2": "table_2",
    "Table 3": "table_3",
    "Table 4": "table_4",
    "Table 5": "table_5",
    "Figures 4 and 5": "figures_4_5",
    "Figure 6": "figure_6",
    "Figure 7": "figure_7",
}
DRAWN = ("figure_2", "figure_3", "method")  # of the model that runs: no number of it is a result


@dataclass(frozen=True)
class Place:
    """A table or figure of the paper; `exhibit` is None where the report shows none for it."""

    place: str
    exhibit: contents.Exhibit | None
    status: str


def build(datasets: Sequence[str], exhibits: Sequence[str]) -> list[Place]:
    """Every table and figure of the paper, with what became of it.

    Args:
        datasets: names of evaluated datasets.
        exhibits: names of the exhibits shown.
    """
    return [
        Place(place, contents.describe(name), _status(name, datasets))
        if name in exhibits
        else Place(place, None, "not in this report")
        for place, name in PAPER.items()
    ]


def _status(name: str, datasets: Sequence[str]) -> str:
    """What an exhibit rests on, in a few words."""
    if name in DRAWN:
        return "generated from the running code"
    labels = " and ".join(Results(dataset).label for dataset in datasets)
    names = {name for dataset in datasets for name in Results(dataset).config.names}
    if name == "table_1":
        methods = [method for method in published.methods() if method.printed]
        run = {method.printed for method in methods if method.name in names}
        every = {method.printed for method in methods}
        return f"{len(run)} of {len(every)} methods run, on {labels}"
    if name == "table_2":
        timed = "measured on one machine" if paths.TIMES.is_file() else "not measured"
        return f"sizes counted, run times {timed}"
    if name in ("table_3", "table_4", "table_5"):
        rows = {str(row) for row in published.ablations(int(name[-1])).index}
        return f"{len(rows & names)} of {len(rows)} rows run, on {labels}"
    if "studies" in _parameters(name):
        return "counted in the published annotations"
    return f"redrawn with results on {labels}"


def _parameters(name: str) -> str:
    """The cell of a notebook that says what it is given."""
    cells = read_json(paths.notebook(name))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    return "".join(tagged[0]["source"]) if tagged else ""
