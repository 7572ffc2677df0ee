"""The paper's claims: what they state, how each is tested, a figure and a table of the verdicts."""
