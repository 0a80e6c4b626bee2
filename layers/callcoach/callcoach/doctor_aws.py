"""What AWS says about a deployed stack: its state, its mail, its limits, and what waits."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from callcoach.doctor import Check, Look
from callcoach.pause import COST_CAP, month_of
from callcoach.pricing import price_list
from callcoach.queues import waiting
from callcoach.samconfig import command_about
from callcoach.stack import Stack
from callcoach.state import State
from callcoach.status import spending_line, spending_of
from callcoach.subscriptions import PENDING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

_TOPICS = {
    "ScorecardsTopic": ("scorecards", "NotificationEmail", ""),
    "OperationsTopic": ("alarms", "OperationsEmail", " --operations"),
}
_DEAD_LETTER_QUEUES = ("RecordingsDlq", "CallbacksDlq")
# Of AWS's own parts; a stack in any other of them was left half done.
_AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
_ROLLED_BACK = ("UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")


# From here on, as the alarm has it, the cap is near.
_NEARLY = 0.8
_RAISE_CAP = "Raise MonthlyCostCapUsd by a deployment."


class AwsDoctor:
    """Looks at one stack. client: makes the client of an AWS service."""

    def __init__(self, stack: Stack, state: State, client: Callable[[str], Any]) -> None:
        self._stack = stack
        self._state = state
        self._client = client

    def looks(self) -> Mapping[str, Look]:
        """Return all there is to look at, by what it is called."""
        return {
            "AWS account": self._account,
            "stack": self._stack_status,
            "recordings bucket": self._recordings_bucket,
            "subscriptions": self._subscriptions,
            "reports": self._reports,
            "concurrency": self._concurrency,
            "dead-letter queues": self._dead_letters,
            "pause": self._pause,
            "cost cap": self._cost_cap,
            "alarms": self._alarms,
        }

    def _command(self, words: str) -> str:
        return command_about(self._stack.name, self._client("sqs").meta.region_name, words)

    def _account(self) -> Iterator[Check]:
        sts = self._client("sts")
        caller = sts.get_caller_identity()
        yield Check("AWS account", "ok", f"{caller['Account']}, {sts.meta.region_name}, as {caller['Arn']}")

    def _stack_status(self) -> Iterator[Check]:
        (described,) = self._client("cloudformation").describe_stacks(StackName=self._stack.name)["Stacks"]
        status = str(described["StackStatus"])
        found = f"{self._stack.name}: {status}"
        if status in _AT_REST:
            yield Check("stack", "ok", found)
        elif status in _ROLLED_BACK:
            yield Check("stack", "warning", found, "The last deployment was undone. Its events say why; deploy again.")
        elif status.endswith("_IN_PROGRESS"):
            yield Check("stack", "warning", found, "A deployment is under way. Look again when it has ended.")
        else:
            yield Check("stack", "problem", found, "Look at the stack's events in CloudFormation, and deploy again.")

    def _recordings_bucket(self) -> Iterator[Check]:
        s3: S3Client = self._client("s3")
        bucket, name = self._stack.recordings_bucket, "recordings bucket"
        try:
            # S3 has no word for us-east-1.
            region = s3.get_bucket_location(Bucket=bucket).get("LocationConstraint") or "us-east-1"
        except s3.exceptions.NoSuchBucket:
            yield Check(name, "problem", f"there is no {bucket}", "Make it, or name another as RecordingsBucketName.")
            return
        if region != s3.meta.region_name:
            told = f"{bucket} lies in {region}, the stack in {s3.meta.region_name}"
            yield Check(name, "problem", told, "Use a bucket of the stack's region: its events reach no other.")
        elif self._stack.owns_recordings_bucket:
            yield Check(name, "ok", f"{bucket}, made by the stack")
        elif "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket):
            yield Check(name, "ok", f"{bucket}, which tells EventBridge of what is dropped")
        else:
            told = f"{bucket} tells EventBridge of nothing, so nothing is submitted"
            yield Check(name, "problem", told, "Switch on Amazon EventBridge in the bucket's properties.")

    def _subscriptions(self) -> Iterator[Check]:
        sns: SNSClient = self._client("sns")
        for topic, (what, parameter, option) in _TOPICS.items():
            pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=self._stack.resources[topic])
            subscriptions = [row for page in pages for row in page["Subscriptions"]]
            pending = [row["Endpoint"] for row in subscriptions if row["SubscriptionArn"] in PENDING]
            if pending:
                yield Check(
                    f"who gets {what}",
                    "problem",
                    f"not confirmed: {', '.join(sorted(pending))}",
                    f"{self._command('subscribe --confirm LINK')}, with the link of AWS's message (look into spam too);"
                    f" after two days it is void: {self._command(f'subscribe ADDRESS{option}')}",
                )
            elif not subscriptions:
                advice = f"Set {parameter}, or {self._command(f'subscribe ADDRESS{option}')}"
                yield Check(f"who gets {what}", "warning", "nobody", advice)
            else:
                yield Check(f"who gets {what}", "ok", f"{len(subscriptions)} confirmed")

    def _reports(self) -> Iterator[Check]:
        sender, recipients = self._stack.parameters["ReportSender"], self._stack.report_recipients
        if not sender and not recipients:
            return
        if not sender or not recipients:
            missing = "ReportRecipients" if sender else "ReportSender"
            yield Check("reports", "warning", f"not mailed: there are no {missing}", f"Set {missing}, or neither.")
            return
        client = self._client("sesv2")
        verified = next((name for name in _identities(sender) if self._is_verified(client, name)), None)
        if verified:
            yield Check("report sender", "ok", f"{verified} is verified")
        else:
            advice = f"Verify {sender} or its domain in SES in this region; until then no report is mailed."
            yield Check("report sender", "problem", f"{sender} is not verified", advice)
        account = client.get_account()
        if not account["SendingEnabled"]:
            advice = "See in SES why AWS has stopped it; until then no report is mailed."
            yield Check("report mail", "problem", "sending is paused", advice)
        elif account["ProductionAccessEnabled"]:
            yield Check("report mail", "ok", f"to {len(recipients)}, from an account that writes to everybody")
        else:
            advice = "Request production access in SES: until then it writes to verified addresses alone."
            yield Check("report mail", "problem", "the account is in SES's sandbox", advice)

    @staticmethod
    def _is_verified(client: Any, identity: str) -> bool:  # noqa: ANN401 - there are no types for sesv2 here
        try:
            found = client.get_email_identity(EmailIdentity=identity)
        except client.exceptions.NotFoundException:
            return False
        return bool(found["VerifiedForSendingStatus"])

    def _concurrency(self) -> Iterator[Check]:
        limits = self._client("lambda").get_account_settings()["AccountLimit"]
        free = int(limits["UnreservedConcurrentExecutions"])
        wanted = 2 * int(self._stack.parameters["MaximumConcurrency"])
        found = f"both functions may take {wanted} of the {free} invocations at once that this account has"
        if wanted > free:
            advice = (
                f"Ask AWS for a higher quota, or set MaximumConcurrency to {max(free // 2, 2)}: others are throttled."
            )
            yield Check("concurrency", "warning", found, advice)
        else:
            yield Check("concurrency", "ok", found)

    def _dead_letters(self) -> Iterator[Check]:
        sqs: SQSClient = self._client("sqs")
        for queue, waits in waiting(sqs, {name: self._stack.queue_urls[name] for name in _DEAD_LETTER_QUEUES}).items():
            count = waits.visible + waits.hidden
            if count:
                lists = self._command("redrive --dry-run")
                advice = f"{lists} lists them; mend what made them fail, and redrive them."
                yield Check(queue, "problem", f"{count} given up", advice)
            else:
                yield Check(queue, "ok", "empty")

    def _pause(self) -> Iterator[Check]:
        pause = self._state.look("").pause
        if pause is None:
            yield Check("pause", "ok", "none")
            return
        since = f"{datetime.fromtimestamp(pause.since_at, UTC):%Y-%m-%d %H:%M} UTC"
        found = f"by {pause.by} since {since}{pause.reason and ': '}{pause.reason}"
        resume = self._command("resume")
        if pause.by == "operator":
            yield Check("pause", "warning", found, f"{resume} lets everything go on.")
        elif pause.by == COST_CAP:
            advice = f"{_RAISE_CAP} {resume} waives it for this month, after which this ends by itself."
            yield Check("pause", "problem", found, advice)
        else:
            yield Check("pause", "problem", found, "See that AssemblyAI accepts the account; it then ends by itself.")

    def _cost_cap(self) -> Iterator[Check]:
        name, cap_usd = "cost cap", self._stack.monthly_cost_cap_usd
        if not cap_usd:
            yield Check(name, "ok", "none")
            return
        prices = price_list()
        known = {price.id for price in prices.speech_model} | {price.id for price in prices.coach_model}
        unknown = sorted({*self._stack.speech_models, *self._stack.coach_models} - known)
        if unknown:
            told = f"what {', '.join(unknown)} costs is not in the list of {prices.date}, and is not counted"
            yield Check(name, "warning", told, "Add its price to prices.toml, and deploy again.")
        month = month_of(time.time())
        spending = spending_of(self._stack, month, self._state.look("", month).spent)
        if spending and not spending.is_waived and spending.spent_usd >= _NEARLY * cap_usd:
            yield Check(name, "warning", spending_line(spending), _RAISE_CAP)
        elif spending:
            yield Check(name, "ok", spending_line(spending))

    def _alarms(self) -> Iterator[Check]:
        wanted = {name: logical for logical, name in self._stack.resources.items() if logical.endswith("Alarm")}
        answer = self._client("cloudwatch").describe_alarms(AlarmNames=sorted(wanted))
        states = {wanted[alarm["AlarmName"]]: alarm for alarm in answer["MetricAlarms"]}
        for name in sorted(wanted.values()):
            if name not in states:
                yield Check(name, "warning", "deleted", "Deploy the stack again, so that it is made anew.")
            elif states[name]["StateValue"] == "ALARM":
                yield Check(name, "problem", "in alarm", f"{states[name].get('AlarmDescription', '')}.")
            else:
                yield Check(name, "ok", states[name]["StateValue"].replace("_", " ").lower())


def _identities(address: str) -> Iterator[str]:
    """Yield what may be verified for SES to send from an address: that, its domain, and the domains above it."""
    yield address
    labels = address.partition("@")[2].split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])
