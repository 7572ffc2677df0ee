"""The memory against slow, literal loops, and what must never happen to it."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgsl.models.memory import (
    MemoryConfig,
    PersistentMemory,
    Record,
    address,
    batch_mean,
    fresh_slots,
    inverse_softplus,
    nearest,
    product_write,
    sequential_write,
    sum_write,
)

BATCH, STEPS, SLOTS, DIM = 2, 5, 4, 3
PRINTED = {
    "video": "shared", "query": "shared",
    "initial_slots": "normal", "beta": 1.0, "learn_beta": False, "write": "sum", "pooling": "mean",
    "readdress": False, "own_first": True, "learned_slots": False, "values": "map",
    "centered_keys": False, "centered_values": False, "unit_slots": False, "write_slots": 0,
    "residual": False,
}  # fmt: skip


def memory(**choices: object) -> PersistentMemory:
    """A small memory of two streams, as printed but for the choices given."""
    torch.manual_seed(0)
    config = MemoryConfig(**(PRINTED | choices))
    return PersistentMemory(num_slots=SLOTS, dim=DIM, num_streams=2, config=config)


def streams() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Two streams of features; the last two steps of the second sample are padding."""
    mask = torch.ones(BATCH, STEPS, dtype=torch.bool)
    mask[1, 3:] = False
    return [torch.randn(BATCH, STEPS, DIM), torch.randn(BATCH, STEPS, DIM)], [mask, mask]


