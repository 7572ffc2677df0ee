"""The pairs of every dataset, counted in the published annotations: no features are needed."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mgsl.data import glove, preparing, sources
from mgsl.data.datasets import find
from mgsl.errors import UserError
from mgsl.params import PreparationParams
from mgsl.queries import SPLITS
from mgsl.studies import benchmarks
from mgsl.studies.benchmarks import Benchmark
from mgsl.tools.describe import aligned, reading

# Datasets that have the annotations; what these are called; whose word vectors are the published.
ANNOTATIONS = {
    "activitynet_planted": ("ActivityNet Captions", "activitynet_c3d"),
    "tacos_planted": ("TACoS, TALL split", "tacos_planted"),
    "charades_actions": ("Charades-STA", "charades_actions"),
    "charades_cd_ood_actions": ("Charades-CD, ood", "charades_cd_ood_actions"),
    "charades_cd_iid_actions": ("Charades-CD, iid", "charades_cd_iid_actions"),
    "embedded": ("Embedded (generated)", "embedded"),
}
_COLUMNS = ("printed", "published", "clamped", "dropped", "pairs", "videos")
_NOTHING = "–"


def count(
    preparation: PreparationParams, printed: Mapping[tuple[str, str], int], raw: Path
) -> dict[str, Any]:
    """Count every dataset's pairs.

    Args:
        preparation: the reading of "rare", and the user's word vectors, if any.
        printed: how many pairs the paper has, by benchmark and split.
        raw: a folder for the published files.

    Returns:
        The reading of "rare"; by the name of the annotations, either why they are not at hand, or
        counts by split, and the coverage of word vectors, None where those are not at hand.
    """
    documents: dict[str, Any] = {}
    for dataset, (title, vectors) in ANNOTATIONS.items():
        try:
            find(dataset).download(raw)
            benchmark = benchmarks.read(dataset, raw, preparation)
        except UserError as error:
            documents[title] = {"missing": str(error)}
        else:
            documents[title] = _count(benchmark, find(dataset).benchmark, printed) | {
                "vectors": _coverage(benchmark, vectors, raw, preparation)
            }
    return {"rare": preparation.rare.model_dump(mode="json"), "datasets": documents}


def as_text(counted: dict[str, Any]) -> str:
    """The same for reading: a table, what covers the words, what is not at hand."""
    at_hand = {title: about for title, about in counted["datasets"].items() if "splits" in about}
    rows = [
        [title, split, *_numbers(row), f"{row['rare_share']:.1%}"]
        for title, about in at_hand.items()
        for split, row in about["splits"].items()
    ]
    words = [
        [title, f"{about['vocabulary']:,}", *_shares(about)] for title, about in at_hand.items()
    ]
    lines = [
        "Pairs of query and moment. Printed: in the paper; published: in the files; clamped: cut",
        "off at the video's end; dropped: nothing is left; pairs: kept.",
        reading(counted["rare"]),
    ]
    if at_hand:
        lines += ["", *aligned(["dataset", "split", *_COLUMNS, "rare"], rows)]
        lines += ["", "Words, and the share of them and of all tokens with a published vector."]
        lines += aligned(["dataset", "words", "of words", "of tokens"], words)
    for title, about in counted["datasets"].items():
        if "missing" in about:
            lines += ["", f"{title} is not at hand:", f"  {about['missing']}"]
    return "\n".join(lines)


def _count(
    benchmark: Benchmark, name: str | None, printed: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    splits = {}
    for split in SPLITS:
        if queries := benchmark.split(split):
            tally = benchmark.tallies[split]
            splits[split] = {
                **({"printed": printed[key]} if (key := (name or "", split)) in printed else {}),
                **vars(tally),
                "pairs": len(queries),
                "videos": len({query.video for query in queries}),
                "rare_share": sum(query.rare for query in queries) / len(queries),
            }
    return {
        "splits": splits,
        "vocabulary": len({token for query in benchmark.queries for token in query.tokens}),
    }


def _coverage(
    benchmark: Benchmark, dataset: str, raw: Path, preparation: PreparationParams
) -> dict[str, float] | None:
    tokens = Counter(token for query in benchmark.queries for token in query.tokens)
    files = [source for source in sources.catalogue(dataset) if "/data/save/" in source.path]
    if preparation.glove is None:
        if any(sources.status(source) == "missing" for source in files):
            return None  # large, and no reason to ask the network
        sources.fetch(files, raw)
    elif glove.is_awaited(preparation.glove):
        return None
    return preparing.coverage(
        tokens, preparing.word_vectors(find(dataset), raw, preparation, tokens.keys())
    )


def _numbers(row: dict[str, Any]) -> list[str]:
    return [f"{row[key]:,}" if key in row else _NOTHING for key in _COLUMNS]


def _shares(about: dict[str, Any]) -> list[str]:
    if about["vectors"] is None:
        return [_NOTHING, _NOTHING]
    return [f"{about['vectors'][key]:.1%}" for key in ("words", "tokens")]
