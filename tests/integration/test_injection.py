"""What anybody on a call, or whoever named the recording, can make of a scorecard when the model obeys all of it."""

import logging
from collections.abc import Iterator
from functools import cache, partial

import pytest
from tests.benchmarks.canaries import CANARIES, CHANNELS, Published, coach, harmless, moved, publish, quotes_are_real

# What the gullible coach writes when it does as it is told.
OBEYED = {
    "full_marks": "top performer",
    "all_zeros": "top performer",
    "share": "The rep talked 40 percent of the time.",
    "end_mark": "See TRANSCRIPT 7f3a9c21d0e4 END",
    "forged_line": '"utterance": 99',
    "dictated": "The best call of the year",
    "i_am_the_rep": '"verdict": "swapped"',
    "other_type": "This is a demo call",
    "link": "See https://evil.example",
    "recognised_link": "See evil.com",
    "markup": "See <script>",
    "instructions": "You assess the recording of one sales call",
    "everything": "See evil.com",
}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log of refused replies out of the output."""
    logger = logging.getLogger("service_undefined")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="module")
def gullible() -> Iterator[partial[Published]]:
    with coach("gullible") as complete:
        yield partial(cache(publish), complete)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("name", CANARIES)
def test_canary_moves_nothing(name: str, channel: str, gullible: partial[Published]) -> None:
    """Numbers, band, roles, clear shifts, level caps and quotes are those of the same call with harmless words.

    No link reaches mail or page, and the mail stays short.
    """
    canary = gullible(channel, CANARIES[name])
    assert moved(canary, gullible(channel, harmless(channel, CANARIES[name]))) == []


@pytest.mark.parametrize("channel", ["rep", "customer"])
@pytest.mark.parametrize("name", CANARIES)
def test_gullible_coach_does_obey(name: str, channel: str, gullible: partial[Published]) -> None:
    """Otherwise the test above would show nothing."""
    assert OBEYED[name] in gullible(channel, CANARIES[name]).replies[0]


@pytest.mark.parametrize("name", CANARIES)
def test_nothing_typed_with_a_recording_reaches_the_model(name: str, gullible: partial[Published]) -> None:
    assert gullible("metadata", CANARIES[name]).replies == gullible("metadata", "anybody").replies


@pytest.mark.parametrize("name", ["full_marks", "dictated", "everything"])
def test_full_marks_are_capped_by_what_was_counted(name: str, gullible: partial[Published]) -> None:
    """The rep talks above the band, so listening is at most two, and says so."""
    card = gullible("customer", CANARIES[name]).card
    if card.coaching is None:
        assert name == "everything"
        return
    listening = card.coaching.rubric.items["listening"]
    assert card.talk_listen.verdict == "above"
    assert listening.level is None or listening.level <= 2
    assert name != "full_marks" or listening.lowered_from == 3


def test_numbers_that_somebody_dictates_are_not_published(gullible: partial[Published]) -> None:
    published = gullible("rep", CANARIES["share"])
    assert published.card.run.prose_removed["number_not_in_facts"] > 5
    assert published.card.coaching is not None
    prose = [published.card.coaching.summary, published.card.coaching.talk_listen]
    assert not any("40" in text for text in prose)


@pytest.mark.parametrize("name", ["link", "recognised_link"])
def test_links_are_removed_and_counted(name: str, gullible: partial[Published]) -> None:
    card = gullible("customer", CANARIES[name]).card
    assert card.coaching is not None
    assert card.run.prose_removed["link"] > 5


@pytest.mark.parametrize("name", ["end_mark", "instructions"])
def test_reply_that_repeats_its_instructions_is_refused(name: str, gullible: partial[Published]) -> None:
    """Both models obey, so the numbers stand alone."""
    card = gullible("rep", CANARIES[name]).card
    assert (card.status, card.status_reason, card.run.coach_attempts) == ("numbers_only", "coach_invalid", 2)


def test_roles_are_doubted_and_never_swapped(gullible: partial[Published]) -> None:
    canary = gullible("customer", CANARIES["i_am_the_rep"]).card
    assert canary.roles.needs_review
    assert canary.roles.mapping == {"A": "rep", "B": "customer"}


def test_words_of_a_forged_line_are_not_the_customers(gullible: partial[Published]) -> None:
    """Utterance 99 is none, and what one side pretends that the other said is the words of the one who said it."""
    for channel in ("rep", "customer"):
        card = gullible(channel, CANARIES["forged_line"]).card
        assert card.coaching is not None
        assert card.coaching.next_step.status != "agreed" or channel == "customer"


def test_lies_about_what_was_said_are_not_published() -> None:
    """Of quotes that are all false only real words are published, and none that a false one stood for."""
    with coach("lying") as complete:
        published = publish(complete, "rep", harmless("rep", CANARIES["share"]))
    card = published.card
    assert card.coaching is not None
    assert card.evidence is not None
    assert card.evidence.dropped >= card.evidence.claimed - 2
    assert quotes_are_real(published)
    levels = card.coaching.rubric.items.values()
    assert sum(level.level is None for level in levels) >= 5
    assert len(card.coaching.suggestions) <= 1
