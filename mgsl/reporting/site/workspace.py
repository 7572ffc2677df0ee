"""Where a notebook works: the repository's root, wherever it was opened."""

import os
from pathlib import Path

from mgsl import paths
from mgsl.errors import UserError


def enter() -> None:
    """Make the repository's root the working folder, from there or from any folder below it.

    Raises:
        UserError: no folder from here upwards holds params.yaml.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / paths.PARAMS).is_file():
            os.chdir(folder)
            return
    raise UserError(f"{here} is not inside the repository: no {paths.PARAMS} from here upwards")
