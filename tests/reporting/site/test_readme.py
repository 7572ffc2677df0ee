"""README says what the committed reports say, and only the pipeline writes its numbers."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mgsl import paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.reporting.draw.phrases import listed
from mgsl.reporting.read import equations
from mgsl.reporting.site import readme
from mgsl.reporting.site.readme import DOCUMENTS, README
from mgsl.reporting.site.readme_numbers import CLAIMS, RUNS, ReadmeNumbers, in_words
from tests import ROOT

TEMPLATES = Path(readme.__file__).parent / "templates" / "readme"
TABLES_3_TO_5 = ["mgsl_net", "attention_only", "printed"]
LENGTHS = """dataset,name,times,epochs,seed,kept,"val_R@1, IoU=0.5"
embedded,tan_2d,1,10,0,9,0.25
embedded,tan_2d,2,20,0,19,0.30
embedded,drn,1,10,0,9,0.60
embedded,drn,2,20,0,19,0.60
"""

LENGTHS_OF = paths.study("lengths", "embedded") / "rows.csv"
LENGTHS_OF_REAL = paths.study("lengths", "charades_actions") / "rows.csv"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """README and what it is made from, to be changed; the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / README, tmp_path)
    shutil.copy(ROOT / paths.PARAMS, tmp_path)
    for folder in (paths.EXHIBITS, paths.STUDIES):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for path in (LENGTHS_OF, LENGTHS_OF_REAL):
        path.unlink(missing_ok=True)  # a test writes its own
    return tmp_path


