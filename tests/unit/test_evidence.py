"""Whether a quote was really said, and by whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.benchmarks.evidence import (
    NEVER_PASS,
    WHOLE_SENTENCES,
    Result,
    generated_calls,
    generated_quotes,
    labelled_calls,
    labelled_quotes,
    results,
)
from tests.unit.examples import REP_AND_CUSTOMER, conversation, utterance_lists, words

from callcoach.transcript import Utterance
from scorecard.evidence import Claim, Cut, DemandedSide, Verifier, cut
from scorecard.scorecard import Evidence
from scorecard.speakers import RoleAssignment

CALL = conversation(
    ("A", "So, it's eighteen thousand a year for the full package, billed up front."),
    ("B", "Wow, 18,000 a year is a lot more than I expected. I can't take that to my director!"),
    ("A", "Right."),
    ("B", "We lost two big renewals"),
    ("A", "Mm-hmm."),
    ("B", "in March because nobody told us. We're not, um, going to sign this month, and the price hurts."),
    ("A", "Okay, so our reminders go out ninety days before the end date, and again at thirty days."),
    ("B", "No, we pay by the month. It is unlikely that our finance lead agrees to a whole year up front."),
)


def check(
    number: int,
    quote: str,
    side: DemandedSide | None = None,
    utterances: list[Utterance] = CALL,
    language: str | None = "en_us",
) -> list[Evidence] | str:
    """Return what is published of a quote, or why nothing is."""
    verifier = Verifier(utterances, REP_AND_CUSTOMER, language=language)
    checked = verifier.checked([Claim(number, quote)], side)
    assert verifier.counts().claimed == 1
    return checked.evidence or checked.dropped[0].reason


def texts(found: list[Evidence] | str) -> list[str]:
    assert not isinstance(found, str), found
    return [evidence.text for evidence in found]


def only(found: list[Evidence] | str) -> Evidence:
    assert not isinstance(found, str), found
    (evidence,) = found
    return evidence


@pytest.fixture(scope="module")
def labelled() -> list[Result]:
    return results(labelled_quotes(), labelled_calls())


@pytest.fixture(scope="module")
def generated() -> list[Result]:
    calls = generated_calls()
    return results(generated_quotes(calls, 60), calls)


def test_labelled_set_is_large(labelled: list[Result]) -> None:
    """At least 200 quotes of 25 kinds, a hundred of them real and a hundred false."""
    real = [result for result in labelled if result.quote.said]
    assert min(len(real), len(labelled) - len(real)) >= 100
    assert len({result.quote.kind for result in labelled}) == 25


@pytest.mark.parametrize("which", ["labelled", "generated"])
def test_no_false_quote_of_the_worst_kinds_passes(which: str, request: pytest.FixtureRequest) -> None:
    """Fabricated, stitched, with another number, or of the other side; and hardly one of all others."""
    false = [result for result in request.getfixturevalue(which) if not result.quote.said]
    passed = [result for result in false if not result.is_right]
    assert {result.quote.kind for result in false} >= set(NEVER_PASS)
    assert not [result for result in passed if result.quote.kind in NEVER_PASS]
    assert len(passed) <= 0.005 * len(false)


@pytest.mark.parametrize("which", ["labelled", "generated"])
def test_real_quotes_are_kept(which: str, request: pytest.FixtureRequest) -> None:
    """96 of 100, and 98 of 100 whole sentences."""
    real = [result for result in request.getfixturevalue(which) if result.quote.said]
    sentences = [result for result in real if result.quote.kind == WHOLE_SENTENCES]
    assert sum(result.is_right for result in real) >= 0.96 * len(real)
    assert sum(result.is_right for result in sentences) >= 0.98 * len(sentences)


def test_what_is_passed_over_unread_holds_no_quote(labelled: list[Result], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line is read whole, and compared with every quote, to the same end."""
    monkeypatch.setattr("scorecard.evidence.Verifier._holding", lambda verifier, *_: verifier._lines)  # noqa: SLF001
    monkeypatch.setattr("scorecard.evidence._Line._may_hold", lambda *_, **__: True)
    assert results(labelled_quotes(), labelled_calls()) == labelled


def test_the_sentence_around_the_words_is_published() -> None:
    evidence = only(check(1, "18k a year is a lot more"))
    assert evidence.text == "Wow, 18,000 a year is a lot more than I expected."
    assert (evidence.label, evidence.side, evidence.check) == ("B", "customer", "verified")
    assert (evidence.start_ms, evidence.end_ms) == (CALL[1].words[0].start_ms, CALL[1].words[10].end_ms)


