"""Notebooks are thin, run strictly, and come out as the same bytes."""

import ast
import sys
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.reporting.site import notebooks
from tests.reporting import report_workspace

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
        ["dataset", "method", "changes", "against", "seeds", "epochs", "output"],
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert not any(isinstance(n, forbidden) for n in ast.walk(ast.parse(cell.source)))
    assert 'output = ""' in notebook.cells[1].source  # to look around overwrites nothing


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


def test_a_users_error_is_one_line_where_a_notebook_would_show_forty() -> None:
    shell = InteractiveShell()
    code = "from mgsl.errors import UserError\nraise UserError('metrics.csv is missing')"
    with capture_output() as shown:
        shell.run_cell(code)
    assert shown.stdout == "error: metrics.csv is missing\n"
    with capture_output() as shown:
        shell.run_cell("raise ValueError('a bug')")
    assert "Traceback" in shown.stdout


def test_this_interpreter_runs_a_notebook_whatever_kernels_are_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = {"argv": ["no-such-python", "{connection_file}"], "display_name": "Python 3"}
    write_json(tmp_path / "kernels/python3/kernel.json", kernel | {"language": "python"})
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "n.ipynb", "value = 1", "import sys\nsys.executable")
    (output,) = notebooks.execute(path, {}).cells[-1].outputs
    assert output.data["text/plain"] == repr(sys.executable)


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
