"""Documents mean what DVC reads in them; what they may not be is refused by its line."""

from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import load_yaml

from mgsl import paths
from mgsl.documents import line_of, read_json, read_yaml
from mgsl.errors import UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "document.yaml"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1e-3", 0.001),
        ("a: 1_000", 1000),
        ("a: 0x1F", 31),
        ("a: 0o17", 15),
        ("a: 1:30", "1:30"),
        ("a: yes", "yes"),
        ("a: off", "off"),
        ("a: true", True),
        ("a: ~", None),
        ("a: 0", 0),
        ("a: -0.5", -0.5),
        ("b: &b {c: 1, d: 2}\na: {<<: *b, d: 3}", {"c": 1, "d": 3}),
        ("\ufeffa: 1", 1),
    ],
)
def test_a_value_is_what_dvc_reads(text: str, value: Any, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path)["a"] == value
    assert read_yaml(path) == load_yaml(path)


@pytest.mark.parametrize("file", ["params.yaml", "dvc.yaml", "dvc.lock"])
def test_the_repository_means_the_same_to_dvc(file: str) -> None:
    assert read_yaml(Path(file)) == load_yaml(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r'line 3, is not valid YAML: found duplicate key "a" .* in `a: 3`'),
        ("a: 1\nb: {c: 1, c: 1}", r"line 2, .*duplicate key \"c\""),
        ("a: 1\nb: 010", r"line 2, .*010 is octal to some readers.* in `b: 010`"),
        ("a: [08]", "line 1, .*08 is octal"),
        ("%YAML 1.1\n---\na: 010", "line 3, .*010 is octal"),
        ("a: [", "line 1, .*not valid YAML"),
        ("a: *b", "undefined alias"),
        ("a: 1\n---\nb: 2", "line 2, .*another document"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("a: !!int x", "not valid YAML: invalid literal"),
        ("a\0b", "not valid YAML: unacceptable character"),
        ("a: 2022-02-22", "'2022-02-22' is a date: write it in quotes"),
        ("a: !!set {b, c}", "is a set"),
        ("[a, b]: c", "the key .* is no name"),
        ("~: c", "the key None is no name"),
        ("&a [*a]", "an alias in it contains or multiplies itself"),
        ("[" * 10_000, "nested too deeply"),
        ("{a: " * 10_000, "nested too deeply"),
    ],
)
def test_what_is_no_plain_document_is_refused(text: str, message: str, path: Path) -> None:
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(UserError, match=r"document\.yaml is not valid YAML: .*decode"):
        read_yaml(path)


def test_an_alias_that_multiplies_itself_is_refused_before_it_is_opened(path: Path) -> None:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    path.write_text("\n".join(["a0: &a0 [1]", *levels]))
    with pytest.raises(UserError, match="multiplies itself"):
        read_yaml(path)


def test_a_missing_file_is_left_to_who_knows_what_it_is(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_yaml(path)
    with pytest.raises(FileNotFoundError):
        read_json(path)


def test_the_line_of_a_value_or_of_what_it_would_stand_in_is_found(path: Path) -> None:
    path.write_text("a: 1\nb:\n  c: [1,\n      2]\n  7: 1\n")
    assert line_of(path, ("a",)) == 1
    assert line_of(path, ("b", "c", 1)) == 4
    assert line_of(path, ("b", "missing")) == 2
    assert line_of(path, ("b", "7")) == 5
    assert line_of(path, ("b", "c", 9)) == 3
    assert line_of(path, ("missing",)) is None
    assert line_of(path, ()) is None


def test_a_line_is_found_in_the_parameters() -> None:
    line = line_of(paths.PARAMS, ("training", "drop_last"))
    assert line is not None
    assert paths.PARAMS.read_text().splitlines()[line - 1].startswith("  drop_last: ")


@pytest.mark.parametrize(
    "content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"[" * 200_000, b"1" * 5000, b"\x89PNG"]
)
def test_what_is_no_json_is_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"document\.yaml is no JSON, or is cut off"):
        read_json(path)


def test_a_json_file_is_read(path: Path) -> None:
    path.write_text('{"a": ["β", 1.5]}', encoding="utf-8")
    assert read_json(path) == {"a": ["β", 1.5]}
