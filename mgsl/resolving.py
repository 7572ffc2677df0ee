"""What each stage is told of params.yaml.

The stage `configure` writes these parts to `artifacts/configs`, where DVC compares them: a change
of params.yaml reruns exactly the stages whose part it changes.
"""

from typing import Any

from mgsl.errors import UserError
from mgsl.nested import merge
from mgsl.params import (
    EvaluateConfig,
    Frozen,
    GroupConfig,
    InspectConfig,
    NmsParams,
    Params,
    PrepareConfig,
    RunConfig,
    ScheduleParams,
    TrainingParams,
    for_dataset,
    parse,
)

RUN_KEYS = (*ScheduleParams.model_fields, "max_words")  # an ablation may change these of a run,
TRAINING_KEYS = tuple(TrainingParams.model_fields)  # these, and what its method has


def resolve(params: Params, dataset: str, configs: dict[str, type[Frozen]]) -> dict[str, Frozen]:
    """What each part of the pipeline is told for one dataset, by the name of its file.

    Args:
        params: the whole of params.yaml.
        dataset: one that has a setting at the chosen scale.
        configs: the Config of each method.

    Raises:
        UserError: a method's block lacks a key, has one too many or out of range.
    """
    setting, data = params.setting(dataset), params.data[dataset]
    parts: dict[str, Frozen] = {
        "prepare": PrepareConfig(
            dataset=dataset,
            num_clips=setting.num_clips,
            max_words=setting.max_words,
            video_dim=data.video_dim,
            planted=data.planted,
            preparation=params.preparation,
        ),
        "evaluate": EvaluateConfig(
            dataset=dataset,
            scale=params.scale,
            names=params.names(),
            groups={name: cell for cell, names in params.cells().items() for name in names},
            seeds=params.seeds,
            evaluation=params.evaluation,
            nms=_own_nms(params, dataset),
        ),
        "inspect": InspectConfig(
            names=tuple(name for name in params.inspected if name in params.names()),
            seeds=params.seeds,
            evaluation=params.evaluation,
            rare=params.preparation.rare,
        ),
    }
    slots = params.memory.slots
    given = {
        "num_clips": setting.num_clips,
        "dim": setting.dim,
        "video_dim": data.video_dim,
        "word_dim": params.preparation.word_dim,
        "video_slots": slots or setting.video_slots,
        "query_slots": slots or setting.query_slots,
    }
    runs: dict[str, RunConfig] = {}
    for name in params.names():
        method, overrides = _find(params, name)
        kind, block = configs[method], params.models[method]
        where = f"params.yaml: models.{method}" + (f".ablations.{name}" if overrides else "")
        known = {*given, *block.choices, *block.sizes[params.scale], *RUN_KEYS, *TRAINING_KEYS}
        if unknown := set(overrides) - known:
            raise UserError(f"{where} overrides what {method} does not have: {sorted(unknown)}")
        document = {key: value for key, value in given.items() if key in kind.model_fields}
        document |= merge(block.sizes[params.scale], block.choices)
        differing = for_dataset(block.by_dataset.get(params.scale, {}), dataset) or {}
        own = {key: overrides[key] for key in overrides if key not in (*RUN_KEYS, *TRAINING_KEYS)}
        model = parse(kind, merge(merge(document, differing), own), where=where)
        told = {key: getattr(setting, key) for key in RUN_KEYS}
        if schedule := block.schedule.get(params.scale):
            told |= schedule.model_dump(exclude_none=True)
        told |= {key: overrides[key] for key in RUN_KEYS if key in overrides}
        training = params.training.model_dump(mode="json")
        training |= {key: overrides[key] for key in TRAINING_KEYS if key in overrides}
        document = told | {
            "dataset": dataset,
            "name": name,
            "method": method,
            "keep": params.evaluation.keep,
            "training": training,
            "model": model.model_dump(mode="json"),
        }
        runs[name] = parse(RunConfig, document, where=where)
    groups = {
        f"groups/{cell}": GroupConfig(runs=tuple(runs[name] for name in names))
        for cell, names in params.cells().items()
    }
    return parts | runs | groups


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