def test_a_long_sentence_is_not_published_whole() -> None:
    """Of more than 40 words only those of the quote are; written words are not cut, nor is a sign of money."""
    said = conversation(("B", "well " * 30 + "we pay $1,500 for the non-refundable plan, " + "and so on " * 10))
    assert only(check(0, "1500 for the non refundable plan", utterances=said)).text == (
        "$1,500 for the non-refundable plan"
    )


@pytest.mark.parametrize(
    ("number", "quote", "side", "reason"),
    [
        (0, "", None, "too_short"),
        (0, "?!.. -- ,,", None, "too_short"),
        (1, "a lot", None, "too_short"),
        (1, "it is what it was", None, "too_short"),
        (1, "18,000 a year ... my director", None, "too_short"),
        (0, "twenty thousand a year for the full package", None, "not_found"),
        (0, "a thousand a year for the full package", None, "not_found"),
        (0, "18,000 a year is a lot more than I expected", "rep", "wrong_speaker"),
        (7, "18,000 a year is a lot more than I expected", "rep", "wrong_speaker"),
        (6, "we pay by the month", "rep", "wrong_speaker"),
        (5, "we lost two", "rep", "not_found"),
        (1, "take that to my director", None, "negation"),
        (1, "can take that to my director", None, "not_found"),
        (5, "told us", None, "too_short"),
        (5, "because nobody told us we're going to sign this month", None, "not_found"),
        (5, "going to sign this month, and the price hurts", None, "negation"),
        (7, "It is likely that our finance lead agrees to a whole year", None, "not_found"),
        (7, "that our financial lead disagrees to a whole year up front", None, "not_found"),
        (6, "our reminders go out ... before the director", None, "not_found"),
    ],
)
def test_what_is_dropped(number: int, quote: str, side: DemandedSide | None, reason: str) -> None:
    assert check(number, quote, side) == reason


def test_a_negation_before_a_pause_is_no_part_of_the_words() -> None:
    assert only(check(7, "we pay by the month")).check == "verified"


def test_a_negation_is_not_parted_from_its_words_by_a_filled_pause() -> None:
    said = conversation(("B", "We are not, um, you know, planning to change the billing system"))
    assert check(0, "planning to change the billing system", utterances=said) == "negation"


def test_a_negation_glued_to_the_last_word_is_not_cut_off() -> None:
    said = conversation(("B", "If the price is right we can't."))
    assert check(0, "If the price is right we can", utterances=said) == "negation"


def test_a_negation_may_follow_in_german() -> None:
    said = conversation(("B", "Das Angebot unterschreibe ich nicht, aber wir reden weiter."))
    assert check(0, "Das Angebot unterschreibe ich", utterances=said, language="de") == "negation"
    assert texts(check(0, "aber wir reden weiter", utterances=said, language="de")) == [said[0].text]


def test_near_words_need_a_list_of_negations() -> None:
    """Without one nobody knows which word must not differ, so the words must be the same."""
    said = conversation(("B", "noi paghiamo molto per questo vecchio sistema"))
    assert texts(check(0, "noi paghiamo molto per questo", utterances=said, language="it")) == [said[0].text]
    assert check(0, "noi paghiamo tanto per questo vecchio sistema", utterances=said, language="it") == "not_found"


def test_a_neighbour_is_taken_when_the_number_is_a_little_wrong() -> None:
    evidence = only(check(0, "a lot more than I expected", "customer"))
    assert (evidence.utterance, evidence.check) == (1, "repaired")


def test_short_words_must_be_near() -> None:
    said = conversation(*[("A", f"part {number} of it") for number in range(5)], ("A", "that makes perfect sense"))
    assert only(check(4, "makes perfect sense", utterances=said)).utterance == 5
    assert check(2, "makes perfect sense", utterances=said) == "not_found"


def test_words_that_stand_in_several_places_must_be_long() -> None:
    said = conversation(
        ("B", "our billing system is really quite old"),
        *[("A", f"this is part {number} of the tour") for number in range(10)],
        ("B", "our billing system is really quite old"),
    )
    assert check(6, "our billing system is really quite old", "customer", said) == "ambiguous"
    assert only(check(8, "our billing system is really quite old", "customer", said)).utterance == 11
    assert only(check(11, "our billing system is really quite old", "customer", said)).check == "verified"


def test_the_nearest_of_several_long_ones_is_taken() -> None:
    told = "our billing system is really quite old and slow today"
    said = conversation(("B", told), *[("A", f"this is part {number} of the tour") for number in range(9)], ("B", told))
    assert only(check(6, told, "customer", said)).utterance == 10
    assert only(check(4, told, "customer", said)).utterance == 0


