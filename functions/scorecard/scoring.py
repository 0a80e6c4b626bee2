"""One call: measured, coached, and written down as a scorecard. Only the question to the coach leaves the process."""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import msgspec

from callcoach.documents import Notice, Submission, encode
from callcoach.languages import base_code, language_name
from callcoach.pricing import Cost, Transcribed, coaching_cost, price_list, transcription_cost
from callcoach.transcript import Transcript, Utterance, storable
from scorecard.coach import Coach, CoachOutcome, Complete, Keep
from scorecard.coachable import uncoachable_reason
from scorecard.coaching import Editor, unusable_fields
from scorecard.english import TRACKERS, is_reliably_english
from scorecard.metrics import call_metrics, mentions, notices, speaker_table, talk_listen, unassigned_share
from scorecard.phrases import headline
from scorecard.question import PROMPT_VERSION, CoachedCall, instructions, question_about
from scorecard.replies import CoachAttempt
from scorecard.reply import Reply
from scorecard.role_signals import TextSignals, text_signals
from scorecard.rubric import RUBRIC_SHA256
from scorecard.scorecard import (
    SCHEMA_VERSION,
    Call,
    Coaching,
    CostUsd,
    Metric,
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
from scorecard.speakers import RoleAssignment, RoleReview, coach_doubts, review_roles
from scorecard.tokens import has_spaces


class MeasuredCall(msgspec.Struct, frozen=True, dict=True):
    """What code alone can say about a call."""

    transcript: Transcript
    submission: Submission
    settings: Settings
    roles: RoleAssignment
    signals: TextSignals
    talk: TalkListen
    metrics: dict[str, Metric]
    reading: Reading | None

    @property
    def utterances(self) -> list[Utterance]:
        """The utterances, which a transcript that is scored has."""
        return self.transcript.utterances or []

    @cached_property
    def unassigned_share(self) -> float | None:
        """The part of all speech that belongs to neither side."""
        return unassigned_share(self.utterances, self.roles)

    def review(self, reply: Reply | None = None) -> RoleReview:
        """Weigh everything that speaks against the sides, the coach's own reading too where there is one."""
        check = reply.roles_check if reply else None
        return review_roles(
            self.roles,
            text_margin=self.signals.margin,
            text_reasons=self.signals.reasons,
            rep_share=self.talk.rep_share,
            unassigned_share=self.unassigned_share,
            coach_doubts=check is not None and coach_doubts(check.verdict, check.utterances, len(self.utterances)),
        )

    @cached_property
    def for_coach(self) -> CoachedCall:
        """Return what the coach is told, and its reply is held against."""
        return CoachedCall(
            utterances=self.utterances,
            roles=self.roles,
            talk=self.talk,
            metrics=self.metrics,
            candidates=(self.reading.candidates if self.reading else None) or [],
            duration_ms=self.transcript.duration_ms,
            language=self.transcript.words_language,
            coach_language=self.settings.coach_language,
        )


class ScoredCall(msgspec.Struct, frozen=True):
    """A scorecard and the attempts that it rests on. refused_models: those that AssemblyAI would not let answer."""

    scorecard: Scorecard
    attempts: list[CoachAttempt]
    refused_models: dict[str, str] = {}


def coach_of(settings: Settings) -> Coach:
    """Return the coach that the settings ask for."""
    temperature = float(settings.coach_temperature) if settings.coach_temperature else None
    return Coach((settings.coach_model, settings.coach_fallback_model), temperature=temperature)


def score_call(
    transcript: Transcript,
    roles: RoleAssignment,
    submission: Submission,
    settings: Settings,
    complete: Complete,
    *,
    coach: Coach | None = None,
    earlier: Sequence[CoachAttempt] = (),
    keep: Keep = lambda _: None,
    first_run: bool = True,
    transcript_sha256: str | None = None,
) -> ScoredCall:
    """Measure a call and let it be coached; complete asks a language model.

    coach: the process's, which remembers what its models do not take; earlier, keep, first_run: as Coach.ask has them;
    transcript_sha256: of the transcript as it is stored, where somebody has it already.
    Raises what complete raises when the coach is to be asked later; a refusal ends in a scorecard without coaching.
    """
    call = measure_call(transcript, roles, submission, settings)
    stored = transcript_sha256 or hashlib.sha256(encode(storable(transcript))).hexdigest()
    doubt = call.review().status_reason
    if doubt == "roles_contradict":
        call = without_sides(call)
    if reason := doubt or uncoachable_reason(transcript, call.roles, max_minutes=settings.coach_max_minutes):
        return ScoredCall(scorecard=write_scorecard(call, CoachOutcome(None, reason, []), stored), attempts=[])
    told = call.for_coach
    outcome = (coach or coach_of(settings)).ask(
        question_about(told),
        complete,
        lambda reply: unusable_fields(reply, told),
        earlier=earlier,
        keep=keep,
        first_run=first_run,
    )
    return ScoredCall(write_scorecard(call, outcome, stored), outcome.attempts, outcome.refused)


def measure_call(
    transcript: Transcript,
    roles: RoleAssignment,
    submission: Submission,
    settings: Settings,
    signals: TextSignals | None = None,
) -> MeasuredCall:
    """Measure the conversation, and weigh what its words say about the sides unless signals has done so."""
    utterances = transcript.utterances or []
    said = submission.call
    language, confidence = transcript.words_language, transcript.language_confidence
    rows = transcript.sentiment_rows
    return MeasuredCall(
        transcript=transcript,
        submission=submission,
        settings=settings,
        roles=roles,
        signals=signals
        or text_signals(
            utterances,
            roles,
            english=is_reliably_english(language, confidence),
            rep=said.rep,
            customer=said.customer,
        ),
        talk=talk_listen(
            utterances,
            roles,
            duration_ms=transcript.duration_ms,
            target_rep_share=settings.target_rep_share,
            call_type=said.call_type,
            language_code=language,
        ),
        metrics=call_metrics(
            utterances,
            roles,
            duration_ms=transcript.duration_ms,
            audio_channels=transcript.audio_channels,
            language_code=language,
            language_confidence=confidence,
            call_type=said.call_type,
            disfluencies=submission.asked.get("disfluencies") is True,
        ),
        reading=None if rows is None else read_sentiment(rows, utterances, roles),
    )


def without_sides(call: MeasuredCall) -> MeasuredCall:
    """Return the call as it is measured when nobody knows who is who: numbers per speaker, and none per side."""
    roles = msgspec.structs.replace(call.roles, contradicted=True)
    return measure_call(call.transcript, roles, call.submission, call.settings, call.signals)


def write_scorecard(call: MeasuredCall, outcome: CoachOutcome, transcript_sha256: str) -> Scorecard:
    """Join the numbers with what the checks have left of the coach's reply."""
    reply, reason = outcome.reply, outcome.reason
    review = call.review(reply)
    if reply and review.status_reason:
        # Coaching about the wrong person is worse than none.
        call, reply, reason = without_sides(call), None, review.status_reason
    editor = Editor(call.for_coach)
    coaching = editor.coaching(reply) if reply else None
    sentiment = _sentiment(call.reading, reply, editor)
    speakers = speaker_table(call.utterances, call.roles, spaced=has_spaces(call.transcript.words_language))
    status: Status = "numbers_only"
    if coaching:
        status = "complete"
    elif review.status_reason:
        status = "needs_roles"
    return Scorecard(
        schema_version=SCHEMA_VERSION,
        status=status,
        status_reason=reason,
        headline=headline(call.talk, coaching, metrics=call.metrics, speakers=speakers),
        call=_call(call.transcript, call.submission),
        roles=_roles(call, review, outcome.reply),
        speakers=speakers,
        talk_listen=call.talk,
        metrics=call.metrics,
        mentions=mentions(
            call.utterances,
            call.roles,
            TRACKERS,
            language_code=call.transcript.words_language,
            language_confidence=call.transcript.language_confidence,
        ),
        sentiment=sentiment,
        coaching=coaching,
        evidence=editor.evidence_counts() if reply else None,
        warnings=_warnings(call, coaching),
        run=_run(call, outcome, transcript_sha256, editor.prose_removed() if reply else {}),
    )


def _sentiment(reading: Reading | None, reply: Reply | None, editor: Editor) -> Sentiment | None:
    if reading is None:
        return None
    return Sentiment(
        what="AssemblyAI's label of each sentence's wording; not the person's feelings",
        rows=reading.counts,
        by_role=reading.by_side,
        aws_style_score=reading.aws_style_score,
        shifts=None if reading.candidates is None else editor.shifts(reply.shifts if reply else []),
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
        call_type_source=said.call_type_source or "default",
    )


def _roles(call: MeasuredCall, review: RoleReview, reply: Reply | None) -> Roles:
    return Roles(
        mapping=call.roles.sides,
        source=call.roles.source,
        signals=RoleSignals(
            identification=call.roles.identification,
            text_margin=call.signals.margin,
            coach=reply.roles_check.verdict if reply else None,
        ),
        unassigned_share=call.unassigned_share,
        needs_review=review.needs_review,
        reasons=review.reasons,
    )


def _run(call: MeasuredCall, outcome: CoachOutcome, transcript_sha256: str, prose_removed: dict[str, int]) -> Run:
    attempts = outcome.attempts
    last = outcome.answered_by or (attempts[-1] if attempts else None)
    return Run(
        coach_model=last.model if last else None,
        coach_attempts=len(attempts),
        finish_reason=last.finish_reason if last else None,
        prompt_version=PROMPT_VERSION,
        prompt_sha256=instructions().sha256,
        rubric_sha256=RUBRIC_SHA256,
        settings_sha256=settings_sha256(call.settings),
        transcript_sha256=transcript_sha256,
        reply_sha256=hashlib.sha256(last.content.encode()).hexdigest() if last else None,
        input_tokens=_known_sum([attempt.input_tokens for attempt in attempts]),
        output_tokens=_known_sum([attempt.output_tokens for attempt in attempts]),
        prose_removed=prose_removed,
        cost_usd=cost_usd(call.transcript, call.submission, attempts),
    )


def cost_usd(transcript: Transcript, submission: Submission, attempts: Sequence[CoachAttempt]) -> CostUsd:
    """Return what a call cost so far."""
    transcription, coaching = cost_of_transcription(transcript, submission), coaching_cost(attempts)
    return CostUsd(
        transcription=_published_usd(transcription),
        transcription_reason=transcription.reason,
        coaching=_published_usd(coaching),
        coaching_reason=coaching.reason,
        price_list=price_list().date.isoformat(),
    )


def cost_of_transcription(transcript: Transcript, submission: Submission) -> Cost:
    """Return what a transcript has cost, with all that was added to it by now."""
    return transcription_cost(_transcribed(transcript, submission))


def _transcribed(transcript: Transcript, submission: Submission) -> Transcribed:
    """Return what AssemblyAI has done. What was asked for and is not there was not available, and is free."""
    asked, identification = submission.asked, transcript.identification
    delivered = {
        "speaker_labels": asked.get("speaker_labels") is True,
        "sentiment_analysis": asked.get("sentiment_analysis") is True and transcript.sentiment_rows is not None,
        "redact_pii": asked.get("redact_pii") is True,
        # A refused one has no status.
        "speaker_identification": identification is not None and bool(identification.status),
    }
    return Transcribed(
        audio_seconds=transcript.audio_duration_seconds,
        speech_model=transcript.speech_model_used,
        channels=transcript.audio_channels if submission.rep_channel else 1,
        add_ons=frozenset(name for name, is_delivered in delivered.items() if is_delivered),
    )


def _published_usd(cost: Cost) -> float | None:
    return None if cost.usd is None else round(cost.usd, 4)


def settings_sha256(settings: Settings) -> str:
    """Return a hash of the settings that a score depends on; names of buckets and queues are none of them."""
    deciding = [
        settings.roles,
        settings.target_rep_share,
        settings.coach_model,
        settings.coach_fallback_model,
        settings.coach_temperature,
        settings.coach_language,
        settings.coach_max_minutes,
    ]
    return hashlib.sha256(msgspec.json.encode(deciding)).hexdigest()


def _known_sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _warnings(call: MeasuredCall, coaching: Coaching | None) -> list[Notice]:
    transcript = call.transcript
    found = [*call.submission.warnings]
    found += notices(
        call.utterances,
        call.roles,
        TRACKERS,
        language_code=transcript.words_language,
        language_confidence=transcript.language_confidence,
    )
    if call.reading is None:
        language = language_name(transcript.language_code) or "an unknown language"
        why = "it labels English only" if base_code(transcript.language_code) != "en" else "none was asked for or made"
        text = f"AssemblyAI labelled no sentiment in this call in {language}: {why}."
        found.append(Notice(code="no_sentiment", text=text))
    if coaching and coaching.language != "en":
        language = language_name(coaching.language)
        text = f"Words that coaching avoids are known in English only: prose in {language} was not searched for any."
        found.append(Notice(code="wording_not_checked", text=text))
    if coaching and len(coaching.suggestions) < 3:
        text = "Fewer than three suggestions rest on words that were really said."
        found.append(Notice(code="suggestions_short", text=text))
    return found
