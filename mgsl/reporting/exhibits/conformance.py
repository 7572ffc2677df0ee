"""Methods beside their released code: how far apart, how large, what differs on purpose."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mgsl import paths
from mgsl.errors import missing
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.draw.tables import DASH, TextTable
from mgsl.reporting.read import published

COLUMNS = ("Method", "Subject", "What was compared", "Largest difference")
OVERVIEW = "All methods"
KINDS = ("outputs", "labels", "losses", "gradients")
_COMMIT = re.compile(r"[\w.-]+/[\w.-]+, commit \w+")

Row = tuple[str, str, str, str]


def build() -> TextTable:
    """All methods in short, then each with what was compared and with its deviations.

    Raises:
        UserError: nothing was compared yet.
    """
    try:
        measured = json.loads(paths.CONFORMANCE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(paths.CONFORMANCE, "run `python -m mgsl trace`") from None
    methods = [m for m in published.methods() if m.name in measured]
    overview = [_overview(m.title, measured[m.name]) for m in methods]
    without = [
        (OVERVIEW, published.title(name), why, "no model here")
        for name, why in published.without_code().items()
        if name not in measured
    ]
    details = [row for m in methods for row in _details(m.title, measured[m.name])]
    caption = (
        "Each method compared with the code that its authors released: both get the same random "
        "weights and inputs, at small sizes."
    )
    notes = (
        "A difference is divided by the number’s magnitude plus one; for gradients, by the norm of "
        "each parameter’s gradient. It is rounded up to one digit. Unless stated otherwise, "
        "computations are in single precision, whose rounding accounts for about 1e-6. Parameters "
        "are counted at the released sizes. Deviations are quoted from the method’s source file."
    )
    if any(_is_transcribed(measured[m.name]) for m in methods):
        notes += (
            " “Transcription”: the authors’ program could not be run, so its computation was "
            "written down again, and ours is compared with that."
        )
    rows = (*overview, *without, *details)
    said = _statement([measured[m.name] for m in methods])
    return TextTable(caption, COLUMNS, rows, (1.3, 4.6, 1.5), said, notes)


def _statement(methods: list[Mapping[str, Any]]) -> str:
    """How many methods were compared, and the largest differences of all."""
    rows = [r for m in methods for s in m["settings"].values() for r in s["comparisons"]]
    compared = sum(any(s["comparisons"] for s in m["settings"].values()) for m in methods)
    if not rows:
        return "No method was compared with released code."
    worst = {
        kind: _largest(row for row in rows if row["kind"] == kind)
        for kind in ("outputs", "losses", "gradients")
        if any(row["kind"] == kind for row in rows)
    }
    return (
        f"{compared} of {len(methods)} methods compute what their released code computes: in "
        f"{sum(row['numbers'] for row in rows):,} numbers the largest difference is "
        f"{listed(f'{value} in {kind}' for kind, value in worst.items())}."
    )


def _overview(title: str, method: Mapping[str, Any]) -> Row:
    reference = method["header"]["reference"]
    rows = [row for setting in method["settings"].values() for row in setting["comparisons"]]
    if not method["header"]["code"]:
        return OVERVIEW, title, "none was released", DASH
    commit = _COMMIT.match(reference)
    what = commit[0] if commit else reference
    if not rows:
        return OVERVIEW, title, what, "not compared"
    if _is_transcribed(method):
        what += ": a transcription, as the authors’ program could not be run"
    worst = [
        f"{kind} {_largest(row for row in rows if row['kind'] == kind)}"
        for kind in ("outputs", "losses", "gradients")
    ]
    return OVERVIEW, title, what, ", ".join(worst)


def _is_transcribed(method: Mapping[str, Any]) -> bool:
    return any(setting.get("transcribed") for setting in method["settings"].values())


def _details(title: str, method: Mapping[str, Any]) -> Iterator[Row]:
    header = method["header"]
    yield title, "Released code", _plain(header["reference"]), ""
    for name, setting in method["settings"].items():
        for kind in KINDS:
            if rows := [row for row in setting["comparisons"] if row["kind"] == kind]:
                things = "; ".join(dict.fromkeys(row["what"] for row in rows))
                count = sum(row["numbers"] for row in rows)
                what = f"{count:,} numbers: {things}"
                yield title, f"{kind.capitalize()}, {name}", what, _differences(rows)
        yield title, f"Parameters, {name}", *_parameters(setting["parameters"])
    for sentence in header["deviations"]:
        yield title, "Deviation", _plain(sentence), ""


def _parameters(counts: Mapping[str, Any]) -> tuple[str, str]:
    less = counts["theirs"] - counts["ours"]
    why = f", without {counts['why']}" if less else ""
    said = f"{less:,} fewer" if less else "equal"
    return f"{counts['theirs']:,} there, {counts['ours']:,} here{why}", said


def _differences(rows: list[dict[str, Any]]) -> str:
    """In single precision, and in double where that was compared too."""
    doubles = [row for row in rows if row["precision"] == "float64"]
    single = _largest(row for row in rows if row not in doubles)
    return f"{single}; in double {_largest(doubles)}" if doubles else single


def _largest(rows: Iterable[Mapping[str, Any]]) -> str:
    """The largest difference of some comparisons, to the digit that is kept of it."""
    largest = max(row["difference"] for row in rows)
    return re.sub(r"e-0?", "e-", f"{largest:.0e}") if largest else "none"


def _plain(text: str) -> str:
    """Without the marks of code."""
    return text.replace("`", "")
