"""A repository's root with small, hand-made artefacts: what the reports read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from mgsl import numerics, params, paths
from mgsl.configs import EvaluateConfig, PrepareConfig
from mgsl.data.embedded import generate
from mgsl.documents import read_yaml
from mgsl.families import for_dataset
from mgsl.files import write_json, write_json_lines, write_text
from mgsl.parsing import parse
from mgsl.prepared import write_summary
from mgsl.queries import Query, write_queries
from mgsl.resolving import RUN_KEYS
from tests import ROOT

BINS = ["<10", "10-49", "50-99", ">=100"]
TITLES = {"embedded": "Embedded dataset", "charades_actions": "Charades-STA"}
FEATURES = {"embedded": "simulated from the events", "charades_actions": "action timelines"}
METRICS = [f"R@{n}, IoU={m}" for n in (1, 5) for m in (0.3, 0.5, 0.7)] + ["mIoU"]


def build(
    root: Path,
    datasets: list[str],
    *,
    seeds: tuple[int, ...] = (0,),
    names: tuple[str, ...] = ("mgsl_net", "printed"),
) -> None:
    """Write all that a report of these datasets reads; the working folder must be `root`.

    Runs at even places of `names`, from 0, answer both test queries with a hit at IoU 0.7; those at
    odd places miss the common one.
    """
    for name in (
        "params.yaml",
        "notebooks",
        "reports/studies",
        "docs",
        "README.md",
        "CITATION.cff",
    ):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    for kept in ("lengths", "tables"):  # of other trainings than these
        shutil.rmtree(root / paths.STUDIES / kept, ignore_errors=True)
    for dataset in datasets:
        _configure(dataset, seeds, names)
        _prepare(dataset)
        _train(dataset, seeds, names)


def keep(name: str, part: str, rows: pd.DataFrame) -> None:
    """Write rows as a part of a study, a file for each of their datasets."""
    for dataset, own in rows.groupby("dataset", sort=False):
        folder = paths.study(name, str(dataset))
        folder.mkdir(parents=True, exist_ok=True)
        own.to_csv(folder / f"{part}.csv", index=False)


def study(runs: dict[str, tuple[int, float, float, float]]) -> pd.DataFrame:
    """A study of runs on the embedded dataset.

    Args:
        runs: slots, and the difference to the recommended reading with its ends, by name.
    """
    return pd.DataFrame(
        [
            {"dataset": "embedded", "name": name, "slots": slots, "trainings": 3, "group": group,
             "metric": metric, "value": 0.5 + difference, "low": 0.45 + difference,
             "high": 0.55 + difference, "difference": difference, "difference_low": low,
             "difference_high": high, "sd": 0.01, "difference_sd": 0.01, "better": 0.5,
             "queries": 2}
            for name, (slots, difference, low, high) in runs.items()
            for group in ("all", "rare", "common")
            for metric in ("R@1, IoU=0.5", "R@1, IoU=0.7")
        ]
    )  # fmt: skip


def checkpoint(folder: Path, label: str) -> None:
    """What a training leaves of itself, as far as reports read it."""
    trained = {"config": {}, "numerics": label}
    metadata = {numerics.TRAINED: json.dumps(trained)}
    save_file({"weight": np.zeros(1)}, folder / numerics.CHECKPOINT, metadata=metadata)


def _configure(dataset: str, seeds: tuple[int, ...], names: tuple[str, ...]) -> None:
    document = read_yaml(Path("params.yaml"))
    setting = for_dataset(document["settings"]["embedded"], dataset)
    evaluation = parse(params.EvaluationParams, document["evaluation"], where="params")
    preparation = parse(params.PreparationParams, document["preparation"], where="params")
    evaluate = EvaluateConfig(
        dataset=dataset,
        scale="embedded",
        names=names,
        seeds=seeds,
        evaluation=evaluation,
    )
    prepare = PrepareConfig(
        dataset=dataset, num_clips=32, max_words=20, video_dim=8, planted=None,
        preparation=preparation,
    )  # fmt: skip
    write_json(paths.config(dataset, "evaluate"), evaluate.model_dump(mode="json"))
    write_json(paths.config(dataset, "prepare"), prepare.model_dump(mode="json"))
    for name in names:
        run = {key: setting.get(key) for key in RUN_KEYS}
        run |= {"dataset": dataset, "name": name, "method": "mgsl_net", "model": {"dim": 64}}
        run |= {"keep": document["evaluation"]["keep"], "training": document["training"]}
        write_json(paths.config(dataset, name), run)


def _prepare(dataset: str) -> None:
    simulated = dataset == "embedded"
    pairs = [
        ("train", "a man lifts the red box", "v0", 1.0, 5.0, 40, False),
        ("train", "a woman lifts the box", "v0", 6.0, 9.5, 40, False),
        ("val", "a man lifts the red box", "v1", 2.0, 6.0, 40, False),
        ("test", "a man lifts the box", "v2", 2.0, 8.0, 40, False),
        ("test", "a man varnishes the red gargoyle", "v2", 10.0, 18.0, 0, True),
    ]
    tags = {"man": "NN", "woman": "NN", "box": "NN", "gargoyle": "NN", "red": "JJ"}
    tags |= {"lifts": "VBZ", "varnishes": "VBZ", "a": "DT", "the": "DT"}
    queries = [
        Query(
            qid=f"{video}-{row}", video=video, sentence=sentence, split=split, start_s=start,
            end_s=end, duration_s=20.0, tokens=tuple(sentence.split()),
            tags=tuple(tags[word] for word in sentence.split()), frequency=frequency,
            bin=0 if rare else 1, rare=rare,
        )
        for row, (split, sentence, video, start, end, frequency, rare) in enumerate(pairs)
    ]  # fmt: skip
    folder = paths.prepared(dataset)
    write_queries(folder / "queries.jsonl", queries)
    rng = np.random.default_rng(0)
    np.save(folder / "features.npy", rng.standard_normal((3, 32, 8)).astype(np.float32))
    write_text(folder / "videos.csv", "video,duration_s\nv0,20.0\nv1,20.0\nv2,20.0\n")
    shares = dict(zip(BINS, (0.11, 0.24, 0.29, 0.36), strict=True))
    counts = {"published": 2, "dropped": 0, "clamped": 0, "pairs": 2, "videos": 1}
    write_summary(
        folder,
        {
            "dataset": dataset,
            "title": TITLES[dataset],
            "benchmark": None if simulated else "charades",
            "features": FEATURES[dataset],
            "simulated": simulated,
            "num_clips": 32,
            "video_dim": 8,
            "word_dim": 300,
            "splits": dict.fromkeys(("train", "val", "test"), counts),
            "bins": BINS,
            "shares": dict.fromkeys(("train", "val", "test"), shares),
            "rare_share": dict.fromkeys(("train", "val", "test"), 0.11),
            "vocabulary": 9,
            "vector_coverage": {"words": 1.0, "tokens": 1.0},
            "sources": [],
        },
    )
    if simulated:
        events = [
            (2.0, 8.0, ["man", "lifts", "box"]),
            (10.0, 18.0, ["man", "varnishes", "red", "gargoyle"]),
            (18.5, 19.9, ["man", "varnishes", "red", "box"]),
        ]
        line = {"id": "v2", "split": "test", "duration_s": 20.0, "events": events, "queries": []}
        write_text(paths.raw(dataset) / generate.FILE, json.dumps(line) + "\n")


def _train(dataset: str, seeds: tuple[int, ...], names: tuple[str, ...]) -> None:
    rows = []
    for place, name in enumerate(names):
        for seed in seeds:
            folder = paths.run(dataset, name, seed)
            first = [2, 7, 0.9] if place % 2 == 0 else [12, 14, 0.9]
            answers = [
                {"qid": "v2-3", "query": "", "vid": "v2", "pred_relevant_windows": [first]},
                {"qid": "v2-4", "query": "", "vid": "v2", "pred_relevant_windows": [[9, 17, 0.9]]},
            ]
            write_json_lines(folder / "predictions.jsonl", answers)
            epochs = np.arange(1, 9)
            curve = pd.DataFrame({"epoch": epochs, "loss": 3 / epochs})
            for term, share in (("boundary", 2.0), ("confidence", 0.9), ("overlap", 0.1)):
                curve[f"loss_{term}"] = share / epochs
            for iou in (0.3, 0.5, 0.7):
                curve[f"val_R@1, IoU={iou}"] = (1 - iou) * (1 - 1 / (epochs + 1))
            for side in ("video", "query"):
                curve[f"{side}_slot_cosine"] = 0.1 + 0.8 * place
                curve[f"{side}_slot_rank"] = 60.0 - 50 * place
                curve[f"{side}_read_entropy"] = 0.5 + 0.4 * place
            curve.to_csv(folder / "curve.csv", index=False)
            checkpoint(folder, numerics.PROMISE)
            for group in ("all", "rare", "common", *BINS):
                for row, metric in enumerate(METRICS):
                    value = 0.6 - 0.05 * row - 0.1 * place + 0.01 * seed - 0.1 * (group == "rare")
                    rows.append((dataset, name, seed, group, metric, value, value - 0.03,
                                 value + 0.03, 2))  # fmt: skip
    columns = ["dataset", "name", "seed", "group", "metric", "value", "low", "high", "queries"]
    table = pd.DataFrame(rows, columns=columns)
    methods = table.groupby(["name", "group", "metric"])["value"]
    table["mean"], table["sd"] = methods.transform("mean"), methods.transform("std")
    table["mean_low"], table["mean_high"] = table["mean"] - 0.03, table["mean"] + 0.03
    table.assign(trainings=len(seeds)).to_csv(paths.metrics(dataset), index=False)
