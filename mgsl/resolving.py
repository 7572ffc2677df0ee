"""What each stage is told of params.yaml.

The stage `configure` writes these parts to `artifacts/configs`, where DVC compares them: a change
of params.yaml reruns exactly the stages whose part it changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mgsl import paths
from mgsl.configs import DownloadConfig, EvaluateConfig, InspectConfig, PrepareConfig, RunConfig
from mgsl.errors import UserError
from mgsl.families import for_dataset
from mgsl.fields import Frozen
from mgsl.nested import merge
from mgsl.params import ModelParams, NmsParams, Params, Scale, TrainingParams
from mgsl.parsing import parse

# An ablation may change these of a run, those of the training, and what its method has.
RUN_KEYS = ("epochs", "steps", "batch_size", "learning_rate", "schedule", "max_words")
TRAINING_KEYS = tuple(TrainingParams.model_fields)
Configs = Mapping[str, type[Frozen]]


@dataclass(frozen=True)
class Resolved:
    """What the stages are told for one dataset; `runs` holds methods and ablations by name."""

    download: DownloadConfig
    prepare: PrepareConfig
    evaluate: EvaluateConfig
    inspect: InspectConfig
    runs: dict[str, RunConfig]

    def files(self) -> dict[str, Frozen]:
        """Every part, by the name of the file that `configure` writes."""
        parts = {name: getattr(self, name) for name in paths.PARTS}
        return parts | self.runs


class MissingSizeError(UserError):
    """params.yaml does not say how large a method is on a dataset."""


def resolve_all(params: Params, configs: Configs) -> dict[str, Resolved]:
    """What the stages are told, by dataset.

    A dataset that `datasets` does not list is left out if some method has no sizes for it.

    Args:
        params: the whole of params.yaml.
        configs: the Config of each method.

    Raises:
        UserError: as `resolve` does.
    """
    resolved = {}
    for dataset in params.with_setting():
        try:
            resolved[dataset] = resolve(params, dataset, configs)
        except MissingSizeError:
            if dataset in params.datasets:
                raise
    return resolved


def resolve(params: Params, dataset: str, configs: Configs) -> Resolved:
    """What the stages are told for one dataset.

    Args:
        params: the whole of params.yaml.
        dataset: one that has a setting at the chosen scale.
        configs: the Config of each method.

    Raises:
        MissingSizeError: a method has no value for a key; the message says where to write it.
        UserError: a method's block has a key too many, or a value out of range; what is to be
            inspected has no memory.
    """
    runs = {name: _run(params, dataset, name, configs) for name in params.names()}
    return Resolved(
        download=_download(params, dataset),
        prepare=_prepare(params, dataset),
        evaluate=_evaluate(params, dataset),
        inspect=_inspect(params, runs),
        runs=runs,
    )


def resolve_alone(
    params: Params,
    dataset: str,
    configs: Configs,
    *,
    scale: Scale,
    methods: Sequence[str],
    ablations: Sequence[str] = (),
) -> Resolved:
    """The same for some methods and ablations at some scale, whatever params.yaml runs.

    Args:
        params: the whole of params.yaml.
        dataset: one that has a setting at the scale.
        configs: the Config of each method.
        scale: of the sizes.
        methods: by name.
        ablations: of these methods, by name.

    Raises:
        UserError: as `resolve`.
    """
    listed = {"methods": tuple(methods), "ablations": tuple(ablations), "inspected": ()}
    return resolve(params.model_copy(update=listed | {"scale": scale}), dataset, configs)


def _download(params: Params, dataset: str) -> DownloadConfig:
    release, glove = params.data[dataset].release, params.preparation.glove
    return DownloadConfig(dataset=dataset, release=release, glove=glove)


def _prepare(params: Params, dataset: str) -> PrepareConfig:
    setting, data = params.setting(dataset), params.data[dataset]
    return PrepareConfig(
        dataset=dataset,
        num_clips=setting.num_clips,
        max_words=setting.max_words,
        video_dim=data.video_dim,
        planted=data.planted,
        missing=data.missing,
        parts=data.parts,
        preparation=params.preparation,
    )


def _evaluate(params: Params, dataset: str) -> EvaluateConfig:
    return EvaluateConfig(
        dataset=dataset,
        scale=params.scale,
        names=params.names(),
        seeds=params.seeds,
        evaluation=params.evaluation,
        nms=_own_nms(params, dataset),
    )


def _inspect(params: Params, runs: Mapping[str, RunConfig]) -> InspectConfig:
    names = tuple(name for name in params.inspected if name in runs)
    for name in names:
        memory = runs[name].model.get("memory", {})
        if all(memory.get(domain, "none") == "none" for domain in ("video", "query")):
            raise UserError(
                f"params.yaml: inspected names {name!r}, which has no memory to look into: "
                "take it off the list"
            )
    return InspectConfig(
        names=names,
        seeds=params.seeds,
        evaluation=params.evaluation,
        rare=params.preparation.rare,
    )


def _run(params: Params, dataset: str, name: str, configs: Configs) -> RunConfig:
    """One training: what its dataset says, then what its method and an ablation change."""
    method, changes = _find(params, name)
    block = params.models[method]
    where = f"params.yaml: models.{method}" + (f".ablations.{name}" if changes else "")
    lengths = _lengths(params, dataset)
    sizes = merge(block.sizes.get(params.scale, {}), block.choices)
    sizes = merge(sizes, for_dataset(block.by_dataset.get(params.scale, {}), dataset) or {})
    known = {*lengths, *sizes, *RUN_KEYS, *TRAINING_KEYS}
    if unknown := set(changes) - known:
        raise UserError(f"{where} overrides what {method} does not have: {sorted(unknown)}")
    setting = {"steps": None} | params.setting(dataset).model_dump(mode="json")
    schedule = {key: setting[key] for key in RUN_KEYS}
    training = params.training.model_dump(mode="json")
    for own in (_recipe(params, block, dataset), changes):
        schedule |= {key: own[key] for key in schedule if key in own}
        training |= {key: own[key] for key in TRAINING_KEYS if key in own}
    trained = {*RUN_KEYS, *TRAINING_KEYS}
    sizes = merge(sizes, {k: changes[k] for k in changes if k not in trained})
    fields = configs[method].model_fields
    model = {key: value for key, value in lengths.items() if key in fields} | sizes
    if missing := [key for key in fields if fields[key].is_required() and key not in model]:
        raise MissingSizeError(
            f"params.yaml: {method} has no {', '.join(missing)} for the dataset {dataset}: write "
            f"it under models.{method}.by_dataset.{params.scale}.{dataset}, or under "
            f"models.{method}.choices for every dataset"
        )
    document = schedule | {
        "dataset": dataset,
        "name": name,
        "method": method,
        "keep": params.evaluation.keep,
        "training": training,
        "model": parse(configs[method], model, where=where).model_dump(mode="json"),
    }
    return parse(RunConfig, document, where=where)


def _recipe(params: Params, block: ModelParams, dataset: str) -> dict[str, Any]:
    """What a method's recipe says for a dataset: only what is given, null where null is given."""
    common = block.recipe.get(params.scale)
    own = for_dataset(block.recipe_by_dataset.get(params.scale, {}), dataset)
    given = [part.model_dump(mode="json", exclude_unset=True) for part in (common, own) if part]
    return {key: value for part in given for key, value in part.items()}


def _lengths(params: Params, dataset: str) -> dict[str, int]:
    """What a method may ask of the dataset, under the names that its Config has for them."""
    setting, slots = params.setting(dataset), params.memory.slots
    return {
        "num_clips": setting.num_clips,
        "positions": max(setting.num_clips, setting.max_words),
        "dim": setting.dim,
        "video_dim": params.data[dataset].video_dim,
        "vocabulary": params.data[dataset].vocabulary,
        "word_dim": params.preparation.word_dim,
        "video_slots": slots or setting.video_slots,
        "query_slots": slots or setting.query_slots,
    }


def _find(params: Params, name: str) -> tuple[str, dict[str, Any]]:
    if name in params.models:
        return name, {}
    return next(
        (method, block.ablations[name])
        for method, block in params.models.items()
        if name in block.ablations
    )


def _own_nms(params: Params, dataset: str) -> dict[str, NmsParams]:
    """The rules for NMS that methods and ablations bring along, by their names."""
    rules = {}
    for name in params.names():
        block = params.models[_find(params, name)[0]]
        if rule := for_dataset(block.nms_by_dataset, dataset) or block.nms:
            rules[name] = rule
    return rules
