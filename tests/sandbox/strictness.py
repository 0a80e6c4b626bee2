"""Refusals that AWS makes and moto does not.

Each function has one subject. Those in `REFUSALS` see every call before moto does; the others are asked where their
subject comes up. Signatures, permissions and the events that S3 sends are the business of their own modules.
"""

import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from tests.sandbox.calls import AwsError, Call

MAXIMUM_OBJECT_KEY_BYTES = 1_024
MAXIMUM_SUBJECT_CHARACTERS = 100
MAXIMUM_NOTIFICATION_BYTES = 256 * 1_024
MAXIMUM_ENVIRONMENT_BYTES = 4 * 1_024
MAXIMUM_MESSAGE_ATTRIBUTES = 10

_MESSAGE_TEXT = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_SUBJECT = re.compile("[!-~][ -~]*")
_VARIABLE_NAME = re.compile("[a-zA-Z][a-zA-Z0-9_]+")
_RESERVED_VARIABLES = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}


def refuse_long_object_key(call: Call) -> None:
    """Refuse object keys over 1,024 bytes of UTF-8, however few characters they are."""
    if call.service == "s3" and len(call.parameters.get("Key", "").encode()) > MAXIMUM_OBJECT_KEY_BYTES:
        raise AwsError("KeyTooLongError", "Your key is too long")


def refuse_bad_subject(call: Call) -> None:
    """Refuse e-mail subjects that are not one line of at most 100 printable ASCII characters."""
    if call.service != "sns":
        return
    for name, value in call.parameters.items():
        if name.split(".")[-1] != "Subject":
            continue
        if not _SUBJECT.fullmatch(value) or len(value) > MAXIMUM_SUBJECT_CHARACTERS:
            raise AwsError("InvalidParameter", "Invalid parameter: Subject")


def refuse_large_notification(call: Call) -> None:
    """Refuse to publish more than 256 KiB, counted in bytes: the message, of all protocols, and its attributes."""
    if (call.service, call.operation) == ("sns", "Publish"):
        counted = [name for name in call.parameters if name == "Message" or name.startswith("MessageAttributes.")]
        if sum(len(call.parameters[name].encode()) for name in counted) > MAXIMUM_NOTIFICATION_BYTES:
            raise AwsError("InvalidParameter", "Invalid parameter: Message too long")


def refuse_bad_message_structure(call: Call) -> None:
    """Refuse a message for several protocols that is no JSON object of texts with one under default."""
    structure = call.parameters.get("MessageStructure")
    if (call.service, call.operation) != ("sns", "Publish") or structure is None:
        return
    reason = _fault_of_structure(structure, call.parameters.get("Message", ""))
    if reason:
        raise AwsError("InvalidParameter", f"Invalid parameter: Message Structure - {reason}")


def _fault_of_structure(structure: str, message: str) -> str:
    if structure != "json":
        return "the one structure is json"
    try:
        by_protocol = json.loads(message, object_pairs_hook=list)
    except ValueError:
        return "JSON message body failed to parse"
    if not isinstance(by_protocol, list) or not all(isinstance(pair, tuple) for pair in by_protocol):
        return "JSON message body failed to parse"
    names = [name for name, _ in by_protocol]
    if len(set(names)) < len(names):
        return "a protocol has two messages"
    if "default" not in names:
        return "No default entry in JSON message body"
    # Of another protocol SNS passes over what is no text, which nobody means.
    return "" if all(isinstance(text, str) for _, text in by_protocol) else "a message is no text"


def refuse_bad_message(call: Call) -> None:
    """Refuse queue messages with characters that XML cannot hold, or with more than ten attributes."""
    if call.service != "sqs":
        return
    for message in (call.parameters, *call.parameters.get("Entries", [])):
        if not _MESSAGE_TEXT.fullmatch(message.get("MessageBody", "")):
            raise AwsError("InvalidMessageContents", "Invalid characters were found in the message body.")
        if len(message.get("MessageAttributes", {})) > MAXIMUM_MESSAGE_ATTRIBUTES:
            raise AwsError("InvalidParameterValue", "Number of message attributes exceeds the limit: 10.")


REFUSALS: tuple[Callable[[Call], None], ...] = (
    refuse_long_object_key,
    refuse_bad_subject,
    refuse_large_notification,
    refuse_bad_message_structure,
    refuse_bad_message,
)


def refuse_to_tell_missing_from_forbidden(call: Call, status: int, *, may_list: Callable[[], bool]) -> None:
    """Answer 403, not 404, about an object that is not there to a caller who may not list the bucket."""
    is_read = call.service == "s3" and call.operation in ("GetObject", "HeadObject")
    if is_read and status == HTTPStatus.NOT_FOUND and not may_list():
        raise AwsError("AccessDenied", "Access Denied", 403)


def refuse_bad_environment(function: str, variables: Mapping[str, Any]) -> None:
    """Refuse a function's variables over 4 KB together, with a reserved or malformed name, or not a string."""
    for name, value in variables.items():
        if name in _RESERVED_VARIABLES or not _VARIABLE_NAME.fullmatch(name):
            raise AwsError("InvalidParameterValueException", f"{function}: the variable name {name} is not allowed")
        if not isinstance(value, str):
            raise AwsError("InvalidParameterValueException", f"{function}: the variable {name} is not a string")
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > MAXIMUM_ENVIRONMENT_BYTES:
        raise AwsError(
            "InvalidParameterValueException",
            f"{function}: the environment variables you have provided exceeded the 4KB limit",
        )
