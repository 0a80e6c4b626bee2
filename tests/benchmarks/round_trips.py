"""The requests that one call costs, warm and when nothing goes wrong, each with its reason."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tests.benchmarks._table import Row, Table
from tests.integration.stack import OTHER_SOUND, SOUND, running_stack
from tests.sandbox.interference import Interference

# One reason for each request, in the order of the run.
REASONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "SubmitFunction": {
        "dynamodb BatchGetItem": ("what earlier deliveries left behind, and the pause",),
        "dynamodb PutItem": ("this drop is worked on once",),
        "dynamodb UpdateItem": (
            "one run works on this recording",
            "a place among the open jobs, and the note that a job may be paid for",
            "this drop is done",
        ),
        "s3 HeadObject recordings": ("content, size, type and metadata as they are now",),
        "s3 GetObject submissions/": ("whether a job was made before",),
        "assemblyai POST /v2/transcript": ("the job",),
        "s3 PutObject submissions/": ("the job is on record before anything depends on it",),
        "sqs SendMessage CallbacksQueue": ("the message that looks after a lost callback",),
        "dynamodb DeleteItem": ("the recording is free for the next run",),
    },
    "ScorecardFunction": {
        "dynamodb BatchGetItem": ("what earlier deliveries left behind, and the pause",),
        "s3 GetObject submissions/": ("whose transcript it is, before AssemblyAI is asked anything",),
        "dynamodb PutItem": ("this transcript is worked on once",),
        "s3 GetObject failures/": ("what was told before, which the e-mail takes back",),
        "s3 GetObject overrides/": ("what an operator has put right about the call",),
        "assemblyai GET /v2/transcript/{id}": ("the transcript",),
        "dynamodb UpdateItem": (
            "a turn for speaker identification",
            "it is noted as asked for before it is, so that nothing makes it more than two",
            "who speaks is kept as soon as it is paid for",
            "the place among the open jobs is given back",
            "a turn for the coach",
            "this transcript is done",
        ),
        "assemblyai POST /v1/understanding": ("who speaks",),
        "s3 PutObject transcripts/": ("what was said, with the sides",),
        "assemblyai POST /v1/chat/completions": ("the coach",),
        "s3 PutObject replies/": ("what the coach said is kept as soon as it is paid for",),
        "s3 PutObject reports/": ("the report",),
        "s3 PutObject scorecards/": ("the scorecard, which says that the call is done",),
        "sns Publish ScorecardsTopic": ("the e-mail",),
    },
}

# Without these there is no scorecard, report and e-mail; the others see to it that there is one, and one only.
LEAST: Mapping[str, Sequence[str]] = {
    "SubmitFunction": (
        "s3 HeadObject recordings",
        "assemblyai POST /v2/transcript",
        "s3 PutObject submissions/",
    ),
    "ScorecardFunction": (
        "s3 GetObject submissions/",
        "assemblyai GET /v2/transcript/{id}",
        "assemblyai POST /v1/understanding",
        "assemblyai POST /v1/chat/completions",
        "s3 PutObject reports/",
        "s3 PutObject scorecards/",
        "sns Publish ScorecardsTopic",
    ),
}


def requests_of_a_call(callbacks: Sequence[str] = ("completed",)) -> Mapping[str, Counter[str]]:
    """Return how often each warm function sent each request, for one call that nothing goes wrong with."""
    with running_stack(invoke=False, delay_seconds=0.05) as stack:
        # What the first call finds cold is warm for the second.
        stack.callback("completed", stack.transcribed("first.ogg", OTHER_SOUND.read_bytes()))
        with Interference(stack.cloud, stack.stand_in, lambda _: None) as interference:
            transcript_id = stack.transcribed("second.ogg", SOUND.read_bytes())
            for status in callbacks:
                stack.callback(status, transcript_id)
        return {
            function: Counter(effect.what for effect in interference.seen if effect.function == function)
            for function in REASONS
        }


def run() -> Table:
    """Return the table."""
    lines, rows = [], []
    for function, counts in requests_of_a_call().items():
        reasons = REASONS[function]
        wanted = sum(map(len, reasons.values()))
        lines += [
            function,
            *(f"  {count} {what}: {'; '.join(reasons.get(what, ()))}" for what, count in counts.items()),
            "",
        ]
        rows.append(
            Row(
                id=f"round_trips_{function}",
                what=f"{function}: requests of a call",
                value=counts.total(),
                unit="requests",
                against=f"{len(LEAST[function])} at least",
                goal=f"<= {wanted}, each with a reason",
                met=counts.total() <= wanted,
            )
        )
    return Table(lines[:-1], rows)
