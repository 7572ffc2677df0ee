"""The embedded dataset, generated: its words, its long tail, its videos and sentences."""
