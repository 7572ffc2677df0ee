"""NLTK's averaged perceptron tagger, from whichever of its two releases is at hand."""

import hashlib
import io
import json
import pickle
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import nltk.data
from nltk.tag.perceptron import PerceptronTagger
from tqdm import tqdm

from mgsl.data import sources
from mgsl.data.text import tokenize
from mgsl.errors import UserError
from mgsl.files import sha256, write_text
from mgsl.queries import TaggedTokens

_RESOURCE = "taggers/averaged_perceptron_tagger_eng"
_PICKLE = "averaged_perceptron_tagger/averaged_perceptron_tagger.pickle"


def tag_sentences(sentences: Iterable[str], archive: Path) -> dict[str, TaggedTokens]:
    """Tokenise and tag sentences, or look up what came of it before.

    The cache keeps the outcome under a digest of the sentences, the tagger's files and the version
    of NLTK, in whose hands tokenizer and tagger are.

    Args:
        sentences: in any order; each is tagged once.
        archive: the tagger, as `load_tagger` wants it.

    Returns:
        The (token, Penn tag) pairs of each sentence.

    Raises:
        UserError: there is no tagger, or it cannot be read.
    """
    distinct = sorted(set(sentences))
    place = sources.cache_folder() / "tags" / f"{_cache_key(distinct, archive)}.json"
    if place.is_file():
        pairs = json.loads(place.read_text(encoding="utf-8"))
    else:
        tagger = load_tagger(archive)
        progress = tqdm(distinct, desc="tagging", unit="sentence", disable=None, leave=False)
        pairs = [tagger.tag(tokenize(sentence)) for sentence in progress]
        write_text(place, json.dumps(pairs, ensure_ascii=False))
    tagged = (tuple((token, tag) for token, tag in sentence) for sentence in pairs)
    return dict(zip(distinct, tagged, strict=True))


def load_tagger(archive: Path) -> PerceptronTagger:
    """The English tagger: the archive's where there is one, else what NLTK finds in its own paths.

    The archive comes first, so that a machine with other NLTK data gives the same tags.

    Args:
        archive: averaged_perceptron_tagger.zip, the release that holds a pickle.

    Raises:
        UserError: neither is there, or the archive holds something else than a tagger.
    """
    read = _read_release if archive.exists() else _read_installed
    weights, tagdict, classes = read(archive)
    tagger = PerceptronTagger(load=False)
    tagger.model.weights, tagger.tagdict = weights, tagdict
    tagger.classes = tagger.model.classes = set(classes)
    return tagger


def _cache_key(sentences: Sequence[str], archive: Path) -> str:
    files = [archive] if archive.exists() else sorted(_installed().glob("*.json"))
    parts = [nltk.__version__, *map(sha256, files), *sentences]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _TablesOnly(pickle.Unpickler):
    """An unpickler that builds dictionaries, lists and sets, and calls nothing else."""

    _ADMITTED: ClassVar[dict[tuple[str, str], type]] = {
        ("__builtin__", "set"): set,  # as Python 2 named it
        ("builtins", "set"): set,
        ("collections", "defaultdict"): defaultdict,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Admit a container, refuse anything that could run code."""
        if (module, name) not in self._ADMITTED:
            raise pickle.UnpicklingError(f"{module}.{name} is no table")
        return self._ADMITTED[module, name]


def _read_release(archive: Path) -> tuple[dict, dict, Iterable[str]]:
    try:
        with zipfile.ZipFile(archive) as release:
            content = release.read(_PICKLE)
        weights, tagdict, classes = _TablesOnly(io.BytesIO(content)).load()
    except (zipfile.BadZipFile, KeyError, pickle.UnpicklingError, ValueError, EOFError) as error:
        raise UserError(
            f"{archive} is not NLTK's averaged_perceptron_tagger.zip ({error}): "
            "delete it and run `python -m mgsl download`"
        ) from None
    return weights, tagdict, classes


def _installed() -> Path:
    """Where NLTK has its current release of the tagger."""
    try:
        return Path(str(nltk.data.find(_RESOURCE)))
    except LookupError:
        raise UserError(
            f"no part-of-speech tagger: no published archive is at hand and no NLTK path has "
            f"{_RESOURCE}; run `python -m mgsl download`"
        ) from None


def _read_installed(archive: Path) -> tuple[dict, dict, Iterable[str]]:
    folder = _installed()
    weights, tagdict, classes = (
        json.loads((folder / f"{folder.name}.{part}.json").read_text(encoding="utf-8"))
        for part in ("weights", "tagdict", "classes")
    )
    return weights, tagdict, classes
