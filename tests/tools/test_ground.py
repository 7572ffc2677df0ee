"""Asking a checkpoint about one video: the answer is the method's, and mistakes are named."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from mgsl import paths
from mgsl.cli import app
from mgsl.data.text import spelling_vector
from mgsl.errors import UserError
from mgsl.files import write_json, write_text
from mgsl.models import MODELS, build
from mgsl.models.parts.base import GroundingModel
from mgsl.prepared import read_summary, write_summary
from mgsl.queries import write_queries
from mgsl.records import Batch
from mgsl.reporting.draw import answers, figures
from mgsl.tools import ground
from mgsl.training.checkpoint import save_checkpoint
from tests import ROOT, tiny

NAMES = [name for name, kind in MODELS.items() if issubclass(kind, GroundingModel)]
VOCABULARY = ["", "a", "person", "door"]
QUERY = "A person closes the door."


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared dataset and a checkpoint of each method."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    prepared = paths.prepared("embedded")
    made = tiny.split(3)
    write_queries(prepared / "queries.jsonl", [*made.queries])
    write_json(prepared / "vocabulary.json", VOCABULARY)
    rng = np.random.default_rng(0)
    np.save(prepared / "word_vectors.npy", rng.normal(size=(4, tiny.WORD_DIM)).astype(np.float32))
    sizes = {"num_clips": tiny.CLIPS, "video_dim": tiny.VIDEO_DIM, "word_dim": tiny.WORD_DIM}
    about = {"dataset": "embedded", "features": "random", "simulated": True}
    about["unknown_words"] = "spelled"
    write_text(prepared / "videos.csv", "video,duration_s\nv0,10.0\nv1,10.0\nv2,10.0\n")
    np.save(prepared / "features.npy", made.features)
    write_summary(prepared, sizes | about)
    for name in [*NAMES, "prior"]:
        torch.manual_seed(0)
        config = tiny.run_config(name)
        model = build(config)
        if not isinstance(model, GroundingModel):
            model.fit(tiny.split(40).queries, seed=0)
        save_checkpoint(checkpoint(name), model, config)
    np.save("clips.npy", rng.normal(size=(30, tiny.VIDEO_DIM)).astype(np.float32))
    return tmp_path


def checkpoint(name: str) -> Path:
    return paths.run("embedded", name, 0) / "checkpoint.safetensors"


def ask(name: str = "mgsl_net", **changes: object) -> ground.Answer:
    asked = {"features": "clips.npy", "duration_s": 83.2, "query": QUERY} | changes
    features = asked.pop("features")
    return ground.ground(checkpoint(name), features, device="cpu", **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_moments_are_seconds_within_the_video_best_first_and_apart(name: str) -> None:
    answer = ask(name)
    assert 1 <= len(answer.moments) <= ground.MOMENTS
    scores = [moment.score for moment in answer.moments]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= m.start_s <= m.end_s <= 83.2 for m in answer.moments)
    assert answer.unknown == ("closes", "the")


@torch.no_grad()
def test_the_best_moment_is_what_the_model_ranks_first() -> None:
    clips = np.load("clips.npy")[:12]  # as many as the model has: stretching changes nothing
    table = np.load(paths.prepared("embedded") / "word_vectors.npy")
    words = [table[1], table[2], *(spelling_vector(w, 8) for w in ("closes", "the")), table[3]]
    torch.manual_seed(0)
    model = build(tiny.run_config())
    assert isinstance(model, GroundingModel)
    video = torch.from_numpy(clips)[None]
    query = torch.from_numpy(np.stack(words).astype(np.float32))[None]
    every = torch.ones(1, 12, dtype=torch.bool), torch.ones(1, 5, dtype=torch.bool)
    batch = Batch(video, every[0], query, every[1], torch.zeros(1, 2), every[1].long())
    moments = model.eval()(batch)
    best = ask(features=clips).moments[0]
    expected = (83.2 * moments.spans[0, 0].double()).tolist()
    assert (best.start_s, best.end_s) == pytest.approx(expected)
    assert best.score == pytest.approx(moments.scores[0, 0].item())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration_s": 0.0}, "positive number of seconds, got 0.0"),
        ({"duration_s": float("nan")}, "positive number of seconds, got nan"),
        ({"query": " ... "}, "the query has no word: ' ... '"),
        ({"features": "none.npy"}, "none.npy is missing"),
        ({"features": "params.yaml"}, "params.yaml is text"),
        ({"features": np.zeros((4, 9), np.float32)}, r"\(4, 9\), expected \[clips, 5\]"),
        ({"features": np.full((4, 5), np.nan, np.float32)}, "hold NaN or infinity, in clip 0"),
        ({"features": np.zeros((0, 5), np.float32)}, r"\(0, 5\), no clips; expected \[clips, 5\]"),
        ({"name": "prior"}, "is of prior, which sees no video"),
        ({"name": "untrained"}, "untrained/0/checkpoint.safetensors is missing"),
    ],
)
def test_a_mistake_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask(**changes)  # type: ignore[arg-type]


def test_files_of_another_kind_are_refused() -> None:
    save_file({"x": torch.zeros(1)}, "other.safetensors")
    np.savez("several.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(UserError, match=r"other\.safetensors is not a checkpoint of mgsl"):
        ground.ground("other.safetensors", "clips.npy", duration_s=9.0, query=QUERY)
    with pytest.raises(UserError, match=r"several\.npz has several arrays, \['a', 'b'\]"):
        ask(features="several.npz")


def test_a_dataset_prepared_anew_with_other_sizes_is_noticed() -> None:
    prepared = paths.prepared("embedded")
    write_summary(prepared, read_summary(prepared) | {"video_dim": 9})
    with pytest.raises(UserError, match=r"was trained with video_dim 5, but .* has 9"):
        ask()


def test_words_that_were_dropped_in_preparing_are_dropped_here() -> None:
    prepared = paths.prepared("embedded")
    write_summary(prepared, read_summary(prepared) | {"unknown_words": "dropped"})
    assert ask().moments == ask(query="a person door").moments
    assert ask().unknown == ("closes", "the")
    with pytest.raises(UserError, match=r"no word of the query is known to embedded: 'it closes'"):
        ask(query="it closes")


def test_words_from_their_spelling_are_left_out_where_the_method_was_trained_without() -> None:
    for name in ("ctrl", "ctrl_unspelled"):  # of the same weights
        config = tiny.run_config(name)
        torch.manual_seed(0)
        save_checkpoint(checkpoint(name), build(config), config)
    assert ask("ctrl_unspelled").moments == ask("ctrl", query="a person door").moments
    assert ask("ctrl_unspelled").moments != ask("ctrl").moments
    only = "it closes"  # words that stay, since there are no others
    assert ask("ctrl_unspelled", query=only).moments == ask("ctrl", query=only).moments


def test_the_command_prints_tells_and_draws() -> None:
    command = [
        "ground", "--checkpoint", str(checkpoint("mgsl_net")), "--features", "clips.npy",
        "--duration", "83.2", "--query", QUERY, "--device", "cpu",
    ]  # fmt: skip
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0
    assert "SIMULATED" in result.output
    assert "not a word of that dataset: closes, the" in result.output
    drawn = CliRunner().invoke(app, [*command, "--json", "--plot", "moments.svg"])
    answer = json.loads(drawn.output)
    assert len(answer["moments"]) == len(ask().moments)
    assert Path("moments.svg").read_text().startswith("<?xml")


def test_a_drawing_has_a_bar_for_each_moment_and_only_known_formats() -> None:
    answer = ask()
    drawing = answers.draw(answer)
    (axes,) = drawing.figure.axes
    assert len(axes.patches) == len(answer.moments)
    assert "SIMULATED" in drawing.caption
    with pytest.raises(UserError, match=r"moments.gif: a drawing is kept as .svg, .pdf, .png"):
        figures.save_as(drawing, Path("moments.gif"))