def change(path: Path, rows: str, **values: object) -> None:
    """Set columns of those rows of a CSV that an expression picks."""
    table = pd.read_csv(path)
    table.loc[table.eval(rows), list(values)] = list(values.values())
    table.to_csv(path, index=False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_a_document_is_what_the_committed_reports_give(document: Path) -> None:
    text = (ROOT / document).read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert readme.fill(text, ReadmeNumbers(), document) == text, "run `python -m mgsl index`"


def test_readme_is_read_in_three_minutes_and_has_a_block_for_each_template() -> None:
    text = (ROOT / README).read_text()
    assert len(text.splitlines()) <= 130  # a row for each of fifteen methods
    text = "".join((ROOT / document).read_text() for document in DOCUMENTS)
    names = re.findall(r"<!-- mgsl:(\w+) -->", text)
    assert sorted(names) == sorted(path.stem for path in TEMPLATES.iterdir())
    assert re.findall(r"<!-- /mgsl:(\w+) -->", text) == names


def test_readme_is_no_output_that_dvc_would_remove() -> None:
    stages = read_yaml(ROOT / "dvc.yaml")["stages"]
    outs = {out for stage in stages.values() for out in stage.get("outs", []) if type(out) is str}
    assert outs.isdisjoint(map(str, DOCUMENTS))


def test_only_what_stands_between_markers_is_written_and_only_if_it_differs(copy: Path) -> None:
    readme.update()
    before, written = README.read_text(), README.stat()
    readme.update()
    assert README.stat().st_ino == written.st_ino
    README.write_text(f"Before.\n{before}After.\n".replace("| DRN | ", "| DRN | 99"))
    readme.update()
    assert README.read_text() == f"Before.\n{before}After.\n"


def test_more_trainings_and_other_verdicts_read_well(copy: Path) -> None:
    change(RUNS, f"name in {TABLES_3_TO_5}", trainings=10)
    change(CLAIMS, "claim in ['memory_full', 'memory_rare']", trainings=10.0)
    change(CLAIMS, "claim == 'memory_full'", low=0.4, high=6.0, verdict_here="supported")
    change(CLAIMS, "claim == 'memory_rare'", verdict_here="undecided")
    LENGTHS_OF.write_text(LENGTHS)
    readme.update()
    text = README.read_text()
    assert "(+0.4 to +6.0) on all queries" in text
    assert "each with and without it. Verdict: **supported** for all queries, **und" in text
    assert re.search(r"^\| \*\*MGSL-Net \(repaired\)\*\* .* \| 10 \|$", text, re.M)
    assert re.search(r"^\| 2D-TAN \| .* \| 3 \| .* \| 3 † \|$", text, re.M)
    assert "twice the length adds 5.0 (2D-TAN) points on validation. Whether these" in text


def test_each_dataset_marks_its_own_trainings(copy: Path) -> None:
    LENGTHS_OF.write_text(LENGTHS)
    LENGTHS_OF_REAL.parent.mkdir(exist_ok=True)
    other = LENGTHS.replace("embedded", "charades_actions").replace("0.30", "0.25")
    LENGTHS_OF_REAL.write_text(other.replace("19,0.60", "19,0.72"))
    readme.update()
    text = README.read_text()
    assert re.search(r"^\| 2D-TAN \| .* \| 3 \| .* \| 3 † \|$", text, re.M)
    assert re.search(r"^\| DRN \| .* \| 3 † \| .* \| 3 \|$", text, re.M)
    assert "not converged on charades_actions: twice the length adds 12.0 (DRN) points" in text


def test_beside_the_verdict_on_the_memory_stands_whether_its_trainings_have_converged(
    copy: Path,
) -> None:
    rows = LENGTHS.replace("tan_2d", "mgsl_net").replace("drn", "attention_only")
    LENGTHS_OF.write_text(rows)
    readme.update()
    text = README.read_text()
    added = r"twice the length adds 5\.0 \(MGSL-Net \(repaired\)\) points on validation"
    assert re.search(rf"Verdict: .* † not converged on embedded: {added}\.$", text, re.M)
    unknown = "Whether these trainings on charades_actions have converged was not measured"
    assert re.search(rf"`other_datasets`\)\. {unknown}\.$", text, re.M)


def test_real_queries_come_first_and_what_was_not_run_on_them_is_a_dash(copy: Path) -> None:
    for study in ("tables", "parts", "methods"):
        path = paths.study(study, "charades_actions") / "means.csv"
        change(path, "name == 'ctrl'", value=0.991, low=0.98, high=0.999)
        means = pd.read_csv(path)
        means[means["name"] != "drn"].to_csv(path, index=False)
    readme.update()
    rows = re.findall(r"^\| (?=\S).*\|$", README.read_text(), re.M)
    methods = [row for row in rows if "–" in row]
    assert methods[0].startswith("| CTRL | 99.1 (98.0–99.9) | 99.1 (98.0–99.9) | 3 | ")
    assert methods[-1].startswith("| DRN | – | – | – | ")


def test_studies_that_are_older_than_the_code_are_named(copy: Path) -> None:
    for page in paths.EXHIBITS.glob("*.html"):
        page.write_text(page.read_text().replace("Older than the code", "As old as the code"))
    readme.update()
    assert "Older than the code" not in README.read_text()
    told = "the studies tables on embedded (2 of its runs), parts on embedded (1 of its runs). What"
    for name in ("claims", "noise"):
        page = paths.EXHIBITS / f"{name}.html"
        banner = f"<p><strong>Older than the code.</strong> Made by earlier code: {told} else</p>"
        page.write_text(page.read_text().replace("<main", f"{banner}<main", 1))
    readme.update()
    assert "the studies parts on embedded and tables on embedded; `dvc repro" in README.read_text()


def test_without_a_study_of_real_queries_the_table_is_of_simulated_ones(copy: Path) -> None:
    shutil.rmtree(paths.STUDIES / "methods")
    readme.update()
    text = README.read_text()
    assert "\n| | simulated: all | rare | *n* |\n|:--|--:|--:|--:|\n| DRN" in text
    assert "**Real queries**" not in text


def test_trainings_that_are_all_finished_are_said_to_be(copy: Path) -> None:
    LENGTHS_OF.write_text(LENGTHS.replace("0.30", "0.25"))
    readme.update()
    assert (
        "\nOn embedded twice the length adds more than a point to none. Whether"
        in README.read_text()
    )
    assert "†" not in README.read_text()


def test_what_was_not_run_is_not_spoken_of(copy: Path) -> None:
    runs, claims = pd.read_csv(RUNS), pd.read_csv(CLAIMS)
    runs[runs["name"] == "drn"].to_csv(RUNS, index=False)
    columns = ["value", "low", "high", "trainings", "verdict_here"]
    claims.assign(**{**dict.fromkeys(columns), "verdict_here": "not run"}).to_csv(CLAIMS)
    readme.update()
    text = README.read_text()
    assert "| DRN | " in text
    assert "Does the memory help" not in text
    assert "literal equations" not in text
    assert "nan" not in text


def test_reports_of_other_data_leave_it_as_it_is(copy: Path) -> None:
    before, said = README.read_bytes(), []
    change(RUNS, "dataset == 'embedded'", dataset="charades_actions")
    readme.update(said.append)
    RUNS.unlink()
    readme.update(said.append)
    assert said == ["README.md not written: of embedded there is no noise.csv or claims.csv"] * 2
    assert README.read_bytes() == before


def test_open_questions_quote_what_the_exhibits_state(copy: Path) -> None:
    page = paths.EXHIBITS / "slots.html"
    stated = '<p class="statement">On <em>embedded</em> &amp; elsewhere, nothing.</p>\n'
    page.write_text(stated + stated.replace("nothing", "little"))
    (paths.EXHIBITS / "details.html").unlink()
    equations.QUESTIONS.parent.mkdir()
    equations.QUESTIONS.write_text("<!-- mgsl:evidence -->\n<!-- /mgsl:evidence -->\n")
    shutil.copytree(ROOT / paths.NOTEBOOKS, paths.NOTEBOOKS)
    readme.update()
    text = equations.QUESTIONS.read_text()
    assert "](../reports/exhibits/slots.html): On embedded & elsewhere, nothing. On emb" in text
    assert "details.html" not in text


def test_a_marker_without_a_template_is_named() -> None:
    text = "<!-- mgsl:resluts -->\n<!-- /mgsl:resluts -->\n"
    with pytest.raises(UserError, match=r"README.md: mgsl:resluts has no template"):
        readme.fill(text, ReadmeNumbers(), README)


def test_lists_and_small_numbers_are_read_as_words() -> None:
    assert [listed("A"), listed("AB"), listed("ABC")] == ["A", "A and B", "A, B and C"]
    assert [in_words(3.0), in_words(10), in_words(11)] == ["three", "ten", "11"]
