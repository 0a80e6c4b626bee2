"""What the commands of operators read from a deployed stack is in the template, under the same names."""

from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.template import parse

from callcoach.stack import RETAINED, Stack
from callcoach.template import faults, read_parameters

TEMPLATE: dict[str, Any] = parse((Path(__file__).parents[2] / "template.yaml").read_text("utf-8"))
MAPPED = TEMPLATE["Mappings"]["AssemblyAI"]


def stack(**parameters: str) -> Stack:
    """A stack of the template, whose resources are called as there."""
    defaults = {name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()}
    return Stack(
        name="callcoach",
        parameters=defaults | parameters,
        outputs={name: name for name in TEMPLATE["Outputs"]},
        resources={name: name for name in TEMPLATE["Resources"]},
    )


@pytest.mark.parametrize("region", MAPPED)
def test_assemblyai_is_where_the_functions_reach_it(region: str) -> None:
    assert stack(AssemblyAIRegion=region).assemblyai_url == MAPPED[region]["ApiUrl"]
    assert (
        stack(AssemblyAIRegion=region, AssemblyAIEndpointUrl="https://a.example").assemblyai_url == "https://a.example"
    )


def test_every_queue_of_the_template_is_looked_through() -> None:
    queues = {name for name, resource in TEMPLATE["Resources"].items() if resource["Type"] == "AWS::SQS::Queue"}

    assert set(stack().queue_urls) == queues


def test_what_outlives_the_stack_is_known() -> None:
    """The command destroy says so; everything else goes, the state table with it."""
    kept = {
        name
        for name, resource in TEMPLATE["Resources"].items()
        if str(resource.get("DeletionPolicy", "Delete")).startswith("Retain")
    }

    assert set(RETAINED) == kept


def test_every_parameter_is_known_and_takes_its_default() -> None:
    parameters = read_parameters(Path(__file__).parents[2] / "template.yaml")
    defaults = {name: parameter.default for name, parameter in parameters.items()}

    assert defaults == {name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()}
    assert faults(parameters, defaults) == []


def test_resources_outputs_and_parameters_have_the_template_s_names() -> None:
    deployed = stack()

    assert deployed.recordings_bucket == "RecordingsBucketName"
    assert deployed.scorecards_bucket == "ScorecardsBucket"
    assert deployed.state_table == "StateTable"
    assert deployed.assemblyai_secret == TEMPLATE["Parameters"]["AssemblyAISecretName"]["Default"]
    assert deployed.parameters["LogRetentionDays"] == "30"
