"""The real preparation and two cheap trainings give the committed bytes.

`python -m tests.canaries`, part of `.ci/run`: enough to see whether this machine and this code give
the results of dvc.lock.
"""

import sys

from mgsl.errors import UserError
from mgsl.tools import promise, verify

CANARIES = ("prepare@embedded", "train@embedded-ctrl", "train@embedded-drn")


def main() -> None:
    """Compare; exit code 1 if a byte differs. Skipped where the machine does not promise bytes."""
    if reasons := promise.broken():
        print(f"canaries skipped: results may be other bytes here: {reasons[0].what}")
        return
    print(f"canaries: {', '.join(CANARIES)}", flush=True)
    try:
        same = verify.verify(CANARIES, keep=False)
    except UserError as error:
        sys.exit(f"error: {error}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
