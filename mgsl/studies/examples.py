"""Where the paper's qualitative examples stand in the published annotations."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mgsl.data.annotations import Annotation
from mgsl.queries import SPLITS
from mgsl.studies.benchmarks import Benchmark

RELEASE = Path("microsoft/2D-TAN/data/TACoS")  # TACoS as 2D-TAN gives it out


@dataclass(frozen=True)
class Example:
    """A query that a figure of the paper shows; `query` or `video` may be empty."""

    figure: str
    query: str
    video: str
    start_s: float
    end_s: float

    def is_in(self, annotation: Annotation) -> bool:
        """Whether this is that pair: the same words, or the same moment of the same video."""
        if self.query:
            return _letters(self.query) == _letters(annotation.sentence)
        moment = (annotation.video, annotation.start_s, annotation.end_s)
        return moment == (self.video, self.start_s, self.end_s)


def locate(examples: Sequence[Example], benchmarks: Iterable[Benchmark]) -> pd.DataFrame:
    """Every published pair that is one of the examples.

    Returns:
        One row a pair, with the moment that is printed (seconds) and the one that is annotated.
    """
    rows = [
        {
            "figure": example.figure,
            "benchmark": benchmark.name,
            "split": pair.split,
            "video": pair.video,
            "sentence": pair.sentence.strip(),
            "duration_s": pair.duration_s,
            "start_s": pair.start_s,
            "end_s": pair.end_s,
            "printed_start_s": example.start_s,
            "printed_end_s": example.end_s,
        }
        for benchmark in benchmarks
        for example in examples
        for pair in benchmark.published
        if example.is_in(pair)
    ]
    return pd.DataFrame(rows)


def releases(raw: Path, tacos: Benchmark) -> pd.DataFrame:
    """How many pairs the two releases of TACoS have in each split.

    Args:
        raw: the folder of the published files.
        tacos: the release that this project uses.
    """
    rows = []
    for split in SPLITS:
        videos = json.loads((raw / RELEASE / f"{split}.json").read_text(encoding="utf-8"))
        rows.append(("TALL", split, tacos.counts[split]["published"]))
        rows.append(("2D-TAN", split, sum(len(video["sentences"]) for video in videos.values())))
    return pd.DataFrame(rows, columns=["release", "split", "pairs"])


def _letters(sentence: str) -> str:
    return "".join(letter for letter in sentence.lower() if letter.isalnum())
