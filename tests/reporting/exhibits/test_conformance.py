"""The table of methods beside released code says what was measured, in words."""

from pathlib import Path
from typing import Any

import pytest

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.reporting.draw import tables
from mgsl.reporting.exhibits import conformance
from mgsl.reporting.read import published

HEADERS = {
    "drn": {
        "paper": "P",
        "reference": "owner/drn, commit 0123abc, for one",
        "code": "owner/drn",
        "deviations": ["`x` is ours.", "So is y."],
    },
    "mgsl_net": {
        "paper": "P",
        "reference": "none was released; so.",
        "code": "",
        "deviations": ["none"],
    },
    "prior": {
        "paper": "P",
        "reference": "owner/prior, commit 4567def",
        "code": "owner/prior",
        "deviations": ["none"],
    },
}


def comparison(kind: str, difference: float, precision: str = "float32") -> dict[str, Any]:
    return {"kind": kind, "what": f"some {kind}", "numbers": 1500, "precision": precision,
            "difference": difference, "bound": 1e-5}  # fmt: skip


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tables.TextTable:
    monkeypatch.chdir(tmp_path)
    measured: dict[str, Any] = {
        name: {"header": header, "settings": {}} for name, header in HEADERS.items()
    }
    rows = [
        comparison("outputs", 3e-6),
        comparison("outputs", 2e-15, "float64"),
        comparison("labels", 0.0, "bool"),
        comparison("losses", 1e-7),
        comparison("gradients", 2e-5),
        comparison("gradients", 1e-6),
    ]
    parameters = {"theirs": 4500, "ours": 4000, "why": "a table of words"}
    measured["drn"]["settings"]["A"] = {"comparisons": rows, "parameters": parameters}
    write_json(paths.CONFORMANCE, measured)
    return conformance.build()


def test_the_overview_has_a_row_for_every_method(table: tables.TextTable) -> None:
    overview = {row[1]: row[2:] for row in table.rows if row[0] == conformance.OVERVIEW}
    said = "outputs 3e-6, losses 1e-7, gradients 2e-5"
    assert overview["DRN"] == ("owner/drn, commit 0123abc", said)
    assert overview[published.title("mgsl_net")] == ("none was released", tables.DASH)
    assert overview[published.title("prior")] == ("owner/prior, commit 4567def", "not compared")
    assert overview["GDP"] == ("no code was released", "no model here")


def test_a_method_is_told_with_its_numbers_and_deviations(table: tables.TextTable) -> None:
    assert [row[1:] for row in table.rows if row[0] == "DRN"] == [
        ("Released code", "owner/drn, commit 0123abc, for one", ""),
        ("Outputs, A", "3,000 numbers: some outputs", "3e-6; in double 2e-15"),
        ("Labels, A", "1,500 numbers: some labels", "none"),
        ("Losses, A", "1,500 numbers: some losses", "1e-7"),
        ("Gradients, A", "3,000 numbers: some gradients", "2e-5"),
        ("Parameters, A", "4,500 there, 4,000 here, without a table of words", "500 fewer"),
        ("Deviation", "x is ours.", ""),
        ("Deviation", "So is y.", ""),
    ]


def test_it_is_read_in_all_shapes(table: tables.TextTable) -> None:
    for shape in (tables.to_markdown, tables.to_html, tables.to_latex):
        assert "3e-6" in shape(table)


def test_what_trace_has_not_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="python -m mgsl trace"):
        conformance.build()
