"""How sure a number is that rests on some queries and some trainings: intervals over both.

Queries and trainings are two samples, crossed: each training answers each query. With y[s, q] what
query q scores under training s, of S trainings and Q queries, the mean over both has

    queries    A   variance over queries of the means over trainings / Q
    trainings  B   variance over trainings of the means over queries / S
    both       C   mean square of what is left of y without its row and column means / (S Q)
    SE² = max(A, B, A + B - C)

A and B each hold C, what a query and a training have to do with one another: A + B alone counts it
twice, and its intervals are too wide where trainings differ little (98 % for 95 %, S = 3). So it is
subtracted once, as in the two-way layout with random effects (S. R. Searle, G. Casella, C. E.
McCulloch, "Variance Components", 1992, chapter 4), and SE² is never less than A or B alone.

A difference of two methods has one A, for both answer the same queries, and two B, for each has
trainings of its own. A difference of groups of queries adds their A and has one B, for both groups
are asked of the same trainings. Differences of differences have what their parts have.

An interval is the number ± t SE. The degrees of freedom of t are those of F. E. Satterthwaite
(Biometrics Bulletin 2, 1946) over all A and B, with one change: what a B has beyond its C counts
1 + 3 / (S - 1) times. By the plain formula, a B of few trainings that came out small by chance
gives too narrow an SE and too many degrees of freedom at once: 92 % for 95 %, S = 3. The factor was
chosen by simulation alone, before it met a result; tests/evaluation/test_intervals.py repeats it.

Of one training B is unknown. Its interval is the percentile bootstrap over queries, and it says
nothing of another training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from mgsl.evaluation.bootstrap import resampled_means
from mgsl.params import EvaluationParams

Columns = Float[np.ndarray, " columns"]
# Groups of queries and sets of trainings differ in size: `_`.
ByQuery = Float[np.ndarray, "_ columns"]  # a row for each query of a group
ByTraining = Float[np.ndarray, "_ columns"]  # a row for each training of a set
Scores = Float[np.ndarray, "_ _ columns"]  # by training and query
Mask = Bool[np.ndarray, " queries"]
Number = TypeVar("Number", float, np.ndarray)  # one, or one for each column
Component = tuple[Columns, int]  # a variance and its degrees of freedom


@dataclass(frozen=True)
class Measured(Generic[Number]):
    """A number, or one for each column, with its interval and what that rests on.

    `sd` is the standard deviation of one training's number (n - 1), NaN for one training; of a
    difference of methods that of one training of each. `trainings` is the number of trainings, of
    two methods the smaller. Of 1, [low, high] is over queries alone.
    """

    value: Number
    low: Number
    high: Number
    sd: Number
    trainings: int

    @staticmethod
    def of(row: pd.Series, *, scale: float = 1.0, prefix: str = "") -> "Measured[float]":
        """The numbers of a row of a table.

        Args:
            row: has value, low, high, sd and trainings; or PREFIX, PREFIX_low, PREFIX_high,
                PREFIX_sd and trainings.
            scale: 100 for percent where the row holds fractions.
            prefix: of the columns' names.
        """
        before = f"{prefix}_" if prefix else ""
        keys = [prefix or "value", f"{before}low", f"{before}high", f"{before}sd"]
        value, low, high, sd = (scale * float(row[key]) for key in keys)
        return Measured(value, low, high, sd, int(row["trainings"]))


@dataclass(frozen=True)
class Estimate:
    """A sum of means, kept as what each query and each training has to do with it.

    `by_query` has an array for each group of queries, whose columns' means add up to the estimate;
    `by_training` one for each set of trainings, and `both` its C. Signs are included.
    """

    by_query: tuple[ByQuery, ...]
    by_training: tuple[ByTraining, ...]
    both: tuple[Columns, ...]

    @property
    def value(self) -> Columns:
        """The estimate; NaN where a group has no queries."""
        return np.sum([_mean(part) for part in self.by_query], axis=0)

    @property
    def trainings(self) -> int:
        """How many trainings it rests on: of several sets the smallest."""
        return min(map(len, self.by_training))

    @property
    def sd(self) -> Columns:
        """Standard deviation of what one training of each set gives; NaN for one training."""
        return np.sqrt(np.sum([_variance(part) for part in self.by_training], axis=0))

    def less(self, other: "Estimate") -> "Estimate":
        """The difference to an estimate of other queries and other trainings."""
        return Estimate(
            self.by_query + tuple(-part for part in other.by_query),
            self.by_training + tuple(-part for part in other.by_training),
            self.both + other.both,
        )

    def measured(self, params: EvaluationParams) -> Measured[np.ndarray]:
        """The estimate with its interval.

        Args:
            params: the confidence; of one training, the bootstrap.
        """
        if self.trainings == 1:
            low, high = _percentiles(self.by_query, params)
        else:
            half = half_width(self._queries(), self._trainings(), self.both, params.confidence)
            low, high = self.value - half, self.value + half
        return Measured(self.value, low, high, self.sd, self.trainings)

    def visible(self, trainings: int, confidence: float) -> Columns:
        """Half of the interval there would be with so many trainings of each set, if alike.

        Args:
            trainings: how many, at least 2.
            confidence: of the interval, in (0, 1).
        """
        again = self._both(trainings)
        a, both, then = _total(self._queries()), np.sum(self.both, axis=0), np.sum(again, axis=0)
        # A falls with its C. Where A came out below C, by chance, it falls as C does.
        least = a * then / np.where(both > 0, both, 1)
        scale = np.maximum(a - both + then, least) / np.where(a > 0, a, 1)
        queries = [(variance * scale, freedom) for variance, freedom in self._queries()]
        return half_width(queries, self._trainings(trainings), again, confidence)

    def shares(self) -> tuple[Columns, Columns]:
        """Of SE², what queries alone and what trainings alone give; the rest is of both together.

        NaN for one training, and where nothing varies.
        """
        a, b = _total(self._queries()), _total(self._trainings())
        both = np.sum(self.both, axis=0)
        whole = _square(a, b, both)
        whole = np.where(whole > 0, whole, np.nan)
        return np.maximum(a - both, 0) / whole, np.maximum(b - both, 0) / whole

    def _queries(self) -> list[Component]:
        """A of each group."""
        return [(_variance(part) / max(len(part), 1), len(part) - 1) for part in self.by_query]

    def _trainings(self, number: int | None = None) -> list[Component]:
        """B of each set, as it is or of another number of trainings."""
        sizes = [number or len(part) for part in self.by_training]
        sets = zip(self.by_training, sizes, strict=True)
        return [(_variance(part) / size, size - 1) for part, size in sets]

    def _both(self, number: int) -> list[Columns]:
        """C of each set, of another number of trainings."""
        sets = zip(self.by_training, self.both, strict=True)
        return [c * len(part) / number for part, c in sets]


def estimate(methods: Sequence[Scores], groups: Sequence[Mask]) -> Estimate:
    """The mean of a method over a group of queries; less that of another method, or group.

    Args:
        methods: what each query scored under each training: of one method; or of two, whose
            trainings are not the same, for the first less the second.
        groups: of queries: one; or two that have none in common, for the first less the second.
    """
    signs = (1.0, -1.0)
    by_query = tuple(
        sign * _combine([method[:, mask].mean(axis=0) for method in methods])
        for sign, mask in zip(signs, groups, strict=False)
    )
    by_training = tuple(
        sign * _combine([_means(method, mask) for mask in groups])
        for sign, method in zip(signs, methods, strict=False)
    )
    both = tuple(np.sum([_left(method[:, mask]) for mask in groups], axis=0) for method in methods)
    return Estimate(by_query, by_training, both)


def half_width(
    queries: Sequence[Component],
    trainings: Sequence[Component],
    both: Sequence[Columns],
    confidence: float,
) -> Columns:
    """Half of an interval over queries and trainings.

    Args:
        queries: A of each group.
        trainings: B of each set of trainings.
        both: C of each set of trainings.
        confidence: of the interval, in (0, 1).
    """
    raised = [
        (b + 3 / freedom * np.maximum(b - c, 0), freedom)
        for (b, freedom), c in zip(trainings, both, strict=True)
    ]
    square = _square(_total(queries), _total(trainings), np.sum(both, axis=0))
    return _student(square, [*queries, *raised], confidence)


def welch(first: Component, second: Component, confidence: float) -> Columns:
    """How far apart two independent means lie by chance alone: half of their difference's interval.

    Args:
        first: the variance of the one mean, and its degrees of freedom.
        second: the same of the other.
        confidence: of the interval, in (0, 1).
    """
    parts = [first, second]
    return _student(_total(parts), parts, confidence)


def _student(square: Columns, parts: Sequence[Component], confidence: float) -> Columns:
    """t times the root of SE², with Satterthwaite's degrees of freedom over the parts."""
    squares = _total([(part**2 / max(freedom, 1), freedom) for part, freedom in parts])
    freedom = _total(parts) ** 2 / np.where(squares > 0, squares, np.nan)
    from scipy import stats  # slow to import

    t = stats.t.ppf((1 + confidence) / 2, freedom)
    return np.where(square == 0, 0.0, t * np.sqrt(square))


