"""What a person calls from the command line that is no stage of the pipeline."""
