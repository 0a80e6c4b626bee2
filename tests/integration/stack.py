"""The deployed stack beside the stand-in, as the tests of the functions use it."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.sandbox.assemblyai.server import AssemblyAI
from tests.sandbox.assemblyai.transcripts import Account
from tests.sandbox.cloud import Cloud, Mail
from tests.sandbox.event_sources import lambda_record

from callcoach.documents import Kind, document_key, encode_key

EVENTS = Path(__file__).parents[2] / "events"
CALLS = Path(__file__).parents[1] / "data" / "calls"
KEY = "an-assemblyai-key-of-the-tests"
SOUND = CALLS / "discovery_price_shock" / "recording.ogg"
# Parameters of a stack that mails reports.
REPORTS = {"ReportSender": "callcoach@example.com", "ReportRecipients": "manager@example.com,head@example.org"}
OTHER_SOUND = CALLS / "discovery_well_led" / "recording.ogg"

# Rates at which no call waits for its turn, here and at AssemblyAI.
UNHURRIED = Account(KEY, understanding_requests_per_minute=100_000, chat_requests_per_minute=100_000)
RATES = {"IdentificationsPerMinute": "100000", "CoachRequestsPerMinute": "100000"}

FUNCTIONS = {"RecordingsQueue": "SubmitFunction", "CallbacksQueue": "ScorecardFunction"}

QUEUES = ("RecordingsQueue", "RecordingsDlq", "CallbacksQueue", "CallbacksDlq")

# What a function answers when it is done with all that it was given.
DONE: dict[str, list[str]] = {"batchItemFailures": []}


class Stack:
    """What a test does to the stack and sees of it, by recording."""

    def __init__(self, cloud: Cloud, stand_in: AssemblyAI) -> None:
        self.cloud = cloud
        self.stand_in = stand_in
        self._s3 = cloud.client("s3")

    def drop(self, key: str, body: bytes, **arguments: Any) -> str:
        """Put an object into the recordings bucket and return its etag."""
        bucket = self.cloud.outputs["RecordingsBucketName"]
        answer = self._s3.put_object(Bucket=bucket, Key=key, Body=body, **arguments)
        return str(answer["ETag"]).strip('"')

    def document(self, kind: Kind, key: str) -> Any:
        """Return a JSON document about a recording, or None."""
        return None if (body := self.body(kind, key)) is None else json.loads(body)

    def body(self, kind: Kind, key: str) -> bytes | None:
        """Return a document about a recording as it lies in the bucket, or None."""
        bucket = self.cloud.outputs["ScorecardsBucketName"]
        try:
            answer = self._s3.get_object(Bucket=bucket, Key=document_key(kind, key))
        except self._s3.exceptions.NoSuchKey:
            return None
        return bytes(answer["Body"].read())

    def wait_for(self, kind: Kind, key: str, timeout_seconds: float = 20.0) -> Any:
        """Return a JSON document as soon as it is there."""
        return self.cloud.wait_until(lambda: self.document(kind, key), timeout_seconds)

    def mails_about(self, key: str) -> list[Mail]:
        """Return the e-mails whose text names the recording."""
        return [mail for mail in self.cloud.mails() if key in mail.message.replace("\n", " ")]

    def submissions(self, key: str) -> list[Mapping[str, Any]]:
        """Return the jobs that AssemblyAI was asked for, for one recording."""
        asked = [job.fields for job in self.stand_in.jobs.values()]
        return [fields for fields in asked if fields["audio_url"].split("?")[0].endswith(key)]

    def recording_event(self, key: str, *, etag: str, size: int, sequencer: str = "0A", receive_count: int = 1) -> Any:
        """Return events/recording_dropped.json about an object of this stack."""
        event = json.loads((EVENTS / "recording_dropped.json").read_text("utf-8"))
        record = event["Records"][0]
        body = json.loads(record["body"])
        body["detail"]["bucket"]["name"] = self.cloud.outputs["RecordingsBucketName"]
        body["detail"]["object"] = {"key": key, "size": size, "etag": etag, "sequencer": sequencer}
        record["body"] = json.dumps(body)
        record["attributes"] |= _attributes(receive_count)
        return event

    def submit(
        self,
        key: str,
        body: bytes = b"sound",
        *,
        etag: str | None = None,
        sequencer: str = "0A",
        receive_count: int = 1,
    ) -> Any:
        """Drop an object, run SubmitFunction on its event, and return what the function answers."""
        own = self.drop(key, body)
        event = self.recording_event(
            key, etag=etag or own, size=len(body), sequencer=sequencer, receive_count=receive_count
        )
        return self.cloud.invoke("SubmitFunction", event)

    def transcribed(self, key: str, body: bytes) -> str:
        """Submit a recording and return its transcript's id when AssemblyAI has finished and called back."""
        self.submit(key, body)
        transcript_id = str(self.document("submissions", key)["transcript_id"])
        job = self.stand_in.jobs[transcript_id]
        self.cloud.wait_until(lambda: job.delivery and job.delivery.attempts)
        return transcript_id

    def callback(self, status: str, transcript_id: str, *, key: str | None = None, receive_count: int = 1) -> Any:
        """Run ScorecardFunction on events/callback_<status>.json about a transcript, of the recording that it names."""
        event = self.callback_event(status, transcript_id, key=key, receive_count=receive_count)
        return self.cloud.invoke("ScorecardFunction", event)

    def callback_event(self, status: str, transcript_id: str, *, key: str | None = None, receive_count: int = 1) -> Any:
        """Return events/callback_<status>.json about a transcript, of the recording that it names."""
        event = json.loads((EVENTS / f"callback_{status}.json").read_text("utf-8"))
        record = event["Records"][0]
        record["body"] = json.dumps({"transcript_id": transcript_id, "status": status})
        record["attributes"] |= _attributes(receive_count)
        record["messageAttributes"]["recording"]["stringValue"] = (
            encode_key(key) if key else self._named_recording(transcript_id)
        )
        return event

    def _named_recording(self, transcript_id: str) -> str:
        """Return what the webhook's address of a job names."""
        address = str(self.stand_in.jobs[transcript_id].fields["webhook_url"])
        return parse_qs(urlsplit(address).query)["recording"][0]

    def send_callback(self, status: str, transcript_id: str, key: str) -> None:
        """Put a callback into CallbacksQueue, as the webhook does."""
        self.cloud.client("sqs").send_message(
            QueueUrl=self.queue_url("CallbacksQueue"),
            MessageBody=json.dumps({"transcript_id": transcript_id, "status": status}),
            MessageAttributes={"recording": {"DataType": "String", "StringValue": encode_key(key)}},
        )

    def deliver(self, queue: str) -> Any:
        """Receive a message, run its function on it, and delete it if it is done, as Lambda does; return the answer.

        Returns None when no message is visible.
        """
        sqs, url = self.cloud.client("sqs"), self.queue_url(queue)
        received = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])
        for message in received.get("Messages", []):
            answer = self.cloud.invoke(FUNCTIONS[queue], {"Records": [lambda_record(message, url, self.cloud.region)]})
            if answer == DONE:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return answer
        return None

    def empty_queues(self) -> None:
        """Drop all messages, when the callbacks that are on their way have come."""
        self.cloud.wait_until(lambda: all(delivery.outcome != "pending" for delivery in self.stand_in.deliveries))
        for queue in QUEUES:
            self.cloud.empty(queue)

    def queue_url(self, queue: str) -> str:
        """Return the address of a queue."""
        return self.cloud.resources[queue]


