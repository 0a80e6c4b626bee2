"""Lambda entry point of ScorecardFunction: CallbacksQueue -> scorecard, report and e-mail."""

import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from callcoach.assemblyai import AssemblyAI
from callcoach.documents import Failure
from callcoach.environment import read_settings
from callcoach.failures import Failures
from callcoach.idempotency import Once, Outcome
from callcoach.notifications import Notifications
from callcoach.observability import logger, metrics
from callcoach.queue import Message, Queue, work_through
from callcoach.secrets import Secrets
from callcoach.storage import S3_CONFIG, Documents
from scorecard.callback import Callback, read_callback
from scorecard.pipeline import CallFailed, Scorer
from scorecard.settings import Settings


class Wiring:
    """Everything that outlives an invocation: clients, and the work on one message."""

    def __init__(self, settings: Settings) -> None:
        session = boto3.session.Session()
        secrets = Secrets(session.client("secretsmanager"))
        documents = Documents(session.client("s3", config=S3_CONFIG), settings.scorecards_bucket_name)
        notifications = Notifications(session.client("sns"), settings.scorecards_topic_arn)
        self.callbacks_queue = Queue(session.client("sqs"), settings.callbacks_queue_url)
        self._failures = Failures(documents, notifications)
        self._scorer = Scorer(
            settings,
            documents=documents,
            notifications=notifications,
            assemblyai=lambda: AssemblyAI(
                secrets.key(settings.assemblyai_secret_name), settings.assemblyai_api_url, settings.llm_gateway_url
            ),
        )
        self._score_once = Once(
            self._score, name="scorecard", client=session.client("dynamodb"), table_name=settings.state_table_name
        )

    def work(self, message: Message, context: LambdaContext) -> None:
        """Score the call that a message is about, once for each transcript."""
        callback = read_callback(message.body)
        identity = {"transcript_id": callback.transcript_id}
        redelivered = message.receive_count > 1
        self._score_once(context=context, identity=identity, callback=callback, redelivered=redelivered)

    def _score(self, *, identity: dict[str, str], callback: Callback, redelivered: bool) -> Outcome:
        try:
            return self._scorer.score(callback, redelivered=redelivered)
        except CallFailed as failed:
            fault = failed.fault
            logger.error("cannot be scored", reason=fault.reason, transcript_id=identity["transcript_id"])
            self._failures.record(
                Failure(
                    recording=failed.submission.recording,
                    stage="transcribe",
                    reason=fault.reason,
                    detail=fault.detail,
                    next_step=fault.next_step,
                    retryable=fault.retryable,
                    transcript_id=callback.transcript_id,
                    etag=failed.submission.etag,
                ),
                failed.submission.call,
            )
            return {"outcome": "failed", "reason": fault.reason}


@cache
def wiring() -> Wiring:
    """Build the wiring on first use, so that importing this module needs no environment."""
    return Wiring(read_settings(Settings, os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Score the calls that an event of CallbacksQueue is about (events/callback_completed.json)."""
    wired = wiring()
    return work_through(event, wired.callbacks_queue, lambda message: wired.work(message, context))
