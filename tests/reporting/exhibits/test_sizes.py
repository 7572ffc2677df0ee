"""The page of sizes says how every method is trained, in words that can be checked by hand."""

from pathlib import Path
from typing import Any

import pytest

from mgsl import paths
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.inspection import all_recipes
from mgsl.models import MODELS
from mgsl.models.parts.base import GroundingModel
from mgsl.recipes import (
    SGD,
    Adam,
    Drop,
    Neighbours,
    Plateau,
    RareWords,
    Recall,
    Repeat,
    Steps,
    Unspelled,
)
from mgsl.reporting.draw import tables
from mgsl.reporting.exhibits import sizes
from mgsl.reporting.read import published, recipe_words
from mgsl.reporting.site import contents
from tests import tiny

PAPER, SMALL = sizes._SCALES.values()
EVERY = "ActivityNet Captions, TACoS, Charades-STA"

RUN = tiny.run_config("mgsl_net")
ADAM = Adam(kind="adam", betas=(0.5, 0.9), epsilon=1e-8, weight_decay=0.0, exceptions=())
PLATEAU = Plateau(
    kind="plateau", watch=Recall(n=1, iou=0.5, nms=None), better="higher", patience=1, factor=0.5
)


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    configs = {name: kind.Config for name, kind in MODELS.items()}
    return all_recipes.resolved(tiny.parameters(), configs)


