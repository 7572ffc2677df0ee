"""The report as a site: running notebooks, exhibit pages, the front page."""

import sys

# jsonschema, which nbformat loads, would load a grammar of web addresses for seconds; with it or
# without, it says the same of a notebook.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
