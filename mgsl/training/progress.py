"""A training under way: what its steps change, and what a killed one goes on from."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mgsl.configs import RunConfig
from mgsl.distributed import gather, rank
from mgsl.models.parts.base import GroundingModel
from mgsl.training import plateau, recipe
from mgsl.training.checkpoint import damage, load_state, save_state
from mgsl.training.seeding import random_state, restore_random_state


@dataclass
class Progress:
    """How far a training has come; saved as it is, so it holds tensors, numbers and text only."""

    rows: list[dict[str, float | int]] = field(default_factory=list)  # of the curve, one an epoch
    stage: int = 0
    best: float = -1.0  # R@1 on validation, in this stage
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    looks: plateau.Looks = field(default_factory=plateau.Looks)


@dataclass
class Training:
    """A model on the device where it is trained, its optimiser, and how far it has come."""

    model: GroundingModel
    config: RunConfig
    device: torch.device
    progress: Progress = field(default_factory=Progress)
    optimizer: torch.optim.Optimizer = field(init=False)
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        self.optimizer = recipe.optimizer(self.model, self.config)
        half = self.config.training.precision == "float16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)

    def enter(self, stage: int) -> float:
        """Prepare an epoch of a stage; a new stage starts from the best weights so far.

        Returns:
            The stage's factor on the learning rate.
        """
        if stage != self.progress.stage:
            self.model.load_state_dict(self.progress.best_weights)
            self.optimizer = recipe.optimizer(self.model, self.config, stage)
            self.progress.stage, self.progress.best = stage, -1.0
            self.progress.looks = plateau.Looks()
        return self.model.enter(stage)

    def log(self, row: dict[str, float], recall: float) -> None:
        """Add an epoch to the curve; keep its weights if it did best on validation."""
        self.progress.rows.append({"epoch": len(self.progress.rows) + 1, **row})
        if recall > self.progress.best:
            self.progress.best = recall
            weights = self.model.state_dict()
            self.progress.best_weights = {key: x.cpu().clone() for key, x in weights.items()}

    def look(self, figure: float) -> None:
        """Let the schedule see what it watches: it may lower the rate, and go back."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        if best := plateau.look(self.progress.looks, self.config, figure, state):
            self.model.load_state_dict(best["model"])
            self.optimizer.load_state_dict(best["optimizer"])

    def save(self, path: Path) -> None:
        """Write all that a killed training needs to go on after this epoch."""
        randoms = gather(random_state())
        if rank() == 0:
            state = {
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(),
                "random": randoms,
                "progress": vars(self.progress) | {"looks": vars(self.progress.looks)},
            }
            save_state(path, state)

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote, if there is such a file; tell whether there is.

        Raises:
            UserError: the file is damaged, or a state of something else.
        """
        state = load_state(path)
        if state is None:
            return False
        try:
            self.model.load_state_dict(state["model"])
            stage = state["progress"]["stage"]
            self.optimizer = recipe.optimizer(self.model, self.config, stage)
            self.optimizer.load_state_dict(state["optimizer"])
            self.scaler.load_state_dict(state["scaler"])
            restore_random_state(state["random"][rank()])
            progress = {name: state["progress"][name] for name in vars(self.progress)}
            progress["looks"] = plateau.Looks(**progress["looks"])
        except Exception as error:  # whatever a foreign state provokes
            raise damage(path, error) from None
        self.progress = Progress(**progress)
        return True
