"""Lambda entry point of SubmitFunction: RecordingsQueue -> AssemblyAI -> submissions/ and the watchdog message."""

import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from callcoach.assemblyai import AssemblyAI
from callcoach.documents import Failure
from callcoach.environment import read_settings
from callcoach.errors import PermanentError
from callcoach.failures import Failures
from callcoach.idempotency import Once, Outcome
from callcoach.notifications import Notifications
from callcoach.observability import logger, metrics
from callcoach.queue import Message, Queue, work_through
from callcoach.secrets import Secrets
from callcoach.storage import S3_CONFIG, Documents, Recordings
from submit.recording import DroppedObject, is_folder, read_event
from submit.settings import Settings
from submit.submission import Submitter


class Wiring:
    """Everything that outlives an invocation: clients, and the work on one message."""

    def __init__(self, settings: Settings) -> None:
        session = boto3.session.Session()
        s3, sqs = session.client("s3", config=S3_CONFIG), session.client("sqs")
        secrets = Secrets(session.client("secretsmanager"))
        documents = Documents(s3, settings.scorecards_bucket_name)
        self.recordings_queue = Queue(sqs, settings.recordings_queue_url)
        self._failures = Failures(documents, Notifications(session.client("sns"), settings.scorecards_topic_arn))
        self._submitter = Submitter(
            settings,
            recordings=Recordings(s3),
            documents=documents,
            callbacks=Queue(sqs, settings.callbacks_queue_url),
            assemblyai=lambda: AssemblyAI(secrets.key(settings.assemblyai_secret_name), settings.assemblyai_api_url),
            webhook_key=lambda: secrets.key(settings.webhook_secret_arn),
        )
        self._submit_once = Once(
            self._submit, name="submit", client=session.client("dynamodb"), table_name=settings.state_table_name
        )

    def work(self, message: Message, context: LambdaContext) -> None:
        """Submit the recording that a message announces, once for each time that it was dropped."""
        dropped = read_event(message.body)
        if is_folder(dropped):
            return
        identity = {"bucket": dropped.bucket, "key": dropped.key, "sequencer": dropped.sequencer}
        redelivered = message.receive_count > 1
        self._submit_once(context=context, identity=identity, dropped=dropped, redelivered=redelivered)

    def _submit(self, *, identity: dict[str, str], dropped: DroppedObject, redelivered: bool) -> Outcome:
        try:
            return self._submitter.submit(dropped, redelivered=redelivered)
        except PermanentError as fault:
            logger.error("cannot be submitted", reason=fault.reason, sequencer=identity["sequencer"])
            self._failures.record(
                Failure(
                    recording=dropped.key,
                    stage="submit",
                    reason=fault.reason,
                    detail=fault.detail,
                    next_step=fault.next_step,
                    retryable=fault.retryable,
                    etag=dropped.etag,
                )
            )
            return {"outcome": "failed", "reason": fault.reason}


@cache
def wiring() -> Wiring:
    """Build the wiring on first use, so that importing this module needs no environment."""
    return Wiring(read_settings(Settings, os.environ))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Submit the recordings that an event of RecordingsQueue announces (events/recording_dropped.json)."""
    wired = wiring()
    return work_through(event, wired.recordings_queue, lambda message: wired.work(message, context))
