"""Documents that people and stages write: YAML and JSON, read as plain values.

YAML is version 1.2, which DVC reads, so that a number of params.yaml means the same to both. What a
reader of version 1.1 takes for another value, or for one of two, is refused.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mgsl.errors import UserError

_LARGEST = 100_000  # values of a document, each alias opened; params.yaml has two thousand
_SHOWN = 80  # letters of a line
_PLAIN = (str, int, float, type(None))  # a bool is an int


def read_yaml(path: Path) -> Any:
    """The one document of a YAML file: mappings, lists, texts, numbers.

    Raises:
        UserError: it is no such document; the message names the line where there is one.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    try:
        document = _reader().load(content.decode("utf-8-sig"))
    except MarkedYAMLError as error:
        raise UserError(f"{path}{_told(error, content)}") from None
    except RecursionError:
        raise UserError(f"{path} is not valid YAML: it is nested too deeply") from None
    except Exception as error:  # whatever the bytes provoke
        raise UserError(f"{path} is not valid YAML: {error}") from None
    _refuse_what_is_not_plain(document, path)
    return document


def line_of(path: Path, keys: Sequence[str | int]) -> int | None:
    """Where a value stands in a YAML file that can be read, or else what it would stand in.

    Args:
        path: the file.
        keys: those that lead to the value, from the outermost.

    Returns:
        The line, from 1; None where not even the first key is there.
    """
    node: Node | None = _reader().compose(path.read_text(encoding="utf-8-sig"))
    line = None
    for key in keys:
        if isinstance(node, MappingNode):
            pairs = [(name, value) for name, value in node.value if name.value == str(key)]
        elif isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
            pairs = [(node.value[key], node.value[key])]
        else:
            break
        if not pairs:
            break
        (name, node), *_ = pairs
        line = name.start_mark.line + 1
    return line


def read_json(path: Path) -> Any:
    """The value in a JSON file.

    Raises:
        UserError: it is no JSON, or cut off.
        OSError: the file cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON, or is cut off: {error}") from None


class _Constructor(SafeConstructor):
    """Refuses a number that is another one in YAML 1.1."""

    def construct_yaml_int(self, node: ScalarNode) -> Any:
        if re.fullmatch(r"[-+]?0[0-9_]+", node.value):
            problem = f"{node.value} is octal to some readers: write it without the 0 in front"
            raise ConstructorError(problem=problem, problem_mark=node.start_mark)
        return super().construct_yaml_int(node)


_Constructor.add_constructor("tag:yaml.org,2002:int", _Constructor.construct_yaml_int)


def _reader() -> YAML:
    reader = YAML(typ="safe", pure=True)
    reader.Constructor = _Constructor
    return reader


def _told(error: MarkedYAMLError, content: bytes) -> str:
    """What is wrong, with the number and the beginning of the line where it is."""
    problem = f"is not valid YAML: {error.problem or error.context}"
    if error.problem_mark is None:
        return f" {problem}"
    number = error.problem_mark.line
    line = "".join(content.decode("utf-8-sig").splitlines()[number : number + 1]).strip()
    return f", line {number + 1}, {problem}" + (f", in `{line[:_SHOWN]}`" if line else "")


def _refuse_what_is_not_plain(document: Any, path: Path) -> None:
    """See that a document is a tree of plain values, of a size that a person would write."""
    waiting, values = [document], 0
    while waiting:
        value = waiting.pop()
        values += 1
        if values > _LARGEST:
            raise UserError(f"{path} is not usable: an alias in it contains or multiplies itself")
        if isinstance(value, dict):
            if strange := [key for key in value if not isinstance(key, str | int)]:
                raise UserError(f"{path} is not usable: the key {strange[0]!r} is no name")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif not isinstance(value, _PLAIN):
            kind = type(value).__name__
            raise UserError(f"{path} is not usable: {str(value)!r} is a {kind}: write it in quotes")
