"""Table 1 says what is printed, what is ours, and never lets the two be mistaken."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from mgsl.errors import UserError
from mgsl.reporting.draw import tables
from mgsl.reporting.draw.numbers import decimals
from mgsl.reporting.draw.tables import CHECK, DASH, Cell, Columns, Table
from mgsl.reporting.exhibits import table_1
from tests.reporting import report_workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded", "charades_actions"])
    return tmp_path


@pytest.fixture
def small() -> Table:
    columns = (Columns("paper: A", ("R@1, IoU=0.5",), False), Columns("ours: b_c", ("x",), True))
    rows = (("First & 1", (Cell("1.00"), Cell())), ("Second", (Cell(DASH), Cell("2.0", "1–3"))))
    return Table("A caption: 95% >= 1.", columns, rows, pd.DataFrame({"a": [1]}))


def row(table: Table, title: str) -> tuple[Cell, ...]:
    return dict(table.rows)[title]


@pytest.mark.usefixtures("root")
def test_the_embedded_dataset_stands_apart_from_all_printed_columns() -> None:
    table = table_1.build(["embedded"])
    assert [block.title for block in table.columns] == [
        "paper: ActivityNet Captions, C3D",
        "paper: TACoS, C3D",
        "paper: Charades-STA, I3D",
        "ours: embedded (simulated), 10 epochs, seed 0",
    ]
    assert [block.ours for block in table.columns] == [False, False, False, True]
    assert "gap" not in table.columns[-1].names
    assert "SIMULATED" in table.caption


@pytest.mark.usefixtures("root")
def test_all_fifteen_printed_rows_stand_whatever_was_run() -> None:
    table = table_1.build(["embedded"])
    assert len(table.rows) == 17  # fifteen of the paper, then two configurations of MGSL-Net
    assert [cell.text for cell in row(table, "TGN")[:4]] == ["28.47", DASH, "43.33", DASH]
    assert [cell.text for cell in row(table, "CBLN")[12:]] == [DASH] * 7
    paper, ours = row(table, "MGSL-Net (paper)"), row(table, "MGSL-Net (repaired)")
    assert paper[0].text == "51.87"
    assert {cell.text for cell in paper[12:]} == {DASH}
    assert {cell.text for cell in ours[:12]} == {DASH}
    assert ours[12] == Cell("60.00", "57.0–63.0")
    assert {cell.text for cell in row(table, "MGSL-Net (literal)")[:12]} == {DASH}


@pytest.mark.usefixtures("root")
def test_real_queries_stand_beside_their_benchmark_with_the_gap() -> None:
    table = table_1.build(["charades_actions"])
    assert table.columns[2].title == "paper: Charades-STA, I3D"
    assert table.columns[3].title == "ours: charades_actions, 8 epochs, seed 0"
    assert table.columns[3].names[:2] == ("R@1, IoU=0.5", "gap")
    cells = row(table, "MGSL-Net (repaired)")
    assert row(table, "MGSL-Net (paper)")[8].text == "63.98"
    assert [cell.text for cell in cells[12:14]] == ["55.00", "−8.98"]
    assert "action timelines, not I3D" in table.notes


@pytest.mark.usefixtures("root")
def test_a_method_that_was_not_run_has_no_gap() -> None:
    assert {c.text for c in row(table_1.build(["charades_actions"]), "TGN")[12:]} == {DASH}


@pytest.mark.usefixtures("root")
def test_the_tidy_rows_hold_the_numbers_and_what_they_rest_on() -> None:
    tidy = table_1.build(["embedded", "charades_actions"]).tidy
    numbers = tidy.query(
        "name == 'mgsl_net' and dataset == 'charades_actions' and metric == 'R@1, IoU=0.7'"
    ).iloc[0]
    assert (numbers["printed_percent"], numbers["ours_percent"]) == (41.03, 50.0)
    assert numbers["gap_points"] == pytest.approx(8.97)
    assert numbers["features"] == "action timelines"
    simulated = tidy[tidy["dataset"] == "embedded"]
    assert simulated["simulated"].all()
    assert simulated["gap_points"].isna().all()
    assert simulated["printed_percent"].isna().all()


def test_several_seeds_show_their_mean_and_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"], seeds=(0, 1, 2))
    table = table_1.build(["embedded"])
    assert row(table, "MGSL-Net (repaired)")[12].text == "61.00 ± 1.00"
    assert "mean over seeds 0, 1, 2" in table.caption
    assert "standard deviation" in table.notes


@pytest.mark.usefixtures("root")
def test_a_metric_without_a_value_is_a_dash() -> None:
    path = Path("artifacts/embedded/metrics.csv")
    metrics = pd.read_csv(path)
    metrics.loc[metrics["metric"] == "R@5, IoU=0.3", ["mean", "mean_low", "mean_high"]] = float(
        "nan"
    )
    metrics.to_csv(path, index=False)
    assert row(table_1.build(["embedded"]), "MGSL-Net (literal)")[15].text == DASH


@pytest.mark.usefixtures("root")
def test_metrics_that_lack_a_run_are_refused() -> None:
    path = Path("artifacts/embedded/metrics.csv")
    metrics = pd.read_csv(path)
    metrics[metrics["name"] != "printed"].to_csv(path, index=False)
    with pytest.raises(UserError, match=r"lacks the runs \[\('printed', 0\)\]"):
        table_1.build(["embedded"])


@pytest.mark.usefixtures("root")
def test_metrics_of_a_run_that_is_not_asked_for_are_not_shown() -> None:
    path = Path("artifacts/embedded/metrics.csv")
    metrics = pd.read_csv(path)
    stale = metrics[metrics["name"] == "mgsl_net"].assign(seed=7, value=1.0)
    pd.concat([metrics, stale]).to_csv(path, index=False)
    cells = row(table_1.build(["embedded"]), "MGSL-Net (repaired)")
    assert cells[12].text == "60.00"


def test_saving_twice_gives_the_same_bytes(tmp_path: Path, small: Table) -> None:
    names = ["t.csv", "t.md", "t.numbers.tex", "t.tex"]
    tables.save(small, str(tmp_path / "t"))
    first = [(tmp_path / name).read_bytes() for name in names]
    tables.save(small, str(tmp_path / "t"))
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert [(tmp_path / name).read_bytes() for name in names] == first


def test_markdown_rows_are_as_wide_as_their_heading(small: Table) -> None:
    lines = [line for line in tables.to_markdown(small).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {4}
    assert "ours: b_c: x" in lines[0]
    assert "2.0 (1–3)" in lines[-1]


def test_latex_uses_booktabs_and_escapes(small: Table) -> None:
    text = tables.to_latex(small)
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\cmidrule"))
    assert r"First \& 1" in text
    assert r"95\% $\geq$ 1" in text
    assert r"ours: b\_c" in text
    assert not re.search(r"(?<!\\)[%&_](?=\w)", text.split(r"\midrule")[1].replace("%s", ""))


def test_latex_has_a_command_for_every_sign_of_a_table() -> None:
    signs = "Δ β × − – ± > < >= " + CHECK
    cells = (Cell(signs, "[−1.0, +2.0]"),)
    table = Table(signs, (Columns(signs, ("x",), True),), ((signs, cells),), pd.DataFrame())
    assert tables.to_latex(table).isascii()


def test_html_closes_every_tag_and_lets_the_table_scroll(small: Table) -> None:
    class Balance(HTMLParser):
        open: list[str]

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open.append(tag) if tag != "br" else None

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    parser = Balance()
    parser.open = []
    text = tables.to_html(small)
    parser.feed(text)
    assert parser.open == []
    assert 'class="scroll"' in text
    assert "First &amp; 1" in text
    assert 'class="ours first"' in text


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="row 'a' has 2 cells for 1 columns"):
        Table("", (Columns("c", ("x",), True),), (("a", (Cell(), Cell())),), pd.DataFrame())


def test_blocks_that_are_too_tall_for_a_page_of_latex_are_floats_of_their_own() -> None:
    blocks = tuple(Columns(f"ours: {i}", tuple("abcdefgh"), ours=True) for i in range(2))
    for count, floats in ((25, 1), (26, 2)):
        rows = tuple((f"row {i}", (Cell("1"),) * 16) for i in range(count))
        text = tables.to_latex(Table("Caption.", blocks, rows, pd.DataFrame()))
        assert text.count(r"\begin{table*}") == floats
        assert text.count(r"\begin{tabular}") == 2
        assert text.count("(continued)") == floats - 1


def test_the_best_number_of_a_column_that_has_one_is_bold() -> None:
    columns = (Columns("ours", ("R@1, IoU=0.5", "gap"), ours=True, best=("R@1, IoU=0.5",)),)
    rows = (
        ("a", (Cell("9.5 ± 0.1", "9.0–9.9"), Cell("+8.0"))),
        ("b", (Cell("12.0", "11–13"), Cell("−3.0"))),
        ("c", (Cell(DASH), Cell(DASH))),
    )
    table = Table("A caption.", columns, rows, pd.DataFrame())
    assert table.best == {(1, 0)}
    assert "<strong>12.0</strong>" in tables.to_html(table)
    assert r"b & \textbf{12.0}" in tables.to_latex(table)


def test_one_number_alone_is_not_the_best() -> None:
    columns = (Columns("ours", ("x",), ours=True, best=("x",)),)
    rows = (("a", (Cell("1.0"),)), ("b", (Cell(DASH),)))
    assert Table("", columns, rows, pd.DataFrame()).best == set()


def test_a_caption_of_latex_is_a_sentence_and_the_rest_stands_below(small: Table) -> None:
    table = replace(small, caption="Table 1. One sentence. Another.", notes="How to read it.")
    text = tables.to_latex(table)
    assert r"\caption{One sentence.}" in text
    assert "Another. How to read it." in text.split(r"\end{tabular}")[1]


def test_latex_of_numbers_alone_has_no_interval_and_no_spread() -> None:
    cells = (Cell("52.35 ± 7.88", "46.7–58.0"), Cell("yes"))
    table = Table(
        "A.", (Columns("c", ("x", "y"), True),), (("a", cells),), pd.DataFrame(), notes="N."
    )
    text = tables.to_latex(table, numbers_only=True)
    assert r"a & 52.35 & yes \\" in text
    assert "46.7" not in text
    assert "N." not in text


def test_how_to_read_a_table_is_unfolded_by_who_wants_it(small: Table) -> None:
    text = tables.to_html(replace(small, notes="A < B."))
    assert "<summary>How to read</summary><p>A &lt; B.</p></details>" in text
    assert "<details" not in tables.to_html(small)


def test_percentages_of_few_queries_have_one_decimal() -> None:
    assert (decimals(220), decimals(4000)) == (1, 2)
