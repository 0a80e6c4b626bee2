"""Templates are read as CloudFormation reads them."""

from typing import Any

import pytest
from tests.sandbox.template import (
    Attributes,
    Template,
    TemplateError,
    UnresolvedReferenceError,
    UnsupportedTemplateError,
)


def template(**sections: Any) -> Template:
    return Template(
        {"Resources": {}, **sections},
        parameters={},
        pseudo_parameters={"AWS::Region": "eu-west-1"},
        read_secret=lambda reference: f"<{reference.secret} {reference.json_key} {reference.version}>",
    )


PARAMETERS = {
    "Colour": {"Type": "String", "Default": "red"},
    "Count": {"Type": "Number", "Default": 3},
    "Flag": {"Type": "String", "Default": False},
}
CONDITIONS = {
    "IsRed": {"Fn::Equals": [{"Ref": "Colour"}, "red"]},
    "IsFour": {"Fn::Equals": [{"Ref": "Count"}, 4]},
    "IsNotFour": {"Fn::Not": [{"Condition": "IsFour"}]},
    "Both": {"Fn::And": [{"Condition": "IsRed"}, {"Condition": "IsFour"}]},
    "Either": {"Fn::Or": [{"Condition": "IsRed"}, {"Condition": "IsFour"}]},
}
MAPPINGS = {"Hosts": {"red": {"Url": "https://red"}}}


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("plain", "plain"),
        ({"Ref": "Colour"}, "red"),
        ({"Ref": "Count"}, "3"),
        ({"Ref": "Flag"}, "false"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Ref": "Queue"}, "queue-url"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "queue-arn"),
        ({"Fn::GetAtt": "Queue.Arn"}, "queue-arn"),
        ({"Fn::Sub": "${Colour}-${Queue}-${Queue.Arn}-${AWS::Region}-${!Literal}"}, None),
        ({"Fn::Sub": ["${Own}/${Colour}", {"Own": {"Ref": "Count"}}]}, "3/red"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Colour"}, 1]]}, "a-red-1"),
        ({"Fn::If": ["IsRed", {"Ref": "Colour"}, {"Ref": "Nothing"}]}, "red"),
        ({"Fn::If": ["Both", "both", {"Fn::If": ["Either", "either", "none"]}]}, "either"),
        ({"a": {"Fn::If": ["IsNotFour", {"Ref": "AWS::NoValue"}, 1]}, "b": [{"Ref": "AWS::NoValue"}, 2]}, {"b": [2]}),
        ({"Fn::FindInMap": ["Hosts", {"Ref": "Colour"}, "Url"]}, "https://red"),
        ("{{resolve:secretsmanager:name:SecretString:key}}", "<name key >"),
        (
            "x{{resolve:secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-c:SecretString}}",
            "x<arn:aws:secretsmanager:eu-west-1:123456789012:secret:a/b-c  >",
        ),
        ("{{resolve:secretsmanager:name:SecretString:::v1}}", "<name  v1>"),
        ("{{resolve:secretsmanager:name:SecretString:::}}", "<name  >"),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": "false"}}),
    ],
)
def test_intrinsic_functions(value: Any, resolved: Any) -> None:
    """Each function gives what CloudFormation gives; a branch that is not taken is not resolved."""
    attributes = Attributes()
    attributes.add("Queue", "queue-url", {"Arn": "queue-arn"})
    read = template(Parameters=PARAMETERS, Conditions=CONDITIONS, Mappings=MAPPINGS)
    expected = "red-queue-url-queue-arn-eu-west-1-${Literal}" if resolved is None else resolved
    assert read.resolve(value, attributes) == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"Ref": "Nothing"}, UnresolvedReferenceError),
        ({"Fn::GetAtt": ["Nothing", "Arn"]}, UnresolvedReferenceError),
        ({"Fn::Sub": "${Nothing}"}, UnresolvedReferenceError),
        ({"Fn::Sub": "${Nothing.Arn}"}, UnresolvedReferenceError),
        ({"Fn::FindInMap": ["Hosts", "blue", "Url"]}, UnresolvedReferenceError),
        ({"Fn::If": ["Nothing", 1, 2]}, UnresolvedReferenceError),
        ({"Fn::Select": [0, ["a"]]}, UnsupportedTemplateError),
        ("{{resolve:ssm:name}}", UnsupportedTemplateError),
        ({"Ref": "Colour", "Fn::Sub": "x"}, TemplateError),
        ({"Fn::Join": ["-", [{"a": 1}]]}, TemplateError),
    ],
)
def test_what_cannot_be_resolved_raises(value: Any, error: type[Exception]) -> None:
    """Nothing that cannot be resolved is left as text."""
    with pytest.raises(error):
        template(Parameters=PARAMETERS, Conditions=CONDITIONS, Mappings=MAPPINGS).resolve(value, Attributes())


def test_resources_are_created_after_what_they_refer_to() -> None:
    """References in any function, and DependsOn, give the order; a circle has none."""
    queue = {"Type": "Queue", "DependsOn": "Topic"}
    alarm = {"Type": "Alarm", "Properties": {"Name": {"Fn::Sub": ["${A}", {"A": {"Ref": "Queue"}}]}}}
    ordered = template(Resources={"Alarm": alarm, "Queue": queue, "Topic": {"Type": "Topic"}})
    assert ordered.creation_order() == ["Topic", "Queue", "Alarm"]
    circle = {"Alarm": alarm, "Queue": {"Type": "Queue", "DependsOn": "Alarm"}}
    with pytest.raises(TemplateError, match="Circular"):
        template(Resources=circle).creation_order()


@pytest.mark.parametrize(
    "sections",
    [
        {"Rules": {}},
        {"Parameters": {"A": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "x"}}},
        {"Parameters": {"A": {"Type": "String", "Default": "x", "Colour": "red"}}},
    ],
)
def test_sections_and_parameters_that_are_not_known_are_refused(sections: dict[str, Any]) -> None:
    """A part of a template that would have no effect here is named."""
    with pytest.raises(UnsupportedTemplateError):
        template(**sections)


def test_a_parameter_needs_a_value() -> None:
    """A parameter without a default has to be given."""
    with pytest.raises(TemplateError, match="must have a value"):
        template(Parameters={"A": {"Type": "String"}})
