"""Which queries of a benchmark are rare, as a table for people who do not use this package.

One CSV for each benchmark and split, under the reading of "rare" in params.yaml (Q22). Its first
lines begin with # and say what it is: the reading, and the digests of the files it was made of.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from mgsl.data import sources
from mgsl.data.datasets import find
from mgsl.data.embedded import generate
from mgsl.errors import UserError
from mgsl.files import sha256, write_text
from mgsl.params import PreparationParams, RareParams
from mgsl.queries import SPLITS, Query
from mgsl.rarity import bin_labels, content_words, frequencies, writer
from mgsl.studies import benchmarks
from mgsl.studies.benchmarks import Benchmark
from mgsl.tools.describe import reading

NAMES = {  # of the annotations, by a dataset that has them
    "embedded": "embedded",
    "charades_actions": "charades",
    "charades_cd_ood_actions": "charades_cd_ood",
    "charades_cd_iid_actions": "charades_cd_iid",
    "tacos_planted": "tacos",
    "activitynet_planted": "activitynet",
}
COLUMNS = ("qid", "video", "sentence", "rarest_word", "frequency", "bin", "rare")


def write(
    dataset: str, split: str, output: Path, preparation: PreparationParams, raw: Path
) -> None:
    """Write the table of one split.

    Args:
        dataset: any, prepared or not; those of the same annotations have the same table.
        split: one that was published.
        output: the CSV to write.
        preparation: the reading of "rare".
        raw: a folder for the published files.

    Raises:
        UserError: there is no such dataset or split, or a published file is nowhere to be had.
    """
    tables = of_dataset(dataset, preparation, raw)
    if split not in tables:
        raise UserError(f"{dataset} has no split {split!r}; published are: {', '.join(tables)}")
    write_text(output, tables[split])


def write_all(folder: Path, preparation: PreparationParams, raw: Path) -> list[Path]:
    """Write the tables of all benchmarks, NAME_SPLIT.csv; the arguments are `write`'s."""
    written = []
    for dataset, name in NAMES.items():
        for split, text in of_dataset(dataset, preparation, raw).items():
            written.append(folder / f"{name}_{split}.csv")
            write_text(written[-1], text)
    return written


def of_dataset(dataset: str, preparation: PreparationParams, raw: Path) -> dict[str, str]:
    """The tables of a dataset, by split, train first; the arguments are `write`'s."""
    source = benchmarks.DATASETS.get(find(dataset).benchmark or "", dataset)
    digests = _fetch(source, raw)
    benchmark, rare = benchmarks.read(source, raw, preparation), preparation.rare
    words, labels = _rarest_words(benchmark, rare), bin_labels(rare)
    order = {(a.split, a.qid): place for place, a in enumerate(benchmark.published)}
    tables = {}
    for split in SPLITS:
        if queries := sorted(benchmark.split(split), key=lambda q: order[q.split, q.qid]):
            header = _header(f"{NAMES[source]}, split {split}", queries, rare, digests)
            rows = [(query, words[split, query.qid], labels[query.bin]) for query in queries]
            tables[split] = header + _csv(rows)
    return tables


def _fetch(dataset: str, raw: Path) -> dict[str, str]:
    """Bring annotations and tagger together; the digest of each file."""
    files = [
        source
        for source in sources.catalogue(dataset)
        if not source.path.endswith((".npy", "word2id.json"))  # word vectors are not needed
    ]
    if not files:  # generated, and part of the repository
        find(dataset).download(raw)
        return {generate.FILE: sha256(raw / generate.FILE)}
    sources.fetch(files, raw)
    return {source.place.as_posix(): sha256(raw / source.place) for source in files}


def _rarest_words(benchmark: Benchmark, rare: RareParams) -> Mapping[tuple[str, str], str]:
    """The rarest content word of each query, the first of several; by the query's split and id."""
    written = writer(rare.form, (a.tagged or () for a in benchmark.published))
    corpus = [a for a in benchmark.published if rare.corpus == "all" or a.split == "train"]
    counts = frequencies((written(a.tagged or ()) for a in corpus), rare.tags)
    words = {}
    for query in benchmark.queries:
        tagged = written(tuple(zip(query.tokens, query.tags, strict=True)))
        content = content_words(tagged, rare.tags)
        words[query.split, query.qid] = min(content, key=counts.__getitem__, default="")
    return words


def _header(
    title: str, queries: Sequence[Query], rare: RareParams, digests: Mapping[str, str]
) -> str:
    share = sum(query.rare for query in queries) / len(queries)
    lines = [
        f"{title}: {len(queries):,} queries, {share:.1%} of them rare",
        *reading(rare.model_dump(mode="json")).splitlines(),
        *(f"{name} SHA-256 {digest}" for name, digest in digests.items()),
    ]
    return "".join(f"# {line}\n" for line in lines)


def _csv(rows: Sequence[tuple[Query, str, str]]) -> str:
    table = io.StringIO()
    lines = csv.writer(table, lineterminator="\n")
    lines.writerow(COLUMNS)
    for query, word, label in rows:
        number = query.qid.removeprefix(f"{query.video}-")
        frequency = "" if query.frequency is None else query.frequency
        rare = "true" if query.rare else "false"
        lines.writerow([query.qid, query.video, number, word, frequency, label, rare])
    return table.getvalue()
