"""The embedded dataset: generated, so that its long tail is known and anyone may have it.

`python -m mgsl.data.embedded.generate FOLDER` writes FOLDER/annotations.jsonl, one video a line.

Each queried event has one or two distractors in its video, which differ from it in one word. The
first differs in the word that puts the query in its frequency bin, so the rarest word decides. What
the distractor has instead is of the same bin in half of the cases and of another in the rest, so
that neither "the familiar one" nor "the unfamiliar one" is a safe answer. Events of which no
sentence tells are drawn like those of which one does.
"""

import argparse
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mgsl.data.annotations import Annotation
from mgsl.data.embedded.lexicon import KINDS, describe, seen_as, split_tokens, write_out
from mgsl.data.embedded.word_plan import Plan, Tail, Vocabulary, Words, plan_queries, recount
from mgsl.data.planted import Event
from mgsl.errors import UserError, missing
from mgsl.fields import Frozen
from mgsl.files import write_text
from mgsl.parsing import parse
from mgsl.queries import SPLITS

FILE = "annotations.jsonl"
CONTENT_TAGS = ("NN", "VB", "JJ")  # prefixes of the tags of nouns, verbs and adjectives
Span = tuple[float, float]


@dataclass(frozen=True)
class Recipe:
    """The numbers of a generated dataset."""

    seed: int
    num_queries: tuple[int, int, int]  # of train, val, test
    tail: Tail
    front_share: float  # of told places that open the sentence
    queries_per_video: Mapping[int, float]
    second_share: float  # of queries with a second distractor, where the video has room for it
    num_events: tuple[int, int]  # of a video: fewest, most
    duration_s: tuple[int, int]
    moment_share: tuple[float, float]  # of the video's duration, log-uniform
    filled_share: float  # of the video, the most that a query's event and its distractors take up


RECIPE = Recipe(  # of the committed dataset: another value makes another dataset
    seed=2022,
    num_queries=(6000, 1000, 4000),
    tail=Tail(
        bin_edges=(10, 50, 100),
        bin_shares=(0.1101, 0.2435, 0.2887, 0.3577),  # the paper's Figure 1b
        deciding={"verb": 0.25, "adjective": 0.25, "noun": 0.5},
        other_bins=(0.0, 0.05, 0.15, 0.8),
        place_share=0.45,
        unseen_share=0.25,
        same_bin_share=0.5,
    ),
    front_share=0.25,
    queries_per_video={1: 0.2, 2: 0.6, 3: 0.2},
    second_share=0.5,
    num_events=(4, 7),
    duration_s=(20, 120),
    moment_share=(0.06, 0.4),
    filled_share=0.85,
)


def generate(recipe: Recipe) -> list[dict[str, Any]]:
    """Make a dataset: its videos as they are written, train first, then val, then test.

    Raises:
        ValueError: a recount of what was made does not agree with the recipe.
    """
    videos = list(_Generator(recipe).videos())
    sentences: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    for video in videos:
        for query in video["queries"]:
            pairs = zip(split_tokens(query["sentence"]), query["tags"].split(), strict=True)
            words = [token for token, tag in pairs if tag.startswith(CONTENT_TAGS)]
            sentences[video["split"]].append(words)
    recount(sentences, recipe.tail)
    return videos


class _Generator:
    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.rng = recipe, random.Random(recipe.seed)
        self.plans = {
            split: plan_queries(number, recipe.tail, self.rng)
            for split, number in zip(SPLITS, recipe.num_queries, strict=True)
        }
        self.vocabulary = Vocabulary(self.plans["train"], recipe.tail, self.rng)

    def videos(self) -> Iterator[dict[str, Any]]:
        """The videos of all splits, numbered throughout."""
        sizes, weights = zip(*self.recipe.queries_per_video.items(), strict=True)
        number = 0
        for split in SPLITS:
            plans = self.plans[split]
            draw = partial(self.vocabulary.draw, unseen=True)
            sentences = self.vocabulary.deal(plans) if split == "train" else list(map(draw, plans))
            start = 0
            while start < len(plans):
                end = start + self.rng.choices(sizes, weights)[0]
                yield self._video(f"v{number:04}", split, plans[start:end], sentences[start:end])
                start, number = end, number + 1

    def _video(
        self, video: str, split: str, plans: Sequence[Plan], sentences: Sequence[Words]
    ) -> dict[str, Any]:
        duration_s = self.rng.randint(*self.recipe.duration_s)
        scenes: list[tuple[Span, Words, bool]] = []
        for i, group in enumerate(self._groups(split, plans, sentences)):
            spans = self._spans(len(group), duration_s)
            for j, (span, words) in enumerate(zip(spans, group, strict=True)):
                scenes.append((span, words, j == 0 and i < len(sentences)))
        scenes.sort(key=lambda scene: scene[0])
        queries: list[dict[str, Any]] = []
        for event, (_, words, has_query) in enumerate(scenes):
            if has_query:
                queries.append(self._query(f"{video}-{len(queries)}", words, event))
        return {
            "id": video,
            "split": split,
            "duration_s": duration_s,
            "events": [[*span, _names(words)] for span, words, _ in scenes],
            "queries": queries,
        }

    def _groups(
        self, split: str, plans: Sequence[Plan], sentences: Sequence[Words]
    ) -> list[list[Words]]:
        """Each event told of, with its distractors; then other events, each alone."""
        unseen, (fewest, most) = split != "train", self.recipe.num_events
        events, groups = list(sentences), []
        for i, (plan, words) in enumerate(zip(plans, sentences, strict=True)):
            kinds = [plan.deciding]
            has_room = len(events) + len(plans) - i < most
            if has_room and self.rng.random() < self.recipe.second_share:
                kinds.append(self.rng.choice([kind for kind in plan.bins if kind not in kinds]))
            for kind in kinds:
                index = plan.bins[kind]
                replace = partial(self.vocabulary.replace, words, kind, index, unseen=unseen)
                events.append(_draw_apart(replace, events))
            groups.append([words, *events[-len(kinds) :]])
        for _ in range(self.rng.randint(max(fewest, len(events)), most) - len(events)):
            draw = partial(self.vocabulary.draw, self.rng.choice(self.plans[split]), unseen=unseen)
            events.append(_draw_apart(draw, events))
            groups.append([events[-1]])
        return groups

    def _spans(self, number: int, duration_s: int) -> list[Span]:
        """Random moments in seconds that do not overlap, in random order."""
        low, high = map(math.log, self.recipe.moment_share)
        lengths = [1.0]
        while sum(lengths) > self.recipe.filled_share:
            lengths = [math.exp(self.rng.uniform(low, high)) for _ in range(number)]
        idle = sorted(self.rng.uniform(0, 1 - sum(lengths)) for _ in range(number))
        spans = []
        for i, gap in enumerate(idle):
            edges = gap + sum(lengths[:i]), gap + sum(lengths[: i + 1])
            spans.append((round(edges[0] * duration_s, 1), round(edges[1] * duration_s, 1)))
        self.rng.shuffle(spans)
        return spans

    def _query(self, qid: str, words: Words, event: int) -> dict[str, Any]:
        tagged = describe(words, front_share=self.recipe.front_share, rng=self.rng)
        return {
            "qid": qid,
            "sentence": write_out(token for token, _ in tagged),
            "tags": " ".join(tag for _, tag in tagged),
            "event": event,
        }


