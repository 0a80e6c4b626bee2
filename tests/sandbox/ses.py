"""SES as far as moto has none of it: who may be written from and to, the account's state, and what was sent."""

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr
from typing import Any, cast

from moto.ses.models import ses_backends
from tests.sandbox.calls import AwsError, render_error
from werkzeug.wrappers import Request, Response

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MAXIMUM_MESSAGE_BYTES = 40 * 1_024 * 1_024
MAXIMUM_RECIPIENTS = 50
MAXIMUM_LINE_BYTES = 998


@dataclass(frozen=True)
class SentMail:
    """An e-mail that SES took, as its recipients see it. attachments: by file name."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    attachments: Mapping[str, str]
    raw: bytes


class Ses:
    """A WSGI application in front of moto's, which answers and refuses what moto does not."""

    def __init__(self, moto: WsgiApplication, account_id: str, region: str) -> None:
        self._moto = moto
        self._account_id = account_id
        self._region = region
        # An account in SES's sandbox writes to verified addresses alone.
        self.has_production_access = True
        self.is_sending_enabled = True
        self.sent: list[SentMail] = []

    def verify(self, identity: str) -> None:
        """Let an address or a domain that was made known be verified, as if its owner had agreed."""
        self._identities[identity].verified_for_sending_status = True

    @property
    def _identities(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", ses_backends[self._account_id][self._region].email_identities)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        if "/ses/aws4_request" not in environ.get("HTTP_AUTHORIZATION", ""):
            return self._moto(environ, start_response)
        try:
            response = self._answer(request, environ)
        except AwsError as error:
            content_type, body = render_error(error, "json", "")
            response = Response(body, error.status, content_type=content_type)
        return response(environ, start_response)

    def _answer(self, request: Request, environ: dict[str, Any]) -> Response:
        match request.method, request.path:
            case "GET", "/v2/email/account":
                account = {
                    "ProductionAccessEnabled": self.has_production_access,
                    "SendingEnabled": self.is_sending_enabled,
                }
                return Response(json.dumps(account), content_type="application/json")
            case "POST", "/v2/email/outbound-emails":
                self.sent.append(self._accepted(json.loads(request.get_data())))
                return Response(json.dumps({"MessageId": str(uuid.uuid4())}), content_type="application/json")
        return Response.from_app(self._moto, environ, buffered=True)

    def _accepted(self, asked: Mapping[str, Any]) -> SentMail:
        """Return the e-mail. Raises AwsError as SES does."""
        raw = base64.b64decode(asked["Content"]["Raw"]["Data"])
        recipients = [
            address for kind in ("To", "Cc", "Bcc") for address in asked["Destination"].get(f"{kind}Addresses", [])
        ]
        mail = _read(recipients, raw)
        if not self.is_sending_enabled:
            raise AwsError("SendingPausedException", "Sending is paused for this account.")
        if len(asked["Content"]["Raw"]["Data"]) > MAXIMUM_MESSAGE_BYTES:
            raise AwsError("BadRequestException", "Message length is more than 41943040 bytes long")
        if len(recipients) > MAXIMUM_RECIPIENTS or not recipients:
            raise AwsError("MessageRejected", "Recipient count exceeds 50.")
        if not raw.isascii() or any(len(line) > MAXIMUM_LINE_BYTES for line in re.split(b"\r?\n", raw)):
            raise AwsError("BadRequestException", "A line of the message is too long, or not in ASCII")
        checked = [asked["FromEmailAddress"], mail.sender, *([] if self.has_production_access else recipients)]
        failed = [address for address in dict.fromkeys(checked) if not self._is_verified(address)]
        if failed:
            said = f"The following identities failed the check in region {self._region.upper()}: {', '.join(failed)}"
            raise AwsError("MessageRejected", f"Email address is not verified. {said}")
        return mail

    def _is_verified(self, address: str) -> bool:
        plain = parseaddr(address)[1]
        labels = plain.rpartition("@")[2].split(".")
        # A domain's own domains are verified with it.
        names = [plain, *(".".join(labels[start:]) for start in range(len(labels)))]
        return any(self._identities[name].verified_for_sending_status for name in names if name in self._identities)


def _read(recipients: Sequence[str], raw: bytes) -> SentMail:
    message = BytesParser(EmailMessage, policy=policy.default).parsebytes(raw)
    body = message.get_body(("plain",))
    if message["From"] is None or body is None:
        raise AwsError("BadRequestException", "The message has no sender, or no text")
    return SentMail(
        sender=parseaddr(str(message["From"]))[1],
        recipients=tuple(recipients),
        subject=str(message["Subject"]),
        text=body.get_content(),
        attachments={str(part.get_filename()): part.get_content() for part in message.iter_attachments()},
        raw=raw,
    )
