"""Lambda entry point of ScorecardFunction: CallbacksQueue -> scorecard, report and e-mail."""

import os
from functools import cache, partial
from typing import TYPE_CHECKING, Any

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
from callcoach.spending import Spending
from callcoach.state import State
from callcoach.storage import Documents
from callcoach.work import Worker
from scorecard.pipeline import Scorer
from scorecard.settings import Settings

if TYPE_CHECKING:
    from scorecard.report_mail import ReportMail


@cache
def worker() -> Worker:
    """Wire everything that outlives an invocation."""
    settings = read_settings(Settings, os.environ)
    session = boto3.session.Session()
    sqs, sns, dynamodb = (
        session.client("sqs", config=AWS_CONFIG),
        session.client("sns", config=AWS_CONFIG),
        session.client("dynamodb", config=AWS_CONFIG),
    )
    secrets = Secrets(session.client("secretsmanager", config=AWS_CONFIG))
    documents = Documents(session.client("s3", config=S3_CONFIG), settings.scorecards_bucket_name)
    notifications = Notifications(sns, settings.scorecards_topic_arn)
    state = State(dynamodb, settings.state_table_name)
    operations = Notifications(sns, settings.operations_topic_arn)
    scorer = Scorer(
        settings,
        documents=documents,
        notifications=notifications,
        failures=Failures(documents, notifications),
        recordings_queue=Queue(sqs, settings.recordings_queue_url),
        state=state,
        spending=Spending(state, settings.monthly_cost_cap_usd),
        operators=Operators(state, operations),
        assemblyai=lambda: AssemblyAI(
            partial(secrets.key, settings.assemblyai_secret_name),
            settings.assemblyai_api_url,
            settings.llm_gateway_url,
            observe=count_request,
        ),
        report_mail=_report_mail(session, settings),
        once=partial(Once, name="scorecard", client=dynamodb, table_name=settings.state_table_name),
    )
    queue = Queue(sqs, settings.callbacks_queue_url, settings.callbacks_dlq_url)
    return Worker(
        scorer, queue=queue, state=state, pauses=Pauses(state, operations, "scorecard", settings.monthly_cost_cap_usd)
    )


def _report_mail(session: boto3.session.Session, settings: Settings) -> "ReportMail | None":
    if not settings.report_sender:
        return None
    from scorecard.report_mail import ReportMail  # noqa: PLC0415 - a stack that mails no reports does without

    client = session.client("sesv2", config=AWS_CONFIG)
    return ReportMail(client, settings.report_sender, settings.report_recipients)


# Lambda gives the start of a process a whole processor; to import this module elsewhere needs no environment.
if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    worker()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Score the calls that an event of CallbacksQueue is about (events/callback_completed.json)."""
    return worker().work_through(event, context)
