"""A table of sentences says the same in every shape."""

import re
from pathlib import Path

import pytest

from mgsl.reporting.draw import tables
from mgsl.reporting.draw.tables import TextTable

TABLE = TextTable(
    "A caption with 5 %.",
    ("Subject", "Finding", "Evidence"),
    (("One", "a < b & c", "x_1 | 7 %"), ("Two", "d", "e"), ("One", "f", "g")),
    widths=(1.0, 3.0),
)


def test_html_groups_rows_by_subject_and_escapes() -> None:
    text = tables.to_html(TABLE)
    assert text.count("<tbody>") == 2
    assert re.search(r'<th colspan="2" scope="rowgroup"><a [^>]+>One</a></th>', text)
    assert '<td data-name="Finding">a &lt; b &amp; c</td>' in text
    assert text.index(">f<") < text.index(">Two<")


def test_markdown_has_a_line_for_each_row_and_no_broken_pipe() -> None:
    lines = tables.to_markdown(TABLE).splitlines()
    assert lines[2] == "| Subject | Finding | Evidence |"
    assert lines[4] == r"| One | a \< b & c | x_1 \| 7 % |"
    assert len(lines) == 7


def test_latex_escapes_and_shares_the_width() -> None:
    text = tables.to_latex(TABLE)
    assert (
        r"\raggedright a $<$ b \& c\par & \raggedright x\_\allowbreak{}1 | 7 \%\par \tabularnewline"
        in text
    )
    assert r"p{0.220\textwidth}p{0.660\textwidth}" in text
    assert text.count(r"\begin{table*}") == 2
    assert r"\caption{One. A caption with 5 \%.}" in text
    assert r"\caption{Two. Continued.}" in text


def test_saving_writes_three_files(tmp_path: Path) -> None:
    tables.save(TABLE, str(tmp_path / "r"))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"r.csv", "r.md", "r.tex"}
    assert (tmp_path / "r.csv").read_text().splitlines()[2] == "Two,d,e"


def test_a_row_or_a_width_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 cells for 3 columns"):
        TextTable("", ("a", "b", "c"), (("1", "2"),), widths=(1.0, 1.0))
    with pytest.raises(ValueError, match="3 widths for 1 columns"):
        TextTable("", ("a", "b"), (), widths=(1.0, 1.0, 1.0))
