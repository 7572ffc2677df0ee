"""How long scoring takes at the size of ActivityNet Captions' test split, on one core.

Run from the repository's root: OMP_NUM_THREADS=1 python -m benchmarks.evaluation
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from mgsl import params
from mgsl.evaluation.metrics import groups, metrics_table, per_query, targets
from mgsl.evaluation.predictions import Predictions, read_predictions, write_predictions
from mgsl.paths import PARAMS
from mgsl.queries import Query
from tests.evaluation import oracle

QUERIES, PROPOSALS, SAMPLE = 17_031, 64, 500


@contextmanager
def timed(what: str, queries: int = QUERIES) -> Iterator[list[float]]:
    taken: list[float] = []
    start = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - start)
    print(f"{what:<44} {taken[0]:6.2f} s {queries / taken[0]:10,.0f} queries/s")


def generate() -> tuple[list[Query], Predictions]:
    """Queries with proposals that overlap each other as those of a trained method do."""
    rng = np.random.default_rng(0)
    ends = np.sort(rng.random((QUERIES, 2)) * 10, axis=1)
    queries = [
        oracle.ask(number, target=(start, end), rare=share < 0.11, frequency_bin=int(4 * share))
        for number, ((start, end), share) in enumerate(
            zip(ends.tolist(), rng.random(QUERIES).tolist(), strict=True)
        )
    ]
    spread = np.linspace(0.5, 4, PROPOSALS)[:, None]
    spans_s = np.sort(ends[:, None] + rng.normal(size=(QUERIES, PROPOSALS, 2)) * spread, axis=-1)
    scores = np.tile(np.linspace(1, 0, PROPOSALS), (QUERIES, 1))
    return queries, Predictions(spans_s, scores, np.ones(scores.shape, bool))


def main() -> None:
    evaluation = params.load(PARAMS).evaluation
    queries, given = generate()
    truth = targets(queries)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions.jsonl"
        with timed("write the prediction file"):
            write_predictions(path, queries, given.spans_s, given.scores, PROPOSALS)
        with timed("read the prediction file"):
            predictions = read_predictions(path, queries)
    with timed("every metric of every query") as metrics:
        values = per_query(predictions, truth, evaluation)
    with timed(f"means and intervals, {evaluation.resamples} resamples") as intervals:
        frame = pd.DataFrame(values).rename_axis(columns="metric")
        metrics_table(frame, groups(queries, oracle.BINS), evaluation)
    print(f"{'metrics and intervals together':<44} {metrics[0] + intervals[0]:6.2f} s")
    spans = [[(start, end) for start, end in row] for row in predictions.spans_s[:SAMPLE].tolist()]
    with timed(f"literal loops, {SAMPLE} queries", SAMPLE) as literal:
        oracle.per_query(spans, [(start, end) for start, end in truth[:SAMPLE]], evaluation, float)
    ratio = (literal[0] / SAMPLE) / (metrics[0] / QUERIES)
    print(f"the vectorised metric is {ratio:.0f} times as fast as the literal loops")


if __name__ == "__main__":
    main()