def record(steps: int = STEPS, batch: int = BATCH) -> Record:
    weights = torch.randn(batch, steps, SLOTS).softmax(-1)
    mask = torch.ones(batch, steps, dtype=torch.bool)
    mask[0, steps // 2 + 1 :] = False
    erase, value = torch.rand(batch, steps, DIM), torch.randn(batch, steps, DIM)
    return Record(weights, erase, value, mask)


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    dot = sum(float(x * y) for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(float(a.square().sum()) * float(b.square().sum()))


@pytest.mark.equation(3)
@pytest.mark.equation(4)
@pytest.mark.parametrize("beta", [1.0, 20.0])
def test_addressing_is_a_softmax_of_cosines(beta: float) -> None:
    key, slots = torch.randn(BATCH, STEPS, DIM), torch.randn(SLOTS, DIM)
    expected = torch.zeros(BATCH, STEPS, SLOTS)
    for b, i in itertools.product(range(BATCH), range(STEPS)):
        exponentials = [math.exp(beta * cosine(key[b, i], slot)) for slot in slots]
        for k in range(SLOTS):
            expected[b, i, k] = exponentials[k] / sum(exponentials)
    torch.testing.assert_close(address(key, slots, torch.tensor(beta)), expected)


@pytest.mark.equation(5)
@pytest.mark.equation(7)
def test_one_step_of_one_sample_writes_as_printed() -> None:
    slots, r = torch.randn(SLOTS, DIM), record(steps=1, batch=1)
    expected = torch.zeros(SLOTS, DIM)
    for k, d in itertools.product(range(SLOTS), range(DIM)):
        w, e, u = r.weights[0, 0, k], r.erase[0, 0, d], r.value[0, 0, d]
        expected[k, d] = w * u + slots[k, d] * (1 - w * e)
    torch.testing.assert_close(sum_write(slots, r, "mean"), expected)


@pytest.mark.equation(5)
@pytest.mark.equation(7)
def test_many_steps_write_the_mean_of_the_samples_own_updates() -> None:
    slots, r = torch.randn(SLOTS, DIM), record()
    assert (r.weights * r.mask[..., None]).sum((0, 1)).max() / BATCH < 2
    expected = torch.zeros(SLOTS, DIM)
    for k, d in itertools.product(range(SLOTS), range(DIM)):
        weight = erase = add = 0.0
        for b, i in itertools.product(range(BATCH), range(STEPS)):
            if r.mask[b, i]:
                w = float(r.weights[b, i, k])
                weight += w / BATCH
                erase += w * float(r.erase[b, i, d]) / BATCH
                add += w * float(r.value[b, i, d]) / BATCH
        z = max(1.0, weight)
        expected[k, d] = slots[k, d] * min(1.0, max(0.0, 1 - erase / z)) + add / z
    torch.testing.assert_close(sum_write(slots, r, "mean"), expected)


@pytest.mark.equation(6)
@pytest.mark.equation(8)
def test_the_second_stream_writes_on_what_the_first_left_addressed_as_before() -> None:
    m = memory().train()
    features, masks = streams()
    first, second = (
        m.record(stream, x, mask, m.slots)
        for stream, x, mask in zip(m.streams, features, masks, strict=True)
    )
    torch.testing.assert_close(
        second.weights,
        address(m.streams[1].write_key(features[1], masks[1]), m.slots, torch.tensor(1.0)),
    )
    expected = sum_write(sum_write(m.slots, first, "mean"), second, "mean")
    torch.testing.assert_close(m.write(features, masks), expected)


@pytest.mark.equation(9)
@pytest.mark.equation(10)
def test_reading_is_the_weighted_sum_of_slots() -> None:
    m = memory().eval()
    (features, _), (mask, _) = streams()
    stream = m.streams[0]
    weights = address(stream.read_key(features, mask), m.slots, torch.tensor(1.0))
    expected = torch.zeros(BATCH, STEPS, DIM)
    for b, i, k in itertools.product(range(BATCH), range(STEPS), range(SLOTS)):
        expected[b, i] += weights[b, i, k] * m.slots[k]
    torch.testing.assert_close(m.read(stream, features, mask, m.slots), expected)


def literal(slots: torch.Tensor, r: Record) -> torch.Tensor:
    """Eqs. 5-8 step by step, each slot and each number by itself; one sample."""
    slots = slots.clone()
    for i, k, d in itertools.product(range(STEPS), range(SLOTS), range(DIM)):
        if r.mask[0, i]:
            w, e, u = r.weights[0, i, k], r.erase[0, i, d], r.value[0, i, d]
            slots[k, d] = w * u + slots[k, d] * (1 - w * e)
    return slots


@pytest.mark.equation(5)
@pytest.mark.equation(7)
def test_the_sequential_write_is_the_recurrence_as_printed() -> None:
    slots, r = torch.randn(SLOTS, DIM), record(batch=1)
    torch.testing.assert_close(sequential_write(slots, r, "mean"), literal(slots, r))


def one_slot_a_step() -> Record:
    """Every step writes to a slot of its own, hard: nothing that is written meets another write."""
    r = record(steps=SLOTS, batch=1)
    return r._replace(weights=torch.eye(SLOTS)[None], mask=torch.ones(1, SLOTS, dtype=torch.bool))


@pytest.mark.parametrize("form", [sum_write, sequential_write])
def test_where_writes_do_not_meet_the_sum_form_is_the_recurrence(form: Any) -> None:
    slots, r = torch.randn(SLOTS, DIM), one_slot_a_step()
    torch.testing.assert_close(form(slots, r, "mean"), slots * (1 - r.erase[0]) + r.value[0])


@given(st.floats(0, 0.5), st.integers(0, 10**6))
def test_the_product_form_erases_as_the_recurrence_does_to_the_stated_error(
    strength: float, seed: int
) -> None:
    torch.manual_seed(seed)
    slots, r = torch.ones(SLOTS, DIM), record(batch=1)
    r = r._replace(erase=strength * r.erase, value=torch.zeros_like(r.value))
    exact = literal(slots, r)
    steps = int(r.mask.sum())
    error = (product_write(slots, r, "mean") - exact) / exact
    assert error.min() >= -1e-5  # a series cut off erases too little
    assert error.max() <= steps * 0.013 + 1e-5


def test_the_sum_form_is_off_by_what_writes_to_one_slot_have_in_common() -> None:
    """To second order in the weights: halving them quarters the error."""
    slots, r = torch.randn(SLOTS, DIM), record(batch=1)
    errors = []
    for scale in (0.1, 0.05):
        small = r._replace(weights=scale * r.weights)
        errors.append((sum_write(slots, small, "mean") - literal(slots, small)).abs().max())
    assert errors[1] / errors[0] == pytest.approx(0.25, rel=0.1)


def test_pooling_by_the_sum_of_one_sample_is_its_mean() -> None:
    slots, r = torch.randn(SLOTS, DIM), record(batch=1)
    for form in (sum_write, product_write):
        torch.testing.assert_close(form(slots, r, "sum"), form(slots, r, "mean"))


def test_pooling_by_the_sum_writes_as_if_all_were_steps_of_one_sample() -> None:
    slots, r = torch.randn(SLOTS, DIM), record()
    joined = Record(*(x.reshape(1, -1, *x.shape[2:]) for x in r))
    torch.testing.assert_close(sum_write(slots, r, "sum"), sum_write(slots, joined, "mean"))


def test_a_step_writes_to_its_nearest_slots_only() -> None:
    weights = torch.tensor([[[0.1, 0.6, 0.3, 0.0]]])
    torch.testing.assert_close(nearest(weights, 2), torch.tensor([[[0, 2 / 3, 1 / 3, 0]]]))
    torch.testing.assert_close(nearest(weights, 1), torch.tensor([[[0.0, 1, 0, 0]]]))
    torch.testing.assert_close(nearest(weights, 9), weights)


def test_readdressing_lets_the_second_stream_find_what_the_first_has_left() -> None:
    m = memory(readdress=True, beta=20.0).train()
    features, masks = streams()
    first = m.record(m.streams[0], features[0], masks[0], m.slots)
    between = sum_write(m.slots, first, "mean")
    second = m.record(m.streams[1], features[1], masks[1], between)
    torch.testing.assert_close(m.write(features, masks), sum_write(between, second, "mean"))
    assert not torch.allclose(m.write(features, masks), memory(beta=20.0).write(features, masks))


def test_learned_slots_are_never_written_and_get_a_gradient() -> None:
    m = memory(learned_slots=True).train()
    before = m.slots.detach().clone()
    torch.stack([x.square().sum() for x in m(*streams())]).sum().backward()
    m.commit()
    assert torch.equal(m.slots, before)
    assert m.slots.grad is not None
    assert all(p.grad is not None for p in m.parameters() if p.requires_grad)


def test_as_a_value_a_step_may_write_its_key() -> None:
    m = memory(values="key", centered_values=True)
    (features, _), (mask, _) = streams()
    key = m.streams[0].write_key(features, mask)
    value = m.record(m.streams[0], features, mask, m.slots).value
    torch.testing.assert_close(value, key - batch_mean(key, mask))
    assert not hasattr(m.streams[0], "value")


def test_a_slot_stays_bounded_however_many_steps_write_to_it() -> None:
    everywhere = torch.zeros(1, 1000, SLOTS)
    everywhere[..., 0] = 1
    r = Record(
        everywhere,
        torch.ones(1, 1000, DIM),
        torch.ones(1, 1000, DIM),
        torch.ones(1, 1000, dtype=torch.bool),
    )
    written = sum_write(torch.full((SLOTS, DIM), 5.0), r, "mean")
    torch.testing.assert_close(written[0], torch.ones(DIM))
    torch.testing.assert_close(written[1:], torch.full((SLOTS - 1, DIM), 5.0))


@settings(deadline=None, max_examples=30)
@given(padding=st.integers(1, 4), noise=st.floats(-1e3, 1e3))
def test_padding_is_never_written(padding: int, noise: float) -> None:
    m = memory(centered_values=True, unit_slots=True, beta=20.0, learn_beta=True).train()
    features, masks = streams()
    padded = [torch.cat([x, torch.full((BATCH, padding, DIM), noise)], 1) for x in features]
    longer = [torch.cat([k, torch.zeros(BATCH, padding, dtype=torch.bool)], 1) for k in masks]
    torch.testing.assert_close(m.write(padded, longer), m.write(features, masks))


def test_the_order_of_the_samples_does_not_change_what_is_written() -> None:
    m = memory(beta=20.0).train()
    features, masks = streams()
    swapped = m.write([x.flip(0) for x in features], [k.flip(0) for k in masks])
    torch.testing.assert_close(swapped, m.write(features, masks))


@pytest.mark.parametrize(
    ("kind", "least", "length"),
    [("normal", -6.0, 1.0), ("uniform", -1.0, 1 / 3), ("positive", 0.0, 1.0)],
)
def test_fresh_slots_lie_where_their_reading_says(kind: str, least: float, length: float) -> None:
    torch.manual_seed(0)
    slots = fresh_slots(kind, 200, 300)
    assert least <= (slots * 300**0.5).min() < 0.5 * least + 0.1
    assert slots.square().sum(-1).mean().item() == pytest.approx(length, rel=0.05)
    unit = torch.nn.functional.normalize(slots, dim=-1)
    alike = (unit.sum(0).square().sum().item() - 200) / (200 * 199)
    assert alike == pytest.approx(0.75 if kind == "positive" else 0.0, abs=0.02)  # as of U(0, 1)


def test_nothing_is_written_in_evaluation() -> None:
    m = memory().eval()
    before = m.slots.clone()
    m(*streams())
    m.commit()
    assert torch.equal(m.slots, before)


def test_what_is_written_is_kept_at_commit_and_carries_no_gradient() -> None:
    m = memory().train()
    before = m.slots.clone()
    features, masks = streams()
    written = m.write(features, masks)
    m(features, masks)
    assert torch.equal(m.slots, before)
    m.commit()
    torch.testing.assert_close(m.slots, written.detach())
    assert not m.slots.requires_grad
    assert "slots" in m.state_dict()


def test_every_map_learns_through_what_is_read() -> None:
    m = memory(learn_beta=True, beta=20.0).train()
    torch.stack([x.square().sum() for x in m(*streams())]).sum().backward()
    for name, parameter in m.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_unit_slots_stay_on_the_sphere() -> None:
    m = memory(unit_slots=True).train()
    features, masks = streams()
    torch.testing.assert_close(m.slots.norm(dim=-1), torch.ones(SLOTS))
    torch.testing.assert_close(m.write(features, masks).norm(dim=-1), torch.ones(SLOTS))


def test_centred_values_have_no_mean_over_what_is_real() -> None:
    m = memory(centered_values=True)
    (features, _), (mask, _) = streams()
    value = m.record(m.streams[0], features, mask, m.slots).value
    torch.testing.assert_close(batch_mean(value, mask), torch.zeros(DIM), atol=1e-6, rtol=0)


def test_centred_keys_have_no_mean_and_in_evaluation_depend_on_no_other_query() -> None:
    m = memory(centered_keys=True).train()
    features, (mask, _) = streams()
    key = m.streams[0].write_key
    for _ in range(100):
        keys = key(features[0], mask)
    torch.testing.assert_close(batch_mean(keys, mask), torch.zeros(DIM), atol=1e-6, rtol=0)
    m.eval()
    torch.testing.assert_close(key(features[0], mask), keys, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(key(features[0][:1], mask[:1]), key(features[0], mask)[:1])
    assert "mean" in key.state_dict()


def test_beta_starts_where_it_is_told() -> None:
    for beta, learned in ((1.0, False), (20.0, True), (100.0, True)):
        betas = memory(beta=beta, learn_beta=learned).streams[0].betas()
        torch.testing.assert_close(betas, torch.full((2,), beta))
    torch.testing.assert_close(
        torch.nn.functional.softplus(inverse_softplus(torch.tensor([0.0, 0.5, 99.0]))),
        torch.tensor([0.0, 0.5, 99.0]),
    )
