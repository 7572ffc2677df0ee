"""The metric as slow, literal loops, and small things that tests of the evaluation are made of."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from mgsl.params import EvaluationParams
from mgsl.queries import Query

BINS = ("<10", "10-49", "50-99", ">=100")
Span = tuple[Any, Any]  # of numbers of one kind: float or Fraction


def evaluation(**changes: Any) -> EvaluationParams:
    """The parameters of params.yaml, but for `changes`."""
    params: dict[str, Any] = {
        "recall_at": (1, 5),
        "iou": (0.3, 0.5, 0.7),
        "strict": False,
        "nms": "per_metric",
        "nms_threshold": 0.45,
        "grid": None,
        "keep": 64,
        "resamples": 1000,
        "confidence": 0.95,
        "bootstrap_seed": 0,
    }
    return EvaluationParams(**{**params, **changes})


def ask(
    number: int,
    *,
    target: tuple[float, float] = (2.0, 6.0),
    frequency_bin: int = 1,
    rare: bool = False,
) -> Query:
    """The query number `number`, two of each video."""
    video = f"video{number // 2}"
    return Query(
        qid=f"{video}-{number % 2}",
        video=video,
        sentence="a person opens the door",
        split="test",
        start_s=target[0],
        end_s=target[1],
        duration_s=10.0,
        tokens=("a", "person", "opens", "the", "door"),
        tags=("DT", "NN", "VBZ", "DT", "NN"),
        frequency=12,
        bin=frequency_bin,
        rare=rare,
    )


def tiou(a: Span, b: Span) -> Any:
    """Intersection over union of two spans."""
    intersection = max(0, min(a[1], b[1]) - max(a[0], b[0]))
    union = (a[1] - a[0]) + (b[1] - b[0]) - intersection
    return intersection / union if union else 0


def nms(spans: Sequence[Span], threshold: Any, keep: int) -> list[int]:
    """Ranks of the first `keep` spans that no better survivor overlaps by more than threshold."""
    kept: list[int] = []
    for rank, span in enumerate(spans):
        if len(kept) < keep and all(tiou(spans[k], span) <= threshold for k in kept):
            kept.append(rank)
    return kept


def per_query(
    proposals: Sequence[Sequence[Span]],
    targets: Sequence[Span],
    params: EvaluationParams,
    number: Callable[[str], Any] = Fraction,
) -> dict[str, list[float]]:
    """Each metric of each query; exact if the spans are fractions and `number` is Fraction."""
    scores: dict[str, list[float]] = {}
    for n in params.recall_at:
        for m in params.iou:
            limit = number(str(m))
            column = scores.setdefault(f"R@{n}, IoU={m}", [])
            for spans, target in zip(proposals, targets, strict=True):
                if all(len(others) < n for others in proposals):
                    column.append(float("nan"))
                    continue
                ranks = list(range(len(spans)))
                if params.nms == "per_metric":
                    ranks = nms(spans, limit - number("0.05"), n)
                elif params.nms == "fixed":
                    ranks = nms(spans, number(str(params.nms_threshold)), n)
                overlaps = [tiou(spans[rank], target) for rank in ranks[:n]]
                hit = any(x > limit if params.strict else x >= limit for x in overlaps)
                column.append(float(hit))
    scores["mIoU"] = [
        float(tiou(spans[0], target)) for spans, target in zip(proposals, targets, strict=True)
    ]
    return scores
