"""Sliding windows: how many, what they see, which are answers, what the losses say."""

import math

import pytest
import torch
from torch import Tensor

from mgsl.models.parts.windows import (
    Pairs,
    SlidingWindows,
    WindowConfig,
    Windows,
    alignment,
    draw_pairs,
    moments,
    neighbours,
    pair_losses,
    pool,
    repeated,
    shared,
)
from mgsl.records import Batch
from tests import tiny

CONFIG = WindowConfig(
    num_clips=tiny.CLIPS,
    windows=(2, 3, 4, 6),
    overlap=0.8,
    context=2,
    frames=5,
    least_iou=0.5,
    most_outside=0.15,
    regression_weight=0.01,
)
WINDOWS = SlidingWindows(CONFIG.windows, num_clips=CONFIG.num_clips, overlap=CONFIG.overlap)


def mask(*lengths: int) -> Tensor:
    return torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize(
    ("num_clips", "sizes", "number"),
    [
        (200, (4, 8, 16, 32, 64, 128, 200), 403),
        (200, (2, 4, 8, 16, 32, 64, 128), 601),
        (64, (8, 12, 16, 20, 24, 32), 101),
        (200, (8, 16, 32, 64), 201),
    ],
)
def test_there_are_as_many_windows_as_counted(
    num_clips: int, sizes: tuple[int, ...], number: int
) -> None:
    windows = SlidingWindows(sizes, num_clips=num_clips, overlap=0.8)(mask(num_clips))
    assert windows.real.all()
    assert windows.spans.shape == (1, number, 2)
    assert len(set(map(tuple, windows.spans[0].tolist()))) == number
    assert set((windows.spans[0, :, 1] - windows.spans[0, :, 0]).tolist()) == set(sizes)
    assert (windows.spans[0, :, 1] == num_clips).sum() == len(sizes)


@pytest.mark.parametrize("length", range(1, 13))
def test_a_shorter_video_has_the_windows_that_it_would_have_alone(length: int) -> None:
    together = WINDOWS(mask(tiny.CLIPS, length))
    sizes = [size for size in CONFIG.windows if size <= length] or [length]
    alone = SlidingWindows(sizes, num_clips=length, overlap=CONFIG.overlap)(mask(length))
    spans = together.spans[1][together.real[1]]
    assert spans.tolist() == alone.spans[0].tolist()
    assert (together.spans[1] >= 0).all()
    assert (together.spans[1] <= length).all()


def test_pooling_is_the_mean_of_the_clips_in_a_window() -> None:
    torch.manual_seed(0)
    real = mask(200, 150)
    clips = torch.randn(2, 200, 6)
    windows = SlidingWindows((2, 16, 128), num_clips=200, overlap=0.8)(real)
    pooled = pool(clips.masked_fill(~real[..., None], 1e6), real, windows.spans)
    for b in range(2):
        for n, (start, end) in enumerate(windows.spans[b].tolist()):
            expected = clips[b, start:end].mean(0)
            torch.testing.assert_close(pooled[b, n], expected, atol=1e-5, rtol=0)


def test_where_the_context_is_cut_off_the_window_stands_in_for_it() -> None:
    spans = torch.tensor([[[0, 2], [1, 3], [2, 4], [5, 9]]])
    before, after = neighbours(spans, mask(10), 2)
    assert before.tolist() == [[[0, 2], [1, 3], [0, 2], [3, 5]]]
    assert after.tolist() == [[[2, 4], [3, 5], [4, 6], [5, 9]]]


def test_the_rule_for_an_answer_is_the_published_one() -> None:
    window = torch.tensor([0.0, 10.0])
    for truth, iou, outside in [((0, 10), 1, 0), ((0, 9), 0.9, 0.1), ((0, 8), 0.8, 0.2)]:
        shares = shared(window, torch.tensor(truth).float())
        assert [x.item() for x in shares] == pytest.approx([iou, outside])
    assert 0.1 < CONFIG.most_outside < 0.2


def test_every_answer_may_be_drawn_and_nothing_else() -> None:
    batch = tiny.batch(3)
    windows = WINDOWS(batch.video_mask)
    lengths = batch.video_mask.sum(1)
    answers: list[set] = []
    for b in range(3):
        start, end = (batch.target[b] * lengths[b]).tolist()
        answers.append(set())
        for (s, e), real in zip(windows.spans[b].tolist(), windows.real[b].tolist(), strict=True):
            common = max(0, min(e, end) - max(s, start))
            if real and common / (e - s + end - start - common) > 0.5 and common / (e - s) > 0.85:
                answers[b].add((s, e))
    torch.manual_seed(0)
    drawn: list[set] = [set(), set(), set()]
    for _ in range(200):
        pairs = draw_pairs(windows, batch, CONFIG)
        for row, span, offset in zip(pairs.rows.tolist(), pairs.spans, pairs.offsets, strict=True):
            drawn[row].add(tuple(span[0].tolist()))
            moved = (span[0] + offset / CONFIG.frames) / lengths[row]
            torch.testing.assert_close(moved, batch.target[row])
    assert drawn == answers
    assert max(map(len, answers)) > 1


