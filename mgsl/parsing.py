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
TAG = "kind"  # the key that says which model of a union is meant


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
        f"  {_explain(kind, document, problem)}{f' (line {line})' if line else ''}"
        for problem, line in problems
    ]
    raise UserError("\n".join([f"{where} is not usable:", *lines]))


def meant(name: str, names: Iterable[str]) -> str:
    """A question after the name that comes closest to a wrong one; empty where none is close."""
    close = difflib.get_close_matches(name, sorted(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _explain(kind: type[BaseModel], document: Any, problem: Any) -> str:
    key = ".".join(_keys(document, problem)) or "the file"
    if problem["type"] == "extra_forbidden":
        *above, last = problem["loc"]
        return f"{key}: unknown key{meant(str(last), _fields_at(kind, above))}"
    if problem["type"] in ("missing", "union_tag_not_found"):
        return f"{key}: missing"
    if problem["type"] == "union_tag_invalid":
        about = problem["ctx"]
        return f"{key}: must be one of {about['expected_tags']}, got {about['tag']!r}"
    if problem["type"] in ("list_type", "tuple_type"):
        return f"{key}: must be a list, such as [{problem['input']}], got {problem['input']!r}"
    value = repr(problem["input"])
    shown = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    met = "" if problem["type"] == "value_error" else f", got {shown}"
    return f"{key}: {problem['msg'].removeprefix('Value error, ')}{met}"


def _keys(document: Any, problem: Any) -> list[str]:
    """The keys that lead to a fault. Its place has besides the tag of each union on the way."""
    keys = []
    for key in problem["loc"]:
        inside = isinstance(document, dict)
        if inside and key in document:
            document = document[key]
        elif inside and document.get(TAG) == key:
            continue
        keys.append(str(key))
    return keys + [TAG] * problem["type"].startswith("union_tag")


def _fields_at(kind: type[BaseModel], keys: Iterable[Any]) -> list[str]:
    """Names of the fields where a dotted key points, as far as types tell."""
    current: Any = kind
    for key in keys:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(key)
            current = field.annotation if field else None
        elif tagged := [kind for kind in typing.get_args(current) if key in _tags(kind)]:
            current = tagged[0]
        else:
            current = typing.get_args(current)[-1] if typing.get_args(current) else None
        if typing.get_origin(current) is types.UnionType:
            first = typing.get_args(current)[0]
            current = current if _tags(first) else first  # of tagged ones the next key tells
    is_model = isinstance(current, type) and issubclass(current, BaseModel)
    return list(current.model_fields) if is_model else []


def _tags(kind: Any) -> tuple[Any, ...]:
    """What stands under `kind` in documents of a model."""
    field = getattr(kind, "model_fields", {}).get(TAG)
    return typing.get_args(field.annotation) if field else ()
