"""The typed, frozen params.yaml, and the types of what each stage is given of it.

`load` reads and checks the whole file; `mgsl.resolving` picks each stage's part.
"""

import difflib
import json
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mgsl.errors import UserError

Positive = Annotated[int, Field(gt=0)]
NonNegative = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Names = tuple[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], ...]
TextFile = Annotated[str, Field(pattern=r".\.txt$")]
Scale = Literal["embedded", "paper"]
NmsRule = Literal["per_metric", "fixed", "none"]
Form = Literal["surface", "lemma", "stem"]
Decay = Literal["none", "linear", "inverse_sqrt"]


class Frozen(BaseModel):
    """Immutable, strict, closed to keys it does not name and to numbers that are not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SettingParams(Frozen):
    """Lengths and schedule of one dataset at one scale (the paper's Implementation Details)."""

    num_clips: Positive
    max_words: Positive
    dim: Positive
    video_slots: Positive
    query_slots: Positive
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    warmup_steps: NonNegative
    decay: Decay


class TrainingParams(Frozen):
    """How every method is trained."""

    clip_norm: Annotated[float, Field(ge=0)]
    mask_padding: bool
    precision: Literal["float32", "bfloat16", "float16"]
    micro_batches: Positive
    select_iou: Share


class RareParams(Frozen):
    """One reading of the paper's rule for rare pairs (Q22)."""

    threshold: Positive
    bins: tuple[Positive, ...]
    inclusive: bool
    corpus: Literal["train", "all"]
    form: Form
    tags: tuple[str, ...]

    @model_validator(mode="after")
    def _ascending(self) -> "RareParams":
        if list(self.bins) != sorted(set(self.bins)) or not self.bins:
            raise ValueError(f"bins must ascend, got {list(self.bins)}")
        return self


class PlantedParams(Frozen):
    """How features are simulated from annotated events."""

    signature_from_word: Annotated[float, Field(ge=0, le=1)]
    background: Annotated[float, Field(ge=0)]
    noise: Annotated[float, Field(ge=0)]
    seed: NonNegative


class DataParams(Frozen):
    """One dataset's features."""

    video_dim: Positive
    planted: PlantedParams | None = None


class PreparationParams(Frozen):
    """How annotations become queries with words, vectors and frequency groups."""

    word_dim: Positive
    glove: TextFile | None
    unknown_words: Literal["spelled", "dropped"]
    validation_share: Share
    validation_seed: NonNegative
    rare: RareParams


class EvaluationParams(Frozen):
    """What is counted as a hit, and how sure the count is."""

    recall_at: tuple[Positive, ...]
    iou: tuple[Share, ...]
    strict: bool
    nms: NmsRule
    nms_threshold: Share
    grid: Positive | None
    keep: Positive
    resamples: Positive
    confidence: Share
    bootstrap_seed: NonNegative

    @model_validator(mode="after")
    def _kept(self) -> "EvaluationParams":
        if max(self.recall_at, default=1) > self.keep:
            raise ValueError(f"keep must be at least {max(self.recall_at)}, got {self.keep}")
        return self


class ScheduleParams(Frozen):
    """What a method changes of a dataset's schedule."""

    epochs: Positive | None = None
    batch_size: Positive | None = None
    learning_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    warmup_steps: NonNegative | None = None
    decay: Decay | None = None


class NmsParams(Frozen):
    """The rule for NMS that a method brings along in place of the common one (Q20)."""

    rule: NmsRule
    threshold: Share | None = None

    @model_validator(mode="after")
    def _complete(self) -> "NmsParams":
        if (self.rule == "fixed") != (self.threshold is not None):
            raise ValueError(f"a threshold belongs to the rule fixed, got {self.threshold}")
        return self


class ModelParams(Frozen):
    """One method's numbers; checked in full by the method's own Config.

    `by_dataset` and `nms_by_dataset` are for datasets whose name is the key or begins with it and
    an underscore: `tacos` is for `tacos_c3d` and `tacos_planted`.
    """

    sizes: dict[Scale, dict[str, Any]]
    choices: dict[str, Any]
    by_dataset: dict[Scale, dict[str, dict[str, Any]]] = {}
    schedule: dict[Scale, ScheduleParams] = {}
    nms: NmsParams | None = None
    nms_by_dataset: dict[str, NmsParams] = {}
    ablations: dict[str, dict[str, Any]] = {}


class MemoryParams(Frozen):
    """The one number of the memory that people change first."""

    slots: Positive | None


class Params(Frozen):
    """The whole of params.yaml."""

    datasets: Names
    methods: Names
    ablations: Names
    groups: dict[str, Names]
    inspected: Names
    seeds: tuple[NonNegative, ...]
    scale: Scale
    exhibits: Names
    memory: MemoryParams
    settings: dict[Scale, dict[str, SettingParams]]
    training: TrainingParams
    data: dict[str, DataParams]
    preparation: PreparationParams
    evaluation: EvaluationParams
    models: dict[str, ModelParams]

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        ablations = {name for model in self.models.values() for name in model.ablations}
        known = {
            "datasets": set(self.with_setting()),
            "methods": set(self.models),
            "ablations": ablations | set(self.groups),
        }
        known["inspected"] = set(self.models) | ablations
        for group, members in self.groups.items():
            if unknown := [name for name in members if name not in ablations]:
                raise ValueError(f"groups.{group} names {unknown}, which no method has")
            if group in ablations | set(self.models) or not members:
                raise ValueError(f"groups.{group} is empty, or named like a method or an ablation")
        for key, there in known.items():
            chosen = getattr(self, key)
            for name in chosen:
                if name not in there:
                    raise ValueError(f"{key} names {name!r}; there is: {', '.join(sorted(there))}")
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"{key} names something twice: {list(chosen)}")
        for name, model in self.models.items():
            parts = {*model.nms_by_dataset, *(key for t in model.by_dataset.values() for key in t)}
            for key in sorted(parts):
                if not _begins(key, self.data):
                    raise ValueError(f"models.{name} names no dataset, nor its beginning: {key!r}")
        for scale, table in self.settings.items():
            if strangers := [key for key in table if not _begins(key, self.data)]:
                raise ValueError(
                    f"settings.{scale} names no dataset, nor its beginning: {strangers}"
                )
        if not self.datasets or not self.seeds or not (self.methods + self.ablations):
            raise ValueError("datasets, seeds, and methods or ablations must not be empty")
        if repeated := sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1}):
            told = ", ".join(map(str, repeated))
            raise ValueError(f"seeds lists {told} more than once: the same training twice")
        if idle := [cell for cell, members in self.cells().items() if not members]:
            raise ValueError(
                f"ablations names {idle[0]!r}, all of which is in another that it names"
            )
        return self

    def setting(self, dataset: str) -> SettingParams:
        """Lengths and schedule of a dataset, at the chosen scale, that has them."""
        setting = for_dataset(self.settings[self.scale], dataset)
        assert setting is not None, dataset
        return setting

    def with_setting(self) -> list[str]:
        """Every dataset that has lengths and a schedule at the chosen scale."""
        return [name for name in self.data if for_dataset(self.settings[self.scale], name)]

    def cells(self) -> dict[str, Names]:
        """What each entry of `ablations` trains; an ablation of several groups is the first's."""
        taken: set[str] = set()
        cells = {}
        for cell in self.ablations:
            cells[cell] = tuple(n for n in self.groups.get(cell, (cell,)) if n not in taken)
            taken |= set(cells[cell])
        return cells

    def names(self) -> Names:
        """Every run: methods, then ablations with their groups opened."""
        return self.methods + tuple(name for names in self.cells().values() for name in names)


