"""What the front page says first, in sentences: what is not tested, what ran, what came out."""

from collections.abc import Sequence
from dataclasses import dataclass

from mgsl.data import datasets as known
from mgsl.evaluation.intervals import Measured
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.exhibits.claims.statements import CONTRADICTED, NOT_REAL, NOT_RUN, SUPPORTED
from mgsl.reporting.read import published, studied
from mgsl.reporting.read.compared import FULL, METRIC
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import claim_matrix
from mgsl.reporting.site.rankings import Ranking
from mgsl.reporting.site.readme_numbers import ReadmeNumbers, ends, in_words, points

LITERAL = "printed"  # the run with the equations as they stand
_ANSWERS = {SUPPORTED: "Yes", CONTRADICTED: "No"}


@dataclass(frozen=True)
class Line:
    """One line of the verdict; `exhibit` is where its numbers stand, empty if nowhere."""

    question: str
    answer: str
    exhibit: str = ""


def verdict(
    datasets: Sequence[str], exhibits: Sequence[str], rankings: Sequence[Ranking]
) -> list[Line]:
    """What is not tested and why; what ran; whether the memory helps; the literal equations.

    Args:
        datasets: names of evaluated datasets.
        exhibits: names of the exhibits shown.
        rankings: of all datasets with numbers.
    """
    lines = [
        Line("Not tested", _not_tested(exhibits, rankings), "claims"),
        Line("What ran", _ran(datasets, rankings), "table_1"),
        *(
            _memory(results, exhibits)
            for results in [*map(Results, datasets), *studied.of(datasets)]
        ),
        *(_literal(Results(dataset)) for dataset in datasets),
    ]
    return [
        Line(line.question, line.answer, line.exhibit if line.exhibit in exhibits else "")
        for line in lines
    ]


def scope(datasets: Sequence[str]) -> str:
    """How much of the paper was run: methods of Table 1, and configurations of Tables 3 to 5."""
    names = {name for dataset in datasets for name in Results(dataset).config.names}
    printed = {method.printed for method in published.methods() if method.printed}
    run = {method.printed for method in published.methods() if method.name in names} - {""}
    rows = {str(name) for number in (3, 4, 5) for name in published.ablations(number).index}
    return (
        f"{len(run)} of the {len(printed)} methods of Table 1 and {len(rows & names)} of the "
        f"{len(rows)} configurations of Tables 3 to 5 were trained and evaluated"
    )


def _not_tested(exhibits: Sequence[str], rankings: Sequence[Ranking]) -> str:
    """What the paper's own features are needed for."""
    paper = dict(claim_matrix.verdicts(exhibits)).get(claim_matrix.PAPER, [])
    waiting, every = dict(paper).get(NOT_REAL, 0), sum(number for _, number in paper)
    what = f"{waiting} of the paper’s {every} testable claims" if every else "The paper’s recall"
    filmed = [one.dataset for one in rankings if known.find(one.dataset).archive]
    why = (
        f"other features of real video than those of {', '.join(filmed)}, which were not available"
        if filmed
        else "C3D or I3D features of real video, which were not available; no recall of ours is "
        "comparable with a printed one"
    )
    return f"{what}: {'they need' if every else 'it needs'} {why}."


def _ran(datasets: Sequence[str], rankings: Sequence[Ranking]) -> str:
    """How much of the paper was run, and on which data."""
    labels = " and ".join(Results(dataset).label for dataset in datasets)
    besides = [
        f"{len(one.table.rows) - 1} on {one.title} ({_kind(one)})"  # less the paper's row
        for one in rankings
        if one.dataset not in datasets
    ]
    more = [f"Other models, including those that see no video: {listed(besides)}."] * bool(besides)
    return " ".join([f"{scope(datasets)}, on {labels}.", *more])


def _kind(ranking: Ranking) -> str:
    """What a dataset shows of its videos."""
    if ranking.simulated:
        return "simulated"
    filmed = known.find(ranking.dataset).archive
    return "features of its videos" if filmed else "real annotations, no pixels"


def _memory(results: Results, exhibits: Sequence[str]) -> Line:
    """The repaired reading against the same network without memories, where it was tested."""
    question, label = "Does the memory help?", results.label
    numbers = ReadmeNumbers(results.dataset)
    every = numbers.claim("memory_full") if claim_matrix.EXHIBIT in exhibits else {}
    if every.get("verdict_here", NOT_RUN) == NOT_RUN:
        return Line(question, f"Not tested on {label}.")
    rare = numbers.claim("memory_rare")
    said = [
        f"{_ANSWERS.get(every['verdict_here'], 'Undecided')}, on {label}: {points(every['value'])} "
        f"points of {METRIC} ({ends(every)}) on all queries and {points(rare['value'])} "
        f"({ends(rare)}) on rare ones, over {in_words(every['trainings'])} trainings each with and "
        "without it.",
        numbers.memory_converged,
        f"The paper prints {points(every['printed'])} on all queries.",
    ]
    return Line(question, " ".join(filter(None, said)), claim_matrix.EXHIBIT)


def _literal(results: Results) -> Line:
    """What the equations reach as they stand, beside the repaired reading."""
    question = "The equations taken literally"
    literal, repaired = (results.result(name, "all", METRIC) for name in (LITERAL, FULL))
    if literal is None or repaired is None:
        return Line(question, f"Not run on {results.label}.")
    before, after = (Measured.of(row, scale=100.0).value for row in (literal, repaired))
    last = [results.curve(LITERAL, seed).iloc[-1] for seed in results.config.seeds]
    cosines = [row[f"{side}_slot_cosine"] for row in last for side in ("video", "query")]
    return Line(
        question,
        f"On {results.label} they reach {METRIC} of {before:.1f} % where "
        f"{published.title(FULL)} reaches {after:.1f} % (seeds "
        f"{', '.join(map(str, results.config.seeds))}). Their memory slots become nearly equal: "
        f"after training, two of them have a mean cosine of {sum(cosines) / len(cosines):.2f}.",
        "collapse",
    )
