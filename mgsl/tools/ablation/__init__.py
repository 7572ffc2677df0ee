"""One ablation tried beside the pipeline: what can be changed, its trainings, what came of it."""
