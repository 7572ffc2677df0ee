"""Notebooks run strictly: an unknown parameter is refused, and what comes out is the same bytes."""

import ast
import difflib
import html
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets import default

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_text
from mgsl.reporting.draw import anchors
from mgsl.reporting.read import kept_records, stamps
from mgsl.reporting.read.kept_records import KeptSource
from mgsl.reporting.read.results import Results
from mgsl.reporting.site import contents, navigation, pages
from mgsl.reporting.site.page_templates import FORMULA

if TYPE_CHECKING:
    from papermill import PapermillExecutionError

_HEADING = re.compile(
    r'<h(\d) id="[^"]*">(.*?)<a class="anchor-link" href="[^"]*">#</a></h\1>', re.S
)
_TRACEBACK_LINES = 15
_START_TIMEOUT_S = 300  # a busy machine is no failure
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


class _LocalKernel(AsyncKernelManager):
    """A kernel of this interpreter, spoken to through files of this user's, not the network."""

    transport = "ipc"

    @property
    def kernel_spec(self) -> KernelSpec:
        """This interpreter, whatever kernels are registered under the name of a notebook's."""
        return KernelSpec(**get_kernel_dict())

    @default("ip")
    def _ip_default(self) -> str:
        """In the folder of this run alone: kernels that start together must not share a name."""
        return str(Path(os.environ["IPYTHONDIR"], "kernel"))


def run_exhibit(
    name: str, datasets: list[str], exhibits: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> None:
    """Run notebooks/NAME.ipynb, which writes its tables and figures; write its page beside them.

    Args:
        name: of the exhibit.
        datasets: what it shows, if its notebook asks for datasets.
        exhibits: names by section, to which its page leads.

    Raises:
        UserError: there is no such notebook, an artefact that it reads is missing, or a cell of it
            failed.
    """
    contents.outline(name)
    notebook = paths.notebook(name)
    known = parameter_names(nbformat.read(notebook, as_version=4))
    values = {"datasets": datasets, "output": (paths.EXHIBITS / name).as_posix()}
    executed = execute(notebook, {key: value for key, value in values.items() if key in known})
    write_text(paths.REPORTS / "executed" / f"{name}.ipynb", nbformat.writes(executed) + "\n")
    sources = stamps.sources_of(name, datasets if "datasets" in known else [])
    counted = "studies" in known and not kept_records.sources(name)
    if counted:  # of the paper's benchmarks
        sources = [source for source in sources if source.benchmark]
    made_from = stamps.of_page(sources, studies=counted, exhibit=name)
    shown: list[Results | KeptSource] = [*sources, *kept_records.sources(name)]
    around = navigation.around(name, exhibits)
    pages.write_page(name, to_html(executed), _code(executed), shown, made_from, around)


def execute(notebook: Path, parameters: Mapping[str, Any]) -> NotebookNode:
    """Run a notebook with this interpreter, in the present working folder.

    Args:
        notebook: has one cell tagged `parameters` that assigns plain values.
        parameters: values that take the place of those.

    Returns:
        The notebook with its outputs, without times, random ids and addresses.

    Raises:
        UserError: a parameter is unknown, or a cell failed; the message has the cell's error.
    """
    from papermill import PapermillExecutionError, execute_notebook  # slow to import

    _check(notebook, parameters)
    try:
        with tempfile.TemporaryDirectory() as folder, _own_settings(folder):
            executed = execute_notebook(
                notebook, None, dict(parameters), kernel_name=_KERNEL["name"], cwd=Path.cwd(),
                progress_bar=False, record_timing=False, kernel_manager_class=_LocalKernel,
                extra_arguments=["--log-level=CRITICAL"], start_timeout=_START_TIMEOUT_S,
                shutdown_kernel="immediate",  # it has written all that it is asked for
            )  # fmt: skip
    except PapermillExecutionError as error:
        raise UserError(_failure(notebook, error)) from None
    return normalize(executed)


def _failure(notebook: Path, error: "PapermillExecutionError") -> str:
    """Which line of which notebook failed, and how; where too, unless it explains itself."""
    if error.ename == UserError.__name__:
        return f"{notebook}: {error.evalue}"
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    tail = "\n".join(plain.rstrip().splitlines()[-_TRACEBACK_LINES:])
    start = error.source.strip().partition("\n")[0]
    return f"{notebook}, cell `{start}`: {error.ename}: {error.evalue}\n{_scrub(tail)}"


def parameter_names(notebook: NotebookNode) -> list[str]:
    """The names that the cell tagged `parameters` assigns."""
    cells = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    return [
        target.id
        for cell in cells
        for statement in ast.parse(cell.source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    ]


def normalize(notebook: NotebookNode) -> NotebookNode:
    """Drop what differs from one execution to the next, and what only the machine knows."""
    cells = [_normal_cell(number, cell) for number, cell in enumerate(notebook.cells, start=1)]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(_KERNEL)})


