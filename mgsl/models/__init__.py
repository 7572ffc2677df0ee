"""The methods, by the name of their file."""

from mgsl.models.base import GroundingModel
from mgsl.models.mgsl_net import MGSLNet
from mgsl.params import RunConfig, parse

MODELS: dict[str, type[GroundingModel]] = {
    "mgsl_net": MGSLNet,
}


def build(config: RunConfig) -> GroundingModel:
    """A fresh model, initialised from torch's current random state."""
    kind = MODELS[config.method]
    return kind(parse(kind.Config, config.model, where=f"the configuration of {config.name}"))