Entry = TypeVar("Entry")


def for_dataset(table: Mapping[str, Entry], dataset: str) -> Entry | None:
    """What a table holds for a dataset: under its name, or the longest beginning of it."""
    keys = [key for key in table if f"{dataset}_".startswith(f"{key}_")]
    return table[max(keys, key=len)] if keys else None


def _begins(key: str, datasets: Iterable[str]) -> bool:
    return any(f"{dataset}_".startswith(f"{key}_") for dataset in datasets)


class PrepareConfig(Frozen):
    """What the stages `download` and `prepare` are told."""

    dataset: str
    num_clips: Positive
    max_words: Positive
    video_dim: Positive
    planted: PlantedParams | None
    preparation: PreparationParams


class RunConfig(Frozen):
    """What one training is told. `model` holds the fields of the method's Config."""

    dataset: str
    name: str
    method: str
    epochs: Positive
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, lt=1)]
    warmup_steps: NonNegative
    decay: Decay
    max_words: Positive
    keep: Positive
    training: TrainingParams
    model: dict[str, Any]


class GroupConfig(Frozen):
    """What the stage `ablate` is told: the trainings of one entry of `ablations`."""

    runs: tuple[RunConfig, ...]


class EvaluateConfig(Frozen):
    """What the stages `evaluate` and `report` are told.

    `groups` holds the entry of `ablations` under which an ablation was trained.
    """

    dataset: str
    scale: Scale
    names: Names
    groups: dict[str, str] = {}
    seeds: tuple[NonNegative, ...]
    evaluation: EvaluationParams
    nms: dict[str, NmsParams] = {}  # of the names that bring a rule of their own

    def scoring_of(self, name: str) -> EvaluationParams:
        """How one method or ablation is scored."""
        own = self.nms.get(name)
        if own is None:
            return self.evaluation
        threshold = own.threshold or self.evaluation.nms_threshold
        return self.evaluation.model_copy(update={"nms": own.rule, "nms_threshold": threshold})


