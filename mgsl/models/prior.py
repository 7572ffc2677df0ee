"""Answer from where moments lie in their videos: neither the video nor the query is read.

Paper       M. Otani et al. "Uncovering Hidden Challenges in Query-Based Video Moment Retrieval".
            BMVC 2020: "Prior-Only Blind".
Reference   mayu-ot/hidden-challenges-MR, commit e0c4546
Deviations  Queries draw from a pool whose density was computed once, not each from the density. One
            of whose draws NMS leaves fewer than ten draws more. Draws are clipped to the video by
            their start and end, there by their start and length.
"""

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgsl.errors import UserError
from mgsl.models.parts import density
from mgsl.models.parts.base import BlindMethod
from mgsl.models.parts.density import DensityConfig, Pool
from mgsl.queries import Query


@final
class Prior(BlindMethod):
    """One density for all queries."""

    Config = DensityConfig

    def __init__(self, config: DensityConfig) -> None:
        self.config = config

    def fit(self, queries: Sequence[Query], *, seed: int) -> None:
        """Estimate the density of the training moments.

        Raises:
            UserError: there are too few of them.
        """
        pool = density.draw_pool(density.spans(queries), self.config, seed=seed)
        if pool is None:
            raise UserError(f"no density: {len(queries)} training moments are too few or alike")
        self.pool, self.seed = pool, seed

    def answer(
        self, queries: Sequence[Query]
    ) -> tuple[Float[np.ndarray, "queries proposals 2"], Float[np.ndarray, "queries proposals"]]:
        """Draw from the one density."""
        pool_of = np.zeros(len(queries), int)
        return density.answer(queries, [self.pool], pool_of, self.config, seed=self.seed)

    def state_dict(self) -> dict[str, Tensor]:
        """The draws, their densities, the seed."""
        return {
            "spans": torch.from_numpy(self.pool.spans),
            "heights": torch.from_numpy(self.pool.heights),
            "seed": torch.tensor(self.seed),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` returned."""
        self.pool = Pool(state["spans"].numpy(), state["heights"].numpy())
        self.seed = int(state["seed"])
