"""How every method is trained, at the paper's scale and at the embedded one, whatever is run."""

from collections.abc import Mapping
from typing import Any

import torch

from mgsl.configs import RunConfig
from mgsl.fields import Frozen
from mgsl.inspection import parameter_counts
from mgsl.models import TRAINED, build
from mgsl.models.parts.base import GroundingModel
from mgsl.params import Params, Scale
from mgsl.resolving import resolve_alone

DATASETS: dict[Scale, tuple[str, ...]] = {
    "paper": parameter_counts.DATASETS,
    "embedded": ("embedded",),
}


def resolved(params: Params, configs: Mapping[str, type[Frozen]]) -> list[dict[str, Any]]:
    """The recipe of each method that learns by gradient, on each dataset of each scale.

    Args:
        params: the whole of params.yaml.
        configs: the Config of each method.

    Returns:
        `scale`, `run` (a RunConfig) and `stages`: of each how many epochs or steps it has, and its
        factor on the learning rate.
    """
    rows = []
    for scale, datasets in DATASETS.items():
        for dataset in datasets:
            parts = resolve_alone(params, dataset, configs, scale=scale, methods=TRAINED)
            for run in parts.runs.values():
                document = run.model_dump(mode="json")
                rows.append({"scale": scale, "run": document, "stages": stages(run)})
    return rows


def stages(config: RunConfig) -> list[dict[str, Any]]:
    """Length and factor on the rate of each stage of a training; one begins with an epoch."""
    unit = "epochs" if config.steps is None else "steps"
    total = config.epochs or config.steps or 0
    with torch.device("meta"):
        model = build(config)
    assert isinstance(model, GroundingModel)
    places = [model.stage(done / total) for done in range(total)]
    return [
        {unit: places.count(stage), "factor": model.enter(stage)} for stage in dict.fromkeys(places)
    ]
