"""Lambda entry point of SubmitFunction: RecordingsQueue -> AssemblyAI -> submissions/ and the watchdog message."""

import os
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from callcoach.assemblyai import AssemblyAI
from callcoach.aws_clients import AWS_CONFIG, S3_CONFIG
from callcoach.environment import read_settings
from callcoach.failures import Failures
from callcoach.idempotency import Once
from callcoach.notifications import Notifications
from callcoach.observability import count_request, logger, metrics
from callcoach.operators import Operators
from callcoach.pause import Pauses
from callcoach.queue import Queue
from callcoach.secrets import Secrets
from callcoach.state import State
from callcoach.storage import Documents, Recordings
from callcoach.work import Worker
from submit.settings import Settings
from submit.submission import Submitter


@cache
def worker() -> Worker:
    """Wire everything that outlives an invocation."""
    settings = read_settings(Settings, os.environ)
    session = boto3.session.Session()
    s3, sqs, sns = (
        session.client("s3", config=S3_CONFIG),
        session.client("sqs", config=AWS_CONFIG),
        session.client("sns", config=AWS_CONFIG),
    )
    dynamodb = session.client("dynamodb", config=AWS_CONFIG)
    secrets = Secrets(session.client("secretsmanager", config=AWS_CONFIG))
    documents = Documents(s3, settings.scorecards_bucket_name)
    state = State(dynamodb, settings.state_table_name)
    operations = Notifications(sns, settings.operations_topic_arn)
    submitter = Submitter(
        settings,
        recordings=Recordings(s3),
        documents=documents,
        failures=Failures(documents, Notifications(sns, settings.scorecards_topic_arn)),
        callbacks=Queue(sqs, settings.callbacks_queue_url),
        state=state,
        operators=Operators(state, operations),
        assemblyai=lambda: AssemblyAI(
            partial(secrets.key, settings.assemblyai_secret_name),
            settings.assemblyai_api_url,
            observe=count_request,
        ),
        webhook_key=lambda: secrets.key(settings.webhook_secret_arn),
        once=partial(Once, name="submit", client=dynamodb, table_name=settings.state_table_name),
    )
    queue = Queue(sqs, settings.recordings_queue_url, settings.recordings_dlq_url)
    return Worker(
        submitter, queue=queue, state=state, pauses=Pauses(state, operations, "submit", settings.monthly_cost_cap_usd)
    )


# Lambda gives the start of a process a whole processor; to import this module elsewhere needs no environment.
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    worker()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Submit the recordings that an event of RecordingsQueue announces (events/recording_dropped.json)."""
    return worker().work_through(event, context)
