"""The claims as a table, and what came out in a few sentences."""

from collections import Counter
from collections.abc import Sequence

from mgsl.evaluation.metrics import METRICS
from mgsl.reporting.draw import figures
from mgsl.reporting.draw.numbers import interval, signed, spread
from mgsl.reporting.draw.tables import DASH, Cell, Columns, Table
from mgsl.reporting.exhibits.claims import statements
from mgsl.reporting.exhibits.claims.statements import Effect, Verdict
from mgsl.reporting.read import claims
from mgsl.reporting.read.claims import Claim
from mgsl.reporting.read.kept_trainings import STUDY
from mgsl.reporting.read.results import Results

_ORDER = (
    *(statements.SUPPORTED, statements.CONTRADICTED, "mixed"),
    *(statements.UNDECIDED, statements.ONE_TRAINING, statements.NOT_REPRODUCED),
)
_OTHER = Cell(DASH, reason="the claim is of another measure")


def build(findings: Sequence[Verdict]) -> Table:
    """One row for each claim: the printed effect, ours on each dataset, the verdicts.

    Args:
        findings: of all claims on all datasets (`claim_tests.find`).
    """
    all_results = list(dict.fromkeys(finding.results for finding in findings))
    by_claim: dict[Claim, list[Verdict]] = {}
    for finding in findings:
        by_claim.setdefault(finding.claim, []).append(finding)
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    topic = ""
    for claim, verdicts in by_claim.items():
        cells = [Cell(claim.place), *_side_by_side([_printed(claim, m) for m in claim.measures], 1)]
        for results in all_results:
            dataset_cells = [cell for f in verdicts if f.results == results for cell in _ours(f)]
            cells += _side_by_side(dataset_cells, 2)
        cells.append(_on_the_paper(verdicts))
        if claim.topic != topic:
            topic = claim.topic
            rows.append((topic.upper(), (Cell(""),) * len(cells)))
        rows.append((claim.statement, tuple(cells)))
    ours = [name for metric in METRICS for name in (metric, "verdict here")]
    return Table(
        caption=(
            "The claims of the paper: its effect, ours with a 95% interval, and the verdicts. "
            + " ".join(results.caption for results in all_results)
        ),
        notes=_notes(findings, all_results),
        columns=(
            Columns("claimed in", ("place",), ours=False),
            Columns("paper’s effect", tuple(METRICS), ours=False),
            *(Columns(results.head, tuple(ours), ours=True) for results in all_results),
            Columns("the claim itself", ("verdict",), ours=True),
        ),
        rows=tuple(rows),
        tidy=statements.tidy(findings),
        stub="Claim",
    )


def statement(findings: Sequence[Verdict]) -> str:
    """What came out on each dataset, in a sentence.

    A claim of two measures has the verdict that both share; where they differ it is mixed.
    """
    return " ".join(
        _outcome(findings, results)
        for results in dict.fromkeys(finding.results for finding in findings)
    )


def _outcome(findings: Sequence[Verdict], results: Results) -> str:
    verdicts: dict[str, set[str]] = {}
    for finding in findings:
        if finding.results == results and finding.effect:
            verdicts.setdefault(finding.claim.claim, set()).add(finding.verdict)
    counts = Counter(v.pop() if len(v) == 1 else "mixed" for v in verdicts.values())
    outcome = ", ".join(f"{counts[v]} {v}" for v in _ORDER if counts[v]) or "none"
    return (
        f"{results.heading}: {len(verdicts)} of {len(claims.read())} claims "
        f"have a result here: {outcome}."
    )


def _on_the_paper(verdicts: Sequence[Verdict]) -> Cell:
    """The verdict on the claim itself, and why there is none where our numbers cannot give one."""
    verdict = statements.on_the_paper(verdicts)
    why = next((f.why_not for f in verdicts if f.why_not), "")
    return Cell(verdict, why) if verdict == statements.NOT_REPRODUCED else Cell(verdict)


