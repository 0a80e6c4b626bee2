"""Lambda's time-outs."""

from typing import Any

from tests.faults.stage import JOURNEYS, stage
from tests.sandbox.interference import Action, Late, SideEffect

SCORED = JOURNEYS["scored"]


def test_functions_that_run_out_of_time_are_taken_up_by_the_next_run() -> None:
    """Two paid requests are answered too late: Lambda kills the process, and only what nobody has is asked again."""

    def be_short(document: dict[str, Any]) -> None:
        for name in ("SubmitFunction", "ScorecardFunction"):
            document["Resources"][name]["Properties"]["Timeout"] = 5

    def decide(effect: SideEffect) -> Action | None:
        return Late(7.0) if effect.what in late and effect.number == 1 else None

    late = {"assemblyai POST /v2/transcript", "assemblyai POST /v1/chat/completions"}
    with stage(edit=be_short) as set_up:
        report = set_up.run(SCORED, decide)
        time_outs = {name: seen.timeouts for name, seen in set_up.stack.cloud.invocations.items()}

    assert time_outs == {"SubmitFunction": 1, "ScorecardFunction": 1}
    assert (report.outcome, len(report.mails)) == ("complete", 1)
    # The job is found again; the coach's first answer went with the process.
    assert report.paid == {"transcript": 1, "understanding": 1, "chat": 2}
