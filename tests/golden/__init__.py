"""Numbers that the code of a method's authors computed, once, at tiny sizes; each test says how."""

from pathlib import Path

import numpy as np


def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of one method, by name."""
    with np.load(Path(__file__).parent / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}
