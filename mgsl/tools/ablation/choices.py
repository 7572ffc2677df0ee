"""What of a method can be changed, with its value, what it may be and the question it answers.

A change is an ablation of params.yaml that is not written there: the same keys, resolved and
checked the same way.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ruamel.yaml import YAML

from mgsl import paths
from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.fields import Frozen
from mgsl.nested import flatten, merge
from mgsl.params import Params, TrainingParams
from mgsl.parsing import TAG, meant
from mgsl.resolving import RUN_KEYS, TRAINING_KEYS, resolve_alone

# As long as the prepared dataset has them: `prepare` reads these, not a training.
PREPARED = ("num_clips", "positions", "video_dim", "word_dim", "vocabulary")
_QUESTION = re.compile(r"\b(?:Q\d+|G)\b")  # entries of docs/open_questions.md
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "from",
    "exclusiveMaximum": "below",
    "maximum": "to",
}


@dataclass(frozen=True)
class Choice:
    """One key that an ablation may change.

    `tried` has other values of the ablations in params.yaml, by their names.
    """

    key: str
    value: Any
    may_be: str
    tried: Mapping[str, Any]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Choices:
    """All that can be changed of a method on a dataset.

    Args:
        params: the whole of params.yaml.
        dataset: a key of its `data`.
        method: a key of its `models`.
    """

    params: Params
    dataset: str
    method: str

    @cached_property
    def config(self) -> RunConfig:
        """The method as it is.

        Raises:
            UserError: there is no such method or dataset, or the method has no sizes for it.
        """
        from mgsl.models import CONFIGS

        self.params.refuse_unknown(self.dataset)
        if self.method not in self.params.models:
            there = ", ".join(self.params.models)
            close = meant(self.method, self.params.models)
            raise UserError(f"no method {self.method!r}{close}; there is: {there}")
        if self.dataset not in self.params.with_setting():
            key = f"settings.{self.params.scale}.{self.dataset}"
            raise UserError(f"{self.dataset} has no setting: write {key} in params.yaml")
        resolved = resolve_alone(
            self.params, self.dataset, CONFIGS, scale=self.params.scale, methods=[self.method]
        )
        return resolved.runs[self.method]

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The keys and values of the method as an ablation has them."""
        run = self.config.model_dump(mode="json")
        tree = {key: run[key] for key in RUN_KEYS} | run["training"] | run["model"]
        return {key: value for key, value in tree.items() if key not in PREPARED}

    def all(self) -> list[Choice]:
        """Every key, those of the method first."""
        values = flatten(self.tree)
        trained = {*RUN_KEYS, *TRAINING_KEYS}
        keys = sorted(values, key=lambda key: key.partition(".")[0] in trained)
        return [self._choice(key, values[key]) for key in keys]

    def changes(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Changes by their dotted keys.

        Args:
            given: values by key, dotted or its last word where that is enough, or in mappings as
                params.yaml has them.

        Raises:
            UserError: a key is none, or may be one of several, or concerns the prepared dataset.
        """
        if not given:
            raise UserError("changes is empty: name at least one key and its new value")
        return {self._key(key): value for key, value in flatten(given).items()}

    def as_ablation(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Changes by dotted key as an ablation of params.yaml has them."""
        tree: dict[str, Any] = {}
        for key, value in changes.items():
            *above, last = key.split(".")
            branch: dict[str, Any] = {last: value}
            for name in reversed(above):
                branch = {name: branch}
            tree = merge(tree, branch)
        whole = {*RUN_KEYS, *TRAINING_KEYS}  # of these an ablation names all or nothing
        return {
            name: _whole(self.tree.get(name), value) if name in whole else value
            for name, value in tree.items()
        }

    def _key(self, key: str) -> str:
        known = [*flatten(self.tree), *(k for k, v in self.tree.items() if isinstance(v, Mapping))]
        last = key.rpartition(".")[2]
        if last in PREPARED and key not in known:
            raise UserError(
                f"{key} is of the prepared dataset, not of one training: change it in params.yaml, "
                "then `dvc repro`"
            )
        same = [name for name in known if name == key] or [
            name for name in known if name.endswith(f".{key}")
        ]
        if len(same) == 1:
            return same[0]
        if same:
            raise UserError(f"{key} may be one of several keys: write {' or '.join(same)}")
        parent, _, tag = key.rpartition(".")  # a key of another kind, such as a schedule's
        if parent.partition(".")[0] in TRAINING_KEYS + RUN_KEYS and tag:
            return key
        close = meant(key, known) or meant(last, {name.rpartition(".")[2] for name in known})
        raise UserError(f"{self.method} has no key {key!r}{close}")

    def _choice(self, key: str, value: Any) -> Choice:
        tried = {
            name: others[key]
            for name, others in self._ablations.items()
            if key in others and others[key] != value
        }
        places = [["models", self.method, "choices"], ["training"]]
        texts = [self._comments.get(".".join([*place, key]), "") for place in places]
        texts += [
            self._comments.get(f"models.{self.method}.ablations.{name}", "")
            for name, others in self._ablations.items()
            if list(others) == [key]
        ]
        questions = dict.fromkeys(q for text in texts for q in _QUESTION.findall(text))
        return Choice(key, value, self._may_be(key), tried, tuple(questions))

    @cached_property
    def _comments(self) -> dict[str, str]:
        return _comments()

    @cached_property
    def _ablations(self) -> dict[str, dict[str, Any]]:
        """What each ablation of the method changes, by dotted key."""
        blocks = self.params.models[self.method].ablations
        return {name: flatten(changes) for name, changes in blocks.items()}

    @cached_property
    def _schemas(self) -> list[dict[str, Any]]:
        """What the keys are checked by."""
        from mgsl.models import CONFIGS

        kinds: list[type[Frozen]] = [CONFIGS[self.method], TrainingParams, RunConfig]
        return [kind.model_json_schema() for kind in kinds]

    def _may_be(self, key: str) -> str:
        first = key.partition(".")[0]
        schema = next(schema for schema in self._schemas if first in schema["properties"])
        return _in_words([schema], key.split("."), schema.get("$defs", {}))


def _whole(value: Any, change: Any) -> Any:
    """A value that is given as a whole, with a change to part of it; another kind is another."""
    if not (isinstance(value, Mapping) and isinstance(change, Mapping)):
        return change
    other = TAG in change and change[TAG] != value.get(TAG)
    return dict(change) if other else merge(value, change)


def _in_words(nodes: list[dict[str, Any]], keys: list[str], known: Mapping[str, Any]) -> str:
    """What a JSON schema lets the value at some keys be; of a union, what any of it does."""
    nodes = [option for node in nodes for option in _options(node, known)]
    if keys:
        inner = [node.get("properties", {}).get(keys[0]) for node in nodes]
        return _in_words([node for node in inner if node], keys[1:], known)
    return " or ".join(dict.fromkeys(filter(None, map(_kind, nodes))))


def _options(node: dict[str, Any], known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in node:
        node = known[node["$ref"].rpartition("/")[2]]
    several = node.get("anyOf", node.get("oneOf"))
    if several is None:
        yield node
    for option in several or ():
        yield from _options(option, known)


def _kind(node: dict[str, Any]) -> str:
    if values := node.get("enum", [node["const"]] if "const" in node else []):
        return ", ".join(map(str, values))
    if node.get("type") == "boolean":
        return "true, false"
    bounds = " ".join(f"{word} {node[key]:g}" for key, word in _BOUNDS.items() if key in node)
    return f"{node.get('type', '')} {bounds}".strip()


def _comments() -> dict[str, str]:
    """The comment beside each key of params.yaml, by dotted key."""
    text = paths.PARAMS.read_text(encoding="utf-8")
    lines = text.splitlines()
    comments: dict[str, str] = {}

    def walk(node: Any, prefix: str) -> None:
        for key, value in node.items():
            if key in node.lc.data:  # else it is another mapping's, merged into this one
                comments[f"{prefix}{key}"] = lines[node.lc.key(key)[0]].partition("#")[2]
            if isinstance(value, Mapping):
                walk(value, f"{prefix}{key}.")

    walk(YAML().load(text), "")
    return comments


def as_text(value: Any) -> str:
    """A value as params.yaml would have it, on one line."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key}: {as_text(inner)}" for key, inner in value.items())
        return f"{{{inside}}}"
    return value if isinstance(value, str) else json.dumps(value)
