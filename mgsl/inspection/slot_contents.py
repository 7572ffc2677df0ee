"""What the slots of one memory hold: how rare it is, how selective, how scattered.

Frequency      of a slot: the geometric mean of 1 + training frequency over the content words, less
               1; each word counts once, by how much it addresses the slot.
Selectivity    of a slot: 1 less the entropy of who addresses it, as a share of the largest: 0 all
               words alike, 1 one word only.
Distance       of a slot to its neighbours: the mean of 1 - cosine to the nearest `NEIGHBOURS`.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy.stats import rankdata

from mgsl.inspection.use import Use
from mgsl.params import EvaluationParams

NEIGHBOURS = 5
SAME = 1e-4  # slots no farther apart than this (1 - cosine) hold the same
SHOWN = 2  # representative slots of either kind
LISTED = 5  # words of a slot that are listed
RULE = (
    f"of the slots that get at least an even share of all reading: the {SHOWN} that words address "
    f"most selectively among the quarter with the rarest words, and the {SHOWN} among the quarter "
    "with the most frequent ones; none where all slots hold the same"
)

Slots = Float[np.ndarray, "slots dim"]
Column = Float[np.ndarray, " slots"]


def describe(slots: Slots, train: Use, test: Use, counts: Mapping[str, int]) -> pd.DataFrame:
    """One row for each slot of a memory.

    Args:
        slots: as trained.
        train: how training queries address them.
        test: how test queries do.
        counts: training frequency of each content word.

    Returns:
        Columns slot, x, y (principal components), norm, share_train, share_test, frequency,
        frequency_test, selectivity, distance, representative ("rare", "common" or ""), words (those
        that address the slot most, with their share, the first first).
    """
    plane, _ = principal_plane(slots)
    by_slot = addressed_by(train)
    table = pd.DataFrame(
        {
            "slot": np.arange(len(slots)),
            "x": plane[:, 0],
            "y": plane[:, 1],
            "norm": np.linalg.norm(slots, axis=1),
            "share_train": train.share,
            "share_test": test.share,
            "frequency": frequency(train, counts),
            "frequency_test": frequency(test, counts),
            "selectivity": selectivity(by_slot),
            "distance": neighbour_distance(slots),
        }
    )
    table["representative"] = representatives(table)
    table["words"] = [_listing(train.words, row) for row in by_slot]
    return table


def addressed_by(use: Use) -> Float[np.ndarray, "slots words"]:
    """Who addresses each slot: shares of the words, each counted once; they sum to 1."""
    weights = use.by_word.T
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)


def frequency(use: Use, counts: Mapping[str, int]) -> Column:
    """How frequent in training the words are that address each slot."""
    logs = np.log1p([counts.get(word, 0) for word in use.words])
    return np.expm1(addressed_by(use) @ logs)


def selectivity(by_slot: Float[np.ndarray, "slots words"]) -> Column:
    """How few words address each slot: 0 all alike, 1 one only."""
    logs = np.log(np.where(by_slot > 0, by_slot, 1))
    return 1 + (by_slot * logs).sum(axis=1) / max(np.log(by_slot.shape[1]), 1e-8)


def neighbour_distance(slots: Slots) -> Column:
    """Mean of 1 - cosine from each slot to its nearest neighbours, as many as there are."""
    unit = slots / np.maximum(np.linalg.norm(slots, axis=1, keepdims=True), 1e-12)
    distances = 1 - unit @ unit.T
    np.fill_diagonal(distances, np.inf)
    count = min(NEIGHBOURS, len(slots) - 1)
    return np.maximum(np.sort(distances, axis=1)[:, :count].mean(axis=1), 0)


def principal_plane(
    slots: Slots,
) -> tuple[Float[np.ndarray, "slots 2"], Float[np.ndarray, "2"]]:
    """The first two principal components of the slots, and their shares of the variance.

    The sign of a component is such that its largest entry is positive. Slots that are all the same
    lie at the origin, with shares of 0.
    """
    centered = slots - slots.mean(axis=0)
    _, values, axes = np.linalg.svd(centered, full_matrices=False)
    axes = axes[:2]
    largest = axes[np.arange(2), np.abs(axes).argmax(axis=1)]
    variance = values**2
    return centered @ (axes * np.sign(largest)[:, None]).T, variance[:2] / max(
        variance.sum(), 1e-300
    )


def representatives(table: pd.DataFrame) -> list[str]:
    """Which slots are shown, by `RULE`: "rare" or "common", "" for all others."""
    if table["distance"].max() <= SAME:
        return [""] * len(table)
    used = table[table["share_train"] * len(table) >= 1]
    low, high = used["frequency"].quantile([0.25, 0.75])
    kinds = [""] * len(table)
    for kind, part in (
        ("common", used[used["frequency"] >= high]),
        ("rare", used[used["frequency"] <= low]),
    ):
        best = part.sort_values("selectivity", ascending=False, kind="stable")[:SHOWN]
        for slot in best["slot"]:
            kinds[slot] = kind
    return kinds


def scatter(
    slots: Slots, use: Use, counts: Mapping[str, int], params: EvaluationParams
) -> pd.DataFrame:
    """Whether rare content lies in scattered slots: rank correlations with their distance.

    Args:
        slots: as trained.
        use: how training queries address them.
        counts: training frequency of each content word.
        params: resamples, confidence and seed of interval and test.

    Returns:
        Two rows: over the slots (frequency of a slot against its distance to its neighbours) and
        over the words (frequency of a word against the distance of the slots that it addresses).
        Columns unit, correlation, low, high, p, count. Below 0: rare content is scattered. NaN
        where all slots hold the same.
    """
    distance = neighbour_distance(slots)
    if distance.max() <= SAME:
        distance = np.zeros_like(distance)
    of_words = np.array([float(counts.get(word, 0)) for word in use.words])
    pairs = {
        "slots": (frequency(use, counts), distance),
        "words": (of_words, use.by_word @ distance),
    }
    return pd.DataFrame(
        [
            {"unit": unit, **correlate(x, y, params), "count": len(x)}
            for unit, (x, y) in pairs.items()
        ]
    )


def correlate(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], params: EvaluationParams
) -> dict[str, float]:
    """Spearman's rank correlation, its bootstrap interval and its two-sided permutation p.

    NaN throughout where one of the two does not vary.
    """
    correlation = _spearman(x, y)
    if np.isnan(correlation):
        return dict.fromkeys(("correlation", "low", "high", "p"), np.nan)
    rng = np.random.default_rng(params.bootstrap_seed)

    def repeat(draw: Callable[[], tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]]) -> Column:
        pairs = (draw() for _ in range(params.resamples))
        return np.array([_spearman(x[a], y[b]) for a, b in pairs])

    def resample() -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        drawn = rng.integers(len(x), size=len(x))
        return drawn, drawn

    resampled = repeat(resample)
    permuted = repeat(lambda: (np.arange(len(x)), rng.permutation(len(x))))
    tail = (1 - params.confidence) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail])
    p = (1 + (np.abs(permuted) >= abs(correlation) - 1e-12).sum()) / (1 + params.resamples)
    return {"correlation": correlation, "low": float(low), "high": float(high), "p": float(p)}


def _spearman(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    a, b = rankdata(x) - (len(x) + 1) / 2, rankdata(y) - (len(y) + 1) / 2
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else float("nan")


def _listing(words: list[str], shares: Float[np.ndarray, " words"]) -> str:
    best = np.argsort(-shares, kind="stable")[:LISTED]
    return " ".join(f"{words[i]}:{shares[i]:.3f}" for i in best)
