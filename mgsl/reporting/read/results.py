"""What a report is made of: the results on one dataset, and what has to be said beside them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from mgsl import params, paths
from mgsl.configs import EvaluateConfig, PrepareConfig, RunConfig
from mgsl.data.embedded import generate
from mgsl.data.features import read_features
from mgsl.data.planted import Event
from mgsl.errors import UserError
from mgsl.evaluation import scoring
from mgsl.evaluation.metrics import groups
from mgsl.evaluation.runs import Runs
from mgsl.prepared import read_summary, read_videos
from mgsl.queries import Query, read_queries
from mgsl.reporting.read import lengths, published
from mgsl.reporting.read.kept_records import seeds_in_words


@dataclass(frozen=True)
class Results:
    """The artefacts of one dataset, read as they are asked for."""

    at_hand: ClassVar = True  # what was predicted and how it was trained, not scores alone

    dataset: str

    @cached_property
    def config(self) -> EvaluateConfig:
        """Which runs stand in a report, and how they were scored."""
        return params.read(EvaluateConfig, paths.config(self.dataset, "evaluate"))

    @cached_property
    def preparation(self) -> PrepareConfig:
        """How the queries were prepared."""
        return params.read(PrepareConfig, paths.config(self.dataset, "prepare"))

    def run(self, name: str) -> RunConfig:
        """What one training was told."""
        return params.read(RunConfig, paths.config(self.dataset, name))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `prepare` counted.

        Raises:
            UserError: the dataset is not prepared.
        """
        return read_summary(paths.prepared(self.dataset))

    @property
    def simulated(self) -> bool:
        """Whether what the methods see is simulated."""
        return bool(self.summary["simulated"])

    @property
    def benchmark(self) -> str | None:
        """Whose printed numbers may stand beside ours; None where there is no counterpart."""
        name: str | None = self.summary["benchmark"]
        return name

    @property
    def comparable(self) -> bool:
        """Whether a gap to the printed numbers means anything: real queries, real features."""
        return self.benchmark is not None and not self.simulated

    @property
    def label(self) -> str:
        """The dataset's name, and that it is simulated where it is."""
        return f"{self.dataset} (simulated)" if self.simulated else self.dataset

    @property
    def heading(self) -> str:
        """The dataset's title, and that it is simulated where it is."""
        return f"{self.summary['title']}{' (simulated)' * self.simulated}"

    @cached_property
    def names(self) -> list[str]:
        """The runs that stand beside the paper's methods: all but those of Tables 3-5."""
        methods = {method.name for method in published.methods()}
        return [name for name in self.config.names if name in methods]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Means over trainings by name, group and metric, in fractions (`scoring.summary`).

        Raises:
            UserError: metrics.csv is missing, lacks a run that params.yaml lists, or was made of
                more or fewer seeds.
        """
        path = paths.metrics(self.dataset)
        try:
            rows = pd.read_csv(path)
        except FileNotFoundError:
            raise UserError(f"{path} is missing: run `dvc repro`") from None
        runs = set(zip(rows["name"], rows["seed"], strict=True))
        wanted = {(name, seed) for name in self.config.names for seed in self.config.seeds}
        if lacking := sorted(wanted - runs):
            raise UserError(f"{path} lacks the runs {lacking}: run `dvc repro`")
        in_config = rows["name"].isin(self.config.names) & rows["seed"].isin(self.config.seeds)
        if "mean" not in rows or (rows.loc[in_config, "trainings"] != len(self.config.seeds)).any():
            raise UserError(f"{path} has means over other seeds: run `dvc repro`")
        return scoring.summary(rows[in_config])

    def result(self, name: str, group: str, metric: str) -> pd.Series | None:
        """One row of `scores`; None where it was not run or does not apply."""
        rows = self.scores.query("name == @name and group == @group and metric == @metric")
        return None if rows.empty or pd.isna(rows.iloc[0]["value"]) else rows.iloc[0]

    @cached_property
    def runs(self) -> Runs:
        """The runs against each other, query by query: R@1 and mIoU alone, whatever the NMS."""
        config, test = self.config, self.test
        rules = config.evaluation.model_copy(update={"recall_at": (1,)})

        def read(name: str) -> list[pd.DataFrame]:
            files = (self.folder(name, seed) / "predictions.jsonl" for seed in config.seeds)
            return [scoring.query_scores(test, path, rules) for path in files]

        masks = groups(test, self.summary["bins"])
        return Runs(config.names, config.seeds, masks, rules, read)

    def difference(self, a: str, b: str, group: str, metric: str) -> pd.Series | None:
        """What one run scores more than another (`Runs.difference`), in fractions."""
        return self.runs.difference(a, b, group, metric)

    def lacking(self, *names: str) -> list[str]:
        """Those of the runs that are not at hand."""
        return [name for name in names if not self.runs.has(name)]

    def own_scores(self, name: str) -> list[pd.DataFrame]:
        """What each test query scores in each training of a run, by all metrics and its own NMS."""
        if name not in self._own_scores:
            rules, test = self.config.scoring_of(name), self.test
            files = (self.folder(name, seed) / "predictions.jsonl" for seed in self.config.seeds)
            self._own_scores[name] = [scoring.query_scores(test, path, rules) for path in files]
        return self._own_scores[name]

    @cached_property
    def _own_scores(self) -> dict[str, list[pd.DataFrame]]:
        return {}

    @cached_property
    def queries(self) -> list[Query]:
        """All queries of the dataset."""
        return read_queries(paths.prepared(self.dataset) / "queries.jsonl")

    @property
    def test(self) -> list[Query]:
        """What was asked: the test split, in the order of its file."""
        return [query for query in self.queries if query.split == "test"]

    @cached_property
    def word_counts(self) -> pd.Series:
        """How often each noun, verb and adjective occurs in the counting corpus, most first."""
        rare = self.preparation.preparation.rare
        words = [
            token
            for query in self.queries
            if rare.corpus == "all" or query.split == "train"
            for token, tag in zip(query.tokens, query.tags, strict=True)
            if tag.startswith(rare.tags)
        ]
        return pd.Series(words, dtype=str).value_counts()

    def rarest_word(self, query: Query) -> str | None:
        """The noun, verb or adjective of a query that occurs least; None where it has none."""
        tags, counts = self.preparation.preparation.rare.tags, self._times
        words = [w for w, tag in zip(query.tokens, query.tags, strict=True) if tag.startswith(tags)]
        return min(words, key=lambda word: counts.get(word, 0), default=None)

    @cached_property
    def _times(self) -> dict[str, int]:
        """`word_counts` as a dictionary: it is asked of every query."""
        return {str(word): int(times) for word, times in self.word_counts.items()}

    def features(self, video: str) -> Float[np.ndarray, "clips video_dim"]:
        """The clips of one video."""
        folder = paths.prepared(self.dataset)
        videos = read_videos(folder)
        clips = read_features(folder, videos)[videos.index(video)]
        return np.asarray(clips, dtype=np.float32)

    def events(self, video: str) -> list[Event]:
        """What happens in a video, where that is known; else its annotated moments."""
        if (paths.raw(self.dataset) / generate.FILE).is_file():
            return self._generated_events[video]
        queries = [query for query in self.queries if query.video == video]
        moments = {(q.start_s, q.end_s): Event(q.start_s, q.end_s, q.tokens) for q in queries}
        return list(moments.values())

    @cached_property
    def _generated_events(self) -> dict[str, list[Event]]:
        return generate.read_events(paths.raw(self.dataset))

    def folder(self, name: str, seed: int) -> Path:
        """What one training left."""
        return paths.run(self.dataset, name, seed)

    def predictions(self, name: str, seed: int, qid: str) -> list[list[float]]:
        """The answers of one run to one query: [start_s, end_s, score], best first.

        Raises:
            UserError: the run is missing, or did not answer this query.
        """
        path = self.folder(name, seed) / "predictions.jsonl"
        for line in _lines(path):
            answer = json.loads(line)
            if answer["qid"] == qid:
                return [list(map(float, window)) for window in answer["pred_relevant_windows"]]
        raise UserError(f"{path} does not answer the query {qid!r}: run `dvc repro`")

    def curve(self, name: str, seed: int) -> pd.DataFrame:
        """The training log of one run: a row for each epoch.

        Raises:
            UserError: the run is missing.
        """
        path = self.folder(name, seed) / "curve.csv"
        try:
            return pd.read_csv(path)
        except FileNotFoundError:
            raise UserError(f"{path} is missing: run `dvc repro`") from None

    @property
    def head(self) -> str:
        """What stands over a column of ours: the dataset, how long and how often was trained."""
        return f"ours: {self.label}, {self.trained}"

    @property
    def trained(self) -> str:
        """The epochs and the seeds of the runs; steps and fitted priors have no epochs."""
        epochs = [run.epochs for run in map(self.run, self.config.names) if run.epochs]
        seeds = seeds_in_words(self.config.seeds)
        if not epochs:
            return seeds
        length = " to ".join(dict.fromkeys(map(str, (min(epochs), max(epochs)))))
        return f"{length} epochs, {seeds}"

    @property
    def seeds_text(self) -> str:
        """The seeds in words."""
        seeds = self.config.seeds
        return ("seed " if len(seeds) == 1 else "mean over seeds ") + ", ".join(map(str, seeds))

    @property
    def caption(self) -> str:
        """What must be said wherever numbers of this dataset stand."""
        kind = "SIMULATED data" if self.simulated else "real data"
        queries = self.summary["splits"]["test"]["pairs"]
        return (
            f"{self.summary['title']} ({self.dataset}): {kind}; features: "
            f"{self.summary['features']}; {queries:,} test queries; {self.seeds_text}."
        )

    def title(self, name: str) -> str:
        """What a run is called, marked where it is not trained to its end."""
        return lengths.title(name, [self.dataset])

    @property
    def notes(self) -> str:
        """Which of the runs are not trained to their end, in a sentence; empty if all are."""
        return lengths.sentence(self.dataset, self.config.names)


def rule(all_results: Sequence[Results]) -> str:
    """How the runs of some datasets were scored, in one sentence; at least one dataset."""
    own = {}
    for results in all_results:
        where = f" on {results.dataset}" if len(all_results) > 1 else ""
        for name in results.config.nms:
            own[f"{published.title(name)}{where}"] = results.config.scoring_of(name)
    trainings = len(all_results[0].config.seeds)
    return scoring.rule(all_results[0].config.evaluation, own, trainings=trainings)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run `dvc repro`") from None
