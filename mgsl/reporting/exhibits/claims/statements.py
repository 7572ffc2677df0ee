"""What a test of a claim found, and the verdict that follows by the rule.

A claim (`mgsl.reporting.read.claims`) expects an effect above zero (more), below zero (less), or
within a margin of zero (same). A ratio is compared with 1 in zero's place, a share with the printed
one.

`RULE` was stated before any result it judges was seen. It asks for an interval over queries and
trainings (`mgsl.evaluation.intervals`): supported or contradicted is only what would stand if both
other queries were asked and other seeds drawn. Of what was trained once there is no verdict. Costs
and counts of annotations hold no training; their intervals are those of their tests
(`mgsl.reporting.exhibits.claims.verdicts`).

Real features, computed from the videos, are needed to speak of the paper: a verdict on simulated
features, on action timelines, or on another benchmark than the claim's holds for that data alone,
and the claim itself is then "not tested on real features". Counts of annotations and costs need no
features.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mgsl.data import datasets as known
from mgsl.reporting.read.claims import Claim, printed
from mgsl.reporting.read.results import Results

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
NOT_RUN, NOT_REAL = "not run", "not tested on real features"
NOT_REPRODUCED = "not reproduced here"
ONE_TRAINING = f"{UNDECIDED}: one training"
RULE = {
    SUPPORTED: "the interval over queries and trainings lies on the side that the claim expects, "
    "or within the margin",
    CONTRADICTED: "it lies on the other side, or wholly outside the margin",
    UNDECIDED: "neither",
    ONE_TRAINING: "a method was trained once, so the variation between trainings is unknown",
    NOT_RUN: "a run or a study that the test needs is missing",
}
WHY_NOT = {  # what our numbers cannot say of the paper's, by measure
    "run time": "the paper timed on a TITAN XP, we on a CPU",
    "model size": "the units of Table 2 seem to differ from row to row, so that its sizes may not "
    "be compared (A5)",
    "share of test pairs, %": "how the paper counts rare pairs is not known (Q22)",
}
TAIL = 0.025  # of true nulls, those whose 95 % interval lies wholly on one side
_CLAIM_FIELDS = (
    *("claim", "topic", "statement", "place", "benchmark", "kind", "a", "b", "group", "expects"),
    "margin",
)
_EFFECT_FIELDS = (*("value", "low", "high", "sd", "better", "trainings", "queries", "origin"),)


@dataclass(frozen=True)
class Effect:
    """What a test found: points for recall and shares, else the unit of the measure.

    `trainings` is the number of trainings of each side, the smaller of two; None where nothing was
    trained. [low, high] holds them where there are several, `sd` is their standard deviation,
    `better` P(A > B) over them. `origin` names what the numbers were taken from.
    """

    value: float
    low: float
    high: float
    sd: float | None = None
    trainings: int | None = None
    better: float | None = None
    queries: int | None = None
    origin: str = "runs"


@dataclass(frozen=True)
class Verdict:
    """What one dataset says of one measure of a claim: an effect, or why there is none."""

    claim: Claim
    measure: str
    results: Results
    effect: Effect | None
    reason: str = ""

    @property
    def verdict(self) -> str:
        """By the rule, where our number can be held against the paper's."""
        if self.effect is None:
            return NOT_RUN
        return NOT_REPRODUCED if self.why_not else judge(self.claim, self.effect)

    @property
    def why_not(self) -> str:
        """Why our number cannot be held against the paper's, though it needs no features."""
        alone = self.claim.kind == "cost" or (self.claim.kind == "share" and not self.claim.b)
        return WHY_NOT.get(self.measure, "") if alone else ""

    @property
    def speaks_of_the_paper(self) -> bool:
        """Whether the verdict is one on the claim itself."""
        if self.why_not:
            return False
        filmed = known.find(self.results.dataset).archive is not None
        real = filmed and self.results.benchmark == self.claim.benchmark
        return real or not self.claim.needs_features


def judge(claim: Claim, effect: Effect) -> str:
    """The verdict, by the rule.

    Args:
        claim: what is expected, and the margin.
        effect: what was found.
    """
    if effect.trainings == 1:
        return ONE_TRAINING
    null = reference(claim)
    low, high = effect.low - null, effect.high - null
    if math.isnan(low + high):  # of a single query
        return UNDECIDED
    if claim.expects == "same":
        if -claim.margin <= low and high <= claim.margin:
            return SUPPORTED
        return CONTRADICTED if low > claim.margin or high < -claim.margin else UNDECIDED
    if low <= 0 <= high:
        return UNDECIDED
    return SUPPORTED if (low > 0) == (claim.expects == "more") else CONTRADICTED


def reference(claim: Claim) -> float:
    """What an effect is compared with."""
    if claim.kind == "share" and not claim.b:
        return printed(claim, claim.measures[0]) or 0.0
    return 1.0 if claim.kind == "cost" else 0.0


def on_the_paper(findings: Sequence[Verdict]) -> str:
    """What all findings on one claim say of the paper.

    Args:
        findings: of one claim, at least one.
    """
    verdicts = dict.fromkeys(f.verdict for f in findings if f.speaks_of_the_paper and f.effect)
    if verdicts:
        return " / ".join(verdicts)
    if any(f.why_not and f.effect for f in findings):
        return NOT_REPRODUCED
    return NOT_REAL if findings[0].claim.needs_features else NOT_RUN


def by_chance(findings: Sequence[Verdict]) -> str:
    """How many verdicts chance alone would give, in a sentence; empty where none could be given.

    Args:
        findings: of any number of claims.
    """
    judged = [f for f in findings if f.effect and (f.effect.trainings or 0) > 1]
    judged = [f for f in judged if f.claim.expects != "same"]
    if not judged:
        return ""
    side = TAIL * len(judged)
    return (
        f"not corrected for testing {len(judged)} effects: if all of them were truly zero, expect "
        f"about {side:.1f} false “{SUPPORTED}” and {side:.1f} false “{CONTRADICTED}”."
    )


def tidy(findings: Sequence[Verdict]) -> pd.DataFrame:
    """One row for each finding, with all that has to be known about it."""
    return pd.DataFrame(
        [
            {
                **{key: getattr(f.claim, key) for key in _CLAIM_FIELDS},
                "measure": f.measure,
                "dataset": f.results.dataset,
                "features": f.results.summary["features"],
                "simulated": f.results.simulated,
                "printed": printed(f.claim, f.measure),
                **{key: getattr(f.effect, key, None) for key in _EFFECT_FIELDS},
                "verdict_here": f.verdict,
                "verdict": on_the_paper([f]),
                "reason": f.reason or f.why_not,
            }
            for f in findings
        ]
    ).round(4)