def test_a_quote_over_a_backchannel_is_published_for_each_utterance() -> None:
    found = check(3, "We lost two big renewals in March because nobody told us", "customer")
    assert texts(found) == ["We lost two big renewals", "in March because nobody told us."]
    assert [evidence.utterance for evidence in found if isinstance(evidence, Evidence)] == [3, 5]


def test_a_quote_over_somebody_elses_sentence_is_none() -> None:
    said = conversation(("B", "we lost two big"), ("A", "I did not know that"), ("B", "renewals in March this year"))
    assert check(0, "we lost two big renewals in March", utterances=said) == "not_found"


def test_what_an_ellipsis_leaves_out_is_published() -> None:
    evidence = only(check(6, "our reminders go out ... again at thirty days"))
    assert evidence.text == CALL[6].text
    assert evidence.check == "repaired"


def test_an_ellipsis_hides_no_negation() -> None:
    said = conversation(("B", "We can see the value and the team would use it, but not sign it this month."))
    assert check(0, "We can see the value ... sign it this month", utterances=said) == "negation"


def test_an_ellipsis_leaves_out_little() -> None:
    """Parts that are far apart are two moments; and so are parts whose words in between nobody would read."""
    said = conversation(("B", "we lost two renewals " + "and so it went on " * 9 + "until the invoice bounced"))
    assert check(0, "we lost two renewals ... until the invoice bounced", utterances=said) == "not_found"
    said = conversation(("B", "we lost two renewals " + "um uh " * 35 + "so then until the invoice bounced"))
    assert check(0, "we lost two renewals ... until the invoice bounced", utterances=said) == "elision"


def test_the_transcripts_own_dots_are_no_ellipsis() -> None:
    said = conversation(("B", "Well... I think that the price is fair"))
    assert only(check(0, "Well... I think that the price is fair", utterances=said)).check == "verified"


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("our reminders went out ninety days before the end date", True),
        ("our reminders go out ninety days before that end date", True),
        ("our reminder goes out ninety days before that end date", True),
        ("our reminders go out ninety days ahead of that end date", False),
        ("their reminders go out ninety days before the end date", False),
        ("so reminders go out ninety days before the end date", True),
        ("so our reminders never go out ninety days before the end date", False),
    ],
)
def test_words_may_differ_a_little(quote: str, found: bool) -> None:  # noqa: FBT001
    """One word in ten, none at the edges, and no negation."""
    assert (check(6, quote) != "not_found") is found


def test_words_between_soft_ones_are_found() -> None:
    said = conversation(("B", "so we, you know, just really lost, like, two of the big renewals"))
    assert only(check(0, "so we lost two of the big renewals", utterances=said)).check == "repaired"


def test_two_colleagues_are_not_one_speaker() -> None:
    roles = RoleAssignment(
        sides={"A": "rep", "B": "customer", "C": "rep"}, source="identification", identification="success", reasons=[]
    )
    said = conversation(("A", "the dock calendar shows"), ("B", "Right."), ("C", "every slot of the whole week"))
    verifier = Verifier(said, roles, language="en")
    assert verifier.verified([Claim(0, "the dock calendar shows every slot of the whole week")], "rep") == []


def test_each_claim_is_counted_once() -> None:
    """Also when it gives two pieces of evidence; and the dropped ones are named by their place."""
    verifier = Verifier(CALL, REP_AND_CUSTOMER, language="en")
    claims = [
        Claim(1, "a lot more than I expected"),
        Claim(1, "a lot less than I expected it"),
        Claim(3, "We lost two big renewals in March because nobody told us"),
        Claim(1, "so"),
    ]
    checked = verifier.checked(claims, "customer")
    assert len(checked.evidence) == 3
    assert [(dropped.index, dropped.reason) for dropped in checked.dropped] == [(1, "not_found"), (3, "too_short")]
    counts = verifier.counts()
    assert (counts.claimed, counts.verified, counts.repaired, counts.dropped) == (4, 1, 1, 2)
    assert counts.dropped_reasons == {"not_found": 1, "too_short": 1}


def test_times_without_words_are_proportional() -> None:
    said = [Utterance("A", "Yes. We lost renewals in March alone. Really", 1000, 5400)]
    evidence = only(check(0, "lost renewals in March", utterances=said))
    assert evidence.text == "We lost renewals in March alone."
    assert (evidence.start_ms, evidence.end_ms) == (1500, 4700)