class InspectConfig(Frozen):
    """What the stage `inspect` is told: whose memories are looked into, and by what rules."""

    names: Names
    seeds: tuple[NonNegative, ...]
    evaluation: EvaluationParams
    rare: RareParams


def load(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: the file is missing or no YAML, or a key is unknown, missing or out of range;
            the message names every such key and the value met.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run mgsl from the repository's root") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {error}") from None
    return parse(Params, document, where=str(path))


Model = TypeVar("Model", bound=BaseModel)


def parse(kind: type[Model], document: Any, *, where: str) -> Model:
    """Check a plain document against a typed model.

    Raises:
        UserError: with one line for each key that is unknown, missing or out of range.
    """
    try:
        return kind.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        lines = [_explain(kind, problem) for problem in error.errors(include_url=False)]
        raise UserError("\n".join([f"{where} is not usable:", *lines])) from None


def read(kind: type[Model], path: Path) -> Model:
    """Read one resolved part back.

    Raises:
        UserError: the stage `configure` has not written it.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: see that params.yaml lists the method or ablation and has "
            "settings for the dataset, then run `python -m mgsl configure` (`dvc repro` does)"
        ) from None
    return parse(kind, document, where=str(path))


def _explain(kind: type[BaseModel], problem: Any) -> str:
    key = ".".join(map(str, problem["loc"])) or "the file"
    if problem["type"] == "extra_forbidden":
        names = _fields_at(kind, problem["loc"][:-1])
        close = difflib.get_close_matches(str(problem["loc"][-1]), names, n=1)
        return f"  {key}: unknown key" + (f"; did you mean {close[0]!r}?" if close else "")
    if problem["type"] == "missing":
        return f"  {key}: missing"
    met = "" if problem["type"] == "value_error" else f", got {problem['input']!r}"
    return f"  {key}: {problem['msg'].removeprefix('Value error, ')}{met}"


def _fields_at(kind: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Names of the fields where a dotted key points, as far as types tell."""
    current: Any = kind
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = field.annotation if field else None
        else:
            current = typing.get_args(current)[-1] if typing.get_args(current) else None
        if typing.get_origin(current) is types.UnionType:
            current = typing.get_args(current)[0]
    is_model = isinstance(current, type) and issubclass(current, BaseModel)
    return list(current.model_fields) if is_model else []
