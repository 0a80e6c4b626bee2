"""One call: measured, coached, and written down as a scorecard. Only the question to the coach leaves the process."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from callcoach.assemblyai import Completion
from callcoach.documents import Submission, encode
from callcoach.errors import RequestRefused
from callcoach.observability import count, logger
from callcoach.transcript import Transcript, Utterance, storable
from scorecard.coaching import (
    PROMPT_SHA256,
    PROMPT_VERSION,
    RUBRIC_SHA256,
    Reply,
    UnusableReply,
    coach_request,
    coaching_from,
    published_shifts,
    read_reply,
    uncoachable_reason,
)
from scorecard.evidence import Verifier
from scorecard.metrics import speaker_table, talk_listen, unassigned_share
from scorecard.report import headline
from scorecard.scorecard import (
    SCHEMA_VERSION,
    Call,
    Coaching,
    Notice,
    Roles,
    RoleSignals,
    Run,
    Scorecard,
    Sentiment,
    Status,
    TalkListen,
)
from scorecard.sentiment import Reading, read_sentiment
from scorecard.settings import Settings
from scorecard.speakers import RoleAssignment

Complete = Callable[[Mapping[str, object]], Completion]


class CoachAttempt(msgspec.Struct, frozen=True):
    """One paid question to a model, as replies/<recording key>.json keeps it."""

    model: str
    request_sha256: str
    finish_reason: str
    content: str
    input_tokens: int | None
    output_tokens: int | None


class MeasuredCall(msgspec.Struct, frozen=True):
    """What code alone can say about a call. uncoachable: why it gets no coaching, or None."""

    transcript: Transcript
    roles: RoleAssignment
    submission: Submission
    talk: TalkListen
    reading: Reading | None
    uncoachable: str | None

    @property
    def utterances(self) -> list[Utterance]:
        """The utterances, which a transcript that is scored has."""
        return self.transcript.utterances or []

    def coach_request(self, model: str, *, with_schema: bool) -> dict[str, Any]:
        """Return the question about this call to a model."""
        return coach_request(
            model,
            self.utterances,
            self.roles,
            self.talk,
            self.reading,
            duration_ms=self.transcript.duration_ms,
            with_schema=with_schema,
        )


class CoachOutcome(msgspec.Struct, frozen=True):
    """The coach's reply, or why there is none; and every question that was paid for."""

    reply: Reply | None
    reason: str | None
    attempts: list[CoachAttempt]


class ScoredCall(msgspec.Struct, frozen=True):
    """A scorecard and the attempts that it rests on."""

    scorecard: Scorecard
    attempts: list[CoachAttempt]


def score_call(
    transcript: Transcript, roles: RoleAssignment, submission: Submission, settings: Settings, complete: Complete
) -> ScoredCall:
    """Measure a call and let it be coached; complete asks a language model.

    Raises what complete raises, except that a refused request or an unusable answer ends in a scorecard without
    coaching.
    """
    call = measure_call(transcript, roles, submission, target_rep_share=settings.target_rep_share)
    if call.uncoachable:
        outcome = CoachOutcome(reply=None, reason=call.uncoachable, attempts=[])
    else:
        outcome = coach_call(call, (settings.coach_model, settings.coach_fallback_model), complete)
    return ScoredCall(scorecard=write_scorecard(call, outcome, settings_sha256(settings)), attempts=outcome.attempts)


def settings_sha256(settings: Settings) -> str:
    """Return a hash of the settings that a score depends on; names of buckets and queues are none of them."""
    deciding = [settings.roles, settings.target_rep_share, settings.coach_model, settings.coach_fallback_model]
    return hashlib.sha256(msgspec.json.encode(deciding)).hexdigest()


def measure_call(
    transcript: Transcript, roles: RoleAssignment, submission: Submission, *, target_rep_share: float
) -> MeasuredCall:
    """Measure who talked how much and where the customer's wording changed."""
    utterances = transcript.utterances or []
    talk = talk_listen(
        utterances,
        roles,
        duration_ms=transcript.duration_ms,
        target_rep_share=target_rep_share,
        call_type=submission.call.call_type,
    )
    rows = transcript.sentiment_rows
    several_unknown = len(roles.sides) > 1 and not roles.both_sides_known
    return MeasuredCall(
        transcript=transcript,
        roles=roles,
        submission=submission,
        talk=talk,
        reading=None if rows is None else read_sentiment(rows, utterances, roles),
        uncoachable="roles_unknown" if several_unknown else uncoachable_reason(transcript, roles),
    )


def coach_call(call: MeasuredCall, models: tuple[str, ...], complete: Complete) -> CoachOutcome:
    """Ask each of the models once, the first first, until one gives a reply that can be read. "" is no model."""
    reason = "coach_unavailable"
    attempts: list[CoachAttempt] = []
    for model in dict.fromkeys(filter(None, models)):
        try:
            attempt = _ask(call, model, complete)
        except RequestRefused as refusal:
            logger.error("coach model refused", model=model, reason=str(refusal))
            count("CoachRefused")
            continue
        attempts.append(attempt)
        try:
            reply = read_reply(attempt.content, attempt.finish_reason)
        except UnusableReply as fault:
            logger.warning("unusable reply", model=model, reason=fault.reason)
            count("CoachRepliesUnusable")
            reason = fault.reason
            continue
        if reply.roles_check.verdict == "not_a_sales_call":
            return CoachOutcome(reply=None, reason="not_a_sales_call", attempts=attempts)
        return CoachOutcome(reply=reply, reason=None, attempts=attempts)
    return CoachOutcome(reply=None, reason=reason, attempts=attempts)


