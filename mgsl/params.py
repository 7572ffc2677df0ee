"""The typed, frozen params.yaml.

`load` reads and checks the whole file; `mgsl.resolving` picks each stage's part, `mgsl.configs`.
"""

from collections.abc import Set
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from mgsl import paths
from mgsl.documents import line_of, read_json, read_yaml
from mgsl.errors import UserError
from mgsl.families import for_dataset, refuse_strangers
from mgsl.fields import Frozen, NonNegative, Positive, Share
from mgsl.lists import EachOnce, Some, repeated
from mgsl.parsing import meant, parse
from mgsl.recipes import Clipping, Optimizer, RareWords, Rate, RecipeParams, Schedule, StageParams

Name = Annotated[str, Field(pattern=paths.NAME)]
Names = Annotated[tuple[Name, ...], EachOnce]
Seeds = Annotated[tuple[NonNegative, ...], Some, EachOnce]
Glove = Annotated[str, Field(pattern=r"^(6B|42B|840B)$|.\.(txt|txt\.gz|zip)$")]
Scale = Literal["embedded", "paper"]
NmsRule = Literal["per_metric", "fixed", "none"]
Form = Literal["surface", "lemma", "stem"]
Missing = Literal["refuse", "drop"]
Part = Annotated[str, Field(pattern=r"^[^/.][^/]*(/[^/.][^/]*)*$")]
Targets = Literal["clamped", "published"]
Unanswered = Literal["miss", "refuse"]
Model = TypeVar("Model", bound=BaseModel)


class SettingParams(Frozen):
    """Lengths and schedule of one dataset at one scale (the paper's Implementation Details)."""

    num_clips: Positive
    max_words: Positive
    dim: Positive
    video_slots: Positive
    query_slots: Positive
    epochs: Positive
    batch_size: Positive
    learning_rate: Rate
    schedule: Schedule


class TrainingParams(Frozen):
    """How every method is trained."""

    optimizer: Optimizer
    clip: Clipping
    # Of a method trained in several: the first ones. Else left out, as of most it says nothing.
    stages: Annotated[tuple[StageParams, ...], Field(exclude_if=lambda one: not one)] = ()
    drop_last: bool
    mask_padding: bool
    precision: Literal["float32", "bfloat16", "float16"]
    micro_batches: Positive
    select_iou: Share
    rare_words: Annotated[RareWords | None, Field(exclude_if=lambda one: one is None)] = None

    def of_stage(self, stage: int) -> "TrainingParams":
        """What holds in one stage, counted from 0."""
        own = self.stages[stage : stage + 1]
        return self.model_copy(
            update={key: value for one in own for key, value in one if value is not None}
        )


class RareParams(Frozen):
    """One reading of the paper's rule for rare pairs (Q22)."""

    threshold: Positive
    bins: tuple[Positive, ...]
    inclusive: bool
    corpus: Literal["train", "all"]
    form: Form
    tags: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Some]

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
    vocabulary: Positive  # its words and the padding
    planted: PlantedParams | None = None
    release: Annotated[str, Field(min_length=1)] | None = (
        None  # of features that other people publish; null: nothing is fetched
    )
    missing: Missing | None = None  # of videos that it does not have
    parts: Annotated[tuple[Part, ...], EachOnce] = ()

    @model_validator(mode="after")
    def _both(self) -> "DataParams":
        """Features of other people have a release, or null, and a rule for those that lack."""
        keys = {"release", "missing"}
        if (lacking := keys - self.model_fields_set) and (lacking != keys or self.parts):
            lines: list[Any] = [
                {"type": "missing", "loc": (key,), "input": None} for key in lacking
            ]
            raise ValidationError.from_exception_data("data", lines)
        return self


class PreparationParams(Frozen):
    """How annotations become queries with words, vectors and frequency groups."""

    word_dim: Positive
    glove: Glove | None
    unknown_words: Literal["spelled", "dropped"]
    validation_share: Share
    validation_seed: NonNegative
    rare: RareParams


class EvaluationParams(Frozen):
    """What is counted as a hit, and how sure the count is."""

    recall_at: Annotated[tuple[Positive, ...], Some, EachOnce]
    iou: Annotated[tuple[Share, ...], Some, EachOnce]
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
        if max(self.recall_at) > self.keep:
            raise ValueError(f"keep must be at least {max(self.recall_at)}, got {self.keep}")
        return self


