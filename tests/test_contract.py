"""One contract over every method that learns by gradient, and every ablation."""

from dataclasses import replace

import pytest
import torch

from mgsl.models import MODELS, build
from mgsl.models.base import GroundingModel
from tests import tiny

NAMES = [
    *(name for name, kind in MODELS.items() if issubclass(kind, GroundingModel)),
    *(name for block in tiny.parameters().models.values() for name in block.ablations),
]


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> GroundingModel:
    """A fresh model of tiny size."""
    torch.manual_seed(0)
    return build(tiny.run_config(request.param))


def total(model: GroundingModel, size: int = 4) -> torch.Tensor:
    return torch.stack(list(model.losses(tiny.batch(size)).values())).sum()


def test_moments_lie_inside_the_video_best_first(model: GroundingModel) -> None:
    moments = model.eval()(tiny.batch())
    assert (moments.spans >= 0).all()
    assert (moments.spans <= 1).all()
    assert (moments.spans[..., 0] <= moments.spans[..., 1]).all()
    assert (moments.scores.diff(dim=1) <= 0).all()


def test_padding_changes_nothing(model: GroundingModel) -> None:
    batch = tiny.batch()
    noisy = replace(
        batch,
        video=batch.video.masked_fill(~batch.video_mask[..., None], 1e3),
        query=batch.query.masked_fill(~batch.query_mask[..., None], -1e3),
    )
    model.eval()
    torch.testing.assert_close(model(noisy).spans, model(batch).spans)
    torch.testing.assert_close(model(noisy).scores, model(batch).scores)
    for name, term in model.losses(noisy).items():
        torch.testing.assert_close(term, model.losses(batch)[name])


def test_a_batch_equals_its_singles(model: GroundingModel) -> None:
    batch = tiny.batch()
    together = model.eval()(batch)
    for row, single in enumerate(batch.chunks(len(batch))):
        alone = model(single)
        torch.testing.assert_close(alone.scores[0], together.scores[row], atol=1e-6, rtol=1e-4)
        # Which of two moments of one score comes first is open: each has to be there, as it was.
        one, all_ = (torch.cat([m.spans, m.scores[..., None]], -1) for m in (alone, together))
        apart = (one[0, :, None] - all_[row]).abs().amax(-1)
        assert apart.amin(0).max() < 1e-4
        assert apart.amin(1).max() < 1e-4


def test_every_parameter_gets_a_gradient(model: GroundingModel) -> None:
    model.train()
    total(model).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().sum() > 0, name


def test_four_queries_can_be_memorised(model: GroundingModel) -> None:
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    first = total(model).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = total(model)
        loss.backward()
        optimizer.step()
        model.after_step()
    assert loss.item() < 0.5 * first


def test_the_same_seed_gives_the_same_loss(model: GroundingModel) -> None:
    model.train()
    losses = []
    for _ in range(2):
        torch.manual_seed(1)
        losses.append(total(model).item())
    assert losses[0] == losses[1]
