"""CBLN: its labels, loss, attentions, contexts and biaffine form against literal ones."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mgsl.errors import UserError
from mgsl.models import MODELS, build
from mgsl.models.cbln import CBLN, Biaffine, CBLNConfig, JointAttention, labels
from mgsl.models.parts.contexts import Block, Contexts, neighbours, span_weights
from mgsl.models.parts.windows import shared
from mgsl.parsing import parse
from mgsl.resolving import resolve
from tests import tiny

SIZES = {
    "num_clips": tiny.CLIPS,
    "video_dim": tiny.VIDEO_DIM,
    "word_dim": tiny.WORD_DIM,
    "hidden_dim": 16,
    "pair_dim": 8,
    "context_dim": 6,
    "biaffine_dim": 8,
    "heads": 4,
    "attention_layers": 1,
    "dropout": 0.0,
    "joint_attention": "by_word",
    "over_words": "mean",
    "contexts": True,
    "local_windows": [1, 3, 5],
    "global_spans": [6, 4, 2],
    "over_spans": "mean",
    "shared_blocks": True,
    "iou_window": [0.5, 1.0],
    "proposals": 2000,
}
WINDOWS, SPANS = (1, 3, 5), (6, 4, 2)


def net(*, begun: bool = True, **changes: object) -> CBLN:
    """One whose biaffine forms say something already, unless it has not `begun`."""
    torch.manual_seed(0)
    model = CBLN(parse(CBLNConfig, SIZES | changes, where="a test")).eval()
    for form in model.maps if begun else ():
        assert isinstance(form, Biaffine)
        nn.init.normal_(form.weight, std=0.5)
    return model


def close(ours: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-4)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def cells_of(number: int) -> list[tuple[int, int]]:
    return list(itertools.combinations_with_replacement(range(number), 2))


def test_labels_are_the_literal_ones() -> None:
    torch.manual_seed(0)
    cells, target = torch.triu_indices(9, 9), torch.rand(5, 2).sort(1).values
    count = torch.tensor([[9], [9], [7], [4], [9]])
    ours = labels(cells, target, count, (0.3, 0.7))
    for row, place in itertools.product(range(5), range(cells.shape[1])):
        start, end = (target[row] * count[row]).tolist()
        i, j = cells[:, place].tolist()
        common = max(0.0, min(end, j + 1) - max(start, i))
        tiou = common / ((j + 1 - i) + (end - start) - common)
        assert ours[row, place].item() == pytest.approx(
            min(max((tiou - 0.3) / 0.4, 0), 1), abs=1e-5
        )


def test_the_cell_that_is_the_target_alone_has_the_full_label() -> None:
    cells, count = torch.triu_indices(8, 8), torch.tensor([[8]])
    label = labels(cells, torch.tensor([[0.25, 0.75]]), count, (0.5, 1.0))[0]
    assert cells[:, label == 1].T.tolist() == [[2, 5]]
    assert label[(cells[0] == 2) & (cells[1] == 4)].item() == pytest.approx(0.5)  # of tIoU 3/4


@pytest.mark.parametrize(("clips", "number"), [(200, 20_100), (64, 2_080)])
def test_a_cell_is_a_clip_and_one_that_is_not_before_it(clips: int, number: int) -> None:
    assert net(num_clips=clips).cells.T.tolist() == [list(cell) for cell in cells_of(clips)]
    assert len(cells_of(clips)) == number


@pytest.mark.parametrize("contexts", [True, False])
def test_ignorance_scores_a_half_and_costs_the_logarithm_of_two(contexts: bool) -> None:
    model, batch = net(begun=False, contexts=contexts), tiny.batch()
    assert model.losses(batch)["overlap"].item() == pytest.approx(math.log(2), rel=1e-5)
    scores = model(batch).scores
    assert ((scores == 0.5) | (scores == 0)).all()


def test_the_loss_is_the_literal_one_of_the_mean_map() -> None:
    model, batch = net(), tiny.batch()
    maps, cost, number = model._maps(batch), 0.0, 0
    label = labels(model.cells, batch.target, batch.video_mask.sum(1)[:, None], (0.5, 1.0))
    for row, place in itertools.product(range(len(batch)), range(label.shape[1])):
        if not batch.video_mask[row, model.cells[1, place]]:
            continue
        p = sum(logits[row, place].sigmoid().item() for logits in maps) / len(maps)
        y = label[row, place].item()
        cost -= y * math.log(p) + (1 - y) * math.log(1 - p)
        number += 1
    assert number == len(cells_of(tiny.CLIPS)) + 3 * len(cells_of(tiny.CLIPS - 3))
    assert model.losses(batch)["overlap"].item() == pytest.approx(cost / number, rel=1e-5)


def test_answers_are_the_best_cells_with_the_mean_of_the_maps() -> None:
    model, batch = net(proposals=9), tiny.batch()
    moments, maps = model(batch), torch.stack(model._maps(batch)).sigmoid().mean(0)
    for row in range(len(batch)):
        count = int(batch.video_mask[row].sum())
        scored = [
            (maps[row, place].item(), i / count, (j + 1) / count)
            for place, (i, j) in enumerate(cells_of(tiny.CLIPS))
            if j < count
        ]
        best = torch.tensor(sorted(scored, reverse=True)[:9])
        close(moments.scores[row], best[:, 0])
        close(moments.spans[row], best[:, 1:])


def test_the_biaffine_form_is_the_literal_one_and_has_a_direction() -> None:
    torch.manual_seed(0)
    form, x = Biaffine(7, 4, 0.0), torch.randn(1, 5, 7)
    nn.init.normal_(form.weight)
    start, end = form.ends(x)[0].chunk(2, dim=-1)
    u, one = form.weight, torch.ones(1)
    logits = form(x)[0]
    for i, j in itertools.product(range(5), range(5)):
        expected = torch.cat([start[i], one]) @ u @ torch.cat([end[j], one])
        close(logits[i, j], expected)
    assert (logits - logits.T).abs().max() > 0.1


def test_with_the_affine_terms_alone_a_logit_is_a_sum_of_both_ends() -> None:
    torch.manual_seed(0)
    form, x = Biaffine(7, 4, 0.0), torch.randn(1, 5, 7)
    with torch.no_grad():
        form.weight[:-1, -1].normal_()
        form.weight[-1].normal_()
    logits = form(x)[0]
    rows, columns = logits[:, :1], logits[:1]
    close(logits, rows + columns - logits[0, 0])


def block(model: JointAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """Attention of one head over some tokens, and the linear layer after it, token by token."""
    query, key, value = model.qkv(model.norm(x)).detach().chunk(3, dim=-1)
    y = torch.empty_like(x)
    for i in range(len(x)):
        weights = [math.exp(query[i] @ key[j] / math.sqrt(x.shape[1])) for j in range(len(x))]
        mean = sum(w * v for w, v in zip(weights, value, strict=True)) / sum(weights)
        y[i] = x[i] + mean
    return y, y + model.last(model.last_norm(y))


@pytest.mark.parametrize("over_words", ["mean", "max"])
@pytest.mark.parametrize("reading", ["by_word", "pairs", "sequence"])
def test_words_and_clips_attend_as_they_are_read(reading: str, over_words: str) -> None:
    torch.manual_seed(0)
    model = JointAttention(6, 4, reading=reading, over_words=over_words, dropout=0.0)
    clips, words = torch.randn(1, 5, 6), torch.randn(1, 4, 6)
    clip_mask, word_mask = torch.arange(5)[None] < 4, torch.arange(4)[None] < 3
    v, q = model.of_clips(clips[0, :4]), model.of_words(words[0, :3])
    if reading == "sequence":
        expected = block(model, torch.cat([v, q]))[1][:4]
    else:
        if reading == "by_word":
            said = torch.stack([block(model, v + word)[1] for word in q])
        else:
            pairs = torch.stack([(clip + word).relu() for word in q for clip in v])
            said = block(model, pairs)[1].view(3, 4, -1)
        expected = said.mean(0) if over_words == "mean" else said.amax(0)
    ours = model(clips, words, clip_mask, word_mask)[0, :4]
    close(ours, model.output(expected))
    mixed = words[:, [2, 0, 1, 3]]  # words have no order here
    close(model(clips, mixed, clip_mask, word_mask)[0, :4], ours)


def test_spans_are_equal_parts_of_what_is_real() -> None:
    mask = torch.arange(7)[None] < torch.tensor([[7], [5], [2]])
    for number in SPANS:
        weights = span_weights(mask, number)
        for row, count in enumerate((7, 5, 2)):
            for part in range(number):
                low, high = part * count / number, (part + 1) * count / number
                expected = [max(0.0, min(high, t + 1) - max(low, t)) for t in range(7)]
                close(weights[row, part], torch.tensor(expected) * number / count)


def test_neighbours_lie_side_by_side_with_zeros_beyond_the_ends() -> None:
    x = torch.arange(1.0, 5.0)[None, None, :, None]
    assert neighbours(x, 3)[0, 0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]
    assert torch.equal(neighbours(x, 1), x)


def asks(model: Block, x: Tensor, others: Tensor) -> Tensor:
    """What a block makes of each token."""
    key, value = model.key_value(others).chunk(2, dim=-1)
    rows = []
    for token in x:
        weights = ((model.query(token) * key).sum(1) / math.sqrt(len(token))).softmax(0)
        mean = (weights[:, None] * value).sum(0)
        rows.append(token + model.output(model.norm(mean).relu()))
    return torch.stack(rows)


@pytest.mark.parametrize("sharing", [True, False])
@pytest.mark.parametrize("over_spans", ["mean", "max"])
def test_contexts_are_the_literal_ones(over_spans: str, sharing: bool) -> None:
    torch.manual_seed(0)
    dim, real = 6, 5
    model = Contexts(
        8, dim, windows=WINDOWS, spans=SPANS, over_spans=over_spans, shared=sharing, dropout=0.0
    )
    clips, mask = torch.randn(1, 7, 8), torch.arange(7)[None] < real
    contexts = model(clips, mask)
    local = model.narrow(clips[0, :real])
    for place, (size, window) in enumerate(zip(WINDOWS, model.windows, strict=True)):
        group = 0 if sharing else place * len(SPANS)
        for t in range(real):
            around = [t + step for step in range(-(size // 2), size // 2 + 1)]
            own = torch.stack([local[s] if 0 <= s < real else torch.zeros(dim) for s in around])
            to_global, to_local = [], []
            for g, number in enumerate(SPANS):
                weights = span_weights(mask, number)[0, :, :real]
                if over_spans == "mean":
                    parts = torch.stack([(w[:, None] * local).sum(0) for w in weights])
                else:
                    parts = torch.stack([local[w > 0].amax(0) for w in weights])
                within, across = model.within[group + g], model.across[group + g]
                parts = asks(within, parts, parts)
                answers = asks(across, own, parts)
                inside = torch.tensor([0 <= s < real for s in around])
                said = (answers * inside[:, None]).flatten() @ window.of_answers[g]
                to_global.append(window.of_spans[g](parts.flatten()) + said[:dim])
                rows = slice(g * dim, (g + 1) * dim)
                linear = window.of_clips
                to_local.append(
                    said[dim:] + linear.weight[rows] @ own.flatten() + linear.bias[rows]
                )
            close(contexts[place][0][0, t], window.of_globals(torch.cat(to_global)))
            close(contexts[place][1][0, t], window.of_locals(torch.cat(to_local)))


def test_the_three_windows_share_their_blocks_or_do_not() -> None:
    for model, blocks in ((net(), 3), (net(shared_blocks=False), 9)):
        assert model.contexts is not None
        assert (len(model.contexts.within), len(model.maps)) == (blocks, 3)
    assert len(net(contexts=False).maps) == 1


def test_the_scores_depend_on_the_query() -> None:
    model, batch = net(), tiny.batch()
    blank = replace(batch, query=torch.zeros_like(batch.query))
    for ours, without in zip(model._maps(batch), model._maps(blank), strict=True):
        assert (ours - without).abs().max() > 1e-3


def test_four_queries_are_memorised_from_where_it_starts() -> None:
    """The contract draws what starts at zero; here it starts there."""
    model, batch = net(begun=False).train(), tiny.batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(200):
        optimizer.zero_grad()
        model.losses(batch)["overlap"].backward()
        optimizer.step()
    assert shared(model.eval()(batch).spans[:, 0], batch.target)[0].min() > 0.5


@pytest.mark.parametrize(
    ("dataset", "window", "parameters"),
    [("charades_i3d", (0.5, 1.0), 20_533_123), ("tacos_c3d", (0.3, 0.7), 22_105_987)],
)
def test_the_papers_sizes(dataset: str, window: tuple[float, float], parameters: int) -> None:
    """Three biaffine forms of 3 x 512 inputs, a BiLSTM of twice 256, and the whole."""
    params = tiny.parameters().model_copy(update={"scale": "paper", "methods": ("cbln",)})
    parts = resolve(params, dataset, {name: kind.Config for name, kind in MODELS.items()})
    model = build(parts.runs["cbln"])
    assert isinstance(model, CBLN)
    assert model.config.iou_window == window
    assert count(model) == parameters
    assert count(model.maps) == 5_511_171
    assert count(model.lstm) == 1_576_960
    assert count(Biaffine(512, 512, 0.0)) == 788_481  # the plain form


@pytest.mark.parametrize(
    ("key", "value"), [("heads", 3), ("local_windows", [1, 2]), ("iou_window", [0.7, 0.3])]
)
def test_sizes_that_do_not_fit_are_refused(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key):
        net(**{key: value})
