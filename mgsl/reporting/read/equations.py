"""The paper's equations: as mathematics, in the source, as they are read, and worked out.

The code is read as text, so that what a page shows are the lines that run.
"""

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import mgsl
from mgsl import params, paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.nested import flatten

METHOD = "mgsl_net"
QUESTIONS = Path("docs/open_questions.md")
_FILE = Path(__file__).parent / "published" / "equations.yaml"
_MARK = re.compile(r"# Eq\. ([\d, -]+)")


@dataclass(frozen=True)
class Excerpt:
    """A function that computes an equation, without its docstring.

    `lines` have their numbers in the file; `marked` are those that carry the equation's number.
    """

    path: str
    function: str
    lines: tuple[tuple[int, str], ...]
    marked: tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """An entry of docs/open_questions.md."""

    number: str
    title: str
    text: str


@dataclass(frozen=True)
class Step:
    """One value of a worked example: `symbol` in LaTeX; a number, a row of numbers, or rows."""

    symbol: str
    given: bool
    value: Any


@dataclass(frozen=True)
class Equation:
    """Equations that the same code computes: `formulas` by number, the reading in force by key."""

    title: str
    formulas: dict[int, list[str]]
    says: str
    erratum: str
    choices: dict[str, Any]
    questions: tuple[Question, ...]
    excerpts: tuple[Excerpt, ...]
    example: str
    steps: tuple[tuple[Step, ...], ...]


def equations(examples: Path) -> list[Equation]:
    """All equations of the paper, in its order.

    Args:
        examples: what the stage `trace` worked out.

    Raises:
        UserError: the examples are missing.
    """
    try:
        worked = json.loads(examples.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{examples} is missing: run `python -m mgsl trace`") from None
    choices = flatten(params.load(paths.PARAMS).models[METHOD].choices)
    questions = read_questions()
    return [_equation(row, choices, questions, worked) for row in _rows()]


def read_questions() -> dict[str, Question]:
    """The open questions by their number."""
    text = QUESTIONS.read_text(encoding="utf-8")
    entries = re.findall(r"^\*\*(Q\d+)\. (.*?)\*\* (.*?)(?:\n\n|\Z)", text, re.M | re.S)
    return {number: Question(number, *(" ".join(part.split()) for part in rest))
            for number, *rest in entries}  # fmt: skip


def excerpts(numbers: Sequence[int]) -> Iterator[Excerpt]:
    """Every function of the models with a line that carries one of these equations' numbers."""
    root = Path(mgsl.__file__).parent
    for path in sorted((root / "models").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        carrying = [n for n, line in enumerate(lines, 1) if set(cited(line)) & set(numbers)]
        if not carrying:
            continue
        name = path.relative_to(root.parent).as_posix()
        for function in _functions(ast.parse(text)):
            inside = [n for n in carrying if function.lineno <= n <= (function.end_lineno or 0)]
            if inside:
                yield Excerpt(name, function.name, _without_docstring(function, lines),
                              _statements(function, inside))  # fmt: skip


def cited(line: str) -> list[int]:
    """The equations that a line of code carries: 3 and 4 of `# Eq. 3, 4`, 5 to 8 of `# Eq. 5-8`."""
    numbers: list[int] = []
    for part in ",".join(_MARK.findall(line)).split(","):
        first, _, last = part.strip().partition("-")
        numbers += range(int(first), int(last or first) + 1) if first else ()
    return numbers


def _equation(
    row: dict[str, Any],
    choices: dict[str, Any],
    questions: dict[str, Question],
    worked: list[dict[str, Any]],
) -> Equation:
    numbers = list(row["formulas"])
    in_force = {key: choices[key] for key in row["choices"]}
    pieces = list(excerpts(numbers))
    # Where several forms of one equation can be chosen, the one in force comes first.
    pieces.sort(key=lambda excerpt: excerpt.function.partition("_")[0] not in in_force.values())
    return Equation(
        title=row["title"],
        formulas=row["formulas"],
        says=row["says"],
        erratum=row.get("erratum", ""),
        choices=in_force,
        questions=tuple(questions[number] for number in row["questions"]),
        excerpts=tuple(pieces),
        example=row["example"],
        steps=tuple(
            tuple(Step(**step) for step in example["steps"])
            for example in worked
            if set(example["equations"]) <= set(numbers)
        ),
    )


@cache
def _rows() -> list[dict[str, Any]]:
    return list(read_yaml(_FILE))


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """Functions and methods; none of the models' equations stands in a function of a function."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _without_docstring(
    function: ast.FunctionDef, lines: Sequence[str]
) -> tuple[tuple[int, str], ...]:
    """The function's lines with their numbers, moved to the left margin."""
    first, end = function.lineno, function.end_lineno or function.lineno
    docstring = function.body[0] if ast.get_docstring(function) else None
    skipped = range(docstring.lineno, (docstring.end_lineno or 0) + 1) if docstring else range(0)
    indent = function.col_offset
    return tuple((n, lines[n - 1][indent:]) for n in range(first, end + 1) if n not in skipped)


def _statements(function: ast.FunctionDef, carrying: Sequence[int]) -> tuple[int, ...]:
    """The lines that carry a number, and the rest of the statement that begins with one."""
    ends = {
        node.lineno: node.end_lineno or node.lineno
        for node in ast.walk(function)
        if isinstance(node, ast.Return | ast.Assign)
    }
    return tuple(n for first in carrying for n in range(first, ends.get(first, first) + 1))