def _attributes(receive_count: int) -> dict[str, str]:
    """Return what SQS says of a message that was sent just now."""
    return {"ApproximateReceiveCount": str(receive_count), "SentTimestamp": str(round(1000 * time.time()))}


@contextmanager
def running_stack(
    *,
    invoke: bool = True,
    delay_seconds: float = 0.2,
    clock_scale: float = 1.0,
    parameters: Mapping[str, str] | None = None,
    account: Account = UNHURRIED,
    calls: Path = CALLS,
    edit: Callable[[dict[str, Any]], None] | None = None,
    existing_buckets: Sequence[str] = (),
) -> Iterator[Stack]:
    """Deploy the stack beside a stand-in. Without invoke, events stay in their queues and tests call the functions.

    edit: may change the template before it is deployed; existing_buckets: are there before the stack.
    """
    with AssemblyAI(
        KEY, delay_seconds=delay_seconds, clock_scale=clock_scale, account=account, calls=calls
    ) as stand_in:
        deployed = {"AssemblyAIEndpointUrl": stand_in.url, "NotificationEmail": "manager@example.com"} | RATES
        cloud = Cloud(
            parameters=deployed | dict(parameters or {}),
            secrets={"callcoach/assemblyai": KEY},
            verified_identities=["example.com"],
            invoke=invoke,
            edit=edit,
            existing_buckets=existing_buckets,
        )
        with cloud:
            stand_in.hosts.update(cloud.hosts)
            yield Stack(cloud, stand_in)
