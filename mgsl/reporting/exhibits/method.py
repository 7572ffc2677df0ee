"""The method: each equation beside the code that computes it, how it is read, and an example."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from IPython.display import HTML, display
from latex2mathml.converter import convert
from markupsafe import Markup

from mgsl.files import write_text
from mgsl.reporting import draw
from mgsl.reporting.draw.phrases import count
from mgsl.reporting.draw.templating import prose, statement
from mgsl.reporting.read import equations
from mgsl.reporting.read.equations import Equation

_TEMPLATES = Path(draw.__file__).parent / "templates"


def build(examples: str) -> list[Equation]:
    """All equations of the paper.

    Args:
        examples: the file that the stage `trace` wrote.

    Raises:
        UserError: it is missing.
    """
    return equations.equations(Path(examples))


def show(method: list[Equation]) -> None:
    """Show the equations in a notebook."""
    display(HTML(to_html(method)))


def save(method: list[Equation], stem: str) -> None:
    """Write STEM.md; without a stem, nothing."""
    if stem:
        write_text(Path(f"{stem}.md"), to_markdown(method))


def to_html(method: list[Equation]) -> str:
    """Its statement, then a section for each equation; mathematics as MathML."""
    page = _render("method.html", method, math=_mathml, prose=prose)
    return statement(said(method)) + Markup(page)


def said(method: list[Equation]) -> str:
    """How many equations there are, and what of them is open or corrected."""
    numbers = sum(len(equation.formulas) for equation in method)
    questions = {question.number for equation in method for question in equation.questions}
    errata = sum(bool(equation.erratum) for equation in method)
    return (
        f"{numbers} equations are shown beside the code that computes them; "
        f"{count(len(questions), 'question')} about them had to be decided, and "
        f"{count(errata, 'place')} corrected."
    )


def to_markdown(method: list[Equation]) -> str:
    """The same for a reader of the repository; mathematics as LaTeX."""
    return _render("method.md", method, math=lambda tex: f"${tex}$", prose=str)


def number(value: float) -> str:
    """At most three decimals."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def tex(value: Any) -> str:
    """A number, a row of numbers in brackets, or a matrix."""
    if not isinstance(value, list):
        return number(value)
    if not isinstance(value[0], list):
        return f"({', '.join(map(number, value))})"
    rows = r" \\ ".join(" & ".join(map(number, row)) for row in value)
    return rf"\begin{{pmatrix}} {rows} \end{{pmatrix}}"


def _render(
    template: str,
    method: list[Equation],
    *,
    math: Callable[[str], str],
    prose: Callable[[str], str],
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=template.endswith("html"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"math": math, "prose": prose, "tex": tex, "value": _value}
    return environment.get_template(template).render(equations=method)


def _mathml(formula: str) -> str:
    return str(convert(formula, display="block"))


def _value(value: Any) -> str:
    """A choice as it stands in params.yaml."""
    return str(value).lower() if isinstance(value, bool) else str(value)
