"""Shape types are checked in every test; a test that needs the mirror is skipped without it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("mgsl", "beartype.beartype")
settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of the session's own, unless MGSL_CACHE names one."""
    with pytest.MonkeyPatch.context() as patch:
        if "MGSL_CACHE" not in os.environ:
            patch.setenv("MGSL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The offline mirror of the published annotations, vectors and tagger."""
    folder = os.environ.get("MGSL_MIRROR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MGSL_MIRROR does not point at a mirror of the published files")
    return Path(folder)


@pytest.fixture(autouse=True)
def _denormals() -> Iterator[None]:
    """Give denormal numbers back to the tests that follow one that trained."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