def _ask(call: MeasuredCall, model: str, complete: Complete) -> CoachAttempt:
    """Ask one model; one that does not take response_format gets the schema as text."""
    request = call.coach_request(model, with_schema=True)
    try:
        completion = complete(request)
    except RequestRefused as refusal:
        if "response_format" not in refusal.detail:
            raise
        request = call.coach_request(model, with_schema=False)
        completion = complete(request)
    return CoachAttempt(
        model=model,
        request_sha256=hashlib.sha256(msgspec.json.encode(request)).hexdigest(),
        finish_reason=completion.finish_reason,
        content=completion.content,
        input_tokens=completion.input_tokens,
        output_tokens=completion.output_tokens,
    )


def write_scorecard(call: MeasuredCall, outcome: CoachOutcome, settings_hash: str) -> Scorecard:
    """Join the numbers with what the checks have left of the coach's reply."""
    verifier = Verifier(call.utterances, call.roles)
    reply = outcome.reply
    coaching = coaching_from(reply, verifier) if reply else None
    sentiment = _sentiment(call.reading, reply, verifier)
    status: Status = "numbers_only"
    if coaching:
        status = "complete"
    elif outcome.reason == "roles_unknown":
        status = "needs_roles"
    return Scorecard(
        schema_version=SCHEMA_VERSION,
        status=status,
        status_reason=outcome.reason,
        headline=headline(call.talk, coaching),
        call=_call(call.transcript, call.submission),
        roles=_roles(call, reply),
        speakers=speaker_table(call.utterances, call.roles),
        talk_listen=call.talk,
        metrics={},
        mentions=None,
        sentiment=sentiment,
        coaching=coaching,
        evidence=verifier.counts() if reply else None,
        warnings=_warnings(call, coaching),
        run=_run(call.transcript, outcome.attempts, settings_hash),
    )


def _sentiment(reading: Reading | None, reply: Reply | None, verifier: Verifier) -> Sentiment | None:
    if reading is None:
        return None
    shifts = None
    if reading.candidates is not None:
        shifts = published_shifts(reading.candidates, reply.shifts if reply else [], verifier)
    return Sentiment(
        what="AssemblyAI's label of each sentence's wording; not the person's feelings",
        rows=reading.counts,
        by_role=reading.by_side,
        aws_style_score=None,
        shifts=shifts,
        shifts_reason=reading.candidates_reason,
        usable_customer_rows=reading.usable_customer_rows,
    )


def _call(transcript: Transcript, submission: Submission) -> Call:
    said = submission.call
    return Call(
        recording=submission.recording,
        recording_etag=submission.etag,
        transcript_id=transcript.id,
        recorded_at=said.recorded_at,
        recorded_at_source=said.recorded_at_source,
        duration_seconds=round(transcript.duration_ms / 1000),
        language=transcript.language_code,
        language_confidence=transcript.language_confidence,
        speech_model=transcript.speech_model_used,
        channels=transcript.audio_channels or 1,
        transcript_confidence=transcript.confidence,
        rep=said.rep,
        customer=said.customer,
        team=said.team,
        call_type=said.call_type,
        call_type_source="metadata" if said.call_type else "default",
    )


def _roles(call: MeasuredCall, reply: Reply | None) -> Roles:
    reading = reply.roles_check.verdict if reply else None
    reasons = list(call.roles.reasons)
    if reading in ("swapped", "unclear"):
        reasons.append("coach_contradicts")
    return Roles(
        mapping=call.roles.sides,
        source=call.roles.source,
        signals=RoleSignals(identification=call.roles.identification, text_margin=None, coach=reading),
        unassigned_share=unassigned_share(call.utterances, call.roles),
        needs_review=bool(reasons),
        reasons=reasons,
    )


def _run(transcript: Transcript, attempts: list[CoachAttempt], settings_hash: str) -> Run:
    last = attempts[-1] if attempts else None
    return Run(
        coach_model=last.model if last else None,
        coach_attempts=len(attempts),
        finish_reason=last.finish_reason if last else None,
        prompt_version=PROMPT_VERSION,
        prompt_sha256=PROMPT_SHA256,
        rubric_sha256=RUBRIC_SHA256,
        settings_sha256=settings_hash,
        transcript_sha256=hashlib.sha256(encode(storable(transcript))).hexdigest(),
        reply_sha256=hashlib.sha256(last.content.encode()).hexdigest() if last else None,
        input_tokens=_known_sum([attempt.input_tokens for attempt in attempts]),
        output_tokens=_known_sum([attempt.output_tokens for attempt in attempts]),
        prose_removed={},
    )


def _known_sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _warnings(call: MeasuredCall, coaching: Coaching | None) -> list[Notice]:
    notices = [Notice(code="speech_models_replaced", text=text) for text in call.submission.warnings]
    for label, side in call.roles.sides.items():
        if side == "unassigned" and call.roles.both_sides_known:
            text = f"Speaker {label} has no role and is in neither side."
            notices.append(Notice(code="speaker_without_role", text=text))
    if call.reading is None:
        language = call.transcript.language_code or "unknown"
        text = f"AssemblyAI labels no sentiment in this call's language ({language})."
        notices.append(Notice(code="no_sentiment", text=text))
    if coaching and len(coaching.suggestions) < 3:
        text = "Fewer than three suggestions rest on words that were really said."
        notices.append(Notice(code="suggestions_short", text=text))
    return notices