def _names(words: Words) -> list[str]:
    return [seen_as(words[kind]) for kind in KINDS if kind in words]


def _draw_apart(draw: Callable[[], Words], events: Sequence[Words]) -> Words:
    """Draw until no event shown is true of what the other one says."""
    others = [set(_names(words)) for words in events]
    while True:
        words = draw()
        names = set(_names(words))
        if not any(names <= other or other <= names for other in others):
            return words


def write(folder: Path, recipe: Recipe) -> None:
    """Generate a dataset and write its annotations.jsonl."""
    lines = (json.dumps(video, separators=(",", ":")) for video in generate(recipe))
    write_text(folder / FILE, "".join(f"{line}\n" for line in lines))


Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _QueryLine(Frozen):
    qid: str
    sentence: str
    tags: str
    event: int

    @model_validator(mode="after")
    def _tagged(self) -> "_QueryLine":
        tokens, tags = split_tokens(self.sentence), self.tags.split()
        if not tokens or len(tokens) != len(tags):
            raise ValueError(f"{self.sentence!r} has {len(tokens)} tokens, and {len(tags)} tags")
        return self


class _VideoLine(Frozen):
    id: str
    split: Literal["train", "val", "test"]
    duration_s: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    events: tuple[tuple[Seconds, Seconds, tuple[str, ...]], ...]
    queries: tuple[_QueryLine, ...]

    @model_validator(mode="after")
    def _inside(self) -> "_VideoLine":
        for start_s, end_s, words in self.events:
            if not start_s < end_s <= self.duration_s or not words:
                met = f"{[start_s, end_s, list(words)]} in {self.duration_s} s"
                raise ValueError(f"an event needs words, and to end after it starts: {met}")
        for query in self.queries:
            if not 0 <= query.event < len(self.events):
                raise ValueError(f"{query.qid} is about event {query.event} of {len(self.events)}")
        return self


def read_embedded(folder: Path) -> list[Annotation]:
    """Read the queries of the embedded dataset, in the order of the file.

    Raises:
        UserError: the file is missing, or a line is malformed or repeats an id; the message names
            file, line and value.
    """
    return [
        Annotation(
            qid=query.qid,
            video=video.id,
            sentence=query.sentence,
            split=video.split,
            start_s=video.events[query.event][0],
            end_s=video.events[query.event][1],
            duration_s=video.duration_s,
            tagged=tuple(zip(split_tokens(query.sentence), query.tags.split(), strict=True)),
        )
        for video in _read(folder / FILE)
        for query in video.queries
    ]


def read_events(folder: Path) -> dict[str, list[Event]]:
    """Read what happens in each video of the embedded dataset.

    Raises:
        UserError: as `read_embedded`.
    """
    return {
        video.id: [Event(start_s, end_s, words) for start_s, end_s, words in video.events]
        for video in _read(folder / FILE)
    }


def _read(path: Path) -> list[_VideoLine]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise missing(path, "run `dvc repro data.dvc`") from None
    videos: list[_VideoLine] = []
    names: set[str] = set()
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        try:
            video = parse(_VideoLine, json.loads(line), where=where)
        except json.JSONDecodeError as error:
            raise UserError(f"{where} is no JSON ({error}): {line[:80]!r}") from None
        for name in (video.id, *(query.qid for query in video.queries)):
            if name in names:
                raise UserError(f"{where} repeats the id {name!r}")
            names.add(name)
        videos.append(video)
    return videos


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Generate the embedded dataset.")
    parser.add_argument("folder", type=Path, help="where annotations.jsonl is written")
    write(parser.parse_args().folder, RECIPE)
