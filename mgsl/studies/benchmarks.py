"""The benchmarks as annotations alone: no features are needed, nor made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mgsl.data import preparing, sources
from mgsl.data.annotations import Annotation, hold_out
from mgsl.data.counted import Tally, clamp
from mgsl.data.datasets import find
from mgsl.files import sha256
from mgsl.params import PreparationParams
from mgsl.queries import SPLITS, Query

DATASETS = {  # whose sources hold a benchmark's annotations
    "activitynet": "activitynet_planted",
    "tacos": "tacos_planted",
    "charades": "charades_actions",
}
REANNOTATIONS = "reannotations"  # what the catalogue calls them
_PLACE = Path("mayu-ot/hidden-challenges-MR/data/raw")


@dataclass(frozen=True)
class Benchmark:
    """The published pairs of a benchmark, tagged, and the queries that are kept of them.

    Nothing is held out for validation where none is published. `tallies` says what became of the
    pairs of each split.
    """

    name: str
    published: Sequence[Annotation]
    queries: Sequence[Query]
    tallies: Mapping[str, Tally]

    def split(self, name: str) -> list[Query]:
        """The queries of one split."""
        return [query for query in self.queries if query.split == name]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """How many pairs were published, and are kept, in each split."""
        return {
            split: {"published": self.tallies[split].published, "pairs": len(self.split(split))}
            for split in SPLITS
        }


def fetch(raw: Path) -> list[dict[str, Any]]:
    """Bring the annotations of all benchmarks together, and the re-annotations, verified.

    Args:
        raw: the folder that they are put in.

    Returns:
        Each file with its digest.

    Raises:
        UserError: a file is nowhere to be had.
    """
    files = [
        source
        for name in (*DATASETS.values(), REANNOTATIONS)
        for source in sources.catalogue(name)
        if not source.path.endswith((".npy", "word2id.json"))  # word vectors are not needed
    ]
    files = list(dict.fromkeys(files))
    sources.fetch(files, raw)
    return [
        {"file": source.place.as_posix(), "sha256": sha256(raw / source.place)} for source in files
    ]


def read(name: str, raw: Path, preparation: PreparationParams) -> Benchmark:
    """Read, tag and sort one benchmark.

    Args:
        name: a key of `DATASETS`, or a dataset.
        raw: the folder of the published files.
        preparation: the reading of "rare".

    Raises:
        UserError: a file is missing or malformed.
    """
    annotations = find(DATASETS.get(name, name)).annotations(raw)
    published = preparing.tag(annotations, raw / preparing.TAGGER)
    held_out = hold_out(
        published, share=preparation.validation_share, seed=preparation.validation_seed
    )
    kept, tallies = clamp(held_out)  # which wants every split
    queries = preparing.make_queries(kept, published, preparation)
    if not any(annotation.split == "val" for annotation in published):
        queries = [replace(q, split="train") if q.split == "val" else q for q in queries]
        tallies["train"], tallies["val"] = tallies["train"] + tallies["val"], Tally()
    return Benchmark(name, published, queries, tallies)


def reannotation_files(name: str, raw: Path) -> list[Path]:
    """What five people answered to test queries of a benchmark; empty where nobody asked."""
    return sorted((raw / _PLACE / name / "re-annotated").glob("*.csv"))
