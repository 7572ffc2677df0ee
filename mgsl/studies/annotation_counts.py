"""The stage `study`: from the published annotations to the numbers that the reports draw."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mgsl import paths
from mgsl.files import atomic_path, write_json
from mgsl.params import Form, Params
from mgsl.queries import SPLITS
from mgsl.rarity import FORMS, bin_labels
from mgsl.studies import annotation_priors, benchmarks, examples, rarity_variants
from mgsl.studies.benchmarks import Benchmark
from mgsl.studies.examples import Example
from mgsl.studies.rarity_variants import Corpus

_DECIMALS = 5  # of fractions


def run(
    params: Params,
    printed: list[float],
    shown: Sequence[Example],
    say: Callable[[str], None] = print,
) -> None:
    """Study the annotations of all benchmarks; write reports/studies.

    Args:
        params: the reading of "rare", the rules of evaluation, the methods that see no video.
        printed: the shares of the four bins of Figure 1b, in percent.
        shown: the queries that the paper's figures show.
        say: tells the person who waits what is being done.

    Raises:
        UserError: a published file is nowhere to be had, or malformed.
    """
    raw = paths.STUDIED
    say("fetching the annotations of the three benchmarks")
    files = benchmarks.fetch(raw)
    by_name = {}
    for name in benchmarks.DATASETS:
        say(f"tagging {name}")
        by_name[name] = benchmarks.read(name, raw, params.preparation)
    say("counting the distribution of rarity")
    _write("figures_4_5", pd.concat(_distribution(b, params) for b in by_name.values()))
    say("looking up the paper's examples")
    _write("examples", examples.locate(shown, by_name.values()))
    _write("releases", examples.releases(raw, by_name["tacos"]))
    people, tables = {}, []
    for name, benchmark in by_name.items():
        say(f"answering {name} without its videos")
        answered = benchmarks.reannotation_files(name, raw)
        tables.append(annotation_priors.measure(benchmark, answered, params))
        people[name] = annotation_priors.coverage(benchmark, answered)
    _write("no_video", pd.concat(tables))
    say("reading “rare” in every way")
    published = by_name["activitynet"].published
    corpora: dict[Form, Corpus] = {form: rarity_variants.read(published, form) for form in FORMS}
    wanted = np.array(printed) / sum(printed)
    _write("multiverse", rarity_variants.readings(corpora, wanted))
    _write("multiverse_edges", rarity_variants.fitting_edges(corpora, wanted))
    blind = {name: params.models[name].choices for name in annotation_priors.blind_methods()}
    about = {
        "pairs": {name: benchmark.counts for name, benchmark in by_name.items()},
        "people": people,
        "preparation": params.preparation.model_dump(mode="json"),
        "evaluation": params.evaluation.model_dump(mode="json"),
        "models": blind,
        "seeds": list(params.seeds),
        "sources": files,
    }
    write_json(paths.STUDIES / "about.json", about)


def _distribution(benchmark: Benchmark, params: Params) -> pd.DataFrame:
    """Pairs in each bin of each split."""
    labels = bin_labels(params.preparation.rare)
    rows = []
    for split in SPLITS:
        queries = benchmark.split(split)
        for place, label in enumerate(labels):
            pairs = sum(query.bin == place for query in queries)
            share = pairs / len(queries) if queries else None
            rows.append((benchmark.name, split, label, pairs, share))
    return pd.DataFrame(rows, columns=["benchmark", "split", "bin", "pairs", "share"])


def _write(name: str, table: pd.DataFrame) -> None:
    with atomic_path(paths.STUDIES / f"{name}.csv") as path:
        table.round(_DECIMALS).to_csv(path, index=False, lineterminator="\n")
