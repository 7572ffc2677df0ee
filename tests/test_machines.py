"""Other machines, imitated: the same data, and the same trainings, to the byte."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mgsl import numerics, params, paths
from mgsl.configs import PrepareConfig
from tests import ROOT

VIDEOS = 15  # of each split
NATIVE = {numerics.SWITCH: numerics.NATIVE}
KERNELS = [
    {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2"},
    {"OPENBLAS_CORETYPE": "Zen", "NPY_DISABLE_CPU_FEATURES": "X86_V3"},
    {"OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default"},
    {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3"},
]
PREPARE = """
import hashlib, sys
from pathlib import Path
import numpy as np
from mgsl import params
from mgsl.data.planted import Signatures
from mgsl.data.preparing import prepare
from mgsl.data.text import spelling_vector
from mgsl.configs import PrepareConfig

folder = Path(sys.argv[1])
config = params.read(PrepareConfig, folder / "prepare.json")
output = folder / f"prepared-{sys.argv[2]}"
prepare(config, folder / "raw", output)
words = ["box", "gargoyle", "varnishes", "lifts"]
known = Signatures(spelling_vector, params=config.planted, video_dim=64, word_dim=300)
digests = [hashlib.sha256(np.stack([known[word] for word in words]).tobytes())]
digests.append(hashlib.sha256())
for file in sorted(output.iterdir()):
    digests[1].update(file.name.encode() + file.read_bytes())
print(*(digest.hexdigest() for digest in digests))
"""
TRAIN = """
import hashlib, os, sys
cores = int(sys.argv[2])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
import mgsl  # before torch
import torch
from pathlib import Path
from mgsl.evaluation.predictions import write_predictions
from mgsl.models import build
from mgsl.spans import to_seconds
from mgsl.training.checkpoint import save_checkpoint
from mgsl.training.loop import fit, predict
from mgsl.training.seeding import seed_everything
from tests import tiny

folder = Path(sys.argv[1])
config = tiny.run_config("mgsl_net")
train, val = tiny.split(40), tiny.split(16, seed=1)
torch.set_flush_denormal(True)
seed_everything(0)
model, cpu = build(config), torch.device("cpu")
curve = fit(model, train, val, config, seed=0, device=cpu, state_path=folder / "state.pt")
spans, scores = predict(model, val, config, cpu)
times = to_seconds(spans, val.durations_s)
write_predictions(folder / "predictions.jsonl", val.queries, times, scores, config.keep)
save_checkpoint(folder / "checkpoint.safetensors", model, config)
curve.to_csv(folder / "curve.csv", index=False)
names = ("checkpoint.safetensors", "curve.csv", "predictions.jsonl")
print(*(hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names))
"""
EMULATOR = "qemu-x86_64"  # of other processors; before its version 10 gathers went wrong
PROCESSORS = ("Haswell", "EPYC-Rome")  # Intel's first with AVX2, and one of AMD's


def emulates() -> bool:
    """Whether other processors can be emulated here."""
    if shutil.which(EMULATOR) is None:
        return False
    said = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.split("version ")[1].split(".")[0]) >= 10


def machine(
    code: str,
    *arguments: object,
    cwd: Path = ROOT,
    processor: str | None = None,
    **environment: str,
) -> list[str]:
    """The last line of a fresh process, told nothing of numerics but what `environment` says.

    Args:
        code: what it runs.
        arguments: that the code is given.
        cwd: where it runs.
        processor: that is emulated; None: this machine's own.
        environment: variables, beside this process's own.
    """
    hidden = {*numerics.ENVIRONMENT, *numerics.REMOVED, numerics.SWITCH}
    variables = {key: value for key, value in os.environ.items() if key not in hidden}
    variables |= {"PYTHONPATH": str(ROOT), **environment}
    emulated = [EMULATOR, "-cpu", processor] if processor else []
    command = [*emulated, sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(
        command, env=variables, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The first videos of the embedded dataset, and how they are to be prepared."""
    parameters = params.load(ROOT / paths.PARAMS)
    config = PrepareConfig(
        dataset="embedded",
        num_clips=16,
        max_words=20,
        video_dim=parameters.data["embedded"].video_dim,
        planted=parameters.data["embedded"].planted,
        preparation=parameters.preparation,
    )
    (tmp_path / "prepare.json").write_text(config.model_dump_json())
    (tmp_path / "raw").mkdir()
    lines = (ROOT / "mgsl/resources/embedded/annotations.jsonl").read_text().splitlines()
    by_split: dict[str, list[str]] = {}
    for line in lines:
        by_split.setdefault(json.loads(line)["split"], []).append(line)
    kept = [line for of_split in by_split.values() for line in of_split[:VIDEOS]]
    (tmp_path / "raw/annotations.jsonl").write_text("\n".join(kept) + "\n")
    return tmp_path


@pytest.mark.skipif(not numerics.has_avx2(), reason="kernels of x86-64 are imitated")
def test_data_are_the_same_bytes_whatever_kernels_a_machine_has(raw: Path) -> None:
    has_avx512 = "avx512f" in Path("/proc/cpuinfo").read_text()
    kernels = KERNELS + [{"OPENBLAS_CORETYPE": "SkylakeX"}] * has_avx512
    digests = [machine(PREPARE, raw, row, **NATIVE, **each) for row, each in enumerate(kernels)]
    assert len({unrounded for unrounded, _ in digests}) > 1  # kernels that round otherwise did run
    assert len({digest for _, digest in digests}) == 1


def train(
    folder: Path, code: str, *, cores: int = 1, processor: str | None = None, **environment: str
) -> list[str]:
    """The digests of what a training leaves in a folder of its own (`TRAIN`)."""
    folder.mkdir()
    (folder / "params.yaml").symlink_to(ROOT / "params.yaml")
    return machine(code, folder, cores, cwd=folder, processor=processor, **environment)


@pytest.mark.skipif(not numerics.has_avx2(), reason="the promise is for processors with AVX2")
def test_a_training_is_the_same_bytes_whatever_the_machine_looks_like(tmp_path: Path) -> None:
    plain = train(tmp_path / "plain", TRAIN, PYTHONHASHSEED="0")
    assert len(plain) == 3
    outside = {"ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    outside |= {"OPENBLAS_CORETYPE": "Prescott", "ONEDNN_MAX_CPU_ISA": "SSE41"}
    another = tmp_path / "another folder"
    assert train(another, TRAIN, cores=2, PYTHONHASHSEED="7", **outside) == plain
    native = train(tmp_path / "native", TRAIN, PYTHONHASHSEED="0", **NATIVE, **outside)
    assert set(native).isdisjoint(plain)  # without the promise the same mask shows


@pytest.mark.skipif(not emulates(), reason=f"{EMULATOR} 10 or newer is not installed")
@pytest.mark.skipif(not numerics.has_avx2(), reason="the promise is for processors with AVX2")
def test_a_training_is_the_same_bytes_on_processors_of_either_maker(tmp_path: Path) -> None:
    here = train(tmp_path / "here", TRAIN)
    for processor in PROCESSORS:
        assert train(tmp_path / processor, TRAIN, processor=processor) == here
