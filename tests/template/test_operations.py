"""What operators are shown and woken by exists: metrics that are sent, lines that have these fields, pages to read."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.template import parse

ROOT = Path(__file__).parents[2]
TEMPLATE: dict[str, Any] = parse((ROOT / "template.yaml").read_text("utf-8"))
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]
DOCUMENT = (ROOT / "OPERATIONS.md").read_text("utf-8")

# Where the code of each service is; the layer's is of both.
CODE = {"submit": ROOT / "functions" / "submit", "scorecard": ROOT / "functions" / "scorecard"}
LAYER = ROOT / "layers" / "callcoach" / "callcoach"
FUNCTIONS = {"submit": "SubmitFunction", "scorecard": "ScorecardFunction"}
NAMESPACE = "callcoach/${AWS::StackName}"

# Those of AWS's own metrics that are watched, and what they are of.
AWS_METRICS = {
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ("QueueName", "AWS::SQS::Queue"),
    ("AWS/Lambda", "Errors"): ("FunctionName", "AWS::Serverless::Function"),
    ("AWS/Lambda", "Throttles"): ("FunctionName", "AWS::Serverless::Function"),
    ("AWS/Lambda", "Duration"): ("FunctionName", "AWS::Serverless::Function"),
}
# How each type of resource is named in a dimension.
NAMES = {"AWS::SQS::Queue": "${%s.QueueName}", "AWS::Serverless::Function": "${%s}"}

Metric = tuple[str, str, str, str]


def of_type(kind: str) -> dict[str, Any]:
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == f"AWS::{kind}"}


ALARMS = of_type("CloudWatch::Alarm")
QUERIES = of_type("Logs::QueryDefinition")
(DASHBOARD,) = of_type("CloudWatch::Dashboard").values()


def text(value: Any) -> str:
    """A value of the template as Fn::Sub writes it."""
    match value:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": said}:
            return str(said)
    return str(value)


def metric_of(properties: dict[str, Any]) -> Metric:
    (dimension,) = properties["Dimensions"]
    return text(properties["Namespace"]), properties["MetricName"], dimension["Name"], text(dimension["Value"])


def alarm_metrics(alarm: dict[str, Any]) -> list[Metric]:
    if "MetricName" in alarm:
        return [metric_of(alarm)]
    return [metric_of(part["MetricStat"]["Metric"]) for part in alarm["Metrics"] if "MetricStat" in part]


def dashboard_metrics() -> list[Metric]:
    rows = [row for widget in json.loads(text(DASHBOARD["DashboardBody"]))["widgets"] for row in widgets_rows(widget)]
    return [(row[0], row[1], row[2], row[3]) for row in rows if isinstance(row[0], str)]


def widgets_rows(widget: dict[str, Any]) -> Iterator[list[Any]]:
    yield from widget["properties"]["metrics"]


def sent_by(folder: Path) -> set[str]:
    """The names of the metrics that code sends."""
    code = "".join(file.read_text("utf-8") for file in folder.glob("*.py"))
    names = set(re.findall(r'\bcount(?:_seconds|_percent)?\(\s*"(\w+)"', code))
    if "count(_OUTCOMES[" in code:
        names |= set(re.findall(r'"(Calls\w+)"', code))
    endpoints = {*re.findall(r'\): "(\w+)",\n', code), "Transcript"} if 'count(f"{endpoint}Errors")' in code else set()
    return names | {f"{endpoint}{what}" for endpoint in endpoints for what in ("Seconds", "Errors")}


SENT = {service: sent_by(folder) | sent_by(LAYER) for service, folder in CODE.items()}


@pytest.mark.parametrize(
    "metric", sorted({*dashboard_metrics(), *(m for a in ALARMS.values() for m in alarm_metrics(a))})
)
def test_each_metric_is_sent_by_the_code_or_by_aws(metric: Metric) -> None:
    """With its dimension: the service that sends it, or the resource of this stack that it is of."""
    namespace, name, dimension, value = metric
    if namespace == NAMESPACE:
        assert dimension == "service"
        assert name in SENT[value]
        return
    wanted_dimension, kind = AWS_METRICS[namespace, name]
    assert dimension == wanted_dimension
    assert value in {NAMES[kind] % resource for resource, about in RESOURCES.items() if about["Type"] == kind}


def test_the_functions_send_metrics_as_the_services_that_are_watched() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]

    assert text(variables["POWERTOOLS_METRICS_NAMESPACE"]) == NAMESPACE
    for service, function in FUNCTIONS.items():
        own = RESOURCES[function]["Properties"]["Environment"]["Variables"]
        assert own["POWERTOOLS_SERVICE_NAME"] == service


def test_every_metric_that_is_sent_is_known_to_this_test() -> None:
    """The search through the code finds them all."""
    assert {"CallsComplete", "EndToEndSeconds", "ChatErrors", "TranscriptSeconds", "CallsFailed"} <= SENT["scorecard"]
    assert {"SubmitSeconds", "RecordingsSubmitted", "MessagesPaused"} <= SENT["submit"]
    assert "EndToEndSeconds" not in SENT["submit"]


def test_dashboard_widgets_do_not_cover_each_other() -> None:
    widgets = json.loads(text(DASHBOARD["DashboardBody"]))["widgets"]
    taken = [
        (x, y)
        for widget in widgets
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]

    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24
    # AWS shows three dashboards for nothing, of fifty metrics each.
    assert len(dashboard_metrics()) <= 50


def anchors() -> set[str]:
    """What the headings of OPERATIONS.md are called in links."""
    headings = re.findall(r"^#+ (.+)$", DOCUMENT, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_tells_operators_and_ends_with_its_page(name: str) -> None:
    alarm = ALARMS[name]
    said, _, page = alarm["AlarmDescription"].rpartition(" OPERATIONS.md#")

    assert said.endswith(".")
    assert page in anchors()
    assert alarm["AlarmActions"] == [{"Ref": "OperationsTopic"}]
    # What a month has cost does not change while nobody looks.
    assert alarm["TreatMissingData"] == ("ignore" if name == "CostCapAlarm" else "notBreaching")
    assert name.endswith("Alarm"), "doctor finds alarms by that"


def test_every_page_of_an_alarm_is_of_one() -> None:
    section = re.split(r"^## ", DOCUMENT, flags=re.MULTILINE)
    (alarms,) = [part for part in section if part.startswith("Alarms\n")]
    pages = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", alarms, re.MULTILINE)}

    assert pages == {alarm["AlarmDescription"].rpartition("#")[2] for alarm in ALARMS.values()}


@pytest.mark.parametrize("name", ALARMS)
def test_a_formula_is_of_metrics_that_the_alarm_names(name: str) -> None:
    parts = ALARMS[name].get("Metrics", [])
    ids = [part["Id"] for part in parts]

    assert len(ids) == len(set(ids))
    assert [part["Id"] for part in parts if part.get("ReturnData", True)] == (["value"] if parts else [])
    for part in parts:
        named = set(re.findall(r"\b[a-z]\w*", part.get("Expression", "")))
        assert named <= set(ids) - {part["Id"]}


def test_queries_are_about_the_log_groups_of_the_functions() -> None:
    groups = {text(group) for query in QUERIES.values() for group in query["LogGroupNames"]}

    assert len(QUERIES) == 5
    assert groups == {f"${{{group}}}" for group in of_type("Logs::LogGroup")}
    assert all(text(query["Name"]).startswith("${AWS::StackName}/") for query in QUERIES.values())
