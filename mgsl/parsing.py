"""Plain documents become typed ones; what is wrong is named, with the value or what was meant."""

import difflib
import json
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mgsl.errors import UserError

Model = TypeVar("Model", bound=BaseModel)

_LONGEST = 200  # letters of a value that a message shows


def parse(
    kind: type[Model],
    document: Any,
    *,
    where: str,
    line_of: Callable[[tuple[str | int, ...]], int | None] = lambda keys: None,
) -> Model:
    """Check a plain document against a typed model.

    Args:
        kind: the model.
        document: mappings, lists, texts and numbers.
        where: it comes from, to begin the message with.
        line_of: at which line of a file some keys stand.

    Raises:
        UserError: with one line for each key that is unknown, missing or out of range.
    """
    try:
        return kind.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        problems = [(problem, line_of(problem["loc"])) for problem in error.errors()]
    except RecursionError:
        raise UserError(f"{where} is not usable: it is nested too deeply") from None
    lines = [
        f"  {_explain(kind, problem)}{f' (line {line})' if line else ''}"
        for problem, line in problems
    ]
    raise UserError("\n".join([f"{where} is not usable:", *lines]))


def meant(name: str, names: Iterable[str]) -> str:
    """A question after the name that comes closest to a wrong one; empty where none is close."""
    close = difflib.get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _explain(kind: type[BaseModel], problem: Any) -> str:
    key = ".".join(map(str, problem["loc"])) or "the file"
    if problem["type"] == "extra_forbidden":
        *above, last = problem["loc"]
        return f"{key}: unknown key{meant(str(last), _fields_at(kind, above))}"
    if problem["type"] == "missing":
        return f"{key}: missing"
    value = repr(problem["input"])
    shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    met = "" if problem["type"] == "value_error" else f", got {shown}"
    return f"{key}: {problem['msg'].removeprefix('Value error, ')}{met}"


def _fields_at(kind: type[BaseModel], keys: Iterable[Any]) -> list[str]:
    """Names of the fields where a dotted key points, as far as types tell."""
    current: Any = kind
    for key in keys:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(key)
            current = field.annotation if field else None
        else:
            current = typing.get_args(current)[-1] if typing.get_args(current) else None
        if typing.get_origin(current) is types.UnionType:
            current = typing.get_args(current)[0]
    is_model = isinstance(current, type) and issubclass(current, BaseModel)
    return list(current.model_fields) if is_model else []
