"""Words: from a sentence to tokens, from a token to its vector."""

import functools
import hashlib

import numpy as np
from jaxtyping import Float

TYPICAL_NORM = 6.8  # mean length of the GloVe 42B vectors of Charades-STA's words


def spelling_vector(word: str, dim: int) -> Float[np.ndarray, " dim"]:
    """A vector for a word that has no published one, derived from its spelling alone.

    The sum of one Gaussian vector for the whole word and one for each of its n-grams of 3 to 5
    characters, after fastText: words that share a stem lie close. The same on every machine.

    Args:
        word: any string.
        dim: length of the vector, at least 1.
    """
    marked = f"<{word}>"
    pieces = [marked[i : i + n] for n in (3, 4, 5) for i in range(len(marked) - n + 1)]
    total = np.sum([_gaussian(piece, dim) for piece in [f"={word}", *pieces]], axis=0)
    return (total * (TYPICAL_NORM / np.linalg.norm(total))).astype(np.float32)


@functools.lru_cache(maxsize=1 << 16)
def _gaussian(piece: str, dim: int) -> Float[np.ndarray, " dim"]:
    digest = hashlib.sha256(piece.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little")).standard_normal(dim)
