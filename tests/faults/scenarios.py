"""Everything that can happen to one request of a function, by enumeration, and what must be true afterwards."""

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.stage import JOURNEYS, Journey, Outcome, Report, Stage
from tests.sandbox.interference import Action, Kill, Lose, Refuse, SideEffect, Spoil

PAID = {
    "assemblyai POST /v2/transcript": "transcript",
    "assemblyai POST /v1/understanding": "understanding",
    "assemblyai POST /v1/chat/completions": "chat",
}

UNDERSTANDING, CHAT = "assemblyai POST /v1/understanding", "assemblyai POST /v1/chat/completions"
# Where an answer is kept.
KEPT_BY = {UNDERSTANDING: ("dynamodb UpdateItem", "s3 PutObject transcripts/"), CHAT: ("s3 PutObject replies/",)}

# What a proxy answers in the place of a service that it cannot reach, or has stopped listening to.
PAGE = b"<html><body><h1>Bad Gateway</h1></body></html>"
CUT = b'{"id": "6fd4a1f0-7c1e-4a0e-9a4b-0c5f3f2a7c'
BALANCE = "Your current account balance is negative. Please top up to continue using the API."


@dataclass(frozen=True)
class Fault:
    """Something that happens to a request.

    lasts: to every request of its name until the function has let its message go; else to one. spoils_answer: the
    service has done its work, and nobody will ever know the answer.
    """

    name: str
    action: Action
    lasts: bool = False
    spoils_answer: bool = False
    pauses: bool = False
    is_refusal: bool = False


KILLED = (
    Fault("killed before", Kill(after=False)),
    Fault("killed after", Kill(after=True), spoils_answer=True),
)
AWS_FAULTS = (
    *KILLED,
    Fault("answer lost", Lose(after=True)),
    Fault("refused for a while", Refuse(503, "ServiceUnavailable"), lasts=True),
    Fault("throttled for a while", Refuse(400, "ThrottlingException"), lasts=True),
)
ASSEMBLYAI_FAULTS = (
    *KILLED,
    Fault("connection reset", Lose(after=False), lasts=True),
    Fault("answer lost", Lose(after=True), spoils_answer=True),
    Fault("answer cut off", Spoil(200, CUT, {"Content-Length": "5000"}, after=True), spoils_answer=True),
    Fault("answer unreadable", Spoil(200, PAGE, {"Content-Type": "text/html"}, after=True), spoils_answer=True),
    Fault("empty answer", Spoil(200, b"", after=True), spoils_answer=True),
    Fault("page of a proxy", Spoil(502, PAGE, {"Content-Type": "text/html"}), lasts=True),
    Fault("500", Refuse(500, "Internal server error"), lasts=True),
    Fault("503", Refuse(503, "try again", {"Retry-After": "7"}), lasts=True),
    Fault("504 after its work", Spoil(504, PAGE, after=True), spoils_answer=True),
    Fault("408", Refuse(408, "timeout")),
    Fault("409", Refuse(409, "conflict")),
    Fault("429 with a wait", Refuse(429, "Too Many Requests", {"Retry-After": "56"}), lasts=True),
    Fault("429 without a wait", Refuse(429, "Too Many Requests"), lasts=True),
    Fault("401", Refuse(401, "Authentication error, API token missing/invalid"), lasts=True, pauses=True),
    Fault("403", Refuse(403, "Your account does not have access. Please upgrade."), lasts=True, pauses=True),
    Fault("negative balance", Refuse(400, BALANCE), lasts=True, pauses=True),
    Fault("400", Refuse(400, "this request is not valid"), is_refusal=True),
    Fault("404", Refuse(404, "Not found"), is_refusal=True),
    Fault("422", Refuse(422, "unprocessable"), is_refusal=True),
)

# What a refusal for good comes to, by what is refused; where it is not named, the call ends as without it.
REFUSED: dict[str, Outcome] = {
    "assemblyai POST /v2/transcript": "failed",
    "assemblyai GET /v2/transcript/{id}": "failed",
    UNDERSTANDING: "needs_roles",
}

# Which function's requests a journey is looked at for: what the others do is the same as in an earlier one.
LOOKED_AT = {
    "scored": ("SubmitFunction", "ScorecardFunction"),
    "repaired": ("ScorecardFunction",),
    "overdue": ("ScorecardFunction",),
    "failed": ("ScorecardFunction",),
    "unsupported": ("SubmitFunction",),
}


@dataclass(frozen=True)
class Scenario:
    """A journey, one of its requests, and what happens to that."""

    journey: Journey
    effect: SideEffect
    fault: Fault

    @property
    def name(self) -> str:
        """What reproduces it: python -m tests.faults --only NAME."""
        function = self.effect.function.removesuffix("Function").lower()
        what = re.sub(r"[^\w/{}.]+", "-", self.effect.what)
        return f"{self.journey.name}:{function}:{what}:{self.effect.number}:{self.fault.name.replace(' ', '-')}"

    @property
    def outcomes(self) -> set[Outcome]:
        """How the call may end."""
        if self.effect.what == CHAT and self.journey.name == "repaired":
            # With a refusal among them, or an answer that may have been paid for, there may be no room for a good one.
            no_room = self.fault.is_refusal or isinstance(self.fault.action, Lose | Spoil)
            return {"complete", "numbers_only"} if no_room else {"complete"}
        refused = REFUSED.get(self.effect.what) if self.fault.is_refusal else None
        return {refused or self.journey.outcome}


@dataclass(frozen=True)
class Verdict:
    """What became of a scenario. repaid: paid twice for an answer that no line of ours could have kept."""

    scenario: Scenario
    report: Report
    is_lost: bool
    double_billed: Sequence[str]
    unexplained: Sequence[str]
    repaid: int
    extra_mails: int

    @property
    def survived(self) -> bool:
        """Whether everything is as it has to be."""
        return not (self.is_lost or self.double_billed or self.unexplained)


