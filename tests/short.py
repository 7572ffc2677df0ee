"""The whole pipeline, short, in a scratch copy: `python -m tests.short`, part of `.ci/run`.

Every stage runs, with every method and every exhibit, but with few epochs and one seed: that stages
fit together is to be seen, not numbers. Run again, none of them may have anything to do.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from mgsl import paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.tools import verify

EPOCHS = 2
RESAMPLES = 50


def main() -> None:
    """Run the pipeline twice; exit code 1 if it fails, or has something left to do."""
    try:
        with verify.scratch_copy() as copy:
            params = copy / paths.PARAMS
            write_json(params, shorten(read_yaml(params)))  # JSON is YAML
            verify.reproduce(copy)
            left = left_to_do(copy)
    except UserError as error:
        sys.exit(f"error: {error}")
    if left:
        sys.exit("run again at once, the pipeline had something to do:\n" + "\n".join(left))
    print("the short pipeline ran, and had nothing left to do")


def shorten(params: dict[str, Any]) -> dict[str, Any]:
    """The same parameters with few epochs, one seed and few resamples."""
    params["seeds"] = params["seeds"][:1]
    params["evaluation"]["resamples"] = RESAMPLES
    for setting in params["settings"][params["scale"]].values():
        setting["epochs"] = EPOCHS
    for model in params["models"].values():
        own = model.get("recipe", {}).get(params["scale"], {})
        for changes in (own, *model.get("ablations", {}).values()):
            if "epochs" in changes:
                changes["epochs"] = EPOCHS
    return params


def left_to_do(copy: Path) -> list[str]:
    """The stages that `dvc repro` runs although it has just run."""
    command = [*verify.DVC, "repro"]
    done = subprocess.run(
        command, cwd=copy, env=verify.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return (done.stdout + done.stderr).splitlines()
    ran = [line for line in done.stdout.splitlines() if line.startswith("Running stage")]
    return [line for line in ran if "identify@" not in line]  # DVC cannot know what it looks at


if __name__ == "__main__":
    main()
