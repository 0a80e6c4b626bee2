"""A callback that never comes, and a transcript that takes its time."""

from tests.integration.stack import SOUND, running_stack


def test_a_lost_callback_is_made_up_for_by_the_watchdog() -> None:
    with running_stack(parameters={"OverdueAfterSeconds": "2"}, clock_scale=0.01, delay_seconds=1) as stack:
        # Nobody listens where the callback goes.
        stack.stand_in.hosts.update(dict.fromkeys(stack.cloud.hosts, "http://127.0.0.1:9"))
        stack.drop("lost.ogg", SOUND.read_bytes())

        card = stack.wait_for("scorecards", "lost.ogg")

        assert card["status"] == "complete"
        (delivery,) = stack.stand_in.deliveries
        assert delivery.outcome != "delivered"


def test_an_overdue_transcript_that_is_still_being_made_is_looked_at_again() -> None:
    """Looking leaves no memory: the callback that comes in the end scores the call."""
    with running_stack(parameters={"OverdueAfterSeconds": "1"}) as stack:
        stack.stand_in.never_finish(SOUND.read_bytes())
        stack.drop("slow.ogg", SOUND.read_bytes())
        stack.cloud.wait_until(lambda: "the transcript is" in stack.cloud.logs("ScorecardFunction"), 60)

        assert stack.document("scorecards", "slow.ogg") is None
        (transcript_id,) = stack.stand_in.jobs
        stack.stand_in.finish(transcript_id)
        assert stack.wait_for("scorecards", "slow.ogg")["status"] == "complete"
        stack.cloud.wait_until(lambda: stack.cloud.queue_depth("CallbacksQueue") == 0, 20)
        assert len(stack.mails_about("slow.ogg")) == 1
