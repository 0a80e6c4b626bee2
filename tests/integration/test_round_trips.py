"""No request is sent for which there is no reason."""

from tests.benchmarks.round_trips import REASONS, requests_of_a_call


def test_each_request_of_a_call_has_its_reason() -> None:
    """A new one needs a line in the table, which `make bench ONLY=round_trips` prints."""
    sent = requests_of_a_call()

    assert {function: dict(counts) for function, counts in sent.items()} == {
        function: {what: len(why) for what, why in reasons.items()} for function, reasons in REASONS.items()
    }
