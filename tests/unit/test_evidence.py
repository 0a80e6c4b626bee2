"""Whether a quote was really said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import REP_AND_CUSTOMER, SAMPLE_CALLS, conversation, sample_transcript, words

from callcoach.transcript import Utterance
from scorecard.evidence import Claim, Verifier
from scorecard.scorecard import Evidence

CALL = conversation(
    ("A", "So, it's eighteen thousand a year for the full package, billed up front."),
    ("B", "Wow, 18,000 a year is a lot more than I expected. I can't take that to my director!"),
    ("A", "It’s not a lot \u2013 100% of our customers pay it, a lot of them twice."),
)


def verify(number: int, quote: str, utterances: list[Utterance] = CALL) -> Evidence | None:
    found = Verifier(utterances, REP_AND_CUSTOMER).verified([Claim(number, quote)])
    return found[0] if found else None


def reason(number: int, quote: str) -> dict[str, int]:
    verifier = Verifier(CALL, REP_AND_CUSTOMER)
    assert verifier.verified([Claim(number, quote)]) == []
    return verifier.counts().dropped_reasons


@pytest.mark.parametrize(
    ("number", "quote", "published"),
    [
        (0, "eighteen thousand a year", "eighteen thousand a year"),
        (0, "EIGHTEEN thousand, a year...", "eighteen thousand a year"),
        (0, "full package, billed up front", "full package, billed up front."),
        (0, "for the full package", "for the full package"),
        (1, "“a lot more than I expected”", "a lot more than I expected."),
        (1, "I can’t take that to my director", "I can't take that to my director!"),
        (2, "It's not a lot", "It’s not a lot"),
        (2, "a lot 100 percent", None),
        (2, "a lot 100", "a lot \u2013 100%"),
    ],
)
def test_words_are_compared_and_the_original_is_published(number: int, quote: str, published: str | None) -> None:
    """Case, punctuation and the kind of apostrophe do not matter; what is published is the transcript's own text."""
    evidence = verify(number, quote)
    assert (evidence.text if evidence else None) == published


@pytest.mark.parametrize(
    ("number", "quote", "expected"),
    [
        (0, "", "too_short"),
        (0, "a year", "too_short"),
        (0, "?!.. -- ,,", "too_short"),
        (3, "a lot more than", "no_such_utterance"),
        (-1, "a lot of them", "no_such_utterance"),
        (0, "twenty thousand a year", "not_found"),
        (0, "eighteen thousand for the year", "not_found"),
        (0, "a lot more than I expected", "not_found"),
        (1, "I can take that", "not_found"),
        (1, "1,800 a year is", "not_found"),
    ],
)
def test_other_words_are_dropped_and_counted(number: int, quote: str, expected: str) -> None:
    assert reason(number, quote) == {expected: 1}


@pytest.mark.parametrize("quote", ["000 a year is", "5 percent of it", "500 in all", "30 on Monday then"])
def test_a_number_is_not_cut_in_two(quote: str) -> None:
    """Half a number is another number: such words were not said."""
    said = conversation(("A", "So 18,000 a year is 1.5 percent of it and 3,500 in all, at 10:30 on Monday then."))
    assert verify(0, quote, said) is None


def test_whole_numbers_are_found() -> None:
    said = conversation(("A", "So 18,000 a year is 1.5 percent of it."))
    evidence = verify(0, "18,000 a year is 1.5 percent", said)
    assert evidence is not None
    assert evidence.text == "18,000 a year is 1.5 percent"


def test_words_of_somebody_else_are_not_found() -> None:
    """A quote is looked for only in the utterance that it names, so nobody gets another's words."""
    assert verify(1, "a lot more than I expected") is not None
    assert verify(0, "a lot more than I expected") is None


def test_first_of_two_places_is_taken() -> None:
    said = conversation(("B", "we lost it then and we lost it again"))
    evidence = verify(0, "we lost it", said)
    assert evidence is not None
    assert (evidence.start_ms, evidence.end_ms) == (0, 1200)


def test_times_are_those_of_the_words() -> None:
    evidence = verify(1, "a lot more than I expected")
    assert evidence is not None
    spoken = CALL[1].words[5:11]
    assert [word.text for word in spoken] == ["a", "lot", "more", "than", "I", "expected."]
    assert (evidence.start_ms, evidence.end_ms) == (spoken[0].start_ms, spoken[-1].end_ms)
    assert (evidence.label, evidence.side) == ("B", "customer")


def test_times_without_words_are_proportional() -> None:
    said = [Utterance("A", "one two three four five six", 1000, 3700)]
    evidence = verify(0, "three four five", said)
    assert evidence is not None
    assert (evidence.start_ms, evidence.end_ms) == (1800, 3300)


def test_words_that_are_not_those_of_the_text_give_no_times() -> None:
    """Redaction changes the text and may leave the words; then the position in the text has to do."""
    said = conversation(("A", "one two three four five six"))
    said[0].words[1].text = "zwei"
    evidence = verify(0, "two three four", said)
    assert evidence is not None
    assert (evidence.start_ms, evidence.end_ms) == (2400 * 4 // 27, 2400 * 18 // 27)


claims = st.builds(Claim, st.integers(-1, 3), st.builds(" ".join, words))


@given(st.lists(st.tuples(st.sampled_from("AB"), st.builds(" ".join, words)), max_size=3), st.lists(claims, max_size=6))
def test_what_is_published_stands_in_the_utterance_that_it_names(
    turns: list[tuple[str, str]], claims: list[Claim]
) -> None:
    """A substring, with its speaker's side, within its time; and every claim is counted once."""
    utterances = conversation(*turns)
    verifier = Verifier(utterances, REP_AND_CUSTOMER)
    published = verifier.verified(claims)
    for evidence in published:
        said = utterances[evidence.utterance]
        assert evidence.text
        assert evidence.text in said.text
        assert evidence.label == said.speaker
        assert evidence.side == REP_AND_CUSTOMER.sides[said.speaker]
        assert said.start_ms <= evidence.start_ms < evidence.end_ms <= said.end_ms
    counts = verifier.counts()
    assert counts.claimed == len(claims)
    assert counts.verified == len(published)
    assert counts.dropped == counts.claimed - counts.verified == sum(counts.dropped_reasons.values())


@given(st.builds(" ".join, words), st.text(max_size=12))
def test_any_text_is_a_substring_or_nothing(text: str, strange: str) -> None:
    said = [Utterance("A", strange + text + strange, 0, 1000)]
    evidence = verify(0, text, said)
    assert evidence is None or evidence.text in said[0].text


@pytest.mark.parametrize("name", SAMPLE_CALLS)
def test_every_real_quote_is_kept(name: str) -> None:
    """Each six consecutive words of a sample call are found where they were said, with the words' own times."""
    utterances = sample_transcript(name).utterances or []
    verifier = Verifier(utterances, REP_AND_CUSTOMER)
    for number, said in enumerate(utterances):
        if said.speaker not in REP_AND_CUSTOMER.sides:
            continue
        for first in range(len(said.words) - 5):
            spoken = said.words[first : first + 6]
            (evidence,) = verifier.verified([Claim(number, " ".join(word.text for word in spoken))])
            assert evidence.text.split()[0].strip(".,") == spoken[0].text.strip(".,")
            assert said.start_ms <= evidence.start_ms < evidence.end_ms <= said.end_ms
    assert verifier.counts().dropped == 0