@pytest.fixture
def workspace(
    documents: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    write_json(paths.RECIPES, documents)
    return tmp_path


@pytest.mark.usefixtures("workspace")
def test_every_method_with_code_is_there_at_both_scales() -> None:
    rows = sizes.recipes().rows
    titles = {published.title(n) for n, k in MODELS.items() if issubclass(k, GroundingModel)}
    for scale in (PAPER, SMALL):
        assert {row[1] for row in rows if row[0] == scale} == titles
    assert list(dict.fromkeys(row[0] for row in rows)) == [PAPER, SMALL]


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("title", "data", "optimizer", "schedule", "clipping", "length"),
    [
        ("CTRL", EVERY, "Adam, 0.005, L2 none", "constant", "none",
         "20,000 steps of 56, full ones only"),
        ("VSLNet", EVERY, "Adam, 0.0001, epsilon 1e-6, L2 none, decoupled decay 0.01 but for biases"
         " and layer norms", "linearly to 0 at the end", "norm of all <= 1",
         "100 epochs, batches of 16"),
        ("2D-TAN", "ActivityNet Captions, TACoS", "Adam, 0.0001, L2 none", "×0.8 on a plateau of "
         "the validation loss: more than 20 epochs without a higher one", "norm of all <= 10",
         "100 epochs, batches of 32"),
        ("2D-TAN", "Charades-STA", "Adam, 0.0001, L2 none", "constant", "norm of all <= 10",
         "100 epochs, batches of 32"),
        ("SCDM", "TACoS", "Adam, 0.0001, L2 0.001", "constant", "each element <= 1",
         "300 epochs, batches of 16, full ones only"),
        ("CMIN", "TACoS", "Adam, 0.0004, L2 none, decoupled decay 1e-8", "from 1e-7 up over 300 "
         "steps, then with the inverse square root of the step", "none",
         "40 epochs, batches of 64"),
        ("DRN", EVERY, "Adam, 0.001, L2 none", "constant; besides in 3 stages: ×1 for 10 epochs, "
         "×0.01 for 40 epochs, ×0.0001 for 40 epochs", "norm of all <= 0.5",
         "90 epochs, batches of 32"),
        ("QSPN", EVERY, "gradient descent, 0.001, momentum 0.9, biases at 2 times the rate, "
         "L2 none, decay 0.0005 but for biases; then Adam, 0.001, L2 none",
         "constant; besides in 2 stages: ×0.1 for 30,000 steps, ×1 for 5,000 steps",
         "none; then norm of all <= 10", "35,000 steps of 32, full ones only"),
        ("TGN", "TACoS", "Adam, 0.001, L2 1e-5", "×0.1 and back to the best on a plateau of the "
         "validation R@5, IoU=0.7 after NMS at 0.3: taken every 5 epochs, and the oldest of the "
         "last 5 is the best; ends below 1e-5", "norm of each tensor <= 100",
         "at most 100 epochs, batches of 64, full ones only"),
    ],
)  # fmt: skip
def test_a_recipe_of_the_release_is_written_readably(
    title: str, data: str, optimizer: str, schedule: str, clipping: str, length: str
) -> None:
    assert (PAPER, title, data, optimizer, schedule, clipping, length) in sizes.recipes().rows


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"optimizer": SGD(kind="sgd", momentum=0.9)}, "optimizer",
         "gradient descent, 0.002, momentum 0.9, L2 none"),
        ({"optimizer": ADAM}, "optimizer", "Adam, 0.002, betas 0.5 and 0.9, L2 none"),
        ({"schedule": Steps(kind="steps", epochs=(3, 7), factor=0.1)}, "schedule",
         "×0.1 after epochs 3, 7"),
        ({"schedule": PLATEAU}, "schedule", "×0.5 on a plateau of the validation R@1, IoU=0.5: "
         "more than 1 epoch without a higher one"),
        ({"epochs": 1, "batch_size": 64}, "length", "1 epoch, batches of 64"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("workspace")
def test_kinds_that_no_method_has_today_are_written_too(
    changes: dict[str, object], field: str, words: str
) -> None:
    run = RUN.model_copy(update=changes)
    if "optimizer" in changes:
        run = RUN.model_copy(update={"training": RUN.training.model_copy(update=changes)})
    document = run.model_dump(mode="json")
    stages = [{"epochs": 1, "factor": 1.0}]
    write_json(paths.RECIPES, [{"scale": "embedded", "run": document, "stages": stages}])
    (recipe,) = recipe_words.read()
    assert getattr(recipe.words, field) == words


@pytest.mark.parametrize(
    ("remedy", "words"),
    [
        (None, ""),
        (Repeat(kind="repeat", below=100),
         "; pairs with a word of fewer than 100 queries drawn more often"),
        (Neighbours(kind="neighbours", below=10, share=0.5, nearest=5),
         "; 50 % of the words of fewer than 10 queries replaced by one of the 5 nearest others"),
        (Drop(kind="drop", below=10, share=0.5),
         "; 50 % of the words of fewer than 10 queries left out"),
        (Unspelled(kind="unspelled"),
         "; words without a published vector left out, in the test too"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("workspace")
def test_a_remedy_for_rare_words_is_told(remedy: RareWords | None, words: str) -> None:
    training = RUN.training.model_copy(update={"rare_words": remedy})
    document = RUN.model_copy(update={"training": training}).model_dump(mode="json")
    stages = [{"epochs": 1, "factor": 1.0}]
    write_json(paths.RECIPES, [{"scale": "embedded", "run": document, "stages": stages}])
    (recipe,) = recipe_words.read()
    assert recipe.words.length.endswith(f" of {RUN.batch_size}{words}")


@pytest.mark.usefixtures("workspace")
def test_the_second_table_is_saved_under_a_name_of_its_own() -> None:
    stem = paths.EXHIBITS / "sizes.recipes"
    tables.save(sizes.recipes(), str(stem))
    first = [Path(f"{stem}.{kind}").read_bytes() for kind in ("csv", "md", "tex")]
    tables.save(sizes.recipes(), str(stem))
    assert [Path(f"{stem}.{kind}").read_bytes() for kind in ("csv", "md", "tex")] == first
    assert rb"norm of all $\leq$ 10" in first[2]
    assert contents.kind("sizes.recipes.csv") == "CSV of recipes"
    assert contents.kind("sizes.csv") == "CSV"


def test_without_recipes_it_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"recipes.json is missing: run `python -m mgsl trace`"):
        sizes.recipes()
