"""The recipes of all methods are those that they would be trained by."""

from mgsl.inspection import all_recipes
from mgsl.models import MODELS
from mgsl.models.parts.base import GroundingModel
from tests import tiny


def test_every_method_has_a_recipe_on_every_dataset_of_each_scale() -> None:
    configs = {name: kind.Config for name, kind in MODELS.items()}
    parameters = tiny.parameters().model_copy(update={"methods": ("prior",)})  # whatever is run
    rows = all_recipes.resolved(parameters, configs)
    names = [name for name, kind in MODELS.items() if issubclass(kind, GroundingModel)]
    assert [(row["scale"], row["run"]["dataset"], row["run"]["name"]) for row in rows] == [
        (scale, dataset, name)
        for scale, datasets in all_recipes.DATASETS.items()
        for dataset in datasets
        for name in names
    ]


def test_stages_are_those_of_the_method() -> None:
    drn = tiny.run_config("drn")
    sizes = drn.model | {"steps": [0.11, 0.55], "rates": [1.0, 0.01, 0.0001]}
    drn = drn.model_copy(update={"model": sizes, "epochs": 90})
    assert all_recipes.stages(drn) == [
        {"epochs": 10, "factor": 1.0},
        {"epochs": 40, "factor": 0.01},
        {"epochs": 40, "factor": 0.0001},
    ]
    qspn = tiny.run_config("qspn", epochs=None, steps=35_000)
    sizes = qspn.model | {"matching_from": 0.8571428, "rates": [0.1, 1.0]}
    assert all_recipes.stages(qspn.model_copy(update={"model": sizes})) == [
        {"steps": 30_000, "factor": 0.1},
        {"steps": 5_000, "factor": 1.0},
    ]
    whole = tiny.run_config("tan_2d", epochs=5)
    assert all_recipes.stages(whole) == [{"epochs": 5, "factor": 1.0}]
