"""Asking a real language model about the calls, as ScorecardFunction does; every answer that was paid for is kept."""

import hashlib
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
from tests.calibration.calls import CalibrationCall
from tests.sandbox.score import default_settings

from callcoach.assemblyai import AssemblyAI, Completion
from callcoach.errors import AccountRefused, RateLimited, TransientError
from callcoach.pricing import OUTPUT_TOKENS_PER_CALL, Cost, coaching_cost
from scorecard.coach import Coach, Complete
from scorecard.question import Question, question_about
from scorecard.replies import CoachAttempt
from scorecard.scorecard import Scorecard
from scorecard.scoring import ScoredCall, coach_of, measure_call, score_call

# Requests leave within this part of the rate, as those of the functions do.
USED_SHARE = 0.97
MOST_TRIES = 5
FIRST_WAIT_SECONDS = 10.0
MOST_AT_ONCE = 16


class Unaskable(Exception):
    """Asking goes no further: the key, the account or the model is refused, or nothing answers. The text says why."""


class Asked(NamedTuple):
    """One question: a call, and which of its runs, from 1."""

    call: CalibrationCall
    run: int


@dataclass(frozen=True)
class Answered:
    """What a question came to. scorecard: None where no answer came, for the reason in fault."""

    asked: Asked
    scorecard: Scorecard | None
    attempts: Sequence[CoachAttempt]
    fault: str = ""


class _Estimate(msgspec.Struct, frozen=True):
    model: str
    input_tokens: int
    output_tokens: int


class _NotKept(Exception):
    """A kept conversation does not go so far."""


class _Pace:
    """Lets requests leave one after another, no faster than the rate."""

    def __init__(self, requests_per_minute: float) -> None:
        self._interval_seconds = 60 / (requests_per_minute * USED_SHARE)
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for the next turn."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._interval_seconds
        time.sleep(max(turn - time.monotonic(), 0))

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class Asking:
    """Asks one model about calls, a number of times each.

    kept: the folder for answers. A file holds the conversation about one question, named after what is asked, so that a
    changed prompt, rubric or call asks anew and overwrites nothing.
    """

    def __init__(
        self, *, model: str, runs: int, api_key: str, gateway_url: str, requests_per_minute: float, kept: Path
    ) -> None:
        self._model = model
        self._runs = runs
        self._api_key = api_key
        self._gateway_url = gateway_url
        self._pace = _Pace(requests_per_minute)
        self._at_once = min(MOST_AT_ONCE, max(round(requests_per_minute), 1))
        self._kept = kept / re.sub(r"[^A-Za-z0-9._-]", "_", model)
        self._settings = msgspec.structs.replace(default_settings(gateway_url), coach_model=model)
        # Only what the product sends by default: a model that does not take a parameter is found out, and told, once.
        self._coach: Coach = coach_of(self._settings)
        self._stopped = threading.Event()

    def questions(self, calls: Sequence[CalibrationCall]) -> list[Asked]:
        """Return all that is to be answered."""
        return [Asked(call, run) for run in range(1, self._runs + 1) for call in calls]

    def kept_answer(self, asked: Asked) -> Answered | None:
        """Return the answer to a question that was paid for before; None where there is none, or only a part of it."""

        def complete(_: Mapping[str, object]) -> Completion:
            raise _NotKept

        try:
            return self._answered(asked, complete)
        except _NotKept:
            return None

    def estimated_cost(self, missing: Sequence[Asked]) -> Cost:
        """Return about what the missing answers cost, where none has to be repaired."""
        return coaching_cost(
            _Estimate(self._model, self._question(asked.call).estimated_tokens(self._model), OUTPUT_TOKENS_PER_CALL)
            for asked in missing
        )

    def ask(self, missing: Sequence[Asked], tell: Callable[[int, Answered], None]) -> list[Answered]:
        """Ask what is missing, side by side; tell is given each answer and how many there are. Raises Unaskable."""
        if not missing:
            return []
        # The first goes alone: what refuses it would refuse them all.
        answers = [self._ask(missing[0])]
        if answers[0].scorecard is None:
            raise Unaskable(f"LLM Gateway gives no answer: {answers[0].fault}")
        tell(1, answers[0])
        with ThreadPoolExecutor(self._at_once) as pool:
            waiting = [pool.submit(self._ask, asked) for asked in missing[1:]]
            try:
                for done in as_completed(waiting):
                    answers.append(done.result())
                    tell(len(answers), answers[-1])
            except BaseException:
                # What is on its way is still paid for, and kept.
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise
        return answers

    def _ask(self, asked: Asked) -> Answered:
        client = AssemblyAI(lambda *, fresh=False: self._api_key, self._gateway_url, self._gateway_url)

        def complete(request: Mapping[str, object]) -> Completion:
            self._pace.wait()
            if self._stopped.is_set():
                raise Unaskable("stopped")
            return client.complete(request)

        said = ""
        try:
            for number in range(MOST_TRIES):
                try:
                    return self._answered(asked, complete, first_run=number == 0)
                except TransientError as fault:
                    said = str(fault)
                    wait_seconds = fault.retry_after_seconds or FIRST_WAIT_SECONDS * 2**number
                    if isinstance(fault, RateLimited):
                        self._pace.pause(wait_seconds)
                    elif number < MOST_TRIES - 1:
                        self._stopped.wait(wait_seconds)
        except AccountRefused as refusal:
            raise Unaskable(
                f"AssemblyAI refuses this key or account: {refusal}\n"
                "Check ASSEMBLYAI_API_KEY, and that the account has LLM Gateway access in this region."
            ) from refusal
        finally:
            client.close()
        return Answered(asked, None, self._attempts(asked), said)

    def _answered(self, asked: Asked, complete: Complete, *, first_run: bool = True) -> Answered:
        scored = self._score(asked, complete, first_run=first_run)
        if scored.refused_models:
            raise Unaskable(
                f"AssemblyAI does not let this account ask {self._model}: {scored.refused_models[self._model]}\n"
                "Choose another with --model."
            )
        return Answered(asked, scored.scorecard, scored.attempts)

    def _score(self, asked: Asked, complete: Complete, *, first_run: bool) -> ScoredCall:
        call = asked.call
        return score_call(
            call.transcript,
            call.roles,
            call.submission,
            self._settings,
            complete,
            coach=self._coach,
            earlier=self._attempts(asked),
            keep=lambda attempts: self._keep(asked, attempts),
            first_run=first_run,
        )

    def _question(self, call: CalibrationCall) -> Question:
        return question_about(measure_call(call.transcript, call.roles, call.submission, self._settings).for_coach)

    def _file(self, asked: Asked) -> Path:
        question = self._question(asked.call)
        digest = hashlib.sha256(f"{question.system}\n{question.user}".encode()).hexdigest()[:12]
        return self._kept / f"{asked.call.name}.{digest}.{asked.run}.json"

    def _attempts(self, asked: Asked) -> list[CoachAttempt]:
        file = self._file(asked)
        return msgspec.json.decode(file.read_bytes(), type=list[CoachAttempt]) if file.is_file() else []

    def _keep(self, asked: Asked, attempts: Sequence[CoachAttempt]) -> None:
        file = self._file(asked)
        file.parent.mkdir(parents=True, exist_ok=True)
        # A file that was cut off in the middle would lose an answer that was paid for.
        part = file.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(attempts))
        part.replace(file)
