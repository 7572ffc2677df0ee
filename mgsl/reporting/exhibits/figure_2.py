"""Figure 2: the whole architecture, drawn from one call of the live model."""

from collections.abc import Sequence
from functools import partial

from matplotlib.figure import SubFigure

from mgsl.reporting.draw import diagram, figures, style
from mgsl.reporting.draw.diagram import Canvas
from mgsl.reporting.draw.figures import Drawing
from mgsl.reporting.read.results import Results
from mgsl.reporting.read.traces import Trace, heading, not_run, read_all

_TITLE = "Figure 2. MGSL-Net"
_HEIGHT = 84.0  # units
_V, _Q_HAT, _V_HAT, _Q = 62.0, 48.0, 32.0, 18.0  # where each stream runs
_DOMAINS = {"video": (_V, _Q_HAT), "query": (_Q, _V_HAT)}  # own stream, the other's view
_CALIBRATION = {"attention": "calibration: V asks", "reverse": "calibration: V answers",
                "gate": "calibration: gate of V"}  # fmt: skip


def draw(datasets: Sequence[str], names: Sequence[str]) -> Drawing:
    """One diagram for each dataset and configuration that was run.

    Args:
        datasets: names of datasets.
        names: configurations of MGSL-Net; those that were not run are left out.
    """
    traces = read_all(datasets, names)
    if not traces:
        return figures.absent(_TITLE, not_run(names))
    parts = [partial(_part, *which) for which in traces]
    figure = figures.compose(_HEIGHT * diagram.UNIT, parts, width=style.WIDTH)
    caption = (
        "Figure 2. MGSL-Net: its modules, the shapes of the tensors between them, and the number "
        "of parameters that each learns, recorded from one forward pass of the model."
    )
    notes = (
        "k: thousand, M: million. What a configuration lacks is not drawn. Plus sign: what is read "
        "from the memory is added to the stream. Slots are written during training only."
    )
    said = " ".join(
        f"{heading(results, trace)}: {trace.parameters('')} parameters, of which the attention has "
        f"{trace.parameters('attention')}." for results, trace in traces
    )  # fmt: skip
    return Drawing(figure, _TITLE, caption, said, notes)


def _part(results: Results, trace: Trace, part: SubFigure) -> None:
    canvas = Canvas(part, _HEIGHT)
    canvas.text(2, _HEIGHT - 3.5, heading(results, trace), ha="left", size=8, weight="bold")
    canvas.text(70, 4, trace.legend(), size=5.8, color=style.MUTED)
    _draw_encoders(canvas, trace)
    _draw_alignment(canvas, trace)
    for domain in _DOMAINS:
        _draw_memory(canvas, trace, domain)
    _draw_attention(canvas, trace)
    _draw_heads(canvas, trace)


def _draw_encoders(canvas: Canvas, trace: Trace) -> None:
    for domain, y, symbol, inks in (
        ("video", _V, "$V$", "#9cc3e0"),
        ("query", _Q, "$Q$", "#b9d7ec"),
    ):
        name = f"{domain}_encoder"
        canvas.cards(6, y, 4, inks)
        canvas.text(6, y + 4.6, "clips" if domain == "video" else "words", size=6.2)
        canvas.text(6, y - 4.4, trace.inputs(name, named=False), size=5.5, color=style.MUTED)
        layers = len(trace.under(f"{name}.attention"))
        lines = [f"self-attention × {layers}", "BiLSTM", trace.parameters(name)]
        canvas.path((10.8, y), (14, y))
        canvas.box(22.5, y, 17, 13, "encoder", f"{domain.capitalize()} encoder", lines)
        canvas.path((31, y), (41, y))
        canvas.tensor(37, y, symbol, trace.outputs(name))


def _draw_alignment(canvas: Canvas, trace: Trace) -> None:
    normalized = ["normalised"] if trace.config["alignment"]["normalized"] else []
    lines = [
        "", "$A_1$: each clip", "looks at words", trace.outputs("alignment", 2), "",
        "$A_2$: each word", "looks at clips", trace.outputs("alignment", 3), "", *normalized,
        trace.parameters("alignment"),
    ]  # fmt: skip
    middle = (_V + _Q) / 2
    canvas.box(49.5, middle, 17, _V - _Q + 13, "alignment", "Cross-modal\nalignment", lines)


