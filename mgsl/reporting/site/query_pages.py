"""The browser of queries: a page for each dataset, its test queries with what methods answered.

The queries stand in a script beside the page, for a page that is opened from the disk may load
scripts and nothing else. Where scripts are off, the page shows the hundred rarest in a plain table.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mgsl import paths
from mgsl.files import write_text
from mgsl.queries import Query
from mgsl.reporting.draw import style
from mgsl.reporting.read import answered, stamps
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import scripts
from mgsl.reporting.site.page_templates import environment

_PLAIN = 100  # queries where scripts are off


@dataclass(frozen=True)
class PlainRow:
    """One query in the plain table; `right` are the titles of the methods that are."""

    query: Query
    word: str | None
    right: list[str]


@dataclass(frozen=True)
class QueryPage:
    """The test queries of one dataset, and all that their page says."""

    results: Results

    @cached_property
    def answers(self) -> list[answered.Answered]:
        """Of each method, those most often right first."""
        return answered.first_trainings(self.results)

    @property
    def seed(self) -> int:
        """Of the trainings whose answers are shown."""
        return self.results.config.seeds[0]

    @property
    def hit(self) -> str:
        """When an answer is right."""
        return f"tIoU {'>' if self.results.config.evaluation.strict else '>='} {answered.IOU}"

    @property
    def counted(self) -> str:
        """Where words are counted, after "times"."""
        corpus = self.results.preparation.preparation.rare.corpus
        return "in all splits" if corpus == "all" else "in training"

    @property
    def bins(self) -> list[str]:
        """Names of the frequency bins, the rarest first."""
        return list(self.results.summary["bins"])

    @cached_property
    def queries(self) -> list[Query]:
        """The test split."""
        return self.results.test

    @property
    def rarest(self) -> list[PlainRow]:
        """The rarest queries, with the methods that are right on each."""

        def frequency(place: int) -> float:
            times = self.queries[place].frequency
            return np.inf if times is None else float(times)

        places = sorted(range(len(self.queries)), key=frequency)[:_PLAIN]
        return [
            PlainRow(
                self.queries[place],
                self.results.rarest_word(self.queries[place]),
                [answer.title for answer in self.answers if answer.right[place]],
            )
            for place in places
        ]

    def data(self) -> str:
        """The script that holds the queries, one a line; static/queries.js reads it.

        Times are tenths of a second, overlaps percent; a method that is right has a 1.
        """
        methods = [
            {"title": answer.title, "color": style.color(answer.name)} for answer in self.answers
        ]
        spans = _tenths(np.stack([answer.spans_s for answer in self.answers], axis=1))
        tiou = np.stack([np.rint(100 * answer.tiou) for answer in self.answers], axis=1)
        right = np.stack([answer.right for answer in self.answers], axis=1)
        rows = [
            [
                *(query.qid, query.video, query.sentence),
                *_tenths([query.start_s, query.end_s, query.duration_s]).tolist(),
                *(self.results.rarest_word(query), query.frequency, query.bin, int(query.rare)),
                "".join("01"[int(hit)] for hit in right[place]),
                spans[place].ravel().tolist(),
                tiou[place].astype(int).tolist(),
            ]
            for place, query in enumerate(self.queries)
        ]
        lines = ",\n".join(map(_json, rows))
        head = f'"methods": {_json(methods)}, "counted": {_json(self.counted)}'
        return f'"use strict";\nconst ANSWERED = {{{head}, "queries": [\n{lines}\n]}};\n'


def build(dataset: str) -> None:
    """Write reports/queries/DATASET.html and the script with its queries.

    Args:
        dataset: prepared and trained.

    Raises:
        UserError: it is not, or a prediction file does not answer its test queries.
    """
    results = Results(dataset)
    page = QueryPage(results)
    made_from = stamps.of_page([results])
    text = environment().get_template("queries.html").render(
        page=page, results=results, sources=[results], stamps=made_from,
        unpromised=stamps.unpromised(made_from), root="../",
    )  # fmt: skip
    scripts.place()
    write_text(paths.QUERIES / f"{dataset}.js", page.data())
    write_text(paths.QUERIES / f"{dataset}.html", text)


def _tenths(seconds: Any) -> "np.ndarray":
    return np.rint(10 * np.asarray(seconds)).astype(int)


def _json(value: Sequence[Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
