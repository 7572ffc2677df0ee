"""The methods, by the name of their file."""

from typing import Any

from mgsl.configs import RunConfig
from mgsl.errors import UserError
from mgsl.models.acrn import ACRN
from mgsl.models.action_prior import ActionPrior
from mgsl.models.bpnet import BPNet
from mgsl.models.cbln import CBLN
from mgsl.models.cbp import CBP
from mgsl.models.cmin import CMIN
from mgsl.models.ctrl import CTRL
from mgsl.models.drn import DRN
from mgsl.models.gdp import GDP
from mgsl.models.lgi import LGI
from mgsl.models.mgsl_net import MGSLNet
from mgsl.models.parts.base import BlindMethod, GroundingModel, Method
from mgsl.models.prior import Prior
from mgsl.models.qspn import QSPN
from mgsl.models.scdm import SCDM
from mgsl.models.tan_2d import TAN2D
from mgsl.models.tgn import TGN
from mgsl.models.vslnet import VSLNet
from mgsl.parsing import parse

MODELS: dict[str, type[GroundingModel] | type[BlindMethod]] = {
    "prior": Prior,
    "action_prior": ActionPrior,
    "tgn": TGN,
    "ctrl": CTRL,
    "acrn": ACRN,
    "qspn": QSPN,
    "cbp": CBP,
    "scdm": SCDM,
    "gdp": GDP,
    "lgi": LGI,
    "bpnet": BPNet,
    "vslnet": VSLNet,
    "cmin": CMIN,
    "tan_2d": TAN2D,
    "drn": DRN,
    "cbln": CBLN,
    "mgsl_net": MGSLNet,
}
CONFIGS = {name: kind.Config for name, kind in MODELS.items()}
TRAINED = tuple(name for name, kind in MODELS.items() if issubclass(kind, GroundingModel))


def build(config: RunConfig) -> Method:
    """A fresh method; what is drawn comes from torch's current random state.

    Raises:
        UserError: there is no such method, or it cannot be so.
    """
    if config.method not in MODELS:
        raise UserError(
            f"the configuration of {config.name} names the method {config.method!r}; "
            f"there is: {', '.join(MODELS)}"
        )
    kind: Any = MODELS[config.method]
    where = f"the configuration of {config.name}"
    method: Method = kind(parse(kind.Config, config.model, where=where))
    return method
