"""Everything that can go wrong, and who tries again.

CallCoachError
├── SettingsError            the deployment is wrong: the invocation fails, the queue repeats it, the alarm tells people
├── MalformedMessage         not a message of ours: it goes to the dead-letter queue at once
├── Postponed                no fault, only not yet: the message is hidden and nothing is counted
│   ├── NotFinished          the transcript, or the record that we need, is not there yet
│   ├── SlotAhead            the call's turn in a shared rate limit comes later
│   ├── JobsFull             AssemblyAI works on as many of our recordings as it may
│   └── InProgress           another invocation works on the same thing
├── AccountRefused           bad key, no plan, no balance: everything pauses until a person has acted
├── TransientError           not now: counted, hidden and tried again; after MOST_ATTEMPTS recorded, told and kept
│   ├── UpstreamUnavailable  time-out, reset, 5xx, an answer that is no answer
│   ├── RateLimited          429
│   └── AwsUnavailable       an AWS service is down or throttles us
└── PermanentError           never: recorded in failures/, told by e-mail, acknowledged
    ├── UnsupportedRecording we will not submit it
    ├── RequestRefused       AssemblyAI will not take the request
    └── TranscriptFailed     AssemblyAI could not transcribe it

callcoach.work does what this says. Which answer of AssemblyAI is which error is decided in callcoach.assemblyai, which
error of AWS in callcoach.aws_faults, and OPERATIONS.md says what people see of each.
"""


class CallCoachError(Exception):
    """Base of every error that callcoach raises on purpose."""


class SettingsError(CallCoachError):
    """An environment variable is missing or cannot be read."""


class MalformedMessage(CallCoachError):
    """A queue message that neither EventBridge, AssemblyAI nor callcoach has written."""


class Postponed(CallCoachError):
    """It is too early. The message comes back after retry_after_seconds, and that costs no attempt."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotFinished(Postponed):
    """What the message is about has not happened yet."""


class SlotAhead(Postponed):
    """A shared rate limit has room for this call, but later."""


class JobsFull(Postponed):
    """As many jobs are open at AssemblyAI as MaxOpenJobs allows."""


class InProgress(Postponed):
    """Another invocation holds what this one needs."""


class AccountRefused(CallCoachError):
    """AssemblyAI refuses the account, not the call. service: which of its services did."""

    def __init__(self, message: str, *, service: str) -> None:
        super().__init__(message)
        self.service = service


class TransientError(CallCoachError):
    """Trying again later may help.

    reason: code for machines, should it never help; retry_after_seconds: the wait that upstream named, or None.
    """

    reason = "unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UpstreamUnavailable(TransientError):
    """AssemblyAI did not answer, or not sensibly. maybe_paid: a paid request may have been carried out all the same."""

    reason = "assemblyai_unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None, maybe_paid: bool = False) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.maybe_paid = maybe_paid


class RateLimited(TransientError):
    """AssemblyAI asks for fewer requests. Rejected ones count, so the wait it names must be kept."""

    reason = "assemblyai_rate_limited"


class AwsUnavailable(TransientError):
    """An AWS service failed after the client's own retries."""

    reason = "aws_unavailable"


class PermanentError(CallCoachError):
    """Trying again the same way cannot help.

    reason: code for machines; next_step: what a person does about it; retryable: dropping the same recording
    again may end better.
    """

    def __init__(self, reason: str, detail: str, *, next_step: str, retryable: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.next_step = next_step
        self.retryable = retryable


class UnsupportedRecording(PermanentError):
    """The object is nothing that AssemblyAI can transcribe."""


class RequestRefused(PermanentError):
    """AssemblyAI answered 4xx for a reason that lies in the request. status: HTTP status."""

    def __init__(self, reason: str, detail: str, *, next_step: str, status: int, retryable: bool = False) -> None:
        super().__init__(reason, detail, next_step=next_step, retryable=retryable)
        self.status = status


class TranscriptFailed(PermanentError):
    """The transcript ended with status error, was deleted, cannot be read, or holds no speech."""
