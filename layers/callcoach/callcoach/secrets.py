"""Keys from Secrets Manager, cached for five minutes so that a rotated one is taken up without a deployment."""

from typing import TYPE_CHECKING

import msgspec
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from callcoach.aws_faults import passing_fault
from callcoach.errors import SettingsError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

CACHE_SECONDS = 300


class _KeyDocument(msgspec.Struct):
    api_key: str


class Secrets:
    """Reads secrets that hold one key each."""

    def __init__(self, client: "SecretsManagerClient") -> None:
        self._provider = SecretsProvider(boto3_client=client)

    def key(self, secret_id: str, *, fresh: bool = False) -> str:
        """Return the key that the secret holds: its text, or the field api_key of its JSON.

        fresh: not from the cache, for a key that was refused may have been rotated.
        Raises AwsUnavailable when Secrets Manager fails, and SettingsError, which names the secret and never its
        content, when there is no such key.
        """
        try:
            value = self._provider.get(secret_id, max_age=CACHE_SECONDS, force_fetch=fresh)
        except GetParameterError as fault:
            cause = fault.__cause__ or fault.__context__ or fault
            if passing := passing_fault(cause):
                raise passing from None
            raise SettingsError(f"the secret {secret_id} cannot be read: {_said(cause)}") from None
        text = value.decode() if isinstance(value, bytes) else str(value or "")
        if text.lstrip().startswith("{"):
            try:
                key = msgspec.json.decode(text, type=_KeyDocument).api_key.strip()
            except msgspec.DecodeError:
                raise SettingsError(f"the secret {secret_id} is JSON without the text field api_key") from None
        else:
            key = text.strip()
        if not key:
            raise SettingsError(f"the secret {secret_id} is empty")
        return key


def _said(cause: BaseException) -> str:
    """Return AWS's code for a refusal: its message may hold more than a log should."""
    return cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__
