"""Notebooks are thin, run strictly, and come out as the same bytes."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mgsl import params, paths
from mgsl.errors import UserError
from mgsl.reporting.site import notebooks
from tests.reporting import report_workspace

EXHIBITS = params.load(report_workspace.ROOT / paths.PARAMS).exhibit_names()
NOTEBOOKS = sorted((report_workspace.ROOT / "notebooks").glob("*.ipynb"))


def write(path: Path, *sources: str) -> Path:
    parameters, *rest = sources
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [new_code_cell(source) for source in rest]
    metadata = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_thin_and_holds_no_output(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    forbidden = (
        ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.IfExp, ast.Try, ast.Lambda,
        ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp,
    )  # fmt: skip
    assert notebook.cells[0].source.startswith("# ")
    given = notebooks.parameter_names(notebook)
    assert given in (
        ["datasets", "output"],
        ["studies", "output"],
        ["examples", "output"],
        ["datasets", "studies", "output"],
        ["output"],
        ["datasets", "names", "output"],
        ["dataset", "checkpoint", "output"],
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert not any(isinstance(n, forbidden) for n in ast.walk(ast.parse(cell.source)))
    folders = ["reports/exhibits"] if path.stem in EXHIBITS else ["reports/exhibits", "artifacts"]
    source = notebook.cells[1].source
    assert any(f'output = "{folder}/{path.stem}"' in source for folder in folders)


def test_a_misspelt_parameter_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "n.ipynb", "datasets = []\noutput = ''")
    with pytest.raises(UserError, match="no parameter 'dataset'; did you mean 'datasets'"):
        notebooks.execute(path, {"dataset": []})
    with pytest.raises(UserError, match="no parameter 'x'; there is: datasets, output"):
        notebooks.execute(path, {"x": []})


def test_executing_twice_gives_the_same_bytes_and_the_values_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import os\nprint(value, os.getcwd())\nobject()"
    path = write(tmp_path / "n.ipynb", "value = 1", code)
    first, second = (nbformat.writes(notebooks.execute(path, {"value": 7})) for _ in range(2))
    assert first == second
    assert "7 .\\n" in first
    assert "0x…" in first
    assert str(tmp_path) not in first


def test_a_users_error_in_a_notebook_is_a_users_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "from mgsl.errors import UserError\nraise UserError('metrics.csv is missing')"
    path = write(tmp_path / "n.ipynb", "value = 1", code)
    with pytest.raises(UserError, match=r"n.ipynb: metrics.csv is missing"):
        notebooks.execute(path, {})


def test_a_notebook_without_parameters_has_none() -> None:
    assert notebooks.parameter_names(new_notebook(cells=[new_code_cell("a = 1")])) == []


def test_formulas_become_mathml_and_code_is_left_out() -> None:
    shown = new_notebook(
        cells=[
            new_markdown_cell("# Title\n\nwith $x_1 \\geq \\frac{a}{b}$ and a_b_c"),
            new_code_cell("secret = 1", outputs=[html("<p>shown</p>")]),
        ]
    )
    text = notebooks.to_html(shown)
    assert "<math" in text
    assert "<mfrac>" in text
    assert "$" not in text
    assert "<p>shown</p>" in text
    assert "secret" not in text
    assert "<script" not in text


def test_normalizing_drops_times_and_ids() -> None:
    cell = new_code_cell(
        "1", execution_count=9, metadata={"tags": ["parameters"], "papermill": {"duration": 1.5}}
    )
    normal = notebooks.normalize(new_notebook(cells=[cell], metadata={"papermill": {"x": 1}}))
    assert normal.cells[0].id == "cell-1"
    assert normal.cells[0].execution_count == 1
    assert normal.cells[0].metadata == {"tags": ["parameters"]}
    assert set(normal.metadata) == {"kernelspec"}


def html(text: str) -> NotebookNode:
    output: NotebookNode = new_output("display_data", data={"text/html": text})
    return output
