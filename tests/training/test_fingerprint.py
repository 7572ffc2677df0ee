"""A state belongs to one configuration, data, code, seed and numerics: each makes another."""

from pathlib import Path

import pytest
import torch

from mgsl import numerics
from mgsl.models import MODELS
from mgsl.prepared import read_summary, write_summary
from mgsl.training import fingerprint as module
from mgsl.training.fingerprint import fingerprint, sources
from tests import test_structure, tiny

CONFIG = tiny.run_config()
CPU = torch.device("cpu")
FILES = ("features.npy", "queries.jsonl", "videos.csv", "vocabulary.json", "word_vectors.npy")


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    tiny.prepare(tmp_path / "prepared")
    return tmp_path / "prepared"


def test_the_same_training_has_the_same_fingerprint(prepared: Path) -> None:
    first = fingerprint(CONFIG, prepared, 0, CPU)
    module._code.cache_clear()
    assert fingerprint(CONFIG, prepared, 0, CPU) == first
    assert len(first) == 16


@pytest.mark.parametrize("name", FILES)
def test_every_input_makes_another_even_of_the_same_size(prepared: Path, name: str) -> None:
    first = fingerprint(CONFIG, prepared, 0, CPU)
    content = (prepared / name).read_bytes()
    (prepared / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1, content[-1]]))
    assert fingerprint(CONFIG, prepared, 0, CPU) != first


def test_settings_make_another(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprints = [
        fingerprint(CONFIG, prepared, 0, CPU),
        fingerprint(CONFIG, prepared, 1, CPU),
        fingerprint(CONFIG.model_copy(update={"epochs": 9}), prepared, 0, CPU),
        fingerprint(CONFIG, prepared, 0, torch.device("cuda")),
    ]
    write_summary(prepared, read_summary(prepared) | {"title": "another"})
    fingerprints.append(fingerprint(CONFIG, prepared, 0, CPU))
    for owner, name, value in (
        (numerics, "current", lambda: numerics.Numerics(False, "other kernels")),
        (module, "world_size", lambda: 2),
        (torch, "__version__", "0.0"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            fingerprints.append(fingerprint(CONFIG, prepared, 0, CPU))
    assert len(set(fingerprints)) == len(fingerprints)


def test_code_makes_another(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint(CONFIG, prepared, 0, CPU)
    edited = tmp_path / "loop.py"
    edited.write_text("# edited")
    known = sources("mgsl_net")
    monkeypatch.setattr(module, "sources", lambda _: known | {"mgsl.training.loop": edited})
    module._code.cache_clear()
    try:
        assert fingerprint(CONFIG, prepared, 0, CPU) != first
    finally:
        module._code.cache_clear()


@pytest.mark.parametrize("method", MODELS)
def test_the_code_is_all_that_the_stage_depends_on_for_its_method(method: str) -> None:
    modules = sources(method)
    writes = {"mgsl.evaluation", "mgsl.training.parallel", "mgsl.training.devices"}
    needed = test_structure.needed_by_stage("train", method)
    assert not {
        name
        for name in needed - modules.keys()
        if not test_structure.inside(name, [*writes, "mgsl.training.fingerprint"])
    }
    others = {kind.__module__ for name, kind in MODELS.items() if name != method}
    assert not others & modules.keys()
    assert all(name.startswith("mgsl") for name in modules)
