"""Each of configuration, data, code and seed makes another training, and numerics another state."""

from pathlib import Path

import pytest
import torch

from mgsl import numerics
from mgsl.configs import RunConfig
from mgsl.models import MODELS
from mgsl.prepared import digests, read_summary, write_summary
from mgsl.training import fingerprint as module
from mgsl.training.fingerprint import digest, fingerprint, sources
from tests import test_structure, tiny

CONFIG = tiny.run_config()
CPU = torch.device("cpu")
FILES = ("features.npy", "queries.jsonl", "videos.csv", "vocabulary.json", "word_vectors.npy")


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    tiny.prepare(tmp_path / "prepared")
    return tmp_path / "prepared"


def digest_of(prepared: Path, config: RunConfig = CONFIG, seed: int = 0) -> str:
    return digest(config, digests(prepared), seed)


def test_the_same_training_has_the_same_digest_and_fingerprint(prepared: Path) -> None:
    first = digest_of(prepared)
    module._code.cache_clear()
    assert digest_of(prepared) == first
    assert len(first) == 64
    assert fingerprint(first, CPU) == fingerprint(first, CPU)
    assert len(fingerprint(first, CPU)) == 16


@pytest.mark.parametrize("name", FILES)
def test_every_input_makes_another_even_of_the_same_size(prepared: Path, name: str) -> None:
    first = digest_of(prepared)
    content = (prepared / name).read_bytes()
    (prepared / name).write_bytes(content[:-2] + bytes([content[-2] ^ 1, content[-1]]))
    assert digest_of(prepared) != first


def test_settings_make_another(prepared: Path) -> None:
    several = [
        digest_of(prepared),
        digest_of(prepared, seed=1),
        digest_of(prepared, CONFIG.model_copy(update={"epochs": 9})),
    ]
    write_summary(prepared, read_summary(prepared) | {"title": "another"})
    several.append(digest_of(prepared))
    assert len(set(several)) == len(several)


def test_what_is_computed_with_makes_another_state_of_the_same_training(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest_of(prepared)
    states = [fingerprint(first, CPU), fingerprint(first, torch.device("cuda"))]
    for owner, name, value in (
        (numerics, "current", lambda: numerics.Numerics(False, "other kernels")),
        (module, "world_size", lambda: 2),
        (torch, "__version__", "0.0"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            states.append(fingerprint(first, CPU))
            assert digest_of(prepared) == first
    assert len(set(states)) == len(states)


def test_code_makes_another(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest_of(prepared)
    edited = tmp_path / "loop.py"
    edited.write_text("# edited")
    known = sources("mgsl_net")
    monkeypatch.setattr(module, "sources", lambda _: known | {"mgsl.training.loop": edited})
    module._code.cache_clear()
    try:
        assert digest_of(prepared) != first
    finally:
        module._code.cache_clear()


@pytest.mark.parametrize("method", MODELS)
def test_the_code_is_all_that_the_stage_depends_on_for_its_method(method: str) -> None:
    names = ("allocator", "devices", "fingerprint", "jobs", "parallel", "receipt", "spent")
    beside = {f"mgsl.training.{name}" for name in names}  # they change no number
    beside.add("mgsl.training.answering")  # joins what is digested; levels what would be refused
    assert sources(method).keys() == {
        name
        for name in test_structure.needed_by_stage("train", method) - beside
        if test_structure.modules()[name].name != "__init__.py"
    }
