"""What an answer of each method costs: counted in the models, and timed on one machine."""

import json
from collections.abc import Hashable
from functools import cached_property
from typing import Any

import pandas as pd

from mgsl import paths
from mgsl.errors import UserError

Row = dict[Hashable, Any]


class Costs:
    """The costs of all methods, read as they are asked for."""

    @cached_property
    def counted(self) -> dict[tuple[str, str], Row]:
        """Parameters, MiB and multiply-adds by setting and name.

        Raises:
            UserError: the stage `trace` has not run.
        """
        try:
            rows = pd.read_csv(paths.COSTS).to_dict("records")
        except FileNotFoundError:
            raise UserError(f"{paths.COSTS} is missing: run `dvc repro`") from None
        return {(row["setting"], row["name"]): row for row in rows}

    @cached_property
    def timed(self) -> dict[tuple[str, str, int, str], Row]:
        """Times by setting, name, queries at a time and part; empty where nothing was timed."""
        rows = pd.read_csv(paths.TIMES).to_dict("records") if paths.TIMES.is_file() else []
        return {(row["setting"], row["name"], row["batch"], row["part"]): row for row in rows}

    @cached_property
    def machine(self) -> str:
        """What the times are of, in words."""
        if not paths.TIMED_ON.is_file():
            return "Nothing was timed: `python -m mgsl efficiency` does."
        about = json.loads(paths.TIMED_ON.read_text(encoding="utf-8"))
        threads = "1 thread" if about["threads"] == 1 else f"{about['threads']} threads"
        return f"Times are of {about['processor']}, {threads}, torch {about['torch']}, no GPU."
