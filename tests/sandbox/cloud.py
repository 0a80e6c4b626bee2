"""The embedded cloud: a SAM template deployed to this machine, with everything that runs it."""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.sandbox.account import Account, Credentials
from tests.sandbox.calls import Call
from tests.sandbox.deployment import Deployment, FunctionSettings, QueueSource
from tests.sandbox.event_sources import QueuePoller
from tests.sandbox.gateway import Gateway
from tests.sandbox.guard import Fault
from tests.sandbox.interference import Answers, Decide, SideEffects, describe_call
from tests.sandbox.lambdas import Function, Invocations
from tests.sandbox.resources import CREATORS, UPDATERS, create_bucket, enable_eventbridge
from tests.sandbox.ses import Ses
from tests.sandbox.subscriptions import sent
from tests.sandbox.template import SecretReference, Template, read
from werkzeug.wrappers import Response

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_SECRETS = {"callcoach/assemblyai": "0123456789abcdef0123456789abcdef"}


@dataclass(frozen=True)
class Mail:
    """What SNS published to a topic. `recipients` are the e-mail addresses that got it.

    `message` is what they got, `for_machines` what everything else did.
    """

    topic: str
    subject: str | None
    message: str
    for_machines: str
    attributes: Mapping[str, str]
    recipients: tuple[str, ...]


@dataclass(frozen=True)
class QueuedMessage:
    """A message in a queue, seen without being received."""

    body: str
    receive_count: int
    state: Literal["visible", "delayed", "in flight"]
    attributes: Mapping[str, str]


