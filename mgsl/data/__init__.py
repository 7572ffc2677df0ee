"""From published annotations and features to padded batches."""