def to_html(notebook: NotebookNode) -> str:
    """Prose and outputs as an HTML fragment, `$…$` as MathML; no script, no style."""
    formulas: list[str] = []

    def keep(match: "re.Match[str]") -> str:
        formulas.append(convert(match[1]))
        return f"FORMULA{len(formulas) - 1}END"

    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(keep, cell.source)
    exporter = HTMLExporter(
        template_name="basic", exclude_input=True, exclude_output_prompt=True, anchor_link_text="#"
    )  # fmt: skip
    fragment, _ = exporter.from_notebook_node(copy)
    fragment = _HEADING.sub(_with_anchor, fragment)
    return re.sub(r"FORMULA(\d+)END", lambda match: formulas[int(match[1])], fragment)


def _with_anchor(heading: "re.Match[str]") -> str:
    """A heading with an id like those of rows, in place of one with signs written as codes."""
    level, content = heading.groups()
    name = anchors.of(html.unescape(re.sub("<[^>]+>", "", content)))
    link = f'<a class="anchor-link" href="#{name}" aria-label="Link to this part">#</a>'
    return f'<h{level} id="{name}">{content}{link}</h{level}>'


def _check(notebook: Path, parameters: Mapping[str, Any]) -> None:
    names = parameter_names(nbformat.read(notebook, as_version=4))
    for name in parameters:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there is: {', '.join(names)}"
            raise UserError(f"{notebook} has no parameter {name!r}; {hint}")


@contextmanager
def _own_settings(folder: str) -> Iterator[None]:
    """Start kernels without the user's own start-up files, with one thread: they run abreast."""
    before = dict(os.environ)
    os.environ |= {"IPYTHONDIR": folder, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _normal_cell(number: int, cell: NotebookNode) -> NotebookNode:
    tags = cell.metadata.get("tags", [])
    fields: dict[str, Any] = {"id": f"cell-{number}", "metadata": {"tags": tags} if tags else {}}
    if cell.cell_type != "code":
        return nbformat.v4.new_markdown_cell(cell.source, **fields)
    outputs = [_normal_output(output) for output in cell.outputs]
    return nbformat.v4.new_code_cell(cell.source, execution_count=number, outputs=outputs, **fields)


def _normal_output(output: NotebookNode) -> NotebookNode:
    output = nbformat.from_dict(output)
    if "text" in output:
        output.text = _scrub(output.text)
    for kind, value in output.get("data", {}).items():
        if kind == "text/plain":
            output.data[kind] = _scrub(value)
    if "execution_count" in output:
        output.execution_count = None
    output.pop("metadata", None)
    if output.output_type in ("display_data", "execute_result"):
        output.metadata = {}
    return output


def _scrub(text: str) -> str:
    """Without memory addresses and the path of the working folder."""
    return re.sub(r"0x[0-9a-f]{6,}", "0x…", text.replace(str(Path.cwd()), "."))


def _code(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
