"""What README.md says in numbers: rows of the files that reports/ keeps, about one dataset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl import paths
from mgsl.data import datasets
from mgsl.data.datasets import Dataset
from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw.numbers import signed
from mgsl.reporting.draw.tables import DASH
from mgsl.reporting.read import kept_runs, lengths, published
from mgsl.reporting.read.compared import FULL, WITHOUT
from mgsl.reporting.read.studied import Studied
from mgsl.reporting.site import claim_matrix, contents

DATASET = "embedded"  # what README speaks of
RUNS, CLAIMS, EFFECTS = (
    paths.EXHIBITS / f"{name}.csv" for name in ("noise", "claims", "noise.effects")
)
EVIDENCE = (  # exhibits whose results docs/open_questions.md quotes
    *("readings", "details", "memories", "slots", "collapse", "inside_memory", "remedies"),
    *("other_datasets", "shift", "figure_1b"),
)
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

Row = dict[Any, Any]


@dataclass(frozen=True)
class ReadmeRow:
    """A method in README's table: recall of all and of rare queries, in percent.

    `real` is on the first dataset of real queries; empty where it was not run there. `marks` say of
    each dataset, real queries first, whether its trainings are not finished.
    """

    title: str
    all: Row
    rare: Row
    real: tuple[Measured[float], ...]
    marks: tuple[str, ...]


@dataclass(frozen=True)
class RealQueries:
    """A dataset of real queries in the study of methods, with its numbers of queries.

    `memory` and `memory_rare` are the claims that the memory helps all and rare queries, empty
    where they were not tested, and `converged` says whether those trainings have.
    """

    dataset: str
    about: Dataset
    queries: int
    rare: int
    memory: Row
    memory_rare: Row
    converged: str


class ReadmeNumbers:
    """The numbers, read as they are asked for.

    Args:
        dataset: whose numbers they are.
    """

    def __init__(self, dataset: str = DATASET) -> None:
        self.dataset = dataset

    @property
    def complete(self) -> bool:
        """Whether the reports show the dataset, its trainings and its claims."""
        return all(path.is_file() for path in (RUNS, CLAIMS, EFFECTS)) and bool(self.table)

    def run(self, name: str, group: str = "all", iou: float = 0.5) -> Row:
        """What the trainings of a run score together (exhibit `noise`), in percent.

        Args:
            name: of a method or an ablation.
            group: all or rare.
            iou: of R@1.

        Returns:
            A row of the exhibit's CSV; empty if there is none.
        """
        rows = self._runs.query("name == @name and group == @group")
        return _first(rows[rows["metric"] == _metric(iou)])

    def claim(self, name: str, iou: float = 0.5) -> Row:
        """A claim with its verdict (exhibit `claims`), in points; empty if there is none."""
        rows = self._claims[self._claims["claim"] == name]
        recall = rows["measure"].str.startswith("R@")
        return _first(rows[~recall | (rows["measure"] == _metric(iou))])

    def visible(self, claim: str, iou: float = 0.5) -> Row:
        """The smallest differences that trainings let one see of a claim (exhibit `noise`)."""
        rows = self._of_dataset(EFFECTS).query("claim == @claim").dropna(subset="visible_3")
        return _first(rows[rows["metric"] == _metric(iou)])

    @property
    def lengths_table(self) -> str:
        """What twice the length adds to each method (exhibit `training_curve`), in Markdown."""
        path = paths.EXHIBITS / "training_curve.md"
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    @property
    def statements(self) -> Iterator[tuple[str, str, str]]:
        """Name, title and statement of the exhibits of `EVIDENCE` that state something."""
        for name in EVIDENCE:
            if statement := self.statement(name):
                yield name, contents.outline(name)[0], statement

    def statement(self, name: str) -> str:
        """What an exhibit states; empty without its page, or where nothing was run."""
        return " ".join(self._stated(name))

    def result(self, name: str) -> str:
        """What an exhibit states first; empty as above."""
        return next(iter(self._stated(name)), "")

    def _stated(self, name: str) -> Sequence[str]:
        page = paths.EXHIBITS / f"{name}.html"
        return contents.statements(page.read_text(encoding="utf-8")) if page.is_file() else []

    @cached_property
    def table(self) -> list[ReadmeRow]:
        """The methods, and MGSL-Net without its memories: best on real queries first, if run."""
        titles = {method.name: method.title for method in published.methods()}
        ours = titles["mgsl_net"]
        titles[WITHOUT] = f"{ours}, without its memories"
        titles["mgsl_net"] = f"**{ours}**"
        real = [Studied(one.dataset) for one in self.real_queries[:1]]
        rows = [
            ReadmeRow(
                titles[name],
                self.run(name),
                self.run(name, "rare"),
                tuple(recall for studied in real for recall in _recall(studied, name)),
                tuple(lengths.mark(name, [dataset]) for dataset in reversed(self._shown)),
            )
            for name in self._runs["name"].unique()
            if name in titles
        ]
        return sorted(
            rows, key=lambda row: ([-one.value for one in row.real] or [0.0], -row.all["mean"])
        )

    @property
    def trainings(self) -> list[int]:
        """The numbers of trainings that the methods of the table have, fewest first."""
        return sorted({int(row.all["trainings"]) for row in self.table})

    @property
    def rivals(self) -> list[str]:
        """The methods of the paper's Table 1 that were run beside its own."""
        run = set(self._runs["name"])
        methods = [m for m in published.methods() if m.printed and m.group != "proposed"]
        return [method.title for method in methods if method.name in run]

    @property
    def lead(self) -> dict[str, list[str]]:
        """Which of those MGSL-Net beats on all queries, by verdict."""
        rows = self._claims.query("kind == 'difference' and a == 'mgsl_net' and group == 'all'")
        rows = rows[(rows["place"] == "Table 1") & (rows["measure"] == _metric(0.5))]
        rows = rows[(rows["benchmark"] == "activitynet") & rows["value"].notna()]
        by_verdict = rows.groupby("verdict_here", sort=False)["b"]
        return {str(verdict): [published.title(b) for b in names] for verdict, names in by_verdict}

    @property
    def verdicts(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """How the claims came out: of each dataset, and of the paper."""
        return claim_matrix.count_file(CLAIMS)

    @property
    def converged(self) -> Iterator[str]:
        """Of each dataset of the table which of its runs are not trained to their end."""
        names = list(self._runs["name"].unique())
        for dataset in self._shown:
            said = lengths.sentence(dataset, names)
            yield said or f"On {dataset} twice the length adds more than a point to none."

    @property
    def memory_converged(self) -> str:
        """How far the full model and the one without memories are from the end of training."""
        return lengths.sentence(self.dataset, [FULL, WITHOUT])

    @cached_property
    def older(self) -> list[str]:
        """The kept studies that are older than the code, each with its dataset."""
        pages = [path.read_text(encoding="utf-8") for path in sorted(paths.EXHIBITS.glob("*.html"))]
        return sorted({one for page in pages for one in contents.older(page)})

    @cached_property
    def real_queries(self) -> list[RealQueries]:
        """The datasets on which the methods were studied and of which nothing is simulated."""
        study = kept_runs.of_methods()
        names = [name for name in study.datasets([]) if not datasets.find(name).simulated]
        return [_real_queries(name, study.rows.query("dataset == @name")) for name in names]

    @property
    def _shown(self) -> list[str]:
        """The datasets of the table."""
        return [self.dataset, *(one.dataset for one in self.real_queries[:1])]

    @cached_property
    def _runs(self) -> pd.DataFrame:
        return self._of_dataset(RUNS)

    @cached_property
    def _claims(self) -> pd.DataFrame:
        return self._of_dataset(CLAIMS)

    def _of_dataset(self, path: Path) -> pd.DataFrame:
        rows = pd.read_csv(path)
        return rows[rows["dataset"] == self.dataset] if "dataset" in rows else rows[:0]


def percent(value: float, digits: int = 1) -> str:
    """A number as it is read; a dash where there is none."""
    return DASH if value is None or pd.isna(value) else f"{value:.{digits}f}"


def points(value: float) -> str:
    """A difference with its sign; a dash where there is none."""
    return DASH if value is None or pd.isna(value) else signed(value, 1)


def ends(row: Row) -> str:
    """The interval of a difference: two ends with their signs."""
    return f"{points(row['low'])} to {points(row['high'])}"


def in_words(number: float | int) -> str:
    """A small number as a word."""
    return _WORDS[int(number)] if number < len(_WORDS) else f"{number:.0f}"


def _real_queries(dataset: str, rows: pd.DataFrame) -> RealQueries:
    """What is told of a dataset by its rows of the study of methods."""
    queries = rows.groupby("group")["queries"].max()
    here = ReadmeNumbers(dataset)
    return RealQueries(
        dataset,
        datasets.find(dataset),
        int(queries["all"]),
        int(queries["rare"]),
        here.claim("memory_full"),
        here.claim("memory_rare"),
        here.memory_converged,
    )


def _recall(studied: Studied, name: str) -> Iterator[Measured[float]]:
    """Recall of all and of rare queries by the kept studies of a dataset; nothing if not run."""
    for group in ("all", "rare"):
        row = studied.result(name, group, _metric(0.5))
        if row is not None:
            yield Measured.of(row, scale=100.0)


def _metric(iou: float) -> str:
    return f"R@1, IoU={iou:g}"


def _first(rows: pd.DataFrame) -> Row:
    records: list[Row] = rows.to_dict("records")
    return records[0] if records else {}
