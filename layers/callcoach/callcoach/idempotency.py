"""Doing a piece of work once, however often its message is delivered."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyAlreadyInProgressError

from callcoach.errors import InProgress

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_dynamodb import DynamoDBClient

# A callback may come a week late, a message may be redriven after fourteen days.
REMEMBER_SECONDS = 45 * 24 * 3600

# How soon to look again at work that another invocation has in hand.
IN_PROGRESS_SECONDS = 60.0

Outcome = dict[str, str]


class Once:
    """Runs work unless it ran to its end before, and then returns that outcome.

    Work that raises is forgotten, so the next delivery runs it. Work that was killed is repeated after the time it
    had left; until then a second delivery raises InProgress. Outcomes are kept in DynamoDB: ids only.
    """

    def __init__(self, work: Callable[..., Outcome], *, name: str, client: "DynamoDBClient", table_name: str) -> None:
        """Wrap work. Its keyword argument `identity`, a dict, decides what counts as the same piece of work."""
        self._config = IdempotencyConfig(expires_after_seconds=REMEMBER_SECONDS)
        self._run: Callable[..., Outcome] = idempotent_function(
            work,
            data_keyword_argument="identity",
            config=self._config,
            # One layer per configuration: a shared one would keep the first configuration it saw.
            persistence_store=DynamoDBPersistenceLayer(table_name=table_name, boto3_client=client),
            key_prefix=name,
        )

    def __call__(self, *, context: "LambdaContext", identity: dict[str, str], **arguments: object) -> Outcome:
        """Run the work for identity. Without the context a killed run could not be told from a running one."""
        self._config.register_lambda_context(context)
        try:
            return self._run(identity=identity, **arguments)
        except IdempotencyAlreadyInProgressError:
            raise InProgress("another invocation works on this", retry_after_seconds=IN_PROGRESS_SECONDS) from None
