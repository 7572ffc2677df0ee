"""What each method answered to every test query in one training, for the browser of queries."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mgsl.evaluation import scoring
from mgsl.evaluation.metrics import METRICS
from mgsl.evaluation.predictions import read_predictions
from mgsl.reporting.read import published
from mgsl.reporting.read.compared import FULL, WITHOUT
from mgsl.reporting.read.results import Results

IOU = 0.5  # an answer is right if R@1 at this IoU counts it: `METRICS[0]`


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
    first = {"recall_at": (1,), "iou": (IOU,)}  # no rule of NMS changes which answer is the best
    scores = scoring.query_scores(
        results.test, path, results.config.evaluation.model_copy(update=first)
    )
    return Answered(
        name,
        _title(name),
        read_predictions(path, results.test).spans_s[:, 0],
        scores["mIoU"].to_numpy(),
        scores[METRICS[0]].to_numpy() > 0,
    )


def _title(name: str) -> str:
    """What a method is called where its answers stand beside those of others."""
    return f"{published.title(FULL)}, no memory" if name == WITHOUT else published.title(name)
