"""CONTRIBUTING tells how a method and a dataset are added: here one of each is."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests import ROOT

COPIED = (
    "docs/data.md",
    "docs/open_questions.md",
    "mgsl",
    "notebooks",
    "params.yaml",
    "reports/studies",
)
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

from mgsl.models.parts.base import GroundingModel
from mgsl.fields import Frozen, Positive
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
READER = '''"""Kitchen: a line for each sentence, with a tag at every word."""

from pathlib import Path

from mgsl.data.annotations import Annotation, read_lines, seconds
from mgsl.errors import UserError


def read_kitchen(raw: Path) -> list[Annotation]:
    """Every sentence, of every split."""
    path = raw / "owner/kitchen/sentences.tsv"
    annotations = []
    for number, line in enumerate(read_lines(path), start=1):
        where = f"{path}, line {number}"
        match line.rstrip("\\n").split("\\t"):
            case [split, video, *times, sentence] if len(times) == 3:
                start_s, end_s, duration_s = (seconds(time, where) for time in times)
                words = tuple((word.split("/")[0], word.split("/")[1]) for word in sentence.split())
                text = " ".join(word for word, _ in words)
            case fields:
                raise UserError(f"{where}: expected six fields, got {fields}")
        qid = f"{video}-{number}"
        annotations.append(
            Annotation(qid, video, text, split, start_s, end_s, duration_s, tagged=words)
        )
    return annotations
'''
DATASET = """    "kitchen_planted": Dataset(
        title="Kitchen, planted features",
        features="simulated from the words of the annotated sentences",
        simulated=True,
        benchmark=None,
        download=functools.partial(_fetch, "kitchen_planted"),
        annotations=read_kitchen,
        vectors=lambda raw: {},  # from spelling
        features_of=functools.partial(_planted, _described_events),
        dtype=np.float16,
    ),
"""
DATA = """  kitchen_planted:
    video_dim: 8
    vocabulary: 500
    planted: {signature_from_word: 0.7, background: 0.5, noise: 0.5, seed: 0}
"""
# As many clips as the longest anchor that methods have where a dataset says nothing of its own.
SETTING = """    kitchen:
      {num_clips: 128, max_words: 8, dim: 8, video_slots: 8, query_slots: 8, epochs: 1,
       batch_size: 8, learning_rate: 0.002, schedule: {kind: constant}}
"""
CARD = """
## `kitchen_planted`

**What it is.** Sentences about a kitchen.

**Known flaws.** It is made up.
"""
SENTENCES = {"train": 24, "val": 8, "test": 12}


def insert(path: Path, before: str, text: str) -> None:
    content = path.read_text()
    assert content.count(before) == 1, f"{path}: {before!r}"
    path.write_text(content.replace(before, text + before))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the repository with a few videos, few epochs and no other method."""
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
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


def choose(repository: Path, **lists: str) -> None:
    """Change what params.yaml says is run."""
    path = repository / "params.yaml"
    text = path.read_text()
    for key, value in lists.items():
        text, count = re.subn(rf"^{key}:.*\n(?: .*\n)*", f"{key}: {value}\n", text, flags=re.M)
        assert count == 1, key
    path.write_text(text)


def steps(dataset: str, method: str, *exhibits: str) -> list[str]:
    """Calls of the stages, in order."""
    return [
        "configure()",
        f"download(dataset={dataset!r})",
        f"prepare(dataset={dataset!r})",
        f"train(dataset={dataset!r}, name={method!r}, seed=None, device='cpu')",
        f"evaluate(dataset={dataset!r})",
        *(f"report(exhibit={exhibit!r})" for exhibit in exhibits),
    ]


