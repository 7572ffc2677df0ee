"""Ids of other people's releases, against the releases' own way of numbering, written out."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from mgsl.data.annotations import Annotation
from mgsl.data.annotations.activitynet import CAPTIONS, read_activitynet
from mgsl.data.annotations.tacos import TALL, read_tacos
from mgsl.errors import UserError
from mgsl.evaluation.predictions import read_predictions
from mgsl.evaluation.released import released_ids
from mgsl.queries import Query
from tests.published import write_captions, write_tacos


def as_queries(annotations: Iterable[Annotation]) -> list[Query]:
    return [
        Query(
            qid=a.qid, video=a.video, sentence=a.sentence, split=a.split, start_s=a.start_s,
            end_s=min(a.end_s, a.duration_s), duration_s=a.duration_s, tokens=("a",), tags=("DT",),
            frequency=None, bin=3, rare=False,
        )
        for a in annotations
    ]  # fmt: skip


def merged(raw: Path) -> dict[str, str]:
    """Sentences by id, as JaywongWang/CBP makes them of val_1 and val_2."""
    first, second = (json.loads((raw / CAPTIONS / f"val_{n}.json").read_text()) for n in (1, 2))
    sentences: dict[str, str] = {}
    for video in {**first, **second}:
        captions = first.get(video, {"sentences": []})["sentences"]
        captions = captions + second.get(video, {"sentences": []})["sentences"]
        for i, sentence in enumerate(captions):
            sentences[f"{video[2:]}-{i}"] = sentence.strip()
    return sentences


def segments(raw: Path) -> dict[str, str]:
    """Sentences by id, as JaywongWang/CBP makes them of the test split of TACoS."""
    sentences_of: dict[str, list[str]] = {}
    for line in (raw / TALL / "tacos_test_75_99.txt").read_text().splitlines():
        name, sentences = line.split(":", 1)
        sentences_of.setdefault(name.split(".")[0], []).extend(sentences.split("#")[:-1])
    return {
        f"{video}-{i}": s.strip()
        for video, said in sentences_of.items()
        for i, s in enumerate(said)
    }


def check(queries: list[Query], benchmark: str, sentences: dict[str, str]) -> None:
    """Each released id leads to its sentence, and every test query has one."""
    released = released_ids(queries, benchmark)
    assert sorted(released) == sorted(sentences)
    said = {q.qid: q.sentence for q in queries if q.split == "test"}
    known = {name: qid for name, qid in released.items() if qid is not None}
    assert set(known.values()) == set(said)
    assert {name: said[qid] for name, qid in known.items()} == {n: sentences[n] for n in known}
    others = sorted(sentences[name] for name, qid in released.items() if qid is None)
    split = [q.sentence for q in queries if q.split == "val"] if benchmark == "activitynet" else []
    assert others == sorted(split)


def test_activitynet_counts_what_is_said_in_validation_first(tmp_path: Path) -> None:
    raw = write_captions(tmp_path)
    queries = as_queries(read_activitynet(raw))
    assert released_ids(queries, "activitynet") == {"b-0": None, "b-1": "v_b-0"}
    check(queries, "activitynet", merged(raw))


def test_videos_of_tacos_go_without_their_extension(tmp_path: Path) -> None:
    raw = write_tacos(tmp_path)
    queries = as_queries(read_tacos(raw))
    assert released_ids(queries, "tacos") == {"s3-d3-0": "s3-d3.avi-0"}
    check(queries, "tacos", segments(raw))


@pytest.mark.parametrize("benchmark", ["charades", None])
def test_elsewhere_ids_are_ours(tmp_path: Path, benchmark: str | None) -> None:
    assert released_ids(as_queries(read_tacos(write_tacos(tmp_path))), benchmark) == {}


@pytest.mark.mirror
def test_every_published_query_of_activitynet_has_its_released_id(mirror: Path) -> None:
    check(as_queries(read_activitynet(mirror)), "activitynet", merged(mirror))


@pytest.mark.mirror
def test_every_published_query_of_tacos_has_its_released_id(mirror: Path) -> None:
    check(as_queries(read_tacos(mirror)), "tacos", segments(mirror))


def document(spans: dict[str, tuple[float, float]]) -> str:
    """A prediction file as JaywongWang/CBP releases it."""
    rows = {name: [{"timestamp": list(span), "score": 0.5}] for name, span in spans.items()}
    return json.dumps({"results": rows})


def test_ids_of_neither_scheme_are_named_with_both(tmp_path: Path) -> None:
    queries = as_queries(read_activitynet(write_captions(tmp_path)))
    test, path = [q for q in queries if q.split == "test"], tmp_path / "p.json"
    names = released_ids(queries, "activitynet")
    rule = "an id is .*: v_b-0; or, as JaywongWang/CBP has it, b-1"
    path.write_text(document({"v_b-0": (1, 3), "v_b-1": (1, 3)}))  # merged, but with the v_
    with pytest.raises(UserError, match=rf"unknown: v_b-1\n  {rule}$"):
        read_predictions(path, test, names)
    path.write_text(document({"b-0": (1, 3)}))  # without the v_, but not merged
    with pytest.raises(UserError, match=rf"missing: v_b-0\n  {rule}.* 1 answers are left out$"):
        read_predictions(path, test, names)
    path.write_text(document({"v_b-0": (1, 3), "b-1": (1, 3)}))
    with pytest.raises(UserError, match="repeated: v_b-0"):
        read_predictions(path, test, names)
    with pytest.raises(UserError, match=r"unknown: v_b-0, b-1\n  missing: x-0\n.*: x-0$"):
        read_predictions(path, [replace(test[0], qid="x-0")])
