"""Everything that can go wrong, and who tries again.

CallCoachError
├── SettingsError            the deployment is wrong: the invocation fails, the queue repeats it, the alarm tells people
├── MalformedMessage         not a message of ours: never acknowledged, so it ends in the dead-letter queue
├── TransientError           not now: the message is hidden and comes back
│   ├── UpstreamUnavailable  time-out, reset, 5xx, an answer that is no answer
│   ├── RateLimited          429
│   ├── AccountRefused       bad key, no plan, no balance: nothing works until a person acts
│   └── NotFinished          the transcript, or the record that we need, is not there yet
└── PermanentError           never: recorded in failures/, told by e-mail, acknowledged
    ├── UnsupportedRecording we will not submit it
    ├── RequestRefused       AssemblyAI will not take the request
    └── TranscriptFailed     AssemblyAI could not transcribe it
"""


class CallCoachError(Exception):
    """Base of every error that callcoach raises on purpose."""


class SettingsError(CallCoachError):
    """An environment variable is missing or cannot be read."""


class MalformedMessage(CallCoachError):
    """A queue message that neither EventBridge, AssemblyAI nor callcoach has written."""


class TransientError(CallCoachError):
    """Trying again later may help.

    retry_after_seconds: the wait that upstream named, or None to let the caller choose one.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UpstreamUnavailable(TransientError):
    """AssemblyAI did not answer, or not sensibly. A POST may have been carried out all the same."""


class RateLimited(TransientError):
    """AssemblyAI asks for fewer requests. Rejected ones count, so the wait it names must be kept."""


class AccountRefused(TransientError):
    """AssemblyAI refuses the account, not the call."""


class NotFinished(TransientError):
    """What the message is about has not happened yet. No fault of anybody's."""


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
    """The transcript ended with status error, or was deleted."""
