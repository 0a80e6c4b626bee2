"""CloudFormation: where a deployed stack keeps its things."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class Hosts(msgspec.Struct, frozen=True):
    """Where AssemblyAI answers in one of its regions."""

    api_url: str
    gateway_url: str


# As the template's mapping.
HOSTS = {
    "us": Hosts("https://api.assemblyai.com", "https://llm-gateway.assemblyai.com"),
    "eu": Hosts("https://api.eu.assemblyai.com", "https://llm-gateway.eu.assemblyai.com"),
}

_QUEUES = ("RecordingsQueue", "RecordingsDlq", "CallbacksQueue", "CallbacksDlq")

# What outlives the stack, as the template's deletion policies say.
RETAINED = ("RecordingsBucket", "ScorecardsBucket")


class StackNotFound(LookupError):
    """There is no such stack in this account and region, or it is another application's."""


class Stack(msgspec.Struct, frozen=True):
    """A deployed stack. parameters, outputs: by name; resources: physical ids by logical id."""

    name: str
    parameters: dict[str, str]
    outputs: dict[str, str]
    resources: dict[str, str]

    @property
    def recordings_bucket(self) -> str:
        """Where recordings are dropped, be it the stack's bucket or one that was there before."""
        return self.outputs["RecordingsBucketName"]

    @property
    def owns_recordings_bucket(self) -> bool:
        """Whether the stack has made that bucket, so that recordings are deleted there in time."""
        return not self.parameters["RecordingsBucketName"]

    @property
    def recordings_prefix(self) -> str:
        """What the keys of all recordings begin with."""
        return self.parameters["RecordingsPrefix"]

    @property
    def scorecards_bucket(self) -> str:
        """Where the documents about calls lie."""
        return self.resources["ScorecardsBucket"]

    @property
    def state_table(self) -> str:
        """The name of the state table."""
        return self.resources["StateTable"]

    @property
    def queue_urls(self) -> dict[str, str]:
        """The addresses of both queues, each before its dead-letter queue, by logical id."""
        return {queue: self.resources[queue] for queue in _QUEUES}

    @property
    def report_recipients(self) -> list[str]:
        """Who gets reports by SES, if there is a sender."""
        return [address for address in self.parameters["ReportRecipients"].split(",") if address]

    @property
    def assemblyai_url(self) -> str:
        """Where AssemblyAI's API is for this stack."""
        return self.parameters["AssemblyAIEndpointUrl"] or HOSTS[self.parameters["AssemblyAIRegion"]].api_url

    @property
    def speech_models(self) -> list[str]:
        """The speech models that are asked for, the first first."""
        return self.parameters["SpeechModels"].split(",")

    @property
    def coach_models(self) -> list[str]:
        """The models that coach, the first first."""
        return [model for model in (self.parameters["CoachModel"], self.parameters["CoachFallbackModel"]) if model]

    @property
    def monthly_cost_cap_usd(self) -> float:
        """What a month may cost by list prices; 0 for whatever it does."""
        return float(self.parameters["MonthlyCostCapUsd"])

    @property
    def assemblyai_secret(self) -> str:
        """The name of the secret with AssemblyAI's key."""
        return self.parameters["AssemblyAISecretName"]


class Standing(msgspec.Struct, frozen=True):
    """What CloudFormation knows under a name, of whatever application. status: "" where nothing is deployed."""

    status: str = ""
    parameters: dict[str, str] = {}
    changed_at: datetime | None = None


def standing(client: "CloudFormationClient", name: str) -> Standing:
    """Return what is deployed under a name."""
    try:
        (described,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as fault:
        if fault.response["Error"]["Code"] == "ValidationError":
            return Standing()
        raise
    # Only a change set that nobody has executed.
    if described["StackStatus"] == "REVIEW_IN_PROGRESS":
        return Standing()
    return Standing(
        status=described["StackStatus"],
        parameters={item["ParameterKey"]: item["ParameterValue"] for item in described.get("Parameters", [])},
        changed_at=described.get("LastUpdatedTime", described["CreationTime"]),
    )


def find_stack(client: "CloudFormationClient", name: str) -> Stack:
    """Return the stack of that name. Raises StackNotFound."""
    try:
        (described,) = client.describe_stacks(StackName=name)["Stacks"]
        resources = client.describe_stack_resources(StackName=name)["StackResources"]
    except ClientError as fault:
        if fault.response["Error"]["Code"] == "ValidationError":
            raise StackNotFound(f"there is no stack {name} in {client.meta.region_name}") from None
        raise
    stack = Stack(
        name=name,
        parameters={item["ParameterKey"]: item["ParameterValue"] for item in described.get("Parameters", [])},
        outputs={item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])},
        resources={item["LogicalResourceId"]: item.get("PhysicalResourceId", "") for item in resources},
    )
    if not {"StateTable", "ScorecardsBucket", *_QUEUES} <= stack.resources.keys() or not stack.outputs:
        raise StackNotFound(f"the stack {name} in {client.meta.region_name} is not one of callcoach, or not complete")
    return stack
