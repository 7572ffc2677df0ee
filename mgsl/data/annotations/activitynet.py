"""ActivityNet Captions (Krishna et al., ICCV 2017) with its two validation annotations."""

from pathlib import Path

from mgsl.data.annotations import Annotation, number_sentences, read_captions

CAPTIONS = Path("JaywongWang/CBP/datasets/activitynet_captions/raw_data")
FILES = {"train": "train", "val": "val_1", "test": "val_2"}  # Q24


def read_activitynet(raw: Path) -> list[Annotation]:
    """37,421 training, 17,505 validation and 17,031 test sentences, in file order.

    val_1 and val_2 are what two people wrote about the same videos, so a query's id is unique
    within its split only. Four training moments end before they begin.

    Args:
        raw: the folder of the published files.

    Raises:
        UserError: a file is missing or malformed; the message names file, video, sentence, value.
    """
    return [
        annotation
        for split, name in FILES.items()
        for annotation in number_sentences(
            split, read_captions(raw / CAPTIONS / f"{name}.json", "duration")
        )
    ]
