"""A checkpoint comes back as it was, or says why not; reading one runs no code."""

import pickle
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mgsl import numerics
from mgsl.errors import UserError
from mgsl.models import build
from mgsl.models.parts.base import BlindMethod, GroundingModel
from mgsl.nested import merge
from mgsl.training import checkpoint
from mgsl.training.checkpoint import (
    load_checkpoint,
    load_state,
    remove_others,
    save_checkpoint,
    save_state,
)
from tests import tiny

CONFIG = tiny.run_config()


class Malicious:
    """Unpickling it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.fixture
def model() -> GroundingModel:
    torch.manual_seed(3)
    return build(CONFIG)


@pytest.fixture
def saved(tmp_path: Path, model: GroundingModel) -> Path:
    save_checkpoint(tmp_path / "checkpoint.safetensors", model, CONFIG)
    return tmp_path / "checkpoint.safetensors"


def test_weights_and_memories_come_back_bit_for_bit(saved: Path, model: GroundingModel) -> None:
    loaded = load_checkpoint(saved, CONFIG)
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert "video_memory.memories.0.slots" in model.state_dict()
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    batch = tiny.batch()
    torch.testing.assert_close(loaded(batch).spans, model.eval()(batch).spans, rtol=0, atol=0)


def test_the_same_model_gives_the_same_bytes(saved: Path, model: GroundingModel) -> None:
    again = saved.with_name("again.safetensors")
    save_checkpoint(again, model, CONFIG)
    assert again.read_bytes() == saved.read_bytes()


def test_another_configuration_is_refused_key_by_key(saved: Path) -> None:
    other = CONFIG.model_copy(
        update={
            "dataset": "another",
            "model": merge(CONFIG.model, {"video_slots": 41, "memory": {"beta": 7.0}}),
        }
    )
    with pytest.raises(UserError, match="checkpoint of another configuration") as caught:
        load_checkpoint(saved, other)
    assert str(caught.value).splitlines()[1:] == [
        f"  dataset: trained with {CONFIG.dataset!r}, asked for 'another'",
        f"  model.memory.beta: trained with {CONFIG.model['memory']['beta']!r}, asked for 7.0",
        "  model.video_slots: trained with 40, asked for 41",
    ]


def test_a_missing_checkpoint_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint\.safetensors is missing: train first"):
        load_checkpoint(tmp_path / "checkpoint.safetensors", CONFIG)


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_checkpoint_is_named(saved: Path, kept: int) -> None:
    saved.write_bytes(saved.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"checkpoint\.safetensors is .*damaged"):
        load_checkpoint(saved, CONFIG)


@pytest.mark.parametrize("metadata", [None, {}, {"trained": "{"}, {"trained": "[]"}])
def test_a_file_of_another_program_is_named(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors", metadata=metadata)
    with pytest.raises(UserError, match="not a checkpoint of mgsl"):
        load_checkpoint(tmp_path / "other.safetensors", CONFIG)


@pytest.mark.parametrize("name", ["mgsl_net", "prior"])
def test_weights_that_are_not_those_of_the_method_are_named(tmp_path: Path, name: str) -> None:
    path, config = tmp_path / "checkpoint.safetensors", tiny.run_config(name)
    method = build(config)
    if isinstance(method, BlindMethod):
        method.fit(tiny.split(40).queries, seed=0)
    save_checkpoint(path, method, config)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    first, *rest = sorted(method.state_dict())
    whole = {key: tensor.contiguous() for key, tensor in method.state_dict().items()}
    for broken, message in (
        ({key: whole[key] for key in rest}, "has not the weights of"),
        (whole | {first: torch.zeros(3, 1, 2)}, "has not the weights of"),
        (whole | {first: torch.full_like(whole[first], torch.nan)}, f"holds NaN.* in {first}"),
    ):
        save_file(broken, path, metadata=metadata)
        with pytest.raises(UserError, match=rf"(?s)checkpoint\.safetensors {message}.*train again"):
            load_checkpoint(path, config)


def test_the_sharpness_of_a_memory_as_printed_is_no_damage(tmp_path: Path) -> None:
    path, config = tmp_path / "checkpoint.safetensors", tiny.run_config("printed")
    save_checkpoint(path, build(config), config)
    weights = load_checkpoint(path, config).state_dict()
    assert any((tensor == -torch.inf).any() for tensor in weights.values())


def test_a_checkpoint_tells_the_numerics_it_was_trained_with(
    saved: Path, model: GroundingModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert numerics.recorded(saved) == numerics.current().label
    monkeypatch.setattr(checkpoint, "world_size", lambda: 2)
    save_checkpoint(saved, model, CONFIG)
    assert numerics.recorded(saved).startswith("NOT reproducible to the byte: one training shared")
    assert not numerics.of_training(on_gpu=True, processes=1).reproducible
    save_file({"weight": torch.zeros(2)}, tmp_path / "other", metadata={"trained": "{}"})
    for path in (tmp_path / "other", tmp_path / "none", tmp_path):
        assert numerics.recorded(path) == numerics.UNRECORDED


def test_saving_twice_gives_the_same_bytes_in_every_process(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        assert len(file.metadata()) == 1  # several would come in any order


def test_no_checkpoint_and_no_state_is_unpickled(tmp_path: Path) -> None:
    made, path = tmp_path / "made", tmp_path / "file"
    path.write_bytes(pickle.dumps(Malicious(made), protocol=2))
    with pytest.raises(UserError):
        load_checkpoint(path, CONFIG)
    with pytest.raises(UserError, match="damaged"):
        load_state(path)
    torch.save({"model": Malicious(made)}, path)
    with pytest.raises(UserError, match="damaged"):
        load_state(path)
    assert not made.exists()
    torch.load(path, weights_only=False)  # the trap does work
    assert made.exists()


def test_a_state_comes_back_and_none_is_none(tmp_path: Path) -> None:
    state = {"model": {"w": torch.arange(3)}, "progress": {"rows": [{"loss": 0.5}], "best": -1.0}}
    assert load_state(tmp_path / "a/state.pt") is None
    save_state(tmp_path / "a/state.pt", state)
    loaded = load_state(tmp_path / "a/state.pt")
    assert loaded is not None
    assert torch.equal(loaded["model"]["w"], torch.arange(3))
    assert loaded["progress"] == state["progress"]


def test_a_save_that_fails_leaves_the_last_one(
    saved: Path, model: GroundingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(UserError, match=f"no space left on the disk while writing {saved}: "):
        save_checkpoint(saved, model, CONFIG)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_disk_that_is_full_is_told_and_leaves_what_stood_there(
    saved: Path, model: GroundingModel, few_bytes: None
) -> None:
    state = saved.with_name("state.pt")
    before = saved.read_bytes()
    with pytest.raises(UserError, match=r"checkpoint\.safetensors cannot be written: .*make room"):
        save_checkpoint(saved, model, CONFIG)
    with pytest.raises(UserError, match=r"state\.pt cannot be written: .* MB are free"):
        save_state(state, {"model": model.state_dict()})
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


@pytest.fixture
def few_bytes(saved: Path) -> Iterator[None]:
    """No file grows beyond a kilobyte: what libraries do on a full disk, they do then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_states_of_other_data_or_code_are_removed_and_no_others(tmp_path: Path) -> None:
    own = tmp_path / f"kitchen-ctrl-0-{'a' * 16}.pt"
    assert not remove_others(own)
    kept = [own, *(tmp_path / f"kitchen-{run}-{'b' * 16}.pt" for run in ("ctrl-1", "ctrl_2-0"))]
    others = [tmp_path / f"kitchen-ctrl-0-{letter * 16}.pt" for letter in "bc"]
    for path in (*kept, *others):
        path.touch()
    assert remove_others(own)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert not remove_others(own)
