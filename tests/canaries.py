"""The real preparation and two cheap methods give the committed bytes and numbers.

`python -m tests.canaries`, part of `.ci/run`: enough to see whether this machine and this code give
the results of dvc.lock, whose one digest of all trainings would take all of them.
"""

import sys
from pathlib import Path

from mgsl import paths
from mgsl.documents import read_yaml
from mgsl.errors import UserError
from mgsl.files import write_json
from mgsl.tools import promise, verify

DATASET = "embedded"
METHODS = ("ctrl", "drn")


def main() -> None:
    """Compare; exit code 1 if anything differs. Skipped where a machine does not promise bytes."""
    if reasons := promise.broken():
        print(f"canaries skipped: results may be other bytes here: {reasons[0].what}")
        return
    print(f"canaries: preparation, {' and '.join(METHODS)} on {DATASET}", flush=True)
    try:
        with verify.scratch_copy() as copy:
            settings = copy / paths.PARAMS
            few = {"datasets": [DATASET], "methods": METHODS, "ablations": []}
            write_json(settings, read_yaml(settings) | few)  # JSON is YAML
            verify.reproduce(copy, f"evaluate@{DATASET}")
            problems = differences(Path.cwd(), copy)
    except UserError as error:
        sys.exit(f"error: {error}")
    if problems:
        sys.exit("\n".join(problems))
    print("the canaries gave the committed results")


def differences(here: Path, there: Path) -> list[str]:
    """What the canaries made otherwise than is committed: a line each."""
    results = [r for r in verify.compare(here, there) if r.path == str(paths.prepared(DATASET))]
    committed = (here / paths.trainings(DATASET)).read_text(encoding="utf-8").splitlines()
    made = (there / paths.trainings(DATASET)).read_text(encoding="utf-8").splitlines()
    return [*verify.differing(results), *(line for line in made if line not in committed)]


if __name__ == "__main__":
    main()
