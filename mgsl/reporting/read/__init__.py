"""What a report is made of: printed numbers, evaluated runs, studies, traces. It draws nothing."""
