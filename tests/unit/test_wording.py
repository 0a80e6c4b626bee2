"""What of the coach's prose may be published."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.tokens import language_rules
from scorecard.wording import (
    CHARACTERS_PER_WORD,
    LIMITS,
    Facts,
    Proofreader,
    asks,
    begins_with_cue,
    consents,
    has_link,
    is_one_action,
    numbers,
    one_line,
    sentences,
    shortened,
)

FACTS: Facts = {"percent": {"#63", "#37"}, "minutes": {"#32", "#3"}, "seconds": {"#34"}, "times": {"#9", "#16p8"}}
ENGLISH = language_rules("en")

# Sentences about what was said and done; "never", "bad" and "weak" may be facts.
PASS = """
The cost was never said.
The customer says that the result was bad.
The rep asks for facts, and no question builds on an answer.
The rep names the yearly price before it is known what it is compared with.
Topics and time are named and agreement is asked for; the customer's own goal is not asked for.
One question builds on the lost renewals; what they cost is not asked.
The point about the board report is acknowledged in two words and the walk-through goes on.
Reminders are tied to the lost renewals; reporting is described in general.
The price doubt is answered at once with a list of what is included.
Action, day and owner are named, both sides take something on.
Most of the rep's time went into one product walk-through.
The customer described a weak signal in the warehouse.
Nobody asked what the delay costs.
The customer calls the old tool a nightmare.
The rep says the customer's point back in other words.
The customer asks about payroll, and the rep goes on with the next screen.
Their dispatchers reschedule by phone.
The customer was hoping for a smaller package.
Two of the customer's renewals were lost in March.
The question about the budget never got an answer.
A question comes before the answer.
What counts in the comparison stays unknown.
The call ends without a day.
The doubt about the risk is answered with a promise.
The customer declines.
The rep side talks about the dock calendar and the tablet.
They agree on a next step for Thursday.
The longest stretch ran without a question, and the board report got lost in it.
The person who decides is not on the call.
The rep offers to start with the core plan only.
The customer repeats the point about integrations.
Silence follows the price, and the rep goes on with a list.
The customer answers with a story about last year's project.
The rep thanks the customer and closes the call.
The security review is the next step.
Asking first would have shown what the price is compared with.
The customer's confidential data came up once.
The overall terms were read out.
The rudimentary export was shown at the end.
The rep asks who has to agree, and the customer names two people.
""".strip().splitlines()

# Who somebody is, how somebody sounds, what other people do, and praise or blame without a moment.
FAIL = """
The rep sounded nervous during the price discussion.
The rep is confident about the product.
More confidence would have helped here.
The rep confidently answers the question.
The rep was passive in the second half.
The tone turned aggressive after the price.
The close came across as pushy.
An arrogant remark followed.
That was rude.
The answer was lazy.
The rep seemed unprepared for the question about payroll.
A charismatic opening.
The demo was shown with enthusiasm.
An enthusiastic walk-through of the calendar.
The energy dropped after ten minutes.
An energetic start.
The attitude towards the customer was wrong.
The personality of the rep shows here.
The tone of voice changed.
The customer sounded annoyed.
The accent made this part hard to follow.
An articulate summary of the problem.
A smart question about the budget.
Excellent discovery.
An amazing demo.
Great job on the agenda.
The opening was well done.
The rep failed to ask about the budget.
The rep should have asked about the budget.
Unfortunately no question followed.
Obviously the customer wanted a discount.
Studies show that questions win deals.
Research shows that silence helps.
Top reps ask eleven questions.
Top performers wait for the answer.
This is a best practice in discovery.
Best practices were ignored.
The rep always interrupts.
The rep often struggles with objections.
She tends to talk over the customer.
He never listens.
The rep clearly lacks product knowledge.
""".strip().splitlines()


def read(field: str, text: str, *cited: str, language: str = "en") -> str:
    return Proofreader(FACTS, language=language).read(field, text, cited)


def test_there_are_enough_sentences() -> None:
    assert len(set(PASS)) >= 40
    assert len(set(FAIL)) >= 40


@pytest.mark.parametrize("sentence", PASS)
def test_sentences_about_behaviour_pass(sentence: str) -> None:
    assert read("because", sentence) == sentence


@pytest.mark.parametrize("sentence", FAIL)
def test_sentences_about_the_person_do_not(sentence: str) -> None:
    proofreader = Proofreader(FACTS, language="en")
    assert proofreader.read("rationale", sentence) == ""
    assert proofreader.removed()["about_the_person"] == 1
    # Nor anywhere in a text, whose other sentences stay.
    assert proofreader.read("summary", f"A fact. {sentence} Another fact.") == "A fact. Another fact."


def test_word_list_is_english() -> None:
    assert read("because", "Der Smart-Meter ist ein Thema.", language="de") == "Der Smart-Meter ist ein Thema."
    assert read("because", "Der Smart Meter kostet 12 Euro.", language="de") == ""


def test_words_to_say_and_cues_are_no_judgement() -> None:
    """In them the customer is addressed, or described as heard in the words."""
    assert read("say", "You sounded unsure, what should have been different?")
    assert read("when", "When the customer sounded unsure")
    assert read("question", "What would you ask first?")
    assert read("question", "Why were you so nervous?") == ""


@pytest.mark.parametrize("field", ["summary", "talk_listen", "cause", "rationale", "what", "do", "because", "when"])
def test_nobody_is_addressed_outside_of_quotation_marks(field: str) -> None:
    assert read(field, "Ask what you compare it with.") == ""
    assert read(field, 'Ask "what do you compare it with" at once.')


@pytest.mark.parametrize(
    "text",
    [
        "The customer lost 31 disputes.",
        "The rep talked 40 percent of the time.",
        "The rep talked forty percent of the time.",
        "The rep talked [40] percent of the time.",
        "It took 9 percent.",
        "It took three percent.",
        "It took nine minutes.",
        "The customer asked two times.",
        "A price of eighteen thousand was named.",
        "It costs 18k a year.",
        "They have twenty-five clinics.",
        "Thursday the 14th was named.",
    ],
)
def test_number_that_nobody_knows_is_removed(text: str) -> None:
    assert read("because", text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "The rep talked 63 percent of the time, the customer 37%.",
        "The longest stretch was 3 minutes and 34 seconds.",
        "The customer asked nine times.",
        "Two of them were lost, and one came back.",
        "First the price, then the rest.",
        "At 16.8 an hour.",
        "It ran for three minutes.",
    ],
)
def test_numbers_of_ours_and_small_words_stay(text: str) -> None:
    assert read("because", text) == text


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("it's eighteen thousand a year", "The price of 18,000 came early."),
        ("18,000 a year", "The price of eighteen thousand came early."),
        ("we run 25 clinics", "The customer's twenty-five clinics were not asked about."),
        ("Thursday the fourteenth works", "Thursday the 14th was agreed."),
    ],
)
def test_numbers_of_a_cited_quote_stay(quote: str, text: str) -> None:
    """However they are written; in another item they do not."""
    assert read("because", text, quote) == text
    assert read("because", text, "no number here") == ""


def test_unit_needs_a_number_of_ours_even_when_somebody_said_it() -> None:
    assert read("because", "The rep talked 40 percent.", "you talked forty percent of the time") == ""


@pytest.mark.parametrize("field", ["talk_listen", "cause", "rationale"])
def test_some_prose_has_no_digits_at_all(field: str) -> None:
    assert read(field, "The rep talked 63 percent.", "63 percent") == ""
    assert read(field, "One question, two answers.")


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/x",
        "HTTP://EVIL",
        "www.evil",
        "evil.com",
        "evil\uff0ecom",
        "sales@evil",
        "mailto:me",
        "login.evil.co.uk/x",
        "+1 555 123 4567",
        "0800 123 4567",
        "(555) 123-4567",
    ],
)
def test_links_and_numbers_to_call_are_removed(text: str) -> None:
    """From what is said about a call and from what is to be said on one, and counted."""
    proofreader = Proofreader(FACTS, language="en")
    for field in LIMITS:
        assert proofreader.read(field, f"Look here. See {text} now. And there.", [text]) == "Look here. And there."
    assert proofreader.removed()["link"] == len(LIMITS)


@pytest.mark.parametrize(
    "text", ["at 10.30am", "e.g. the price", "on 2026-05-06", "18,000,000 a year", "It is. Then", "3.5 hours", "A.B."]
)
def test_what_only_looks_like_a_link_stays(text: str) -> None:
    assert not has_link(text)


def test_one_line_shows_everything() -> None:
    assert one_line("a\x00b\u200bc\u202ed\n\u2028e\tf") == "a b c d e f"


def test_number_tokens_know_their_units() -> None:
    assert [(number.key, number.unit, number.free) for number in numbers("two per cent of 10, ten secs", ENGLISH)] == [
        ("#2", "percent", True),
        ("#10", None, False),
        ("#10", "seconds", True),
    ]


def test_sentences_keep_their_marks() -> None:
    assert sentences('He said "yes." Then 3.5 of it! And?  Rest') == [
        'He said "yes."',
        "Then 3.5 of it!",
        "And?",
        "Rest",
    ]
    assert sentences("一。二。") == ["一。", "二。"]


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("a b c. d e f. g h i.", 6, "a b c. d e f."),
        ("a b c. d e f. g h i.", 8, "a b c. d e f."),
        ("a b c; d e, f g h i", 6, "a b c."),
        ("a b c d e, f g h i", 6, "a b c d e."),
        ("a b c d e f g h i", 6, "a b c d e f ..."),
        ("", 6, ""),
    ],
)
def test_long_text_is_cut_at_the_end_of_a_sentence(text: str, words: int, expected: str) -> None:
    assert shortened(text, words) == expected


@given(st.sampled_from(sorted(LIMITS)), st.text(max_size=900), st.sampled_from(["en", "de", "ja"]))
def test_whatever_is_written_is_short_and_harmless(field: str, text: str, language: str) -> None:
    """No field is longer than its limit, holds a link, or more than one line."""
    left = read(field, text, language=language)
    assert len(left.split()) <= LIMITS[field] + 1
    assert len(left) <= LIMITS[field] * CHARACTERS_PER_WORD + 4
    assert not has_link(left)
    assert left == one_line(left)


@pytest.mark.parametrize("field", sorted(LIMITS))
def test_endless_text_is_read_in_no_time(field: str) -> None:
    for text in (
        "!" * 10**6,
        "a-" * 500_000,
        "a." * 500_000,
        "a! " * 300_000,
        "1 " * 500_000,
        "(" * 10**6,
        "x" * 10**6,
        '"' * 10**6,
    ):
        assert len(read(field, text)) <= LIMITS[field] * CHARACTERS_PER_WORD + 4


def test_cue_says_when() -> None:
    assert all(map(begins_with_cue, ["When a customer asks", "before the price", "After the demo"]))
    assert not any(map(begins_with_cue, ["If a customer asks", "Whenever", "On price", "", "Beforehand"]))


@pytest.mark.parametrize(
    "do",
    [
        "Ask what they compare it with",
        "stop and wait",
        "Bring the checklist",
        "Name the day, then the owner",
        'Say "tell me more" and wait',
    ],
)
def test_action_begins_with_a_verb(do: str) -> None:
    assert is_one_action(do)


@pytest.mark.parametrize(
    "do",
    ["The rep asks", "Asking first", "Try to ask first", "Ask more questions", "Listen better", "Not so fast", "", "…"],
)
def test_wish_is_no_action(do: str) -> None:
    assert not is_one_action(do)


def test_asking_and_consent() -> None:
    assert asks("Ask what it costs")
    assert not asks("Wait, then ask")
    assert consents("Thursday works for me")
    assert consents("yeah, let’s do that")
    assert consents("No problem, Thursday is fine.")
    assert consents("I can’t do Monday. Thursday works.")
    assert not consents("I have no idea about Thursday")
    assert not consents("Thursday doesn’t work for me")
    assert not consents("That is not good")


def test_prose_without_spaces_is_cut_between_its_sentences() -> None:
    """Four characters stand for a word; no blank comes between sentences."""
    text = "在庫は紙で管理されている。先月は部品が足りず、生産ラインが半日止まった。"
    assert sentences(text) == ["在庫は紙で管理されている。", "先月は部品が足りず、生産ラインが半日止まった。"]
    assert shortened(text, 60) == text
    assert shortened(text, 5) == "在庫は紙で管理されている。"
    assert shortened("先月は部品が足りず、生産ラインが半日止まった。", 4) == "先月は部品が足りず。"


def test_sentences_of_other_scripts_end_at_their_marks() -> None:
    assert sentences("यह महँगा है। हम सोचेंगे।") == ["यह महँगा है।", "हम सोचेंगे।"]
    assert sentences("كم السعر؟ إنه مرتفع\u06d4") == ["كم السعر؟", "إنه مرتفع\u06d4"]
    assert shortened("यह महँगा है। हम सोचेंगे।", 60) == "यह महँगा है। हम सोचेंगे।"


def test_numbers_of_quotes_are_read_as_the_call_says_them_and_those_of_prose_as_it_writes_them() -> None:
    """A German text may repeat the eighteen thousand of an English quote, and no number that nobody said."""
    proofreader = Proofreader({}, language="de", spoken="en")
    quotes = ["it's eighteen thousand a year"]
    assert proofreader.read("summary", "Es geht um 18.000 im Jahr.", quotes) == "Es geht um 18.000 im Jahr."
    assert proofreader.read("summary", "Es geht um 19.000 im Jahr.", quotes) == ""
    arabic = Proofreader({}, language="ar")
    assert arabic.read("summary", "السعر ١٩٠٠٠ في السنة.", ["السعر ١٨٠٠٠ في السنة"]) == ""
    assert arabic.read("summary", "السعر ١٨٠٠٠ في السنة.", ["السعر 18000 في السنة"])
