"""What each method answered to every test query in one training, for the browser of queries."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mgsl.evaluation.metrics import METRICS, on_grid, per_query, targets
from mgsl.evaluation.predictions import read_predictions
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import WITHOUT
from mgsl.reporting.read.results import Results

IOU = 0.5  # an answer is right if R@1 at this IoU counts it: `METRICS[0]`
_BEST = {"recall_at": (1,), "iou": (IOU,)}  # which answer is the best, no rule of NMS changes


@dataclass(frozen=True)
class Answered:
    """The best-ranked moment of one training for each test query, in the order of the queries.

    Spans are seconds; `right` and `tiou` are what R@1, IoU=0.5 and mIoU count.
    """

    name: str
    title: str
    spans_s: Float[np.ndarray, "queries 2"]
    tiou: Float[np.ndarray, " queries"]
    right: Bool[np.ndarray, " queries"]


def first_trainings(results: Results) -> list[Answered]:
    """The answers of the first training of every method, those most often right first.

    Beside the methods stands MGSL-Net without its memories, where it was run: query by query it
    tells what they are worth.

    Args:
        results: of the dataset.

    Raises:
        UserError: a prediction file is missing or does not answer the test queries.
    """
    names = [*results.names, *({WITHOUT} & set(results.config.names))]
    answers = [_read(results, name) for name in names]
    return sorted(answers, key=lambda answer: -int(answer.right.sum()))


def _read(results: Results, name: str) -> Answered:
    path = results.folder(name, results.config.seeds[0]) / "predictions.jsonl"
    queries, rules = results.test, results.config.evaluation.model_copy(update=_BEST)
    predictions, truth = read_predictions(path, queries), targets(queries)
    best_s = predictions.spans_s[:, 0]
    if rules.grid:
        predictions, truth = on_grid(predictions, truth, queries, rules.grid)
    scores = per_query(predictions, truth, rules)
    return Answered(name, _title(name), best_s, scores["mIoU"], scores[METRICS[0]] > 0)


def _title(name: str) -> str:
    """What a method is called on a short line: without what is said of it behind a colon."""
    if name == WITHOUT:
        return "MGSL-Net, no memory"
    return published.title(name).partition(":")[0]
