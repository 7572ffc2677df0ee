"""Figure 3: the heterogeneous attention in detail, drawn from one call of the live model."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import SubFigure

from mgsl.reporting.draw import diagram, figures, style
from mgsl.reporting.draw.diagram import Canvas
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.read import published
from mgsl.reporting.read.results import Results
from mgsl.reporting.read.traces import Trace, not_run, read_all

_TITLE = "Figure 3. Heterogeneous attention"
_G, _X, _Y = 54.0, 35.0, 16.0  # where context, clips and words run
_MAPS, _SELF, _FORK, _UNITS, _JOIN = 27.0, 53.0, 68.5, 94.0, 119.0  # columns
_UNIT = ("dot-product attention", "+ residual, layer norm.")
_CALIBRATE = {
    "attention": _UNIT,
    "reverse": _UNIT,
    "gate": (r"$\sigma(G) \odot X_s$", "layer norm."),
}
_ROLES = {  # what the context and what the clips are to the calibration
    "attention": ("query", "key, value"),
    "reverse": ("key, value", "query"),
    "gate": ("gate", "content"),
}


def draw(datasets: Sequence[str], names: Sequence[str]) -> Drawing:
    """One diagram for each dataset and configuration that was run.

    Args:
        datasets: names of datasets.
        names: configurations of MGSL-Net; those that were not run are left out.
    """
    traces = read_all(datasets, names)
    if not traces:
        return figures.absent(_TITLE, not_run(names))
    groups = _alike(traces)
    heights = [_height(traces[0]) * diagram.UNIT for traces in groups.values()]
    parts = [partial(_part, title, traces[0]) for title, traces in groups.items()]
    figure = figures.compose(heights, parts, width=style.WIDTH)
    caption = (
        "Figure 3. The heterogeneous attention, with the shapes of the tensors between its units "
        "and the number of parameters that each learns, recorded from one forward pass."
    )
    notes = (
        f"{published.NO_DRAWINGS} This diagram follows the equations. k: thousand, M: million. "
        "What a configuration lacks is not drawn; configurations with the same attention share a "
        "diagram."
    )
    said = " ".join(
        f"{title}: the attention has {traces[0].parameters('attention')} parameters."
        for title, traces in groups.items()
    )  # fmt: skip
    return Drawing(figure, _TITLE, caption, said, notes)


def _alike(traces: Sequence[tuple[Results, Trace]]) -> dict[str, list[Trace]]:
    """Traces of the same attention on the same dataset, by what they are called together."""
    groups: dict[tuple[str, str], list[tuple[Results, Trace]]] = {}
    for results, trace in traces:
        groups.setdefault((results.dataset, trace.fingerprint("attention")), []).append(
            (results, trace)
        )
    return {
        f"{listed(published.title(t.data['name']) for _, t in group)}, {group[0][0].heading}":
        [trace for _, trace in group]
        for group in groups.values()
    }  # fmt: skip


def _height(trace: Trace) -> float:
    """Units: less without calibration, which has a row of its own."""
    return 74.0 if trace.config["attention"]["calibration"] != "none" else 74.0 - (_G - _X)


def _part(title: str, trace: Trace, part: SubFigure) -> None:
    canvas = Canvas(part, _height(trace))
    canvas.text(2, _height(trace) - 3.5, title, ha="left", size=8, weight="bold")
    canvas.text(70, 3.5, trace.legend("attention"), size=5.8, color=style.MUTED)
    own = trace.config["attention"]["self_attention"]
    calibration = trace.config["attention"]["calibration"]
    _draw_maps(canvas, trace, context=calibration != "none")
    for y, pair in ((_X, "clip–clip"), (_Y, "word–word")):
        if own:
            canvas.path((31.5, y), (_SELF - 11, y))
            canvas.box(_SELF, y, 22, 13, "attention", "Self-attention", (pair, *_UNIT))
    start = _SELF + 11 if own else 31.5
    _draw_inter(canvas, trace, start)
    if calibration != "none":
        _draw_calibration(canvas, trace, calibration, own)
    canvas.path((start, _X), (_UNITS, _X), head=False)
    if own or calibration != "none":
        canvas.dot(_UNITS, _X)
    if own:
        canvas.tensor(_FORK, _X, "$X_s$", trace.outputs("attention.norms.clips"))
        canvas.tensor(_FORK, _Y, "$Y_s$", trace.outputs("attention.norms.words"))
        canvas.path((_UNITS, _X), (_JOIN - 4, _X))
        canvas.tensor(109, _X, "$X_s$", trace.outputs("attention.norms.clips"))
    _draw_join(canvas, trace, calibration != "none", own)


def _draw_maps(canvas: Canvas, trace: Trace, *, context: bool) -> None:
    rows = [
        (_X, "video", r"$\tilde{V}$", "$W_1$", "$X$", "clips and what\nis remembered"),
        (_Y, "query", r"$\tilde{Q}$", "$W_2$", "$Y$", "words and what\nis remembered"),
    ]
    if context:
        rows.append((_G, "context", "$V$", "$W_3$", "$G$", "encoded clips:\nglobal context"))
    for y, name, symbol, weight, mapped, words in rows:
        module = f"attention.{name}"
        canvas.text(7, y + 6.6, words, size=5.5, color=style.MUTED)
        canvas.tensor(7, y, symbol, trace.inputs(module))
        canvas.path((12, y), (22.5, y))
        canvas.box(_MAPS, y, 9, 8, "plain", "", (weight, trace.parameters(module)))
        canvas.tensor(36.5, y, mapped, trace.outputs(module))


def _draw_inter(canvas: Canvas, trace: Trace, start: float) -> None:
    canvas.path((start, _Y), (_UNITS - 11, _Y))
    canvas.box(_UNITS, _Y, 22, 13, "attention", "Inter-attention", ("clip–word", *_UNIT))
    canvas.path((_UNITS, _X), (_UNITS, _Y + 6.5))
    canvas.text(
        _UNITS + 1, _Y + 9.2, "query", size=5.5, color=style.MUTED, ha="left", style="italic"
    )
    canvas.text(_UNITS - 12, _Y + 1.6, "key, value", size=5.5, color=style.MUTED, ha="right",
                style="italic")  # fmt: skip
    alone = trace.outputs("attention") == trace.outputs("attention.norms.inter")
    canvas.path((_UNITS + 11, _Y), (_JOIN - 4, _Y), head=not alone)
    canvas.tensor(109, _Y, "$X_i$", trace.outputs("attention.norms.inter"))


def _draw_calibration(canvas: Canvas, trace: Trace, kind: str, own: bool) -> None:
    lines = [line if own else line.replace("X_s", "X") for line in _CALIBRATE[kind]]
    of_context, of_clips = _ROLES[kind]
    canvas.path((31.5, _G), (_UNITS - 11, _G))
    canvas.box(_UNITS, _G, 22, 13, "attention", "Calibration", lines)
    canvas.path((_UNITS, _X), (_UNITS, _G - 6.5))
    canvas.text(
        _UNITS + 1, _G - 9.2, of_clips, size=5.5, color=style.MUTED, ha="left", style="italic"
    )
    canvas.text(_UNITS - 12, _G + 1.6, of_context, size=5.5, color=style.MUTED, ha="right",
                style="italic")  # fmt: skip
    canvas.path((_UNITS + 11, _G), (_JOIN - 4, _G))
    canvas.tensor(109, _G, "$X_c$", trace.outputs("attention.norms.calibration"))


def _draw_join(canvas: Canvas, trace: Trace, calibrated: bool, own: bool) -> None:
    rows = [_Y, *([_X] if own else []), *([_G] if calibrated else [])]
    middle = (min(rows) + max(rows)) / 2
    if len(rows) > 1:
        canvas.box(_JOIN, middle, 8, max(rows) - min(rows) + 13, "plain")
        canvas.text(_JOIN, middle, "concatenate", size=6.2, rotation=90)
    else:
        canvas.path((_JOIN - 4, middle), (_JOIN + 4, middle), head=False)
    canvas.path((_JOIN + 4, middle), (138, middle))
    canvas.tensor(131, middle, "$F$", trace.outputs("attention"))
    canvas.text(131, middle - 6, "to the heads", size=5.5, color=style.MUTED)
