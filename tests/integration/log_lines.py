"""What the functions have written: the lines of their logger, and their metrics."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from tests.sandbox.cloud import Cloud

FUNCTIONS = ("SubmitFunction", "ScorecardFunction")

_QUERY_WORDS = {"and", "as", "asc", "bin", "by", "count", "d", "desc", "fields", "filter", "in", "ispresent", "like"}
_QUERY_WORDS |= {"limit", "or", "sort", "stats", "sum"}


def log_lines(cloud: Cloud) -> list[dict[str, Any]]:
    """Return every line of the logger."""
    return [line for line in _documents(cloud) if "level" in line and "_aws" not in line]


def metric_values(cloud: Cloud) -> Mapping[tuple[str, str, str], list[float]]:
    """Return the values of each metric by its namespace, its name and the service that is its dimension."""
    found = defaultdict[tuple[str, str, str], list[float]](list)
    for line in _documents(cloud):
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Dimensions"] == [["service"]]
            for metric in directive["Metrics"]:
                found[directive["Namespace"], metric["Name"], line["service"]] += line[metric["Name"]]
    return found


def metric_units(cloud: Cloud) -> dict[str, str]:
    """Return the unit of each metric."""
    return {
        metric["Name"]: metric["Unit"]
        for line in _documents(cloud)
        for directive in line.get("_aws", {}).get("CloudWatchMetrics", [])
        for metric in directive["Metrics"]
    }


def _documents(cloud: Cloud) -> Iterator[dict[str, Any]]:
    for function in FUNCTIONS:
        for line in cloud.logs(function).splitlines():
            if line.startswith("{"):
                yield json.loads(line)


def queried_fields(query: str) -> set[str]:
    """Return the fields of log lines that a query of CloudWatch Logs Insights uses; its own names are none of them."""
    bare = re.sub(r'"[^"]*"|/(?:[^/\n]*[A-Za-z][^/\n]*)/', "", query)
    named = set(re.findall(r"\bas (\w+)", bare))
    words = set(re.findall(r"@?[A-Za-z_]\w*", bare))
    return {word for word in words - named - _QUERY_WORDS if not word.startswith("@")}
