"""The paper's claims, each with the effect that it prints.

A claim is a row of `published/claims.csv`, with its test (`kind`) and what it expects: an effect
above zero (more), below zero (less), or within a margin of zero (same).
"""

from dataclasses import dataclass
from typing import Any

from mgsl.reporting.read import published
from mgsl.reporting.read.published import COLUMNS

_NEEDS_NO_FEATURES = ("cost", "share")
_COSTS = {"run time": "run_time_s", "model size": "model_size_m"}  # their columns in Table 2


@dataclass(frozen=True)
class Claim:
    """One testable statement; the fields are the columns of claims.csv.

    `a`, `b` and `group` say what is compared; what they name depends on `kind`
    (`mgsl.reporting.exhibits.claims.verdicts`). `margin` is in the unit of the measure.
    """

    claim: str
    topic: str
    statement: str
    place: str
    benchmark: str
    kind: str
    a: str
    b: str
    group: str
    measures: tuple[str, ...]
    expects: str
    margin: float

    @property
    def needs_features(self) -> bool:
        """Whether only real features can decide it."""
        return self.kind not in _NEEDS_NO_FEATURES


def read() -> list[Claim]:
    """All claims, in the order of the file."""
    rows: list[dict[Any, Any]] = published.claims().to_dict("records")
    return [Claim(**{**row, "measures": tuple(row["measures"].split("; "))}) for row in rows]


def printed(claim: Claim, measure: str) -> float | None:
    """The effect that the paper's numbers give, in the unit of the measure; None without any."""
    names = {method.name: method.printed for method in published.methods()}
    if claim.place in ("Table 3", "Table 4", "Table 5"):
        column = published.ablations(int(claim.place[-1]))[COLUMNS[measure]]
        return round(float(column[claim.a] - column[claim.b]), 2)
    if claim.place == "Table 2":
        column = published.table_2()[_COSTS[measure]]
        return float(column[names[claim.a]] / column[names[claim.b]])
    if claim.kind == "share":
        return published.bin_shares()[0] if not claim.b else None
    if claim.place == "Figure 1b" and claim.kind in ("difference", "rarity"):
        return _of_figure_1b(claim, names)
    if claim.place == "Table 1":
        lead = _lead(claim, claim.benchmark, measure, names)
        if claim.kind == "across":
            lead -= _lead(claim, "activitynet", measure, names)
        return round(lead, 2)
    return None


def _lead(claim: Claim, benchmark: str, measure: str, names: dict[str, str]) -> float:
    numbers = published.table_1()
    a, b = (numbers[names[name], benchmark, measure] for name in (claim.a, claim.b))
    return a - b


def _of_figure_1b(claim: Claim, names: dict[str, str]) -> float:
    recall = published.rare_and_common()
    rare, common = recall[names[claim.a]]
    if claim.b:
        rare, common = rare - recall[names[claim.b]][0], common - recall[names[claim.b]][1]
    effect = rare - common if claim.kind == "rarity" else rare
    return round(effect, 2)
