"""The real preparation and two cheap trainings give the committed bytes.

`python -m tests.canaries`, part of `.ci/run`: enough to see whether this machine and this code give
the results of dvc.lock.
"""

import sys

from mgsl import lock, promise, verifying

CANARIES = ("prepare@embedded", "train@embedded-prior", "train@embedded-ctrl")


def main() -> None:
    """Compare; exit code 1 if a byte differs. Skipped where the machine does not promise bytes."""
    if reasons := promise.broken():
        print(f"canaries skipped: results may be other bytes here: {reasons[0].what}")
        return
    targets = chosen(lock.expanded())
    print(f"canaries: {', '.join(targets)}")
    sys.exit(not verifying.verify(targets, keep=False))


def chosen(stages: dict[str, str]) -> list[str]:
    """The stages that are canaries, whatever else stands in their names, such as a seed."""
    found = [name for name in stages for c in CANARIES if name == c or name.startswith(f"{c}-")]
    if len({canary for canary in CANARIES for name in found if name.startswith(canary)}) < 3:
        raise SystemExit(f"dvc.yaml lacks some of the canaries {', '.join(CANARIES)}")
    return found


if __name__ == "__main__":
    main()