def scenarios(stage: Stage) -> Iterator[Scenario]:
    """Yield every scenario, after looking once at what each journey does from a cold start."""
    for name, functions in LOOKED_AT.items():
        journey = JOURNEYS[name]
        report, again = (stage.run(journey, cold=True) for _ in range(2))
        for seen in (report, again):
            if seen.outcome != journey.outcome or seen.paid != journey.paid:
                raise AssertionError(f"{name} goes wrong without any fault: {seen}")
        # What is seen only once depends on which message came first.
        for effect in report.effects:
            if effect.function in functions and effect in again.effects:
                faults = ASSEMBLYAI_FAULTS if effect.what.startswith("assemblyai") else AWS_FAULTS
                yield from (Scenario(journey, effect, fault) for fault in faults)


def play(stage: Stage, scenario: Scenario) -> Verdict:
    """Let a scenario happen, and judge what is seen of it from outside."""
    happened: list[SideEffect] = []
    over = threading.Event()

    def decide(effect: SideEffect) -> Action | None:
        is_it = (effect.function, effect.what) == (scenario.effect.function, scenario.effect.what)
        due = effect.number >= scenario.effect.number if scenario.fault.lasts else effect == scenario.effect
        if not is_it or not due or over.is_set():
            return None
        happened.append(effect)
        return scenario.fault.action

    def pass_time(_: str) -> None:
        if happened:
            over.set()

    # A warm function has its keys.
    is_cold = scenario.effect.what.startswith("secretsmanager")
    report = stage.run(scenario.journey, decide, cold=is_cold, meanwhile=pass_time)
    return judge(scenario, report, happened=bool(happened))


def judge(scenario: Scenario, report: Report, *, happened: bool) -> Verdict:
    """Hold what is seen against what must be true of every call."""
    unexplained = []
    if not happened:
        unexplained.append("the fault never happened")
    if report.outcome not in {*scenario.outcomes, "nothing"}:
        unexplained.append(f"ended as {report.outcome} and not as {' or '.join(scenario.outcomes)}")
    if not report.mails and report.outcome != "nothing":
        unexplained.append("nobody was told")
    extra_mails = max(len(report.mails) - 1, 0)
    # While a fault lasts, more than one run may be cut off there.
    allowed_mails = 1 + scenario.fault.lasts if _may_tell_twice(scenario, report) else 0
    if extra_mails > allowed_mails:
        unexplained.append(f"{len(report.mails)} e-mails")
    # A report goes with each scorecard that people are told of.
    wanted_reports = int(report.outcome not in ("failed", "nothing"))
    if not wanted_reports <= report.reports <= wanted_reports * (1 + allowed_mails):
        unexplained.append(f"{report.reports} reports mailed")
    if report.dead_letters:
        unexplained.append(f"{len(report.dead_letters)} messages in dead-letter queues")
    if report.is_paused:
        unexplained.append("still paused")
    if report.open_jobs:
        unexplained.append("a place for an open job is not given back")
    if len(report.operator_mails) != int(scenario.fault.pauses) and not _is_notice(scenario):
        unexplained.append(f"{len(report.operator_mails)} operator e-mails")
    lost_answer = _lost_answer(scenario, report)
    over = {name: count - scenario.journey.paid[name] for name, count in report.paid.items()}
    double_billed = [name for name, count in over.items() if count > int(name == lost_answer)]
    return Verdict(
        scenario=scenario,
        report=report,
        is_lost=report.outcome == "nothing" or report.left_in_queues > 0,
        double_billed=double_billed,
        unexplained=unexplained,
        repaid=sum(count for count in over.values() if count > 0) - len(double_billed),
        extra_mails=extra_mails,
    )


def _lost_answer(scenario: Scenario, report: Report) -> str | None:
    """Return the service whose answer no line of ours could keep: it never came, or the run was killed with it in hand.

    A transcription is none: its job is found again.
    """
    if isinstance(scenario.fault.action, Kill) and scenario.effect in report.effects:
        before = [effect.what for effect in _until_killed(report.effects, scenario)]
        paid = [index for index, what in enumerate(before) if what in KEPT_BY]
        kept = bool(paid) and any(what in KEPT_BY[before[paid[-1]]] for what in before[paid[-1] :])
        service = PAID[before[paid[-1]]] if paid and not kept else None
    elif scenario.fault.spoils_answer:
        service = PAID.get(scenario.effect.what)
    else:
        service = None
    return None if service == "transcript" else service


def _until_killed(effects: Sequence[SideEffect], scenario: Scenario) -> Iterator[SideEffect]:
    """Yield what was asked for until a function was killed, with what was under way beside the request that killed it.

    Its next run begins with a look at the state. A request that was killed before it was carried out does not count.
    """
    at = list(effects).index(scenario.effect)
    for index, effect in enumerate(effects):
        is_next_run = (effect.function, effect.what) == (scenario.effect.function, "dynamodb BatchGetItem")
        if index > at and is_next_run:
            return
        if index != at or scenario.fault.action == Kill(after=True):
            yield effect


def _is_notice(scenario: Scenario) -> bool:
    """Whether operators are told of a model that was refused: once a day, so one scenario of many."""
    return scenario.fault.is_refusal and scenario.effect.what == CHAT


def _may_tell_twice(scenario: Scenario, report: Report) -> bool:
    """Whether the run ended after its e-mail and before it could note that: the next one cannot know."""
    effects = list(report.effects)
    told = next((index for index, effect in enumerate(effects) if effect.what.startswith("sns Publish Sc")), None)
    if told is None or scenario.effect not in effects:
        return False
    return effects.index(scenario.effect) >= told
