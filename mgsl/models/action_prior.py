"""Answer from where moments of the query's action lie in their videos: one verb is read, no video.

Paper       M. Otani et al. "Uncovering Hidden Challenges in Query-Based Video Moment Retrieval".
            BMVC 2020: "Action-Aware Blind".
Reference   mayu-ot/hidden-challenges-MR, commit e0c4546
Deviations  Those of `prior`. Verbs are found by NLTK's tagger and the rules of `mgsl.lemmas`, there
            by spaCy. The most common verbs are counted in the training queries, without the
            auxiliaries that params.yaml lists; there they come as a list of fifty, and verbs on
            spaCy's list of stop words are not read. A verb of fewer training queries than
            `min_moments`, or whose moments all lie on one line, has no density of its own.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mgsl.errors import UserError
from mgsl.fields import Positive
from mgsl.lemmas import attest, lemma
from mgsl.models.parts import density
from mgsl.models.parts.base import BlindMethod
from mgsl.models.parts.density import DensityConfig, Pool
from mgsl.queries import Query


class ActionPriorConfig(DensityConfig):
    """How many verbs have a density of their own, and which verbs tell no action."""

    verbs: Positive
    auxiliaries: tuple[str, ...]


@final
class ActionPrior(BlindMethod):
    """A density for each common verb, and one for all queries."""

    Config = ActionPriorConfig

    def __init__(self, config: ActionPriorConfig) -> None:
        self.config = config

    def fit(self, queries: Sequence[Query], *, seed: int) -> None:
        """Count verbs; estimate the density of the training moments of each common one, and of all.

        Raises:
            UserError: there are too few moments.
        """
        attested = attest(zip(query.tokens, query.tags, strict=True) for query in queries)
        verb_of = {form: lemma(*form, attested) for query in queries for form in _verbs(query)}
        of_queries = [dict.fromkeys(verb_of[form] for form in _verbs(query)) for query in queries]
        counts = Counter(verb for verbs in of_queries for verb in verbs)
        common = [verb for verb, _ in counts.most_common() if verb not in self.config.auxiliaries]
        moments = density.spans(queries)
        every = density.draw_pool(moments, self.config, seed=seed)
        if every is None:
            raise UserError(f"no density: {len(queries)} training moments are too few or alike")
        pools = {"": every}
        for verb in common[: self.config.verbs]:
            having = np.array([verb in verbs for verbs in of_queries])
            if pool := density.draw_pool(moments[having], self.config, seed=seed):
                pools[verb] = pool
        self.forms = {form: verb for form, verb in verb_of.items() if verb in pools}
        self.pools, self.seed = pools, seed

    def answer(
        self, queries: Sequence[Query]
    ) -> tuple[Float[np.ndarray, "queries proposals 2"], Float[np.ndarray, "queries proposals"]]:
        """Draw from the density of a query's first verb that has one, else from that of all."""
        places = {verb: place for place, verb in enumerate(self.pools)}
        pool_of = [
            next((places[self.forms[form]] for form in _verbs(query) if form in self.forms), 0)
            for query in queries
        ]
        pools = list(self.pools.values())
        return density.answer(queries, pools, np.array(pool_of, int), self.config, seed=self.seed)

    def state_dict(self) -> dict[str, Tensor]:
        """The draws, their densities, the seed; the verbs and their forms as text."""
        pools = self.pools.values()
        forms = [f"{token}\t{tag}\t{verb}" for (token, tag), verb in self.forms.items()]
        return {
            "spans": torch.from_numpy(np.stack([pool.spans for pool in pools])),
            "heights": torch.from_numpy(np.stack([pool.heights for pool in pools])),
            "seed": torch.tensor(self.seed),
            "verbs": _as_tensor(list(self.pools)),
            "forms": _as_tensor(forms),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` returned."""
        pairs = zip(state["spans"].numpy(), state["heights"].numpy(), strict=True)
        pools = [Pool(spans, heights) for spans, heights in pairs]
        self.pools = dict(zip(_as_lines(state["verbs"]), pools, strict=True))
        self.seed = int(state["seed"])
        fields = [line.split("\t") for line in _as_lines(state["forms"])]
        self.forms = {(token, tag): verb for token, tag, verb in fields}


def _verbs(query: Query) -> list[tuple[str, str]]:
    """The query's verbs in their order, each with its tag."""
    words = zip(query.tokens, query.tags, strict=True)
    return [(token, tag) for token, tag in words if tag.startswith("VB")]


def _as_tensor(lines: list[str]) -> Tensor:
    return torch.tensor(list("\n".join(lines).encode()), dtype=torch.uint8)


def _as_lines(text: Tensor) -> list[str]:
    return bytes(text.tolist()).decode().split("\n")