def test_words_that_are_not_those_of_the_text_give_no_times() -> None:
    """Redaction changes the text and may leave the words; then the position in the text has to do."""
    said = conversation(("A", "Yes. We lost renewals in March alone."))
    said[0].words[1].text = "Us"
    evidence = only(check(0, "lost renewals in March", utterances=said))
    assert (evidence.start_ms, evidence.end_ms) == (2800 * 5 // 37, 2800)


def test_cut_returns_the_words_between_two_times() -> None:
    said = CALL[1]
    first, last = said.words[1], said.words[4]
    assert cut(said, first.start_ms, last.end_ms) == Cut("18,000 a year is", first.start_ms, last.end_ms)
    assert cut(said, said.start_ms - 500, first.start_ms - 300) is None


def test_cut_is_at_most_forty_words() -> None:
    said = conversation(("B", "word " * 60))[0]
    found = cut(said, said.start_ms, said.end_ms)
    assert found is not None
    assert (len(found.text.split()), found.end_ms) == (40, said.words[39].end_ms)


def test_cut_without_times_of_words() -> None:
    said = Utterance("B", "one two three four", 0, 1800)
    assert cut(said, 400, 1300) == Cut("two three", 400, 1300)


claims = st.builds(Claim, st.integers(-2, 12), st.builds(" ".join, words))


def assert_true(evidence: Evidence, utterances: list[Utterance], side: DemandedSide | None) -> None:
    said = utterances[evidence.utterance]
    assert evidence.text
    assert evidence.text in said.text
    assert evidence.label == said.speaker
    assert evidence.side == (side or evidence.side) == REP_AND_CUSTOMER.sides[said.speaker]
    low, high = sorted((said.start_ms, said.end_ms))
    assert low <= evidence.start_ms <= evidence.end_ms <= high


@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.builds(" ".join, words)), max_size=6),
    st.lists(claims, max_size=6),
    st.sampled_from(["rep", "customer", None]),
    st.sampled_from(["en_us", "de", "ja", None]),
)
def test_what_is_published_stands_in_the_utterance_that_it_names(
    turns: list[tuple[str, str]], claims: list[Claim], side: DemandedSide | None, language: str | None
) -> None:
    """A substring, within its utterance's time, of the side that was demanded; and every claim is counted once."""
    utterances = conversation(*turns)
    verifier = Verifier(utterances, REP_AND_CUSTOMER, language=language)
    for evidence in verifier.verified(claims, side):
        assert_true(evidence, utterances, side)
    counts = verifier.counts()
    assert counts.claimed == len(claims) == counts.verified + counts.repaired + counts.dropped
    assert counts.dropped == sum(counts.dropped_reasons.values())


@given(st.data(), st.lists(st.tuples(st.sampled_from("AB"), st.builds(" ".join, words)), min_size=1, max_size=6))
def test_words_that_were_said_are_published_from_where_they_stand(
    data: st.DataObject, turns: list[tuple[str, str]]
) -> None:
    """Any cut of any utterance, also of times as they should not be, is a substring or nothing."""
    utterances = conversation(*turns)
    for said in utterances:
        said.start_ms, said.end_ms = data.draw(st.integers(-50, 9000)), data.draw(st.integers(-50, 9000))
    number = data.draw(st.integers(0, len(utterances) - 1))
    said_words = utterances[number].text.split()
    first = data.draw(st.integers(0, len(said_words) - 1))
    last = data.draw(st.integers(first, len(said_words) - 1))
    found = check(number, " ".join(said_words[first : last + 1]), utterances=utterances)
    for evidence in found if isinstance(found, list) else []:
        assert_true(evidence, utterances, None)


@given(utterance_lists(), st.integers(-2, 12), st.text(max_size=60))
def test_nothing_crashes(utterances: list[Utterance], number: int, quote: str) -> None:
    roles = RoleAssignment(
        sides={"A": "rep", "B": "customer", "C": "unassigned"}, source="none", identification="none", reasons=[]
    )
    verifier = Verifier(utterances, roles, language="en")
    verifier.verified([Claim(number, quote), Claim(number, "we lost two renewals in March")])
    for said in utterances:
        found = cut(said, 0, 3000)
        assert found is None or found.text in said.text


@pytest.mark.parametrize("text", ["!" * 50_000, "1 22 " * 10_000, " ..." * 20_000, "not " * 30_000, "[<" * 30_000])
def test_work_grows_linearly_with_hostile_text(text: str) -> None:
    """Else these would take minutes."""
    said = conversation(("A", text), ("B", "we lost two renewals in March this year"))
    assert only(check(1, "we lost two renewals in March", utterances=said)).utterance == 1
    check(0, text[:2000], "customer", said)
