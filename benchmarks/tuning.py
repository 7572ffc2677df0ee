"""The trials of docs/tuning.md: every method at three learning rates, judged on validation.

`python -m benchmarks.tuning` prints a Markdown table; the dataset must be prepared (`dvc repro
prepare`). It takes a quarter of an hour on two cores; trials that are done are kept.
"""

from pathlib import Path

from mgsl import params, stages
from mgsl.studies import trials

DATASET, SEED = "embedded", 0
RATES = [0.001, 0.002, 0.004]


def main() -> None:
    """Train and print."""
    stages.configure()
    parameters = params.load(Path("params.yaml"))
    blind = ("prior", "action_prior")
    methods = [name for name in parameters.methods if name not in blind]
    table = trials.rates(DATASET, dict.fromkeys(methods, RATES), SEED)
    print("| method | learning rate | kept epoch | R@1, IoU=0.5 | IoU=0.7 | rare, 0.5 | time |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for row in table.itertuples(index=False):
        name, rate, epochs, kept, half, strict, rare, seconds = row
        figures = " | ".join(f"{100 * value:.1f}" for value in (half, strict, rare))
        print(f"| {name} | {rate} | {kept}/{epochs} | {figures} | {seconds:.0f} s |")


if __name__ == "__main__":
    main()