class ScoreParams(Frozen):
    """What the tool `score` makes of anybody's predictions; the pipeline does not depend on it."""

    targets: Targets
    missing: Unanswered

    def with_changes(self, **changes: str | None) -> "ScoreParams":
        """The same but for what is not None."""
        return self.model_copy(update={k: value for k, value in changes.items() if value})


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

    `by_dataset` says what differs from `sizes` and `choices` for some datasets,
    `recipe_by_dataset` and `nms_by_dataset` from `recipe` and `nms`; keys as `mgsl.families` has
    them.
    """

    sizes: dict[Scale, dict[str, Any]]
    choices: dict[str, Any]
    by_dataset: dict[Scale, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    recipe: dict[Scale, RecipeParams] = Field(default_factory=dict)
    recipe_by_dataset: dict[Scale, dict[str, RecipeParams]] = Field(default_factory=dict)
    nms: NmsParams | None = None
    nms_by_dataset: dict[str, NmsParams] = Field(default_factory=dict)
    ablations: dict[Name, dict[str, Any]] = Field(default_factory=dict)


class MemoryParams(Frozen):
    """The one number of the memory that people change first."""

    slots: Positive | None


class Params(Frozen):
    """The whole of params.yaml."""

    datasets: Annotated[Names, Some]
    methods: Names
    ablations: Names
    inspected: Names
    seeds: Seeds
    scale: Scale
    memory: MemoryParams
    exhibits: Annotated[dict[Name, Names], Some]
    settings: dict[Scale, dict[str, SettingParams]]
    training: TrainingParams
    preparation: PreparationParams
    evaluation: EvaluationParams
    score: ScoreParams
    data: dict[Name, DataParams]
    models: dict[Name, ModelParams]
    groups: dict[Name, Annotated[Names, Some]]

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        listed = [name for model in self.models.values() for name in model.ablations]
        if twice := repeated([*self.models, *listed, *self.groups, *paths.PARTS]):
            raise ValueError(f"{twice}: one name for two of methods, ablations, groups, parts")
        ablations = set(listed)
        for group, members in self.groups.items():
            if unknown := [name for name in members if name not in ablations]:
                raise ValueError(f"groups.{group} names {unknown}, which no method has")
        known: dict[str, Set[str]] = {
            "datasets": self.data.keys(),
            "methods": self.models.keys(),
            "ablations": ablations | self.groups.keys(),
            "inspected": ablations | self.models.keys(),
        }
        for key, names in known.items():
            if unknown := [name for name in getattr(self, key) if name not in names]:
                there = ", ".join(sorted(names))
                raise ValueError(f"{key} names {unknown[0]!r}; there is: {there}")
        for name in self.datasets:
            if name not in self.with_setting():
                key = f"settings.{self.scale}.{name}"
                raise ValueError(f"datasets names {name!r}, which has no setting: write {key}")
        return self

    @model_validator(mode="after")
    def _keys_begin_datasets(self) -> "Params":
        for scale, table in self.settings.items():
            refuse_strangers(table, self.data, where=f"settings.{scale}")
        for name, model in self.models.items():
            keys = set(model.nms_by_dataset).union(
                *model.by_dataset.values(), *model.recipe_by_dataset.values()
            )
            refuse_strangers(keys, self.data, where=f"models.{name}")
        return self

    @model_validator(mode="after")
    def _all_runs_once(self) -> "Params":
        if not self.methods + self.ablations:
            raise ValueError("methods and ablations must not both be empty")
        if not self.exhibit_names():
            raise ValueError("exhibits must not be empty in all its sections")
        if twice := repeated(self.exhibit_names()):
            raise ValueError(f"exhibits lists {twice} more than once")
        return self

    def refuse_unknown(self, dataset: str) -> None:
        """See that there is a dataset of this name.

        Raises:
            UserError: there is none; the message lists those that there are.
        """
        if dataset not in self.data:
            there = f"there is: {', '.join(self.data)}"
            raise UserError(f"no dataset {dataset!r}{meant(dataset, self.data)}; {there}")

    def setting(self, dataset: str) -> SettingParams:
        """Lengths and schedule of a dataset, at the chosen scale, that has them."""
        setting = for_dataset(self.settings.get(self.scale, {}), dataset)
        assert setting is not None, dataset
        return setting

    def with_setting(self) -> list[str]:
        """Every dataset that has lengths and a schedule at the chosen scale."""
        table = self.settings.get(self.scale, {})
        return [name for name in self.data if for_dataset(table, name)]

    def names(self) -> Names:
        """Every run, once: methods, then ablations with their groups opened."""
        ablations = [name for entry in self.ablations for name in self.groups.get(entry, (entry,))]
        return (*self.methods, *dict.fromkeys(ablations))

    def exhibit_names(self) -> Names:
        """The exhibits of all sections, in order."""
        return tuple(name for names in self.exhibits.values() for name in names)


def load(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        UserError: the file is missing or no YAML, or a key is unknown, missing, there twice or out
            of range; the message names every such key, the value met and the line.
    """
    try:
        return parse(Params, read_yaml(path), where=str(path), line_of=partial(line_of, path))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run mgsl from the repository's root") from None


def read(kind: type[Model], path: Path) -> Model:
    """Read one resolved part back.

    Raises:
        UserError: the stage `configure` has not written it, or another version of it, or there is
            no such dataset.
    """
    try:
        return parse(kind, read_json(path), where=str(path))
    except FileNotFoundError:
        if paths.PARAMS.is_file() and path.is_relative_to(paths.CONFIGS):
            load(paths.PARAMS).refuse_unknown(path.relative_to(paths.CONFIGS).parts[0])
        raise UserError(
            f"{path} is missing: see that params.yaml lists the method or ablation and has "
            "settings for the dataset, then run `python -m mgsl configure` (`dvc repro` does)"
        ) from None
    except UserError as error:
        raise UserError(f"{error}\nto write it anew: `python -m mgsl configure`") from None