class Cloud:
    """One deployed stack in an account. A process has at most one account at a time; processes do not meet.

    `with Cloud() as cloud:` deploys and starts everything; leaving the block stops it and forgets its state.
    """

    def __init__(
        self,
        template: Path = ROOT / "template.yaml",
        *,
        parameters: Mapping[str, str] | None = None,
        region: str = "eu-west-1",
        stack_name: str = "callcoach",
        secrets: Mapping[str, str] | None = None,
        existing_buckets: Sequence[str] = (),
        verified_identities: Sequence[str] = (),
        function_log: Path | None = None,
        edit: Callable[[dict[str, Any]], None] | None = None,
        python: str = sys.executable,
        invoke: bool = True,
        enforce_iam: bool = True,
        beside: "Cloud | None" = None,
    ) -> None:
        """Prepare; nothing runs before start().

        Args:
            template: A SAM template; CodeUri and ContentUri are folders relative to it.
            parameters: Of the stack, as strings.
            region: Of the account and the stack.
            stack_name: Begins the physical names.
            secrets: Names and values of Secrets Manager secrets that exist before the stack.
            existing_buckets: Buckets, with EventBridge on, that exist before the stack.
            verified_identities: Addresses and domains from which SES sends.
            function_log: Folder for the functions' output, one file each; a temporary one by default.
            edit: May change the parsed template before it is transformed.
            python: Interpreter of the functions.
            invoke: Whether queues feed functions. Without it messages stay where they are.
            enforce_iam: Whether the roles' policies are asked.
            beside: A running cloud, in whose account and region the stack is deployed too; secrets, existing_buckets,
                region and enforce_iam are that one's. It must be stopped before that one.
        """
        self._template = template
        self._parameters = parameters or {}
        self._secrets = DEFAULT_SECRETS if secrets is None else secrets
        self._existing_buckets = existing_buckets
        self._verified_identities = verified_identities
        self._log_folder = function_log
        self._edit = edit
        self._python = python
        self._invoke = invoke
        self._beside = beside
        self._account: Account = beside._account if beside else Account(region, enforce_iam=enforce_iam)
        self._stack_name = stack_name
        self._running = ExitStack()
        self._clients: dict[str, Any] = {}
        self._document: dict[str, Any] = {}
        self._deployment = Deployment(self._account, stack_name, {})
        self._functions: dict[str, Function] = {}
        self._gateways: list[Gateway] = []
        self._pollers: list[QueuePoller] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Deploy the template and run it.

        Raises TemplateError, UnsupportedResourceError or DeploymentError with the reason why it cannot be deployed.
        """
        self._document, artifacts = read(self._template, region=self.region, edit=self._edit)
        try:
            if self._beside is None:
                self._account.start()
                self._running.callback(self._account.stop)
                self._create_what_exists_before()
            self._deployment = self._deploy(artifacts)
            self._run()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Kill the functions, stop every server, forget all state. Safe to repeat."""
        self._running.close()
        self._clients.clear()

    def _create_what_exists_before(self) -> None:
        for name, value in self._secrets.items():
            self.client("secretsmanager").create_secret(Name=name, SecretString=value)
        for bucket in self._existing_buckets:
            create_bucket(self.client("s3"), bucket, self.region)
            enable_eventbridge(self.client("s3"), bucket)
        for identity in self._verified_identities:
            self.client("sesv2").create_email_identity(EmailIdentity=identity)
            self.ses.verify(identity)

    def _deploy(self, artifacts: Mapping[str, Path]) -> Deployment:
        deployment = Deployment(self._account, self._stack_name, artifacts)
        deployment.create(self._with(self._parameters, self._read_secret), CREATORS)
        stacks = self._account.cloudformation.stacks
        stacks[self._stack_name] = deployment
        self._running.callback(stacks.pop, self._stack_name)
        return deployment

    def _with(self, parameters: Mapping[str, str], read_secret: Callable[[SecretReference], str]) -> Template:
        account = self._account
        return Template(
            self._document,
            parameters=parameters,
            pseudo_parameters={
                "AWS::AccountId": account.account_id,
                "AWS::Partition": account.partition,
                "AWS::Region": account.region,
                "AWS::StackName": self._stack_name,
                "AWS::URLSuffix": "amazonaws.com",
            },
            read_secret=read_secret,
        )

    def update(self, parameters: Mapping[str, str]) -> None:
        """Update the stack with some other parameters, as far as the sandbox can change what they change.

        As with CloudFormation, a secret's new value alone is no difference. Raises UnsupportedResourceError.
        """
        changed = {**self._parameters, **parameters}
        before, after = (self._with(given, _name_secret) for given in (self._parameters, changed))
        deployment = self._deployment
        deployment.update(before, after, UPDATERS, with_secrets=self._with(changed, self._read_secret))
        self._parameters = changed
        for gateway in self._gateways:
            gateway.take_keys(list(deployment.usage_plans.values()), deployment.api_keys)
        for logical_id, function in self._functions.items():
            if function.settings != deployment.functions[logical_id]:
                function.update(deployment.functions[logical_id])

    def _read_secret(self, reference: SecretReference) -> str:
        version = {"VersionId": reference.version} if reference.version else {}
        stage = {"VersionStage": reference.stage} if reference.stage else {}
        answer = self.client("secretsmanager").get_secret_value(SecretId=reference.secret, **version, **stage)
        value: str = answer["SecretString"]
        return str(json.loads(value)[reference.json_key]) if reference.json_key else value

    def _run(self) -> None:
        deployment = self._deployment
        folder = self._log_folder or Path(self._running.enter_context(tempfile.TemporaryDirectory(prefix="sandbox-")))
        folder.mkdir(parents=True, exist_ok=True)
        self._gateways = [
            Gateway(
                api,
                account=self._account,
                usage_plans=list(deployment.usage_plans.values()),
                api_keys=deployment.api_keys,
            )
            for api in deployment.apis.values()
        ]
        for gateway in self._gateways:
            gateway.start()
            self._running.callback(gateway.stop)
        self._functions = {
            logical_id: Function(
                settings,
                python=self._python,
                endpoint_url=self.endpoint_url,
                region=self.region,
                log=folder / f"{logical_id}.log",
            )
            for logical_id, settings in deployment.functions.items()
        }
        self._pollers = [self._poller(source) for source in deployment.queue_sources] if self._invoke else []
        for poller in self._pollers:
            poller.start()
            self._running.callback(poller.stop)
        for function in self._functions.values():
            self._running.callback(function.stop)

    def _poller(self, source: QueueSource) -> QueuePoller:
        function = next(item for item in self._functions.values() if item.settings.name == source.function_name)
        name = source.queue_arn.rsplit(":", 1)[-1]
        # Lambda has keys of its own for the function's role, so its calls are told from the function's.
        credentials = self._account.assume_role(
            function.settings.role_arn, "lambda.amazonaws.com", function.settings.name
        )
        return QueuePoller(
            source,
            function,
            queue=self._account.queue(name),
            url=f"{self.endpoint_url}/{self._account.account_id}/{name}",
            sqs=self.client("sqs", credentials),
            region=self.region,
        )

    # What was deployed.

    @property
    def region(self) -> str:
        return self._account.region

    @property
    def endpoint_url(self) -> str:
        """Where all AWS services of the account answer."""
        return self._account.endpoint_url

    @property
    def administrator(self) -> Credentials:
        return self._account.administrator

    @property
    def outputs(self) -> Mapping[str, str]:
        return self._deployment.outputs

    @property
    def resources(self) -> Mapping[str, str]:
        """The physical ids by logical id."""
        return self._deployment.resources.physical_ids

    @property
    def gateway_url(self) -> str:
        """Where the template's only API answers, as http://127.0.0.1:PORT; the stage comes first in the path."""
        (gateway,) = self._gateways
        return gateway.url

    @property
    def hosts(self) -> dict[str, str]:
        """The public host names of the stack's APIs and where they answer here, as a DNS for whoever calls back."""
        return {gateway.host: gateway.url for gateway in self._gateways}

    def environment(self, function: str) -> dict[str, str]:
        """Return the variables of a function as the template gives them, without those of Lambda itself."""
        return dict(self._deployment.functions[function].variables)

    # Who may do what.

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """Return a boto3 client: the administrator's, or one with the given credentials."""
        if credentials is not None:
            return self._account.client(service, credentials)
        if service not in self._clients:
            self._clients[service] = self._account.client(service)
        return self._clients[service]

    def function_credentials(self, function: str) -> Credentials:
        """Return the credentials of a function's role."""
        return self._deployment.functions[function].credentials

    def is_permitted(self, role: str, action: str, resource_arn: str) -> bool:
        """Ask whether a role of the stack may perform an action on a resource."""
        arn = self._deployment.resources.get(role, "Arn")
        return self._account.is_permitted(arn, (action, resource_arn))

    def used_permissions(self) -> Mapping[str, set[tuple[str, str]]]:
        """Return the actions that the stack's roles have used so far, each with its resource, by the role's logical id.

        Lambda's calls for a function's queue count, and the use of a link counts for the role that signed it.
        """
        used = self._account.used_permissions()
        return {role: used[name] for role, name in self.resources.items() if name in used}

    def permissions_used_by(self, role_name: str) -> set[tuple[str, str]]:
        """Return the same of a role beside the stack's, by its name."""
        return self._account.used_permissions().get(role_name, set())

    # What happened.

    def mails(self) -> list[Mail]:
        """List what was published to topics that somebody subscribes to by e-mail, oldest first."""
        return [mail for mail in self.publications() if mail.recipients]

    def publications(self) -> list[Mail]:
        """List what was published to any topic of the stack, topic by topic, oldest first."""
        logical_ids = {physical_id: logical_id for logical_id, physical_id in self.resources.items()}
        found = []
        for arn, topic in list(self._account.topics.items()):
            if arn not in logical_ids:
                continue
            for id_, _, subject, attributes, _ in list(topic.sent_notifications):
                values = {name: str(attribute.get("Value")) for name, attribute in (attributes or {}).items()}
                if said := sent(topic, id_):
                    by_mail, machines = said.by_mail, said.for_machines
                    found.append(Mail(logical_ids[arn], subject, by_mail, machines, values, said.recipients))
        return found

    def link_to_confirm(self, topic: str, address: str) -> str:
        """Return the link that AWS mails to an address that somebody has subscribed to a topic of the stack."""
        return self._account.link_to_confirm(self.resources[topic], address)

    @property
    def ses(self) -> Ses:
        """What SES has sent, and the state of the account there."""
        return self._account.ses

    def messages(self, queue: str) -> list[QueuedMessage]:
        """Look at the messages of a queue of the stack without receiving them."""
        return [
            QueuedMessage(
                message.body,
                message.approximate_receive_count,
                "delayed" if message.delayed else "visible" if message.visible else "in flight",
                {name: value["StringValue"] for name, value in message.message_attributes.items()},
            )
            for message in list(self._queue(queue)._messages)
        ]

    def queue_depth(self, queue: str) -> int:
        """Count the messages of a queue, the delayed and the hidden ones too."""
        return len(self.messages(queue))

    def make_visible(self, queue: str) -> None:
        """Let delays and visibility time-outs of the queue's messages be over, as if that time had passed."""
        for message in list(self._queue(queue)._messages):
            message.delayed_until = message.visible_at = 0.0

    def set_receive_count(self, queue: str, count: int) -> None:
        """Let the queue's messages have been received so often, as if those receives had come to nothing."""
        for message in list(self._queue(queue)._messages):
            message.approximate_receive_count = count

    def pass_time(self, seconds: float) -> None:
        """Let everything that waits in queues and tables have waited that much longer, see Account.pass_time.

        First it waits until no function works on a message: to others that run would seem to have overrun its time.
        """
        for poller in self._pollers:
            poller.hold()
        try:
            self._account.pass_time(seconds)
        finally:
            for poller in self._pollers:
                poller.go_on()

    def empty(self, queue: str) -> None:
        """Drop every message of a queue; unlike a purge, more than once a minute."""
        stored = self._queue(queue)
        stored.pending_messages.clear()
        stored._messages = []

    def _queue(self, queue: str) -> Any:
        return self._account.queue(self._deployment.resources.get(queue, "QueueName"))

    @property
    def invocations(self) -> Mapping[str, Invocations]:
        """How often each function ran and how it ended, by logical id."""
        return {logical_id: function.invocations for logical_id, function in self._functions.items()}

    @property
    def lost_events(self) -> Sequence[str]:
        """Events that no queue would take."""
        return self._account.eventbridge.lost_events

    def function_settings(self, function: str) -> FunctionSettings:
        """Return how a function is set up, by its logical id."""
        return self._functions[function].settings

    def invoke(self, function: str, event: Any) -> Any:
        """Run a function on an event and return its result. Raises InvocationError."""
        return self._functions[function].invoke(event)

    def logs(self, function: str) -> str:
        """Return everything a function has written so far, and Lambda about it."""
        log = self._functions[function].log
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def fault(
        self,
        service: str,
        operation: str = "*",
        *,
        status: int | None = 500,
        code: str = "InternalError",
        delay_seconds: float = 0.0,
    ) -> AbstractContextManager[None]:
        """Let calls to an AWS service be late, and fail with a status unless it is None, inside a `with` block."""
        return self._account.fault(Fault(service, operation, status, code, delay_seconds))

    @contextmanager
    def interfere(self, decide: Decide) -> Iterator[SideEffects]:
        """Decide what happens to each request that a function sends to AWS, inside a `with` block."""
        effects = SideEffects(decide, self.kill)
        with self.intercept(effects):
            yield effects

    def intercept(self, effects: SideEffects) -> AbstractContextManager[None]:
        """Let what the functions send to AWS be side effects, inside a `with` block."""
        functions = {item.credentials.access_key_id: name for name, item in self._deployment.functions.items()}
        logical_ids = {name.rsplit("/", 1)[-1]: logical_id for logical_id, name in self.resources.items()}
        recordings_bucket = self.outputs.get("RecordingsBucketName")

        def answer(call: Call, access_key_id: str, answers: Answers[Response]) -> Response:
            if access_key_id not in functions:
                return answers.carry_out()
            what = describe_call(call, logical_ids, recordings_bucket)
            return effects.intercept(functions[access_key_id], what, answers)

        return self._account.intercept(answer)

    def kill(self, function: str) -> None:
        """Kill the processes of a function that work on an event; the invocations end as crashes."""
        self._functions[function].kill_busy()

    def forget_warm(self) -> None:
        """Let the next event of each function find it cold."""
        for function in self._functions.values():
            function.forget_warm()

    @property
    def is_busy(self) -> bool:
        """Whether a function works on a message, or is about to be given one."""
        return any(poller.is_busy for poller in self._pollers)

    def wait_until(self, condition: Callable[[], Any], timeout_seconds: float = 10.0) -> Any:
        """Return the condition's first true value. Raises TimeoutError, with the functions' logs, if none comes."""
        deadline = time.monotonic() + timeout_seconds
        while not (value := condition()):
            if time.monotonic() > deadline:
                logs = "\n".join(f"{name}:\n{self.logs(name)}" for name in self._functions)
                raise TimeoutError(f"Not within {timeout_seconds} seconds.\n{logs}")
            time.sleep(0.02)
        return value


def _name_secret(reference: SecretReference) -> str:
    """Stand for a secret's value where only its reference counts."""
    return str(reference)
