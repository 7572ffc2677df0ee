"""The whole report is built at once, and holds what params.yaml lists and nothing else."""

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from mgsl import paths
from mgsl.errors import UserError
from mgsl.reporting.site import build
from tests.reporting import report_workspace

SAVE = "from pathlib import Path\nPath(f'{output}.csv').write_text(word)"


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report_workspace.build(tmp_path, ["embedded"])


def write(name: str, *sources: str) -> None:
    parameters = new_code_cell(f"output = 'x/{name}'", metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell(f"# {name}\n\nA claim."), parameters, *map(new_code_cell, sources)]
    kernel = {"name": "python3", "display_name": "x", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, paths.NOTEBOOKS / f"{name}.ipynb")


def test_every_exhibit_is_built_and_told_and_what_no_exhibit_owns_is_removed() -> None:
    paths.EXHIBITS.mkdir(parents=True)
    for name in ("dropped.html", "dropped.svg", "one.old.csv"):
        (paths.EXHIBITS / name).write_text("old")
    write("one", "word = 'first'", SAVE)
    write("two", "word = 'second'", SAVE)
    said: list[str] = []
    build.build({"paper": ["one"], "data": ["two"]}, ["embedded"], said.append)
    built = {path.name: path.read_text() for path in paths.EXHIBITS.iterdir()}
    assert built.keys() == {"one.csv", "one.html", "two.csv", "two.html", "one.old.csv"}
    assert (built["one.csv"], built["two.csv"]) == ("first", "second")
    assert {line.split()[1] for line in said[:2]} == {"one", "two"}
    assert said[0].startswith("[1/2] ")
    assert "removed reports/exhibits/dropped.svg: params.yaml lists no such exhibit" in said
    assert "exhibits/two.html" in (paths.REPORTS / "index.html").read_text()


def test_a_failed_cell_is_named_with_its_error_and_all_others_are_built() -> None:
    write("wrong", "word = 'first'", "shares = {}\nshares['rare']")
    write("right", "word = 'second'", SAVE)
    paths.EXHIBITS.mkdir(parents=True)
    (paths.EXHIBITS / "dropped.html").write_text("old")
    with pytest.raises(UserError) as failed:
        build.build({"paper": ["wrong", "right"]}, ["embedded"], lambda line: None)
    first, second, *_ = str(failed.value).splitlines()
    assert first == "1 of 2 exhibits failed:"
    assert second == "notebooks/wrong.ipynb, cell `shares = {}`: KeyError: 'rare'"
    assert "----> 2 shares['rare']" in str(failed.value)
    assert "\x1b" not in str(failed.value)
    assert (paths.EXHIBITS / "right.csv").read_text() == "second"
    assert (paths.EXHIBITS / "dropped.html").exists()
    assert not (paths.REPORTS / "index.html").exists()


def test_a_misspelt_exhibit_stops_before_any_notebook_runs() -> None:
    write("right", "word = 'second'", SAVE)
    with pytest.raises(UserError, match=r"notebooks/wrogn.ipynb is missing"):
        build.build({"paper": ["right", "wrogn"]}, ["embedded"])
    assert not paths.EXHIBITS.exists()
