"""The stage `inspect`: one trained model's memories, as tables that reports read."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mgsl.configs import InspectConfig, RunConfig
from mgsl.data.loading import Split
from mgsl.errors import UserError
from mgsl.files import atomic_path, write_json
from mgsl.inspection import probes, slot_contents
from mgsl.inspection.use import Use, memories, watch
from mgsl.models.parts.base import GroundingModel, Method
from mgsl.models.parts.slot_state import effective_rank
from mgsl.params import RareParams
from mgsl.queries import Query
from mgsl.rarity import frequencies

PAIRS = 5  # pairs of each split that a representative slot retrieves
_DECIMALS = 6
_OF_PAIRS = ["slot", "split", "rank", "qid", "video", "sentence", "start_s", "end_s", "frequency",
             "rare", "score", "memory"]  # fmt: skip


def inspect(
    model: Method,
    splits: dict[str, Split],
    config: RunConfig,
    inspection: InspectConfig,
    *,
    held_out: bool,
    device: torch.device,
) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Look into the memories of a trained model.

    Args:
        model: as trained.
        splits: of the dataset it was trained on.
        config: of the model.
        inspection: which words are content words and where they are counted; the rule for a hit;
            the bootstrap.
        held_out: whether the validation split was cut out of the published training split.
        device: where to compute.

    Returns:
        The tables `slots`, `pairs`, `scatter` (with a column memory), `probes` and `answers`, and a
        summary.

    Raises:
        UserError: the model has no memory.
    """
    if not isinstance(model, GroundingModel) or not memories(model):
        raise UserError(f"{config.name} has no memory to look into: take it off `inspected`")
    model.to(device)
    counts = word_counts(splits, inspection.rare, held_out=held_out)
    uses_of = {
        name: watch(model, splits[name], config, inspection.rare.tags, device)
        for name in ("train", "test")
    }
    parts: dict[str, list[pd.DataFrame]] = {"slots": [], "pairs": [], "scatter": []}
    summary: dict[str, Any] = {}
    for name, memory in memories(model).items():
        content = memory.slots.double().cpu().numpy()
        train, test = uses_of["train"][name], uses_of["test"][name]
        table = slot_contents.describe(content, train, test, counts)
        representatives = table[table["representative"] != ""]["slot"].tolist()
        pairs = [
            _retrieve(slot, split, uses[name], splits[split].queries)
            for slot in representatives
            for split, uses in uses_of.items()
        ]
        parts["slots"].append(table.assign(memory=name))
        parts["pairs"] += [part.assign(memory=name) for part in pairs]
        scattered = slot_contents.scatter(content, train, counts, inspection.evaluation)
        parts["scatter"].append(scattered.assign(memory=name))
        _, shares = slot_contents.principal_plane(content)
        summary[name] = {
            "slots": len(content),
            "variance_shares": shares.round(_DECIMALS).tolist(),
            "rank": round(effective_rank(memory.slots).item(), _DECIMALS),
            "rank_initial": round(effective_rank(memory.initial).item(), _DECIMALS),
        }
    none = pd.DataFrame(columns=_OF_PAIRS)  # where all slots hold the same, none retrieves
    tables = {key: pd.concat(frames, ignore_index=True) if frames else none
              for key, frames in parts.items()}  # fmt: skip
    scores = probes.answers(model, splits["test"], config, inspection.evaluation, device)
    tables["probes"] = probes.compare(scores, splits["test"].queries, inspection.evaluation)
    tables["answers"] = probes.by_query(scores, splits["test"].queries)
    about = {"name": config.name, "rule": slot_contents.RULE, "memories": summary}
    return tables, about


def write(folder: Path, tables: dict[str, pd.DataFrame], summary: dict[str, Any]) -> None:
    """Write what `inspect` returned: a CSV for each table, and summary.json."""
    for name, table in tables.items():
        with atomic_path(folder / f"{name}.csv") as path:
            table.round(_DECIMALS).to_csv(path, index=False, lineterminator="\n")
    write_json(folder / "summary.json", summary)


def word_counts(splits: dict[str, Split], rare: RareParams, *, held_out: bool) -> Counter[str]:
    """How often each content word occurs in the counting corpus, as when queries were prepared."""
    names = set(splits) if rare.corpus == "all" else {"train"} | ({"val"} if held_out else set())
    queries = (query for name in sorted(names) for query in splits[name].queries)
    return frequencies((tuple(zip(q.tokens, q.tags, strict=True)) for q in queries), rare.tags)


def _retrieve(slot: int, split: str, use: Use, queries: list[Query]) -> pd.DataFrame:
    """The pairs that address one slot most."""
    best = np.argsort(-use.by_query[:, slot], kind="stable")[:PAIRS]
    return pd.DataFrame(
        [
            {
                "slot": slot,
                "split": split,
                "rank": rank,
                "qid": queries[row].qid,
                "video": queries[row].video,
                "sentence": queries[row].sentence,
                "start_s": queries[row].start_s,
                "end_s": queries[row].end_s,
                "frequency": queries[row].frequency,
                "rare": queries[row].rare,
                "score": float(use.by_query[row, slot]),
            }
            for rank, row in enumerate(best, start=1)
        ]
    )
