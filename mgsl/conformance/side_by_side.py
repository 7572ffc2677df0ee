"""All methods beside their released code: what a report needs to know of it."""

import math
import sys
from dataclasses import asdict
from decimal import ROUND_UP, Context
from typing import Any

from mgsl.conformance import headers
from mgsl.conformance.golden import Comparison, Official, doubles
from mgsl.conformance.official_acrn import OfficialACRN
from mgsl.conformance.official_cbp import OfficialCBP
from mgsl.conformance.official_cmin import OfficialCMIN
from mgsl.conformance.official_ctrl import OfficialCTRL
from mgsl.conformance.official_drn import OfficialDRN
from mgsl.conformance.official_lgi import OfficialLGI
from mgsl.conformance.official_qspn import OfficialQSPN
from mgsl.conformance.official_scdm import OfficialSCDM
from mgsl.conformance.official_tan_2d import OfficialTAN2D
from mgsl.conformance.official_tgn import OfficialTGN
from mgsl.conformance.official_vslnet import OfficialVSLNet
from mgsl.models import MODELS

OFFICIAL: dict[str, type[Official[Any]]] = {
    "tgn": OfficialTGN,
    "ctrl": OfficialCTRL,
    "acrn": OfficialACRN,
    "qspn": OfficialQSPN,
    "cbp": OfficialCBP,
    "scdm": OfficialSCDM,
    "cmin": OfficialCMIN,
    "lgi": OfficialLGI,
    "vslnet": OfficialVSLNet,
    "tan_2d": OfficialTAN2D,
    "drn": OfficialDRN,
}
_ONE_DIGIT = Context(prec=1, rounding=ROUND_UP)


def measure() -> dict[str, Any]:
    """Every method's header and, for each setting of its release, what was compared.

    Returns:
        By method: `header`, and `settings`: by name `comparisons`, whose differences are rounded up
        to one digit, `parameters` at the released sizes, `theirs`, `ours`, and `why` they differ,
        and whether theirs is `transcribed`.
    """
    return {
        name: {
            "header": asdict(headers.read(sys.modules[kind.__module__].__doc__ or "")),
            "settings": {
                setting: _setting(OFFICIAL[name], setting) for setting in settings_of(name)
            },
        }
        for name, kind in MODELS.items()
    }


def settings_of(name: str) -> list[str]:
    """The settings in which a method is compared; none without released code."""
    return list(OFFICIAL[name].settings) if name in OFFICIAL else []


def comparisons(kind: type[Official[Any]], setting: str) -> list[Comparison]:
    """Everything that is compared in one setting, in single precision and in double."""
    singles = list(kind(setting).compare())
    with doubles():
        return singles + list(kind(setting).compare_doubles())


def rounded_up(difference: float) -> float:
    """One digit that is not below it: what differs on no machine by a rounding alone.

    Raises:
        ValueError: it is no number.
    """
    if not math.isfinite(difference):
        raise ValueError(f"a difference is {difference}")
    return float(_ONE_DIGIT.create_decimal(repr(difference)))


def _setting(kind: type[Official[Any]], setting: str) -> dict[str, Any]:
    official = kind(setting)
    rows = [asdict(comparison) for comparison in comparisons(kind, setting)]
    for row in rows:
        row["difference"] = rounded_up(row["difference"])
    return {
        "comparisons": rows,
        "parameters": {
            "theirs": official.setting.parameters,
            "ours": official.count(),
            "why": official.setting.why,
        },
        "transcribed": official.setting.transcribed,
    }
