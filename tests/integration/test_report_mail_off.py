"""Without a sender or without recipients no report is mailed."""

import pytest
from tests.integration.stack import DONE, REPORTS, SOUND, running_stack


@pytest.mark.parametrize("missing", REPORTS)
def test_it_takes_a_sender_and_recipients(missing: str) -> None:
    """Without one of them there is no right to send, and nothing is made for it."""
    with running_stack(invoke=False, delay_seconds=0.05, parameters=REPORTS | {missing: ""}) as stack:
        assert stack.callback("completed", stack.transcribed("off.ogg", SOUND.read_bytes())) == DONE
        assert stack.cloud.ses.sent == []
        identity = "arn:aws:ses:eu-west-1:123456789012:identity/callcoach@example.com"
        assert not stack.cloud.is_permitted("ScorecardRole", "ses:SendRawEmail", identity)
        assert "ReportsRefused" not in stack.cloud.logs("ScorecardFunction")
