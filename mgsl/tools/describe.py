"""What a prepared dataset holds, in numbers: for people, and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mgsl.errors import UserError
from mgsl.prepared import again, read_summary
from mgsl.queries import SPLITS, Query, read_queries

_BAR = 30  # characters of a share of 1
_COUNTS = ("published", "clamped", "dropped", "pairs", "videos")
_LENGTHS = (
    ("video_s", "video, s", "{:.1f}"),
    ("moment_s", "moment, s", "{:.1f}"),
    ("moment_share", "moment, share of video", "{:.1%}"),
)
_SPREAD = ("min", "median", "mean", "max")

# What a summary tells that this page is made of.
_TOLD = {"splits", "rare", "rare_share", "shares", "vector_coverage", "vocabulary"}


def describe(prepared: Path) -> dict[str, Any]:
    """Counts, lengths and shares of a prepared dataset.

    Args:
        prepared: the folder that the stage `prepare` wrote.

    Returns:
        The summary's facts, and for each split the distribution of durations (of its videos) and
        of moment lengths (in seconds, and as a share of the video).

    Raises:
        UserError: the dataset is not prepared, or by an earlier version.
    """
    summary = read_summary(prepared)
    if lacking := sorted(_TOLD - summary.keys()):
        raise UserError(
            f"{prepared} was prepared by an earlier version, its summary lacks "
            f"{', '.join(lacking)}: {again(prepared)}"
        )
    queries = read_queries(prepared / "queries.jsonl")
    lengths = {
        split: _lengths([query for query in queries if query.split == split]) for split in SPLITS
    }
    return summary | {"lengths": lengths}


def as_text(described: dict[str, Any]) -> str:
    """The same for reading: aligned tables, shares with bars."""
    kind = "simulated" if described["simulated"] else "real"
    coverage = described["vector_coverage"]
    lines = [
        f"{described['title']} ({described['dataset']})",
        f"  features    {described['features']} ({kind}), "
        f"{described['num_clips']} clips of {described['video_dim']}",
        f"  vocabulary  {described['vocabulary']:,} words; published vectors for "
        f"{coverage['words']:.1%} of them, {coverage['tokens']:.1%} of all tokens",
        "",
        "Pairs of query and moment; clamped: cut off at the video's end; dropped: nothing is left",
        *aligned(
            ["split", *_COUNTS],
            [
                [split, *(f"{row[key]:,}" for key in _COUNTS)]
                for split, row in described["splits"].items()
            ],
        ),
        *_held_out(described),
        "",
        *aligned(
            ["split", "length of", *_SPREAD],
            [
                [split, name, *(form.format(described["lengths"][split][key][n]) for n in _SPREAD)]
                for key, name, form in _LENGTHS
                for split in SPLITS
            ],
        ),
        "",
        reading(described["rare"]),
    ]
    for split in SPLITS:
        for label, share in described["shares"][split].items():
            bar = "█" * round(share * _BAR)
            lines.append(f"  {split:5}  {label:>6}  {share:6.1%}  {bar}".rstrip())
        rare = described["rare_share"][split]
        lines.append(f"  {split:5}  rare {rare:.1%}, common {1 - rare:.1%}")
    return "\n".join(lines)


def reading(rare: dict[str, Any]) -> str:
    """What is counted, and who is rare."""
    where = {"train": "the training split", "all": "all splits"}[rare["corpus"]]
    bound = "up to" if rare["inclusive"] else "fewer than"
    return (
        f"How often the rarest word of a query ({', '.join(rare['tags'])}; {rare['form']}) stands "
        f"in {where}.\nRare: {bound} {rare['threshold']} times."
    )


def _held_out(described: dict[str, Any]) -> list[str]:
    if not described["validation_held_out"]:
        return []
    splits = described["splits"]
    total = {key: splits["train"][key] + splits["val"][key] for key in _COUNTS}
    return [
        f"  val is held out of the published training split, which has {total['published']:,} "
        f"pairs: {total['clamped']:,} clamped, {total['dropped']:,} dropped"
    ]


def _lengths(queries: Sequence[Query]) -> dict[str, dict[str, float]]:
    durations = {query.video: query.duration_s for query in queries}
    moments = np.array([query.end_s - query.start_s for query in queries])
    videos = np.array([query.duration_s for query in queries])
    return {
        "video_s": _spread(np.array(list(durations.values()))),
        "moment_s": _spread(moments),
        "moment_share": _spread(moments / videos),
    }


def _spread(values: Float[np.ndarray, " values"]) -> dict[str, float]:
    return {
        "min": float(values.min()),
        "median": float(np.median(values)),
        "mean": float(values.mean()),
        "max": float(values.max()),
    }


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table: words to the left, numbers to the right."""
    columns = []
    for name, *cells in zip(header, *rows, strict=True):
        width = max(map(len, [name, *cells]))
        side = ">" if any(cell[:1].isdigit() for cell in cells) else "<"
        columns.append([f"{cell:{side}{width}}" for cell in (name, *cells)])
    return ["  " + "  ".join(row) for row in zip(*columns, strict=True)]
