"""The report as a site: running notebooks, exhibit pages, the front page."""

import sys

# jsonschema, which nbformat loads, would load a grammar of web addresses for seconds. It can do
# without (the grammar is an extra of its), and a notebook has no address that it would check.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
