"""Which runs are compared throughout the reports, and by which metric.

The metrics and the groups of queries are those of `mgsl.evaluation.metrics`.
"""

from mgsl.evaluation.metrics import METRICS

METRIC = METRICS[0]  # where one number stands for a run
FULL = "mgsl_net"  # the repaired reading of the full model: what everything is compared with
LITERAL = "printed"  # the equations as they stand
WITHOUT = "attention_only"  # the same without its memory
