"""The report as a site: running notebooks, exhibit pages, the front page."""