def summary(findings: Sequence[Verdict]) -> list[str]:
    """What chance alone would give on each dataset, and what could not be tested.

    Args:
        findings: of all claims on all datasets.
    """
    texts: list[str] = []
    for results in dict.fromkeys(finding.results for finding in findings):
        dataset_findings = [finding for finding in findings if finding.results == results]
        if by_chance := statements.by_chance(dataset_findings):
            texts.append(f"{results.heading}: {by_chance}")
        reasons = Counter(f.reason.rstrip(".") for f in dataset_findings if f.reason)
        if reasons:
            why = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
            texts.append(f"{results.heading}: effects not run, and why: {why}.")
    return texts


def tell(findings: Sequence[Verdict]) -> None:
    """Show the summary in a notebook."""
    for text in summary(findings):
        figures.tell(text)


def _written(claim: Claim, value: float) -> str:
    """An effect as it is read, in its unit."""
    if claim.kind == "cost":
        return f"×{value:.2f}"
    if claim.kind == "share" and not claim.b:
        return f"{value:.2f} %"
    return signed(value)


def _printed(claim: Claim, measure: str) -> Cell:
    unit = "" if measure in METRICS else measure
    value = claims.printed(claim, measure)
    if value is None:
        return Cell(note=unit, reason="the paper gives no number for it")
    return Cell(_written(claim, value), unit)


def _ours(finding: Verdict) -> list[Cell]:
    if finding.effect is None:
        return [Cell(reason=finding.reason), Cell(statements.NOT_RUN, reason=finding.reason)]
    note = _interval(finding.claim, finding.effect)
    value = f"{_written(finding.claim, finding.effect.value)}{spread(finding.effect.sd)}"
    return [Cell(value, note), Cell(finding.verdict, _rests_on(finding.effect))]


def _rests_on(effect: Effect) -> str:
    """The number of trainings, and how often one of the one side beats one of the other."""
    if effect.trainings is None:
        return ""
    text = "1 training" if effect.trainings == 1 else f"{effect.trainings} trainings"
    has_share = effect.trainings > 1 and effect.better is not None
    return f"{text}, P = {effect.better:.2f}" if has_share else text


def _kept(findings: Sequence[Verdict]) -> list[str]:
    """Which effects are those of the study of Tables 3-5, in a sentence."""
    effects = [f.effect for f in findings if f.effect and f.effect.origin == STUDY]
    counts = [effect.trainings or 0 for effect in effects]
    if not counts:
        return [
            "There is no study of Tables 3-5 over many trainings (studies/params.yaml): "
            "all effects come from the runs of this report."
        ]
    return [f"{len(counts)} effects come from the study of Tables 3-5, over {min(counts)} "
            "trainings or more (column origin of the CSV)."]  # fmt: skip


def _interval(claim: Claim, effect: Effect) -> str:
    if claim.kind in ("cost", "scatter"):
        return f"[{effect.low:.2f}, {effect.high:.2f}]".replace("-", "−")
    absolute = claim.kind == "share" and not claim.b
    return interval(effect.low, effect.high, sign=not absolute)


def _side_by_side(cells: Sequence[Cell], width: int) -> list[Cell]:
    """The cells of a claim under both metrics; one of a single measure leaves the second."""
    return [*cells, *[_OTHER] * (len(METRICS) * width - len(cells))]


def _notes(findings: Sequence[Verdict], all_results: Sequence[Results]) -> str:
    verdicts = "; ".join(f"{verdict}: {rule}" for verdict, rule in statements.RULE.items())
    return " ".join(
        [
            "Effects on recall are differences in percentage points on the test split, in R@1 at "
            "the IoU named above or in the metric named below the number; each run has its own "
            "rule for NMS. Costs are ratios; other measures are named below the number. Intervals "
            "are over queries and trainings, or over queries alone where there was one training; "
            "± is the standard deviation of the effect over trainings. Beside a verdict stand the "
            "number of trainings of each method and P, the share of pairs of one training of each "
            "method in which the first scores higher. The interval of a ratio of run times is "
            "formed from opposite quartiles.",
            *filter(None, (results.notes for results in all_results)),
            f"The rule, fixed before any of the results was seen: {verdicts}.",
            "The margin is 1 point. A verdict here holds for this data; the claim itself can only "
            "be decided with features computed from the videos of its benchmark, except for costs "
            "and counts of annotations.",
            *(_kept(findings)),
        ]
    )
