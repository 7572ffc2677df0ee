"""A handful of published files, made up in the layouts of the real ones."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mgsl import params, paths
from mgsl.configs import PrepareConfig
from mgsl.data.annotations import activitynet, tacos
from mgsl.params import RareParams

STA = "JaywongWang/CBP/datasets/charades"
CHARADES = "microsoft/2D-TAN/data/Charades-STA"
TAGGER = "nltk/nltk_data/packages/taggers/averaged_perceptron_tagger.zip"

TRAIN = [
    "AAAAA 0.0 6.9##a person opens the door.",
    "AAAAA 8.0 12.0##Person closes the door.",
    "BBBBB 1.0 5.0##person opens the fridge.",
    "CCCCC 1.5 5.0##person opens the fridge again.",
    "CCCCC 38.0 13.0##person opens the cabinet.",
]
TEST = ["DDDDD 2.0 4.0##person closes the wardrobe."]
VIDEOS = {
    "train": {
        "AAAAA": ("c001 0.00 5.00;c156 2.60 7.40", 10.0),
        "BBBBB": ("", 8.0),
        "CCCCC": ("c000 0 30", 10.0),
    },
    "test": {"DDDDD": ("c002 1.00 2.00", 4.0)},
}


def write_tagger(archive: Path) -> None:
    """The old release's layout, with a tag for each word and no weights."""
    tags = {"person": "NN", "door": "NN", "fridge": "NN", "cabinet": "NN", "wardrobe": "NN"}
    tags |= {"opens": "VBZ", "closes": "VBZ", "the": "DT", "a": "DT", ".": ".", "again": "RB"}
    content = pickle.dumps(({}, tags, set(tags.values())), protocol=2)
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w") as release:
        release.writestr("averaged_perceptron_tagger/averaged_perceptron_tagger.pickle", content)


def write_charades(raw: Path) -> Path:
    """Six sentences about four videos, with tagger and vectors for three words."""
    for split, sentences in (("train", TRAIN), ("test", TEST)):
        text = raw / STA / "raw_data" / f"charades_sta_{split}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("".join(f"{sentence}\n" for sentence in sentences))
        rows = [f'{v},"a, b",{a},{s}' for v, (a, s) in VIDEOS[split].items()]
        table = raw / CHARADES / f"Charades_v1_{split}.csv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("\n".join(["id,script,actions,length", *rows]) + "\n")
    words = raw / STA / "data/save"
    words.mkdir(parents=True)
    (words / "word2id.json").write_text(json.dumps({"<UNK>": 0, "person": 2, "door": 1, "aa": 3}))
    vectors = np.arange(16, dtype=np.float64).reshape(4, 4)
    vectors[[0, 3]] = 0
    np.save(words / "charades_glove_embeds.npy", vectors)
    write_tagger(raw / TAGGER)
    return raw


def prepare_config(dataset: str = "charades_actions", **changes: object) -> PrepareConfig:
    """What the repository's params.yaml says, with four clips and vectors of length four."""
    document = params.load(paths.PARAMS)
    preparation = document.preparation.model_copy(update={"word_dim": 4, "validation_share": 0.3})
    data = document.data[dataset]
    config = PrepareConfig(
        dataset=dataset,
        num_clips=4,
        max_words=20,
        video_dim=data.video_dim,
        planted=data.planted,
        preparation=preparation,
    )
    return config.model_copy(update=changes)


def rare_params(**changes: object) -> RareParams:
    """The reading of "rare" in the repository's params.yaml."""
    return params.load(paths.PARAMS).preparation.rare.model_copy(update=changes)


def write_captions(raw: Path) -> Path:
    """Two videos in the layout of ActivityNet Captions: one to train, one described twice."""
    moments: dict[str, list[Any]] = {
        "timestamps": [[0, 2], [1, 9.5], [5, 4]],
        "sentences": ["A man sits.", " He opens the door.", " He opens the fridge."],
    }
    files = {
        "train": {"v_a": {"duration": 9.25} | moments},
        "val_1": {"v_b": {"duration": 8.0, "timestamps": [[0, 8]], "sentences": ["A person."]}},
        "val_2": {"v_b": {"duration": 8.0, "timestamps": [[1, 3]], "sentences": ["A cabinet."]}},
    }
    for name, content in files.items():
        path = raw / activitynet.CAPTIONS / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    write_tagger(raw / TAGGER)
    return raw


def write_tacos(raw: Path) -> Path:
    """Three videos in the layout of TACoS as TALL splits it."""
    lines = {
        "tacos_train_0_74": [
            "s1-d1.avi_50_100:He took out: a glass.#He took a glass#",
            "s1-d1.avi_900_1250:a person opens the fridge#",
        ],
        "tacos_val_100_126": ["s2-d2.avi_0_25:the person closes the door#"],
        "tacos_test_75_99": ["s3-d3.avi_10_20:a person opens the cabinet#"],
    }
    (raw / tacos.TALL).mkdir(parents=True)
    (raw / tacos.VIDEOS).mkdir(parents=True)
    for name, text in lines.items():
        (raw / tacos.TALL / f"{name}.txt").write_text("".join(f"{line}\n" for line in text))
    for name, video in (("train", "s1-d1"), ("val", "s2-d2"), ("test", "s3-d3")):
        about = {f"{video}.avi": {"num_frames": 1000, "fps": 25.0}}
        (raw / tacos.VIDEOS / f"{name}.json").write_text(json.dumps(about))
    rates = {"s1-d1": 25, "s2-d2": 25, "s3-d3": 25}
    (raw / tacos.TALL / "video_info.json").write_text(json.dumps(rates))
    write_tagger(raw / TAGGER)
    return raw
