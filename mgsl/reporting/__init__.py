"""Tables, figures and pages; the paper's numbers beside ours."""
