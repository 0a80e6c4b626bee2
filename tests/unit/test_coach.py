"""The conversation with the language models: one test for each thing that can go wrong with an answer."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.unit.examples import REP_AND_CUSTOMER, Models, long_call, quote_of, reply

from callcoach.assemblyai import Completion
from callcoach.errors import AccountRefused, RateLimited, RequestRefused, SlotAhead, UpstreamUnavailable
from scorecard.coach import Coach, CoachOutcome, Keep
from scorecard.coaching import unusable_fields
from scorecard.metrics import talk_listen
from scorecard.question import CoachedCall, Question, instructions, question_about
from scorecard.replies import CoachAttempt
from scorecard.reply import Reply

CALL = long_call()
COACHED = CoachedCall(
    utterances=CALL,
    roles=REP_AND_CUSTOMER,
    talk=talk_listen(CALL, REP_AND_CUSTOMER, duration_ms=300_000, target_rep_share=0.4, call_type=None),
    metrics={},
    candidates=[],
    duration_ms=300_000,
)
QUESTION = question_about(COACHED)
MODELS = ("first", "second")
INVENTED = {"utterance": 1, "quote": "I will buy everything you have today"}


def completion(content: str, finish_reason: str = "end_turn") -> Completion:
    return Completion(content, finish_reason, 1000, 200)


def good(**changes: Any) -> Completion:
    return completion(json.dumps(reply(CALL, **changes)))


def doubtful() -> Completion:
    """Return a reply with two invented quotes among its advice."""
    answer = reply(CALL)
    answer["keep"]["evidence"] = answer["suggestions"]["first"]["evidence"] = [INVENTED]
    return completion(json.dumps(answer))


def refused(message: str, status: int = 400) -> RequestRefused:
    return RequestRefused("request_refused", message, next_step="Change the parameter.", status=status)


TRUNCATED = completion(json.dumps(reply(CALL))[:-40], "max_tokens")
REFUSAL = completion("", "refusal")
EMPTY = completion("")
PROSE = completion("I would rather talk.")
LEAK = good(summary=" ".join(instructions().system.split()[:20]))
DOWN = UpstreamUnavailable("503")


LOST = UpstreamUnavailable("ReadTimeout", maybe_paid=True)


def ask(
    models: Models,
    *,
    names: Sequence[str] = MODELS,
    first_run: bool = True,
    earlier: Sequence[CoachAttempt] = (),
    keep: Keep = lambda _: None,
    **how: Any,
) -> CoachOutcome:
    return Coach(names, **how).ask(QUESTION, models, check, earlier=earlier, keep=keep, first_run=first_run)


def check(read: Reply) -> list[str]:
    return unusable_fields(read, COACHED)


def test_good_reply_needs_one_question() -> None:
    models = Models(good())
    outcome = ask(models)
    assert models.asked == ["first"]
    assert outcome.reply is not None
    assert outcome.reason is None
    assert outcome.answered_by == outcome.attempts[0]
    assert [attempt.content for attempt in outcome.attempts] == [good().content]
    assert len(outcome.attempts[0].question_sha256) == 64


def test_nothing_is_sent_that_the_gateway_would_act_on_itself() -> None:
    """A repaired bracket makes a short list of a cut one, and a fallback of theirs is not ours to count."""
    models = Models(good())
    ask(models)
    assert set(models.requests[0]) == {"model", "messages", "max_tokens", "temperature", "response_format"}


def test_blank_temperature_is_not_sent() -> None:
    models = Models(good())
    ask(models, temperature=None)
    assert "temperature" not in models.requests[0]


@pytest.mark.parametrize(
    ("message", "left_out"),
    [
        ("400 model first does not support response_format", "response_format"),
        ("400 response_format is invalid: keyword minItems at schema is not supported", "response_format"),
        ("400 provider error; output_format.schema: Schema is too complex", "response_format"),
        ("400 provider error; output_config: Extra inputs are not permitted", "response_format"),
        ("400 temperature: Extra inputs are not permitted", "temperature"),
        ("400 `temperature` may only be set to 1", "temperature"),
    ],
)
def test_parameter_that_a_model_does_not_take_is_left_out(message: str, left_out: str) -> None:
    """It costs no attempt, is remembered as long as the process lives, and the schema then stands in the text."""
    models = Models(refused(message), good(), good())
    coach = Coach(MODELS)
    for _ in range(2):
        outcome = coach.ask(QUESTION, models, check)
        assert (len(outcome.attempts), outcome.reason) == (1, None)
    assert models.asked == ["first"] * 3
    assert [left_out in request for request in models.requests] == [True, False, False]
    assert ("JSON Schema" in models.messages(1)[1][1]) == (left_out == "response_format")


def test_both_parameters_may_be_refused() -> None:
    models = Models(refused("temperature"), refused("response_format"), good())
    outcome = ask(models)
    assert (models.asked, outcome.reason, len(outcome.attempts)) == (["first"] * 3, None, 1)
    assert set(models.requests[2]) == {"model", "messages", "max_tokens"}


def test_the_same_refusal_again_is_one_of_the_model() -> None:
    models = Models(refused("response_format"), refused("response_format"), good())
    assert ask(models).reason is None
    assert models.asked == ["first", "first", "second"]


def test_model_that_is_not_offered_gives_way() -> None:
    models = Models(refused("model first is not supported"), good())
    outcome = ask(models)
    assert (models.asked, len(outcome.attempts)) == (["first", "second"], 1)
    assert outcome.answered_by is not None
    assert outcome.answered_by.model == "second"


def test_truncated_answer_is_asked_for_again_shorter_without_its_text() -> None:
    models = Models(TRUNCATED, good())
    outcome = ask(models)
    assert models.asked == ["first", "first"]
    assert [role for role, _ in models.messages(1)] == ["system", "user"]
    assert models.messages(1)[1][1] == (
        f"{QUESTION.user}\nYour last answer was longer than the room for it. Use at most half of every word limit."
    )
    assert (outcome.reason, len(outcome.attempts)) == (None, 2)


def test_unreadable_answer_is_shown_to_the_model_with_its_fault() -> None:
    answer = reply(CALL)
    del answer["keep"]["what"]
    bad = completion(json.dumps(answer))
    models = Models(bad, good())
    assert ask(models).reason is None
    assert models.messages(1)[:2] == models.messages(0)
    said, repair = models.messages(1)[2:]
    assert said == ("assistant", bad.content)
    fault = "Object missing required field `what` - at `$.keep`"
    assert repair == (
        "user",
        f"Your reply cannot be read: {fault}. Send the whole object again, changed only there.",
    )


def test_wrong_quotes_are_named_and_the_right_words_are_not() -> None:
    models = Models(doubtful(), good())
    outcome = ask(models)
    (_, said), (_, repair) = models.messages(1)[2:]
    assert said == doubtful().content
    assert repair.startswith(
        "These fields cannot be used: suggestions.first.evidence[0] (no such words in utterance 1); "
        "keep.evidence[0] (no such words in utterance 1). Choose other words"
    )
    assert CALL[1].text not in repair
    assert outcome.answered_by == outcome.attempts[1]


def test_later_of_two_valid_replies_is_the_better_one() -> None:
    outcome = ask(Models(doubtful(), doubtful()))
    assert (outcome.reason, outcome.answered_by) == (None, outcome.attempts[1])


@pytest.mark.parametrize("second", [TRUNCATED, REFUSAL, EMPTY, PROSE, LEAK, DOWN, RateLimited("429"), refused("no")])
def test_valid_reply_is_not_lost_to_a_failed_repair(second: Completion | Exception) -> None:
    """Nobody else is paid: what cannot be used of it is left out."""
    models = Models(doubtful(), second)
    outcome = ask(models)
    assert models.asked == ["first", "first"]
    assert (outcome.reason, outcome.answered_by) == (None, outcome.attempts[0])


@pytest.mark.parametrize("finish_reason", ["refusal", "content_filter"])
def test_refusal_is_not_argued_with(finish_reason: str) -> None:
    """The other model gets the question as it was."""
    models = Models(completion("I cannot do that.", finish_reason), good())
    outcome = ask(models)
    assert models.asked == ["first", "second"]
    assert models.messages(1) == models.messages(0)
    assert (outcome.reason, len(outcome.attempts)) == (None, 2)


def test_leak_is_not_repaired() -> None:
    models = Models(LEAK, good())
    assert ask(models).reason is None
    assert models.asked == ["first", "second"]


def test_model_that_is_down_is_waited_for_once_and_then_left() -> None:
    with pytest.raises(UpstreamUnavailable):
        ask(Models(DOWN))
    models = Models(DOWN, good())
    outcome = ask(models, first_run=False)
    assert models.asked == ["first", "second"]
    # An answer of 503 was not paid for.
    assert (outcome.reason, len(outcome.attempts)) == (None, 1)


def test_call_waits_as_long_as_no_model_is_up() -> None:
    with pytest.raises(UpstreamUnavailable):
        ask(Models(DOWN, DOWN), first_run=False)


@pytest.mark.parametrize("answer", [EMPTY, completion("{}", "tool_use")])
def test_model_that_says_nothing_is_asked_the_same_again(answer: Completion) -> None:
    models = Models(answer, good())
    outcome = ask(models)
    assert models.asked == ["first", "first"]
    assert models.messages(1) == models.messages(0)
    assert (outcome.reason, len(outcome.attempts)) == (None, 2)


@pytest.mark.parametrize("first_run", [True, False])
@pytest.mark.parametrize(
    "fault",
    [
        RateLimited("429", retry_after_seconds=7),
        AccountRefused("401", service="chat"),
        SlotAhead("later", retry_after_seconds=60),
    ],
)
def test_being_told_to_wait_always_goes_back(fault: Exception, *, first_run: bool) -> None:
    with pytest.raises(type(fault)):
        ask(Models(fault), first_run=first_run)
    with pytest.raises(type(fault)):
        ask(Models(PROSE, fault), first_run=first_run)


def test_each_attempt_is_kept_before_the_next_question() -> None:
    kept: list[list[CoachAttempt]] = []
    outcome = ask(Models(PROSE, TRUNCATED, good()), keep=lambda attempts: kept.append(list(attempts)))
    assert [len(attempts) for attempts in kept] == [1, 2, 3]
    assert kept[-1] == outcome.attempts


@pytest.mark.parametrize("answered", [0, 1, 2, 3])
def test_run_is_taken_up_where_the_one_before_it_ended(answered: int) -> None:
    """The same outcome, and nothing is asked that was answered."""
    answers = [PROSE, REFUSAL, doubtful()]
    whole = ask(Models(*answers))
    models = Models(*answers[answered:])
    outcome = ask(models, earlier=whole.attempts[:answered])
    assert outcome == whole
    assert len(models.asked) == 3 - answered


def test_refused_model_takes_no_answer_of_the_other_away() -> None:
    """A run that is repeated asks the first model in vain again, and pays the second once."""
    refusal = refused("no such model", status=404)
    whole = ask(Models(refusal, good()))
    models = Models(refusal)
    outcome = ask(models, earlier=whole.attempts)
    assert outcome == whole
    assert models.asked == ["first"]


def test_answers_to_another_question_are_not_taken_up() -> None:
    """A new prompt, or other models, begin a new conversation."""
    earlier = [CoachAttempt("first", "0" * 64, "end_turn", "{}", 1, 1)]
    models = Models(good())
    assert ask(models, earlier=earlier).reason is None
    assert models.asked == ["first"]


def test_answer_that_never_came_may_have_been_paid_for() -> None:
    """Three in all, whoever was asked: the third lost one ends the questions and not the call."""
    kept: list[CoachAttempt] = []

    def keep(attempts: Sequence[CoachAttempt]) -> None:
        kept[:] = attempts

    asked = []
    for _ in range(2):
        models = Models(LOST)
        with pytest.raises(UpstreamUnavailable):
            ask(models, earlier=list(kept), keep=keep, first_run=not kept)
        asked += models.asked
    models = Models(LOST)
    outcome = ask(models, earlier=list(kept), keep=keep, first_run=False)
    assert asked + models.asked == ["first", "first", "second"]
    assert (outcome.reply, outcome.reason, len(outcome.attempts)) == (None, "coach_unavailable", 3)


@pytest.mark.parametrize(
    ("answers", "asked", "reason"),
    [
        ([PROSE, PROSE, PROSE], ["first", "first", "second"], "coach_invalid"),
        ([TRUNCATED, TRUNCATED, TRUNCATED], ["first", "first", "second"], "coach_truncated"),
        ([TRUNCATED, PROSE, REFUSAL], ["first", "first", "second"], "coach_refused"),
        ([REFUSAL, REFUSAL], ["first", "second"], "coach_refused"),
        ([REFUSAL, PROSE, PROSE], ["first", "second", "second"], "coach_invalid"),
        ([LEAK, LEAK], ["first", "second"], "coach_invalid"),
        ([EMPTY, EMPTY, EMPTY], ["first", "first", "second"], "coach_unavailable"),
        ([refused("no"), refused("no")], ["first", "second"], "coach_unavailable"),
        ([PROSE, PROSE, refused("no")], ["first", "first", "second"], "coach_invalid"),
    ],
)
def test_after_three_paid_questions_nobody_is_asked_again(
    answers: list[Completion | Exception], asked: list[str], reason: str
) -> None:
    models = Models(*answers, good())
    outcome = ask(models)
    assert models.asked == asked
    assert (outcome.reply, outcome.reason, outcome.answered_by) == (None, reason, None)
    assert len(outcome.attempts) <= 3


@pytest.mark.parametrize("names", [("first", ""), ("first", "first"), ("", "first")])
def test_without_a_fallback_nobody_else_is_asked(names: tuple[str, str]) -> None:
    models = Models(REFUSAL, good())
    assert ask(models, names=names).reason == "coach_refused"
    assert models.asked == ["first"]


def test_call_that_no_model_can_read_is_not_sent() -> None:
    models = Models()
    outcome = Coach(MODELS).ask(Question("s", "u" * 600_000, "n"), models, check)
    assert (outcome.reason, outcome.attempts, models.requests) == ("too_long_for_coach", [], [])


def test_what_is_no_sales_call_has_no_reply() -> None:
    outcome = ask(Models(good(roles_check={"verdict": "not_a_sales_call", "utterances": []})))
    assert (outcome.reply, outcome.reason) == (None, "not_a_sales_call")
    assert outcome.answered_by == outcome.attempts[0]


def test_message_about_wrong_fields_stays_short() -> None:
    """However many are wrong."""
    unasked = {"candidate": 7, "about": "unclear", "cause": "", "evidence": []}
    answer = reply(CALL, shifts=[unasked] * 100)
    for rank in ("first", "second", "third", "spare"):
        answer["suggestions"][rank]["evidence"] = [INVENTED, quote_of(CALL, "B") | {"utterance": 99}]
    models = Models(completion(json.dumps(answer)), good())
    ask(models)
    assert len(models.messages(1)[-1][1]) < 1500
