"""CloudFormation, as far as reading goes: what was deployed, and where. moto's own knows nothing of it."""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, SubElement, tostring

from tests.sandbox.calls import AwsError, render_error
from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from tests.sandbox.deployment import Deployment

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
# What an XML element holds: text, elements by name, or a list of members.
Content = str | Mapping[str, Any] | Sequence[Any]

_NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
_STATUS = "CREATE_COMPLETE"


class CloudFormation:
    """A WSGI application in front of moto's, which answers CloudFormation's calls and passes on all others."""

    def __init__(self, moto: WsgiApplication) -> None:
        self.stacks: dict[str, Deployment] = {}
        self._moto = moto
        self._created = datetime.now(UTC).isoformat(timespec="seconds")
        self._operations: Mapping[str, Callable[[Deployment], Content]] = {
            "DescribeStacks": self._describe_stacks,
            "DescribeStackResources": self._describe_stack_resources,
        }

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "/cloudformation/aws4_request" not in environ.get("HTTP_AUTHORIZATION", ""):
            return self._moto(environ, start_response)
        form = Request(environ).form
        request_id = str(uuid.uuid4())
        try:
            body = self._answer(form.get("Action", ""), form.get("StackName", ""), request_id)
        except AwsError as error:
            content_type, body = render_error(error, "query", request_id)
            return Response(body, error.status, content_type=content_type)(environ, start_response)
        return Response(body, content_type="text/xml")(environ, start_response)

    def _answer(self, operation: str, stack_name: str, request_id: str) -> bytes:
        if operation not in self._operations:
            raise AwsError("InvalidAction", f"The sandbox does not know {operation}")
        if stack_name not in self.stacks:
            raise AwsError("ValidationError", f"Stack with id {stack_name} does not exist")
        root = Element(f"{operation}Response", xmlns=_NAMESPACE)
        _fill(SubElement(root, f"{operation}Result"), self._operations[operation](self.stacks[stack_name]))
        _fill(SubElement(root, "ResponseMetadata"), {"RequestId": request_id})
        return tostring(root)

    def _describe_stacks(self, deployment: "Deployment") -> Content:
        pairs = (
            ("Parameter", deployment.parameters),
            ("Output", deployment.outputs),
        )
        described = {
            f"{kind}s": [{f"{kind}Key": name, f"{kind}Value": value} for name, value in values.items()]
            for kind, values in pairs
        }
        return {"Stacks": [{**self._stack(deployment), "StackStatus": _STATUS, **described}]}

    def _describe_stack_resources(self, deployment: "Deployment") -> Content:
        return {
            "StackResources": [
                {
                    **self._stack(deployment),
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": physical_id,
                    "ResourceType": deployment.types[logical_id],
                    "ResourceStatus": _STATUS,
                    "Timestamp": self._created,
                }
                for logical_id, physical_id in deployment.resources.physical_ids.items()
            ]
        }

    def _stack(self, deployment: "Deployment") -> dict[str, str]:
        name = deployment.stack_name
        stack_id = deployment.arn("cloudformation", f"stack/{name}/{uuid.uuid5(uuid.NAMESPACE_DNS, name)}")
        return {"StackName": name, "StackId": stack_id, "CreationTime": self._created}


def _fill(element: Element, content: Content) -> None:
    if isinstance(content, str):
        element.text = content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            _fill(SubElement(element, name), value)
    else:
        for value in content:
            _fill(SubElement(element, "member"), value)
