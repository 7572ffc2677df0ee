"""What `python -m mgsl study` counted in the published annotations, and what it was counted by."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mgsl.errors import UserError
from mgsl.evaluation import scoring
from mgsl.params import EvaluationParams, PreparationParams
from mgsl.parsing import parse
from mgsl.reporting.read.published import BENCHMARKS

STAMP = "real annotations; no video and no features were used"


class Studies:
    """The numbers in one folder, read as they are asked for.

    Args:
        folder: where the stage `study` wrote them.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def table(self, name: str) -> pd.DataFrame:
        """One table.

        Raises:
            UserError: it is missing.
        """
        return pd.read_csv(self._find(f"{name}.csv"))

    @cached_property
    def about(self) -> dict[str, Any]:
        """Sources, counts and parameters.

        Raises:
            UserError: the file is missing.
        """
        document: dict[str, Any] = json.loads(self._find("about.json").read_text(encoding="utf-8"))
        return document

    @property
    def preparation(self) -> PreparationParams:
        """The reading of "rare"."""
        return parse(PreparationParams, self.about["preparation"], where=str(self.folder))

    @property
    def evaluation(self) -> EvaluationParams:
        """How answers were scored."""
        return parse(EvaluationParams, self.about["evaluation"], where=str(self.folder))

    def pairs(self, benchmark: str, split: str = "test") -> int:
        """How many pairs a split has."""
        return int(self.about["pairs"][benchmark][split]["pairs"])

    def stamp(self) -> list[tuple[str, str]]:
        """What a page made of them has to say."""
        rare = self.preparation.rare
        bound = "at most" if rare.inclusive else "fewer than"
        return [
            *(
                (
                    BENCHMARKS[name][0],
                    ", ".join(f"{c['pairs']:,} {s}" for s, c in counts.items() if c["pairs"])
                    + f"; {STAMP}",
                )
                for name, counts in self.about["pairs"].items()
            ),
            (
                "Rare",
                f"a word tagged {', '.join(rare.tags)} seen {bound} {rare.threshold} times "
                f"(counted in: {rare.corpus})",
            ),
            ("Scored", scoring.rule(self.evaluation)),
            ("Counted by", "python -m mgsl study"),
            (
                "Sources",
                ", ".join(f"{s['file']} ({s['sha256'][:12]})" for s in self.about["sources"]),
            ),
        ]

    def _find(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise UserError(f"{path} is missing: run `python -m mgsl study`, or restore it by git")
        return path