def better(a: ByTraining, b: ByTraining, *, paired: bool = False) -> Columns:
    """P(A > B): how often a training of the one gives more than one of the other; ties count half.

    Args:
        a: the number of each training of the one.
        b: that of each training of the other.
        paired: whether the trainings are the same, so that each is compared with itself alone.
    """
    less = a - b if paired else (a[:, None] - b[None]).reshape(-1, a.shape[1])
    shares = np.mean((less > 0) + (less == 0) / 2, axis=0)
    return np.where(np.isnan(less).any(axis=0), np.nan, shares)


def _square(a: Columns, b: Columns, both: Columns) -> Columns:
    """SE²."""
    return np.maximum(np.maximum(a, b), a + b - both)


def _left(scores: Scores) -> Columns:
    """C of one method and one group of queries; 0 of one training or of one query."""
    trainings, queries, columns = scores.shape
    if trainings < 2 or queries < 2:
        return np.zeros(columns)
    rows, every = scores.mean(axis=1, keepdims=True), scores.mean(axis=(0, 1))
    left = scores - rows - scores.mean(axis=0) + every
    square: Columns = (left**2).sum(axis=(0, 1)) / ((trainings - 1) * (queries - 1))
    return square / (trainings * queries)


def _percentiles(by_query: Sequence[ByQuery], params: EvaluationParams) -> tuple[Columns, Columns]:
    """Ends of the percentile bootstrap; each group of queries is drawn for itself."""
    seeds = [params.bootstrap_seed + place for place in range(len(by_query))]
    draws = [
        resampled_means(part, params.model_copy(update={"bootstrap_seed": seed}))
        for part, seed in zip(by_query, seeds, strict=True)
    ]
    tail = (1 - params.confidence) / 2
    low, high = np.quantile(np.sum(draws, axis=0), [tail, 1 - tail], axis=0)
    return low, high


def _combine(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The only one, or the first less the second."""
    return parts[0] if len(parts) == 1 else parts[0] - parts[1]


def _means(scores: Scores, mask: Mask) -> ByTraining:
    """The mean of each training over a group of queries; NaN where it is empty."""
    if not mask.any():
        return np.full((len(scores), scores.shape[2]), np.nan)
    return scores[:, mask].mean(axis=1)


def _total(parts: Sequence[Component]) -> Columns:
    return np.sum([variance for variance, _ in parts], axis=0)


def _mean(part: ByQuery) -> Columns:
    return part.mean(axis=0) if len(part) else np.full(part.shape[1], np.nan)


def _variance(part: ByQuery) -> Columns:
    """Of the rows (n - 1); NaN of fewer than two."""
    return part.var(axis=0, ddof=1) if len(part) > 1 else np.full(part.shape[1], np.nan)
