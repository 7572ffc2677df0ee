"""The page of the method: every equation, the lines that run, the readings, the examples."""

import re
from pathlib import Path

import pytest

from mgsl import params, paths
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.inspection import worked_examples
from mgsl.nested import flatten
from mgsl.reporting.draw import templating
from mgsl.reporting.exhibits import method
from mgsl.reporting.read.equations import Equation, cited, read_questions
from tests import ROOT

NUMBERS = list(range(1, 15))


@pytest.fixture(scope="module")
def equations(tmp_path_factory: pytest.TempPathFactory) -> list[Equation]:
    path = tmp_path_factory.mktemp("traced") / "examples.json"
    write_json(path, worked_examples.compute())
    return method.build(str(path))


def test_every_equation_is_on_the_page_once_and_in_order(equations: list[Equation]) -> None:
    assert [number for equation in equations for number in equation.formulas] == NUMBERS
    page = method.to_html(equations)
    shown = re.findall(r'aria-label="Equation (\d+)"', page)
    assert list(map(int, shown)) == NUMBERS
    assert page.count("<math") >= len(NUMBERS)
    assert "$" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.S)


def test_the_lines_shown_are_those_of_the_source(equations: list[Equation]) -> None:
    for equation in equations:
        assert equation.excerpts
        for excerpt in equation.excerpts:
            source = (ROOT / excerpt.path).read_text(encoding="utf-8").splitlines()
            for number, line in excerpt.lines:
                assert source[number - 1].endswith(line)
                assert source[number - 1].strip() == line.strip()
            carrying = [
                n for n in excerpt.marked if set(cited(source[n - 1])) & set(equation.formulas)
            ]
            assert carrying[0] == excerpt.marked[0]
            assert set(excerpt.marked) <= {number for number, _ in excerpt.lines}


def test_every_line_that_carries_a_number_is_shown(equations: list[Equation]) -> None:
    marked = {
        (excerpt.path, line)
        for equation in equations
        for excerpt in equation.excerpts
        for line in excerpt.marked
    }
    for path in sorted((ROOT / "mgsl" / "models").rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if cited(line):
                assert (path.relative_to(ROOT).as_posix(), number) in marked


def test_the_readings_are_those_in_force_and_belong_to_their_questions(
    equations: list[Equation],
) -> None:
    choices = flatten(params.load(paths.PARAMS).models["mgsl_net"].choices)
    for equation in equations:
        assert equation.questions
        for key, value in equation.choices.items():
            assert choices[key] == value
    shown = {key for equation in equations for key in equation.choices}
    answered = " ".join(question.text for e in equations for question in e.questions)
    for key in re.findall(r"`models\.mgsl_net\.choices\.([a-z_.]+)`", answered):
        if key.partition(".")[0] in ("memory", "alignment", "losses") and key not in shown:
            assert key == "memory.initial_slots"  # it concerns no equation


def test_the_form_of_the_write_that_is_in_force_comes_first(equations: list[Equation]) -> None:
    (write,) = (equation for equation in equations if 5 in equation.formulas)
    names = [excerpt.function for excerpt in write.excerpts]
    assert names == ["sum_write", "product_write", "sequential_write"]


def test_every_equation_has_an_example_and_what_is_computed_stands_out(
    equations: list[Equation],
) -> None:
    for equation in equations:
        assert equation.steps
        for steps in equation.steps:
            assert steps[0].given
            assert not steps[-1].given
    assert method.tex(0.5) == "0.5"
    assert method.tex([1.0, 0.26894]) == "(1, 0.269)"
    assert method.tex([[1.0, 0.0], [0.0, 2.0]]) == r"\begin{pmatrix} 1 & 0 \\ 0 & 2 \end{pmatrix}"


def test_what_is_read_of_markdown_is_html() -> None:
    assert templating.prose("a `b_c` *d* [e](f.md) <g>") == (
        "a <code>b_c</code> <em>d</em> e &lt;g&gt;"
    )
    assert "Sharpness" in read_questions()["Q2"].title


def test_the_markdown_has_the_same(equations: list[Equation], tmp_path: Path) -> None:
    method.save(equations, str(tmp_path / "method"))
    text = (tmp_path / "method.md").read_text(encoding="utf-8")
    for number in NUMBERS:
        assert f"$ ({number})" in text
    assert "# Eq. 3, 4" in text


def test_without_examples_the_page_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `python -m mgsl trace`"):
        method.build(str(tmp_path / "examples.json"))
