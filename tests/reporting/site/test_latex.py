"""Every LaTeX table that stands in the repository compiles as it is, in two columns."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mgsl import paths
from tests import ROOT

PDFLATEX = shutil.which("pdflatex")
TABLES = sorted((ROOT / paths.EXHIBITS).glob("*.tex"))
DOCUMENT = r"""\documentclass[twocolumn]{article}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx}
\begin{document}
Text before the table. \input{%s} Text after it.
\end{document}
"""
WIDER_PT = 2.0  # what a line may stand out, in points


@pytest.mark.skipif(PDFLATEX is None, reason="there is no pdflatex to compile the tables with")
@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_a_table_compiles_and_fits_its_page(table: Path, tmp_path: Path) -> None:
    shutil.copy(table, tmp_path / "table.tex")
    (tmp_path / "document.tex").write_text(DOCUMENT % "table")
    assert PDFLATEX is not None
    command = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:]
    log = (tmp_path / "document.log").read_text(errors="replace")
    assert "Missing character" not in log
    assert "Float too large" not in log
    wide = re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)
    assert all(float(points) <= WIDER_PT for points in wide), wide
    assert re.search(r"Output written on document.pdf \(\d pages?", log)


def test_there_are_tables_to_compile() -> None:
    assert TABLES
