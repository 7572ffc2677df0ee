"""One contract over every method that learns by gradient, and every ablation."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mgsl.configs import RunConfig
from mgsl.models import MODELS, build
from mgsl.models.parts.base import GroundingModel
from mgsl.models.parts.windows import shared
from mgsl.records import Batch, Moments
from mgsl.training.checkpoint import load_checkpoint, save_checkpoint
from tests import tiny

ALL = [
    *(name for name, kind in MODELS.items() if issubclass(kind, GroundingModel)),
    *(name for block in tiny.parameters().models.values() for name in block.ablations),
]
NAMES = list({str(tiny.run_config(name).model): name for name in reversed(ALL)}.values())[::-1]


@pytest.fixture(params=NAMES)
def config(request: pytest.FixtureRequest) -> RunConfig:
    """One of tiny size."""
    return tiny.run_config(request.param)


@pytest.fixture
def model(config: RunConfig) -> GroundingModel:
    """A fresh one; a matrix that starts at zero is drawn, or it would hide what lies before it."""
    torch.manual_seed(0)
    model = build(config)
    for parameter in model.parameters():
        if parameter.dim() > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return model


class Plain(nn.Module):
    """Tensors in, tensors out."""

    def __init__(self, model: GroundingModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        moments = self.model(Batch(*tensors))
        return moments.spans, moments.scores


def total(model: GroundingModel, size: int = 4) -> torch.Tensor:
    return torch.stack(list(model.losses(tiny.batch(size)).values())).sum()


def test_moments_lie_inside_the_video_best_first(model: GroundingModel) -> None:
    moments = model.eval()(tiny.batch())
    assert (moments.spans >= 0).all()
    assert (moments.spans <= 1).all()
    assert (moments.spans[..., 0] <= moments.spans[..., 1]).all()
    assert (moments.scores.diff(dim=1) <= 0).all()


def assert_same(a: Moments, b: Moments, *, atol: float, rtol: float) -> None:
    """Which of two moments of one score comes first is open: each has to be there, as it is."""
    torch.testing.assert_close(a.scores, b.scores, atol=atol, rtol=rtol)
    one, other = (torch.cat([m.spans, m.scores[..., None]], -1) for m in (a, b))
    apart = (one[:, :, None] - other[:, None]).abs().amax(-1)
    most = max(atol, rtol)  # nothing is larger than 1
    assert apart.amin(1).max() < most
    assert apart.amin(2).max() < most


def test_padding_changes_nothing(model: GroundingModel) -> None:
    batch = tiny.batch()
    noisy = replace(
        batch,
        video=batch.video.masked_fill(~batch.video_mask[..., None], 1e3),
        query=batch.query.masked_fill(~batch.query_mask[..., None], -1e3),
        words=batch.words.masked_fill(~batch.query_mask, 1),
    )
    model.eval()
    torch.testing.assert_close(model(noisy).spans, model(batch).spans)
    torch.testing.assert_close(model(noisy).scores, model(batch).scores)
    losses = []
    for padded in (noisy, batch):
        torch.manual_seed(1)  # some draw what they learn from
        losses.append(model.losses(padded))
    torch.testing.assert_close(losses[0], losses[1])


def test_longer_padding_changes_nothing(model: GroundingModel) -> None:
    batch = tiny.batch()
    words = {
        "query": F.pad(batch.query, (0, 0, 0, 3), value=7.0),
        "query_mask": F.pad(batch.query_mask, (0, 3)),
        "words": F.pad(batch.words, (0, 3)),
    }
    moments, longer = model.eval()(batch), model(replace(batch, **words))
    assert_same(longer, moments, atol=1e-5, rtol=1.3e-6)


def test_a_batch_equals_its_singles(model: GroundingModel) -> None:
    batch = tiny.batch()
    together = model.eval()(batch)
    for row, single in enumerate(batch.chunks(len(batch))):
        row_alone = Moments(together.spans[[row]], together.scores[[row]])
        assert_same(model(single), row_alone, atol=1e-6, rtol=1e-4)


def test_every_parameter_gets_a_gradient(model: GroundingModel) -> None:
    model.train()
    for size in (4, 7):  # a bias that a softmax hides has rounding for a gradient, which may be 0
        total(model, size).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


def test_four_queries_can_be_memorised(model: GroundingModel) -> None:
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = None
    for _ in range(400):
        optimizer.zero_grad()
        loss = total(model)
        loss.backward()
        optimizer.step()
        model.after_step()
        first = first or loss.item()
        if loss.item() < 0.5 * first:
            return
    # A loss whose labels are shares cannot fall below their entropy; then the answers tell, of
    # which no single moment fits all four.
    batch = tiny.batch()
    tiou, _ = shared(model.eval()(batch).spans[:, 0], batch.target)
    assert tiou.min() > 0.5


def test_the_same_seed_gives_the_same_loss(model: GroundingModel) -> None:
    model.train()
    losses = []
    for _ in range(2):
        torch.manual_seed(1)
        losses.append(total(model).item())
    assert losses[0] == losses[1]


def test_a_checkpoint_gives_the_same_answers(
    model: GroundingModel, config: RunConfig, tmp_path: Path
) -> None:
    model.train()
    model.before_training(tiny.batch(8).target)
    total(model).backward()
    model.after_step()
    save_checkpoint(tmp_path / "checkpoint.safetensors", model, config)
    loaded, state = load_checkpoint(tmp_path / "checkpoint.safetensors", config), model.state_dict()
    assert loaded.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())
    answers = [method(tiny.batch()) for method in (model.eval(), loaded)]
    assert torch.equal(answers[0].spans, answers[1].spans)
    assert torch.equal(answers[0].scores, answers[1].scores)


def test_the_forward_pass_can_be_exported(model: GroundingModel) -> None:
    plain, batch = Plain(model.eval()), tiny.batch()
    tensors = tuple(getattr(batch, field.name) for field in fields(batch))
    exported = torch.export.export(plain, tensors, strict=False).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(*tensors), plain(*tensors))
