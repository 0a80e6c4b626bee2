"""One logger and one set of metrics for both functions.

A log line is a constant sentence with fields. What was said in a call, keys, tokens and links never reach it.
"""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()


def count(name: str) -> None:
    """Add one to a metric."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
