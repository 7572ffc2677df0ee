"""CONTRIBUTING promises that a method is one file and three lines: here one is added."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

COPIED = ("mgsl", "notebooks", "params.yaml", "reports/studies")
METHOD = '''"""Answer with the middle of the video, as wide as a mean clip and a mean word say.

Paper       none
Reference   none
Deviations  none
"""

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tests import ROOT
from mgsl.models.parts.base import GroundingModel
from mgsl.params import Frozen, Positive
from mgsl.records import Batch, Moments


class MiddleConfig(Frozen):
    """Sizes of the input."""

    video_dim: Positive
    word_dim: Positive


@final
class Middle(GroundingModel):
    """One moment for each query."""

    Config = MiddleConfig

    def __init__(self, config: MiddleConfig) -> None:
        super().__init__()
        self.width = nn.Linear(config.video_dim + config.word_dim, 1)

    def forward(self, batch: Batch) -> Moments:
        """The only candidate there is."""
        spans = self._spans(batch)
        return Moments(spans[:, None], spans.new_ones(len(spans), 1))

    def losses(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """How far both ends are off."""
        return {"span": F.smooth_l1_loss(self._spans(batch), batch.target)}

    def _spans(self, batch: Batch) -> Float[Tensor, "batch 2"]:
        seen = torch.cat([batch.video.mean(1), batch.query.mean(1)], dim=1)
        half = self.width(seen).sigmoid() / 2
        return torch.cat([0.5 - half, 0.5 + half], dim=1)
'''
ENTRY = '    "middle": Middle,\n'
IMPORT = "from mgsl.models.middle import Middle\n"
BLOCK = "  middle: {sizes: {embedded: {}, paper: {}}, choices: {}, nms: {rule: none}}\n"
ROW = "middle,The middle,,proposal-free\n"
STEPS = """
from mgsl import stages
stages.configure()
stages.download(dataset="embedded")
stages.prepare(dataset="embedded")
stages.train(dataset="embedded", name="middle", seed=None, device="cpu")
stages.evaluate(dataset="embedded")
stages.report(exhibit="table_1")
"""


def insert(path: Path, before: str, text: str) -> None:
    content = path.read_text()
    assert content.count(before) == 1, f"{path}: {before!r}"
    path.write_text(content.replace(before, text + before))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the repository with a few videos, few epochs and no other method."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    lines = (ROOT / "mgsl/resources/embedded/annotations.jsonl").read_text().splitlines()
    few = [
        line
        for split, number in (("train", 24), ("val", 8), ("test", 12))
        for line in [line for line in lines if f'"split":"{split}"' in line][:number]
    ]
    assert len(few) == 44
    (tmp_path / "data").mkdir()
    (tmp_path / "data/annotations.jsonl").write_text("\n".join(few) + "\n")
    return tmp_path


def test_a_method_is_one_file_and_three_lines(repository: Path) -> None:
    (repository / "mgsl/models/middle.py").write_text(METHOD)
    insert(repository / "mgsl/models/__init__.py", "from mgsl.models.prior import", IMPORT)
    insert(repository / "mgsl/models/__init__.py", '    "mgsl_net": MGSLNet,\n', ENTRY)
    insert(repository / "params.yaml", "  mgsl_net:\n    sizes:", BLOCK)
    with (repository / "mgsl/reporting/read/published/methods.csv").open("a") as file:
        file.write(ROW)
    chosen = (repository / "params.yaml").read_text().splitlines(keepends=True)
    told = {"methods:": "methods: [middle]\n", "ablations:": "ablations: []\n"}
    told["inspected:"] = "inspected: []\n"
    told["seeds:"] = "seeds: [0]\n"
    chosen = [next((new for key, new in told.items() if line.startswith(key)), line)
              for line in chosen]  # fmt: skip
    (repository / "params.yaml").write_text("".join(chosen))
    environment = os.environ | {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        cwd=repository, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    metrics = pd.read_csv(repository / "artifacts/embedded/metrics.csv")
    assert set(metrics["name"]) == {"middle"}
    table = pd.read_csv(repository / "reports/exhibits/table_1.csv").set_index(["name", "metric"])
    row = table.loc[("middle", "R@1, IoU=0.3")]
    ours = row["ours_percent"].dropna()
    assert ours.between(0, 100).all()
    assert len(ours) == 1
    text = (repository / "reports/exhibits/table_1.md").read_text()
    assert "| The middle |" in text
    assert "The middle without NMS" in text
