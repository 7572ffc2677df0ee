"""What each page of the report shows: one module for each notebook, of the same name."""