def _draw_memory(canvas: Canvas, trace: Trace, domain: str) -> None:
    own, view = _DOMAINS[domain]
    symbols = ("$V$", r"$\hat{Q}$") if domain == "video" else ("$Q$", r"$\hat{V}$")
    kind = trace.config["memory"][domain]
    remembered = {"none": (), "own": (own,), "separate": (own, view), "shared": (own, view)}[kind]
    module = f"{domain}_memory.memories.0"
    for y, symbol, place in ((own, symbols[0], 0), (view, symbols[1], 1)):
        shape = trace.outputs(f"{domain}_memory", place)
        canvas.tensor(63, y, symbol, shape)
        if y not in remembered:
            canvas.path((58, y), (106, y))
            continue
        canvas.path((58, y), (70, y))
        canvas.path((88, y), (106, y))
        read = symbol[:-1] + "{}^{\\prime}$"
        canvas.tensor(101 if trace.config["memory"]["residual"] else 97, y, read, shape)
        if trace.config["memory"]["residual"]:
            side = 6.6 if y in (_V, _V_HAT) else -6.6
            canvas.path((67, y), (67, y + side), (93, y + side), (93, y + side * 0.23))
            canvas.dot(67, y)
            canvas.plus(93, y)
    if not remembered:
        return
    title = f"{domain.capitalize()} memory"
    if kind == "shared":
        _memory_box(canvas, trace, module, title, (own + view) / 2, abs(own - view) + 9)
        return
    _memory_box(canvas, trace, module, title, own, 11.0)
    if kind == "separate":
        _memory_box(canvas, trace, f"{domain}_memory.memories.1", "Memory of view", view, 11.0)


def _memory_box(
    canvas: Canvas, trace: Trace, module: str, title: str, y: float, height: float
) -> None:
    count, _ = trace.slots(module)
    if height < 14:
        canvas.box(
            79, y, 18, height, "memory", title, [f"{count} slots × d", trace.parameters(module)]
        )
        return
    canvas.box(79, y, 18, height, "memory")
    canvas.text(79, y + height / 2 - 3, title, size=6.6, weight="bold")
    canvas.grid(79, y + 1.3, 10, 6)
    canvas.text(79, y - 6.0, f"{count} slots × d", size=5.7, color="#3c4043")
    canvas.text(79, y - 8.6, trace.parameters(module), size=5.7, color="#3c4043")


def _draw_attention(canvas: Canvas, trace: Trace) -> None:
    middle, config = (_V + _Q) / 2, trace.config["attention"]
    units = ["self: clip–clip", "word–word"] if config["self_attention"] else []
    units.append("inter: clip–word")
    if config["calibration"] != "none":
        units += _CALIBRATION[config["calibration"]].replace(": ", ":|").split("|")
        canvas.dot(33.3, _V)
        canvas.path((33.3, _V), (33.3, _V + 11.5), (114.5, _V + 11.5), (114.5, _V + 6.5))
        canvas.text(79, _V + 13.3, "$V$ as global context", size=6)
    lines = ["", *units, "", trace.parameters("attention")]
    canvas.box(
        114.5, middle, 17, _V - _Q + 13, "attention", "Heterogeneous\nattention", lines
    )  # fmt: skip
    for y, symbol, shape in (
        ((_V + _Q_HAT) / 2, r"$\tilde{V}$", trace.inputs("attention", 0)),
        ((_Q + _V_HAT) / 2, r"$\tilde{Q}$", trace.inputs("attention", 1)),
    ):
        canvas.text(100.5, y + 1.6, symbol, size=7.5)
        canvas.text(100.5, y - 1.7, shape, size=5.5, color=style.MUTED)


def _draw_heads(canvas: Canvas, trace: Trace) -> None:
    middle = (_V + _Q) / 2
    for y, name, title, place in (
        (_V - 3, "boundary", "Boundary", 0),
        (middle, "confidence", "Confidence", 1),
        (_Q + 3, "iou", "IoU", 2),
    ):
        count = len(trace.under(f"heads.{name}"))
        lines = [f"{count} conv. layers", f"out: {trace.outputs('heads', place)}"]
        canvas.path((123, y), (127, y))
        canvas.box(133, y, 12, 10, "head", title, lines)
    canvas.text(127, _V + 5, "$F$", size=7.5, ha="left")
    canvas.text(130, _V + 4.8, trace.outputs("attention"), size=5.5, color=style.MUTED, ha="left")
    canvas.text(133, _Q - 6, "every clip\nproposes\na moment", size=5.5, color=style.MUTED)