def test_a_query_without_an_answer_is_left_out() -> None:
    batch = tiny.batch(3)
    batch.target[1] = torch.tensor([0.5, 0.5001])
    assert draw_pairs(WINDOWS(batch.video_mask), batch, CONFIG).rows.tolist() == [0, 2]
    batch.target[:] = torch.tensor([0.5, 0.5001])
    none = draw_pairs(WINDOWS(batch.video_mask), batch, CONFIG)
    losses = pair_losses(torch.zeros(0, 0, 3), none, CONFIG)
    assert [loss.item() for loss in losses.values()] == [0, 0]


def test_a_moment_that_comes_twice_is_taken_once() -> None:
    batch = tiny.batch(4)
    for field in (batch.video, batch.target):
        field[3] = field[1]
    batch.target[2] = batch.target[1]  # of another video
    assert repeated(batch).tolist() == [False, False, False, True]
    assert 3 not in draw_pairs(WINDOWS(batch.video_mask), batch, CONFIG).rows


def test_a_window_that_is_the_target_has_no_offset() -> None:
    batch = tiny.batch(1)
    batch.target[0] = torch.tensor([2 / 12, 4 / 12])
    windows = Windows(torch.tensor([[[2, 4]]]), torch.ones(1, 1, dtype=torch.bool))
    offsets = draw_pairs(windows, batch, CONFIG).offsets
    torch.testing.assert_close(offsets, torch.zeros(1, 2), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("n", "expected"), [(30, 0.04621), (56, 0.02476), (64, 0.02166), (128, 0.01083)]
)
def test_scores_of_zero_cost_two_log_two_over_n(n: int, expected: float) -> None:
    assert alignment(torch.zeros(n, n)).item() == pytest.approx(expected, abs=5e-6)
    assert expected == pytest.approx(2 * math.log(2) / n, abs=5e-6)


def test_the_losses_are_the_literal_sums() -> None:
    torch.manual_seed(0)
    n, outputs = 5, torch.randn(5, 5, 3)
    pairs = Pairs(torch.arange(n), torch.zeros(n, 1, 2, dtype=torch.long), torch.randn(n, 2))
    aligned = regressed = 0.0
    for i in range(n):
        for j in range(n):
            score = float(outputs[i, j, 0])
            if i == j:
                aligned += (1 + 1 / n) * math.log(1 + math.exp(-score)) / n**2
            else:
                aligned += 1 / n * math.log(1 + math.exp(score)) / n**2
        for k in range(2):
            regressed += abs(float(outputs[i, i, 1 + k] - pairs.offsets[i, k])) / (2 * n)
    losses = pair_losses(outputs, pairs, CONFIG)
    assert losses["alignment"].item() == pytest.approx(aligned, rel=1e-5)
    assert losses["regression"].item() == pytest.approx(0.01 * regressed, rel=1e-5)
    order = torch.randperm(n)
    shuffled = pair_losses(
        outputs[order][:, order], Pairs(order, pairs.spans, pairs.offsets[order]), CONFIG
    )
    torch.testing.assert_close(shuffled, losses)


def test_moved_windows_stay_in_the_video_and_last_a_clip() -> None:
    spans = torch.tensor([[[0, 2], [4, 6], [8, 10]]])
    windows = Windows(spans, torch.tensor([[True, True, False]]))
    outputs = torch.tensor([[[0.0, -5, 5], [1, 20, -20], [9, 0, 0]]])
    answer = moments(outputs, windows, mask(10), 5)
    torch.testing.assert_close(answer.spans[0], torch.tensor([[0.8, 0.9], [0, 0.3], [0.8, 1]]))
    torch.testing.assert_close(answer.scores[0], torch.tensor([1.0, 0.0, -torch.inf]).sigmoid())


def test_answers_are_drawn_from_the_seed() -> None:
    batch: Batch = tiny.batch(4)
    drawn = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        drawn.append(draw_pairs(WINDOWS(batch.video_mask), batch, CONFIG).spans.tolist())
    assert drawn[0] == drawn[1] != drawn[2]
