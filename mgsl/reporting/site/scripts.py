"""The scripts of the pages, beside them on the disk: tables that sort, and the browser of queries.

`static/datatables.min.js` is js/dataTables.min.js of datatables.net 3.1.5, as published, under the
MIT licence that stands beside it. One file of 124 kB serves all pages. (itables has the same
library, with all extensions of it, as a module of 619 kB; a module cannot be loaded from a file, so
each page would have to hold it.)
"""

from pathlib import Path

from mgsl import paths
from mgsl.files import write_text

STATIC = Path(__file__).parent / "static"


def place() -> None:
    """Copy the scripts, and the licence of those of other people, to reports/scripts."""
    for path in sorted(STATIC.iterdir()):
        copy, text = paths.SCRIPTS / path.name, path.read_text(encoding="utf-8")
        if not copy.is_file() or copy.read_text(encoding="utf-8") != text:
            write_text(copy, text)
