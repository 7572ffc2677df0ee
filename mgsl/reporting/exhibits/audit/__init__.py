"""The audit of the paper's printed numbers: by arithmetic, by source, and as one page."""
