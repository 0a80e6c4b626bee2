"""Create a template's resources, in order, as CloudFormation would: every one, with every property, or not at all."""

import secrets
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sandbox.account import Account, Credentials
from tests.sandbox.calls import AwsError
from tests.sandbox.template import Attributes, Template, TemplateError


class DeploymentError(Exception):
    """AWS would refuse to create a resource of the stack."""


class UnsupportedResourceError(TemplateError):
    """The sandbox cannot create a resource of this type, or does not know one of its properties."""


class Properties(Mapping[str, Any]):
    """Resolved properties that know which of them have been read, nested ones included."""

    def __init__(self, path: str, values: Mapping[str, Any]) -> None:
        self._path = path
        self._values = values
        self._unread = set(values)
        self._nested: dict[str, Properties] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise TemplateError(f"{self._path} has no {name}")
        self._unread.discard(name)
        return self._wrap(f"{self._path}.{name}", self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self._values else default

    def document(self, name: str) -> Any:
        """Read a property whole, as the free-form document that it is."""
        if name not in self._values:
            raise TemplateError(f"{self._path} has no {name}")
        self._unread.discard(name)
        return self._values[name]

    def without_effect(self, *names: str) -> None:
        """Accept properties that change nothing in the sandbox."""
        self._unread.difference_update(names)

    def unread(self) -> list[str]:
        """Name what has not been read."""
        names = [f"{self._path}.{name}" for name in sorted(self._unread)]
        return names + [name for nested in self._nested.values() for name in nested.unread()]

    def _wrap(self, path: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._wrap(f"{path}[{index}]", item) for index, item in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        return self._nested.setdefault(path, Properties(path, value))


@dataclass(frozen=True)
class Created:
    """A resource that exists: what Ref gives, and what GetAtt gives."""

    physical_id: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FunctionSettings:
    """A Lambda function as deployed."""

    logical_id: str
    name: str
    arn: str
    handler: str
    runtime: str
    code: Path
    layers: tuple[Path, ...]
    variables: Mapping[str, str]
    role_arn: str
    credentials: Credentials
    timeout_seconds: int
    memory_mb: int
    log_group: str


@dataclass(frozen=True)
class QueueSource:
    """An event source mapping from a queue to a function."""

    queue_arn: str
    function_name: str
    batch_size: int
    maximum_concurrency: int
    reports_batch_item_failures: bool


@dataclass
class UsagePlan:
    """Which API keys open which stages, and how often."""

    stages: frozenset[tuple[str, str]]
    rate_per_second: float | None
    burst: int | None
    key_ids: list[str] = field(default_factory=list)


@dataclass
class RestApi:
    """An API Gateway REST API and its deployments."""

    api_id: str
    definition: Mapping[str, Any]
    stages: list[str] = field(default_factory=list)


@dataclass
class Deployment:
    """A stack in the making, and when it is made."""

    account: Account
    stack_name: str
    artifacts: Mapping[str, Path]
    parameters: dict[str, str] = field(default_factory=dict)
    resources: Attributes = field(default_factory=Attributes)
    types: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    functions: dict[str, FunctionSettings] = field(default_factory=dict)
    queue_sources: list[QueueSource] = field(default_factory=list)
    layers: dict[str, Path] = field(default_factory=dict)
    apis: dict[str, RestApi] = field(default_factory=dict)
    deployments: dict[str, str] = field(default_factory=dict)
    api_keys: dict[str, str] = field(default_factory=dict)
    usage_plans: dict[str, UsagePlan] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.account.client(service)
        return self._clients[service]

    def physical_name(self, logical_id: str) -> str:
        """Make a name as CloudFormation does for a resource without one."""
        return f"{self.stack_name}-{logical_id}-{random_id(12)}"

    def arn(self, service: str, resource: str) -> str:
        account = self.account
        return f"arn:{account.partition}:{service}:{account.region}:{account.account_id}:{resource}"

    def create(self, template: Template, creators: Mapping[str, Callable[..., Created]]) -> None:
        """Create every resource, then the outputs.

        Raises UnsupportedResourceError for a type or property that the sandbox does not know, before anything runs
        on it, and DeploymentError with the reason that AWS would give.
        """
        template.check()
        self.parameters = template.parameters
        self.types = {logical_id: resource.type for logical_id, resource in template.resources.items()}
        unknown = {resource.type for resource in template.resources.values()} - creators.keys()
        if unknown:
            raise UnsupportedResourceError(f"Resource types: {', '.join(sorted(unknown))}")
        for logical_id in template.creation_order():
            properties = Properties(logical_id, template.properties(logical_id, self.resources))
            try:
                created = creators[template.resources[logical_id].type](self, logical_id, properties)
            except AwsError as error:
                raise DeploymentError(f"{logical_id}: {error}") from error
            if unread := properties.unread():
                raise UnsupportedResourceError(f"Properties: {', '.join(unread)}")
            self.resources.add(logical_id, created.physical_id, created.attributes)
        self.outputs = template.outputs(self.resources)

    def update(
        self,
        before: Template,
        after: Template,
        updaters: Mapping[tuple[str, str], "Updater"],
        *,
        with_secrets: Template,
    ) -> None:
        """Change what differs between two templates, of the same resources, as CloudFormation would.

        with_secrets: `after`, with the values of secrets where the others have their references.
        Raises UnsupportedResourceError for a difference that the sandbox cannot make happen.
        """
        if before.resources.keys() != after.resources.keys():
            raise UnsupportedResourceError("An update that creates or deletes resources")
        for logical_id in after.creation_order():
            old, new = (template.properties(logical_id, self.resources) for template in (before, after))
            resource_type = after.resources[logical_id].type
            for name in [name for name in {**old, **new} if old.get(name) != new.get(name)]:
                if (resource_type, name) not in updaters:
                    raise UnsupportedResourceError(f"An update of {logical_id}.{name}")
                deployed = with_secrets.properties(logical_id, self.resources)
                updaters[resource_type, name](self, logical_id, Properties(logical_id, deployed))
        self.parameters = after.parameters


Updater = Callable[[Deployment, str, Properties], None]


def random_id(length: int) -> str:
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))
