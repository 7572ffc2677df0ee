"""How a method is trained, as params.yaml has it: optimiser, rates, clipping.

`mgsl.training.recipe` does what is described here. A `kind` says which fields there are.
"""

from typing import Annotated, Literal

from pydantic import Field

from mgsl.fields import Frozen, NonNegative, Positive, Probability, Share

Rate = Annotated[float, Field(gt=0, lt=1)]


class Adam(Frozen):
    """Adam. A step also takes `weight_decay`, times the rate, of each weight: decoupled decay.

    `exceptions` are the parameters that this leaves alone: all biases, those of LayerNorm.
    """

    kind: Literal["adam"]
    betas: tuple[Probability, Probability]
    epsilon: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    exceptions: tuple[Literal["biases", "layer_norms"], ...]


class SGD(Frozen):
    """Gradient descent with momentum. `weight_decay` times a weight is added to its gradient.

    `exceptions` are parameters without; a bias moves at `bias_factor` times the rate.
    """

    kind: Literal["sgd"]
    momentum: Probability
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    exceptions: tuple[Literal["biases", "layer_norms"], ...] = ()
    bias_factor: Annotated[float, Field(gt=0)] = 1.0


class NoClip(Frozen):
    """Gradients are taken as they are."""

    kind: Literal["none"]


class Clip(Frozen):
    """What `limit` is of.

    `norm`: the norm of all gradients together; `tensor_norm`: that of each parameter's gradient;
    `element`: the size of each of its numbers.
    """

    kind: Literal["norm", "tensor_norm", "element"]
    limit: Annotated[float, Field(gt=0)]


class Constant(Frozen):
    """One rate."""

    kind: Literal["constant"]


class WarmUp(Frozen):
    """From `initial_rate` the rate rises to its full height at step `warmup_steps`.

    `count_from`: the number of the first step, 1 or 0.
    """

    warmup_steps: NonNegative
    initial_rate: Annotated[float, Field(ge=0, lt=1)]
    count_from: Literal[0, 1]


class Linear(WarmUp):
    """Then it falls, to reach 0 a step after the last."""

    kind: Literal["linear"]


class InverseSqrt(WarmUp):
    """Then it falls with the inverse square root of the step."""

    kind: Literal["inverse_sqrt"]


class Steps(Frozen):
    """After each of these epochs, counted from 1, the rate is multiplied by `factor`."""

    kind: Literal["steps"]
    epochs: Annotated[tuple[Positive, ...], Field(min_length=1)]
    factor: Share


class Recall(Frozen):
    """R@n, IoU=`iou` on validation, after NMS at `nms`; null: without."""

    n: Positive
    iou: Share
    nms: Share | None


class Plateau(Frozen):
    """After more than `patience` epochs without a better figure, the rate is multiplied."""

    kind: Literal["plateau"]
    watch: Literal["loss"] | Recall
    better: Literal["lower", "higher"]
    patience: NonNegative
    factor: Share


class PlateauReload(Frozen):
    """Go back to the best of the last `window` looks if it is the oldest; multiply the rate.

    One looks every `every` epochs. What is gone back to are weights and the optimiser's state.
    Training ends when the rate is below `least_rate`.
    """

    kind: Literal["plateau_reload"]
    watch: Recall
    every: Positive
    window: Annotated[int, Field(ge=2)]
    factor: Share
    least_rate: Rate


Optimizer = Annotated[Adam | SGD, Field(discriminator="kind")]
Clipping = Annotated[NoClip | Clip, Field(discriminator="kind")]
Schedule = Annotated[
    Constant | Linear | InverseSqrt | Steps | Plateau | PlateauReload, Field(discriminator="kind")
]


class Repeat(Frozen):
    """Pairs are drawn with replacement, by the repeat factor of Gupta et al. (LVIS, 2019).

    It is max(1, sqrt(below / f)), where f training queries hold the pair's rarest word. An epoch
    has as many draws as there are pairs.
    """

    kind: Literal["repeat"]
    below: Positive


class Neighbours(Frozen):
    """In each epoch some rare words become a neighbour, with probability `share` each.

    A word is rare that fewer than `below` training queries hold. Its neighbours are the `nearest`
    words by cosine among those that are not.
    """

    kind: Literal["neighbours"]
    below: Positive
    share: Share
    nearest: Positive


class Drop(Frozen):
    """In each epoch some rare words are left out, with probability `share` each.

    A word is rare that fewer than `below` training queries hold. No sentence is left empty.
    """

    kind: Literal["drop"]
    below: Positive
    share: Share


class Unspelled(Frozen):
    """Words whose vector comes from their spelling are left out, in training and test (Q14).

    A query that has no other words keeps them.
    """

    kind: Literal["unspelled"]


RareWords = Annotated[Repeat | Neighbours | Drop | Unspelled, Field(discriminator="kind")]


class StageParams(Frozen):
    """What a stage of a training has for itself; null: what the training has."""

    optimizer: Optimizer | None = None
    clip: Clipping | None = None


class RecipeParams(Frozen):
    """What a method changes of a dataset's schedule and of the training: what is not given stays.

    One of `epochs` and `steps` is null: how long it takes.
    """

    epochs: Positive | None = None
    steps: Positive | None = None
    batch_size: Positive | None = None
    learning_rate: Rate | None = None
    schedule: Schedule | None = None
    optimizer: Optimizer | None = None
    clip: Clipping | None = None
    stages: tuple[StageParams, ...] | None = None
    drop_last: bool | None = None
    select_iou: Share | None = None
