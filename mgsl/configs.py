"""What each stage is told of params.yaml: `mgsl.resolving` fills these in, `configure` writes them.

A stage reads its part back by `params.read`.
"""

from typing import Annotated, Any

from pydantic import Field, model_validator

from mgsl.fields import Frozen, Positive
from mgsl.params import (
    EvaluationParams,
    Glove,
    Missing,
    Name,
    Names,
    NmsParams,
    Part,
    PlantedParams,
    PreparationParams,
    RareParams,
    Scale,
    Seeds,
    TrainingParams,
)
from mgsl.recipes import Rate, Schedule


class DownloadConfig(Frozen):
    """What the stage `download` is told: releases of features and of word vectors, if any."""

    dataset: Name
    release: str | None
    glove: Glove | None


class PrepareConfig(Frozen):
    """What the stage `prepare` is told."""

    dataset: Name
    num_clips: Positive
    max_words: Positive
    video_dim: Positive
    planted: PlantedParams | None
    # What the features of a person's own have; others leave it out.
    missing: Annotated[Missing | None, Field(exclude_if=lambda one: one is None)] = None
    parts: Annotated[tuple[Part, ...], Field(exclude_if=lambda one: not one)] = ()
    preparation: PreparationParams


class RunConfig(Frozen):
    """What one training is told. `model` holds the fields of the method's Config.

    It takes so many epochs, or so many `steps`; the other is null.
    """

    dataset: Name
    name: Name
    method: Name
    epochs: Positive | None
    steps: Positive | None
    batch_size: Positive
    learning_rate: Rate
    schedule: Schedule
    max_words: Positive
    keep: Positive
    training: TrainingParams
    model: dict[str, Any]

    @model_validator(mode="after")
    def _ends(self) -> "RunConfig":
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(
                f"one of epochs={self.epochs} and steps={self.steps} is to be null, the other not"
            )
        return self


class EvaluateConfig(Frozen):
    """What the stages `evaluate` and `report` are told; `train` takes its list of runs from it."""

    dataset: Name
    scale: Scale
    names: Names
    seeds: Seeds
    evaluation: EvaluationParams
    nms: dict[str, NmsParams] = Field(
        default_factory=dict
    )  # of the names that bring a rule of their own

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
    seeds: Seeds
    evaluation: EvaluationParams
    rare: RareParams
