"""The noise of training: what it hides, as a figure and as tables."""
