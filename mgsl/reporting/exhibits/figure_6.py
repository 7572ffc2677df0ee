"""Figure 6: two queries with the moments of three methods, and the two examples of the paper."""

import textwrap
from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from mgsl.queries import Query
from mgsl.reporting.draw import figures, marks, style, timeline
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.marks import BAR, Bar
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results

METHODS = {"tan_2d": "2D-TAN", "drn": "DRN", "mgsl_net": "MGSL-Net"}
NOT_RUN = "not run"
_TRUTH = "ground truth"
_HEAD = 1.15  # inches
_MARGIN_S = 8.0  # shown on either side of a printed example, whose video's length is not printed
_LETTERS = 46  # of a sentence on one line


def draw(datasets: Sequence[str]) -> Drawing:
    """A rare and a common query of each dataset, then the printed examples.

    Args:
        datasets: names of evaluated datasets.
    """
    all_results = [Results(dataset) for dataset in datasets]
    height = _HEAD + BAR * (len(METHODS) + 1)
    parts = [partial(_ours, results) for results in all_results]
    lacking = {
        results.label: [
            title for name, title in METHODS.items() if name not in results.config.names
        ]
        for results in all_results
    }
    caption = " ".join(
        [
            "Figure 6. Answers of three methods on one timeline with the ground truth, and their "
            "tIoU; then the paper’s two examples.",
            *(results.caption for results in all_results),
        ]
    )
    notes = " ".join(
        [
            "The queries were chosen before any answer was seen: the first rare and the first "
            "common one of the test split. The tIoU of the paper’s examples is computed here "
            "from its times.",
            f"Answers are those of seed {all_results[0].config.seeds[0]}.",
            *(f"Not run on {label}: {', '.join(names)}." for label, names in lacking.items()
              if names),
        ]
    )  # fmt: skip
    figure = figures.compose(height, [*parts, _printed], width=style.WIDTH)
    said = " ".join(map(_statement, all_results))
    return Drawing(figure, "Figure 6. Two queries, three methods", caption, said, notes)


def _statement(results: Results) -> str:
    """How far each method's answers to both queries overlap with the truth."""
    names = [name for name in METHODS if name in results.config.names]
    sentences = [
        f"the {'rare' if query.rare else 'common'} query: "
        + listed(
            f"{timeline.overlap(results, query, name):.2f} ({METHODS[name]})" for name in names
        )
        for query in examples(results)
        if names
    ]
    if not sentences:
        return f"None of the three methods was run on {results.label}."
    return f"On {results.label}, tIoU of the answers to {'; to '.join(sentences)}."


def examples(results: Results) -> list[Query]:
    """The first rare and the first common query of the test split, where there are such."""
    kinds = ([query for query in results.test if query.rare is rare] for rare in (True, False))
    return [queries[0] for queries in kinds if queries]


def bars(results: Results, query: Query) -> list[Bar]:
    """The truth and each method's answer; a method that was not run has words in its place."""
    answers = [Bar(query.start_s, query.end_s, _TRUTH, "", style.MOMENT)]
    for name, title in METHODS.items():
        if name in results.config.names:
            answer = timeline.answer(results, query, name)
            answers.append(Bar(answer.start_s, answer.end_s, title, answer.text, answer.color))
        else:
            answers.append(Bar(0.0, 0.0, title, NOT_RUN, style.MUTED))
    return answers


def _ours(results: Results, part: SubFigure) -> None:
    part.suptitle(f"ours: {results.heading}", x=0.01, ha="left", size=9, weight="bold")
    queries = examples(results)
    panels = part.subplots(1, len(queries), squeeze=False)[0]
    for place, (axes, query) in enumerate(zip(panels, queries, strict=True)):
        kind = "rare" if query.rare else "common"
        note = f"{kind} · {timeline.rarest_word(results, query)}"
        moment = query.start_s, query.end_s
        answers = bars(results, query)
        _panel(
            axes, query.sentence, note, answers, moment, (0.0, query.duration_s), first=not place
        )


def _printed(part: SubFigure) -> None:
    part.suptitle(
        "paper: its examples, ActivityNet Captions", x=0.01, ha="left", size=9,
        weight="bold",
    )  # fmt: skip
    names = {method.printed: method.name for method in reversed(published.methods())}
    examples = published.examples()
    panels = part.subplots(1, len(examples), squeeze=False)[0]
    for place, (axes, (sentence, spans)) in enumerate(zip(panels, examples.items(), strict=True)):
        truth = spans["ground truth"]
        answers = [Bar(*truth, _TRUTH, "", style.MOMENT)]
        for method, span in spans.items():
            if method in names:
                name = names[method]
                text = timeline.overlap_text(span, truth)
                answers.append(Bar(*span, METHODS[name], text, style.color(name)))
        ends = [end for span in spans.values() for end in span]
        window = max(0.0, min(ends) - _MARGIN_S), max(ends) + _MARGIN_S
        _panel(axes, sentence, "paper", answers, truth, window, first=not place)


def _panel(
    axes: Axes, sentence: str, note: str, answers: list[Bar], moment: tuple[float, float],
    window: tuple[float, float], *, first: bool,
) -> None:  # fmt: skip
    marks.spans(axes, answers, moment, window)
    if not first:
        axes.tick_params(labelleft=False)
    axes.set_title(textwrap.fill(f"“{sentence}”", _LETTERS), size=7.5, pad=14)
    axes.annotate(
        note, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", size=6.5,
        color=style.MUTED,
    )  # fmt: skip
