"""How large a method is at the paper's scale under several readings, built without memory (A5)."""

import pandas as pd
import torch
from torch import nn

from mgsl.configs import PrepareConfig, RunConfig
from mgsl.fields import Frozen
from mgsl.inspection.tracing import count
from mgsl.models import build
from mgsl.nested import merge
from mgsl.params import Params
from mgsl.resolving import resolve_alone

METHOD, PRINTED = "mgsl_net", "printed"
BYTES, MIB = 4, 2**20
DATASETS = ("activitynet_c3d", "tacos_c3d", "charades_i3d")
ONE, TWO = ({"encoder": {"attention_layers": count}} for count in (1, 2))
READINGS: dict[str, dict[str, object]] = {  # what changes the number of parameters of `printed`
    "D = 1024, two attention layers in each encoder, F = 3D": {**TWO},
    "D = 1024, one attention layer": {**ONE},
    "D = 1024, two attention layers, no calibration (F = 2D)": {
        **TWO, "attention": {"calibration": "none"},
    },
    "D = 512, two attention layers, F = 3D": {**TWO, "dim": 512},
    "D = 512, one attention layer": {**ONE, "dim": 512},
    "D = 1024, two attention layers, F = 3D, a step writes its key (G)": {
        **TWO, "memory": {"values": "key"},
    },
}  # fmt: skip


def lengths(config: RunConfig, prepare: PrepareConfig) -> dict[str, int]:
    """How long and wide the batches of one method are."""
    return {
        "b": config.batch_size,
        "t": prepare.num_clips,
        "w": config.max_words,
        "video_dim": prepare.video_dim,
        "word_dim": prepare.preparation.word_dim,
    }


def measure(params: Params, configs: dict[str, type[Frozen]]) -> pd.DataFrame:
    """Count what MGSL-Net learns and what its memories hold, for each benchmark and reading.

    Args:
        params: the whole of params.yaml.
        configs: the Config of each method.

    Returns:
        Columns dataset, reading, parameters, mib, slots_mib: float32, and 2^20 bytes.
    """
    rows = []
    for dataset in DATASETS:
        parts = resolve_alone(
            params, dataset, configs, scale="paper", methods=[METHOD], ablations=[PRINTED]
        )
        config = parts.runs[PRINTED]
        for reading, changes in READINGS.items():
            with torch.device("meta"):
                model = build(config.model_copy(update={"model": merge(config.model, changes)}))
            assert isinstance(model, nn.Module)
            slots = sum(b.numel() for name, b in model.named_buffers() if name.endswith("slots"))
            learned = count(model)
            row = (dataset, reading, learned, BYTES * learned / MIB, BYTES * slots / MIB)
            rows.append(row)
    columns = ["dataset", "reading", "parameters", "mib", "slots_mib"]
    return pd.DataFrame(rows, columns=columns).round(3)
