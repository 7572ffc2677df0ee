"""NLTK's averaged perceptron tagger, from whichever of its two releases is at hand."""

import io
import json
import pickle
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import nltk.data
from nltk.tag.perceptron import PerceptronTagger

from mgsl.errors import UserError

_RESOURCE = "taggers/averaged_perceptron_tagger_eng"
_PICKLE = "averaged_perceptron_tagger/averaged_perceptron_tagger.pickle"


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


def _read_installed(archive: Path) -> tuple[dict, dict, Iterable[str]]:
    try:
        folder = Path(str(nltk.data.find(_RESOURCE)))
    except LookupError:
        raise UserError(
            f"no part-of-speech tagger: {archive} is missing and no NLTK path has {_RESOURCE}; "
            "run `python -m mgsl download`"
        ) from None
    weights, tagdict, classes = (
        json.loads((folder / f"{folder.name}.{part}.json").read_text(encoding="utf-8"))
        for part in ("weights", "tagdict", "classes")
    )
    return weights, tagdict, classes