def run(repository: Path, *calls: str, **environment: str) -> None:
    """Call stages in the repository, in a process of its own."""
    settings = {"PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"} | environment
    script = "\n".join(["from mgsl import stages", *(f"stages.{call}" for call in calls)])
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository, env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_method_is_one_file_and_three_lines(repository: Path) -> None:
    (repository / "mgsl/models/middle.py").write_text(METHOD)
    insert(repository / "mgsl/models/__init__.py", "from mgsl.models.prior import", IMPORT)
    insert(repository / "mgsl/models/__init__.py", '    "mgsl_net": MGSLNet,\n', ENTRY)
    insert(repository / "params.yaml", "  mgsl_net:\n    sizes:", BLOCK)
    with (repository / "mgsl/reporting/read/published/methods.csv").open("a") as file:
        file.write(ROW)
    choose(repository, methods="[middle]", ablations="[]", inspected="[]", seeds="[0]")
    run(repository, *steps("embedded", "middle", "table_1"))
    metrics = pd.read_csv(repository / "artifacts/embedded/metrics.csv")
    assert set(metrics["name"]) == {"middle"}
    table = pd.read_csv(repository / "reports/exhibits/table_1.csv").set_index(["name", "metric"])
    row = table.loc[[("middle", "R@1, IoU=0.3")]]
    ours = row["ours_percent"].dropna()
    assert ours.between(0, 100).all()
    assert len(ours) == 1
    text = (repository / "reports/exhibits/table_1.md").read_text()
    assert "| The middle |" in text
    assert "The middle without NMS" in text


def publish(mirror: Path) -> str:
    """Make the new dataset's file; returns its row of the catalogue."""
    lines = []
    for split, number in SENTENCES.items():
        for i in range(number):
            verb, noun = ("opens", "takes", "cuts")[i % 3], ("door", "knife", "bread", "cup")[i % 4]
            sentence = f"a/DT man/NN {verb}/VBZ the/DT {noun}/NN"
            times = (i % 10, i % 10 + 5, 20)
            lines.append("\t".join([split, f"{split}{i}", *map(str, times), sentence]))
    path = mirror / "owner/kitchen/sentences.tsv"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    return f"kitchen_planted,owner/kitchen,{'0' * 40},sentences.tsv,{size},{digest},,free,A. Cook\n"


def test_a_dataset_is_four_steps(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mirror = tmp_path_factory.mktemp("mirror")
    with (repository / "mgsl/data/catalogue.csv").open("a") as file:
        file.write(publish(mirror))
    (repository / "mgsl/data/annotations/kitchen.py").write_text(READER)
    datasets = repository / "mgsl/data/datasets.py"
    insert(
        datasets,
        "from mgsl.data.annotations.tacos import",
        "from mgsl.data.annotations.kitchen import read_kitchen\n",
    )
    insert(datasets, '    "charades_i3d": _from_video(', DATASET)
    insert(repository / "params.yaml", "  charades_i3d:", DATA)
    insert(repository / "params.yaml", "    charades:\n      {num_clips: 64", SETTING)
    with (repository / "docs/data.md").open("a") as file:
        file.write(CARD)

    choose(repository, datasets="[kitchen_planted]", ablations="[]", inspected="[]", seeds="[0]")
    run(repository, "configure()")
    configs = repository / "artifacts/configs"
    assert {"embedded", "charades_actions", "kitchen_planted"} <= {
        p.name for p in configs.iterdir()
    }
    every_method = {path.name for path in (configs / "embedded").glob("*.json")}
    assert every_method == {path.name for path in (configs / "kitchen_planted").glob("*.json")}

    choose(repository, methods="[ctrl]")
    run(
        repository,
        *steps("kitchen_planted", "ctrl", "table_1", "data_cards"),
        MGSL_MIRROR=str(mirror),
        MGSL_CACHE=str(mirror / "cache"),
    )
    queries = (repository / "artifacts/kitchen_planted/prepared/queries.jsonl").read_text()
    assert len(queries.splitlines()) == sum(SENTENCES.values())
    assert set(pd.read_csv(repository / "artifacts/kitchen_planted/metrics.csv")["name"]) == {
        "ctrl"
    }
    assert "kitchen_planted" in (repository / "reports/exhibits/table_1.md").read_text()
    assert (
        "Sentences about a kitchen" in (repository / "reports/exhibits/data_cards.md").read_text()
    )
