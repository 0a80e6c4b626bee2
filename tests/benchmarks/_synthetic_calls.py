"""Calls put together from parts of sentences with a seed, and quotes of them: changed as models change them, or false.

The parts are written so that a sentence is hardly ever said twice. Nothing here uses the code that is measured.
"""

import random
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec

# Between words that nobody cuts apart: a quote has no half number. It is a space to everybody else.
TIE = "~"

WORDS: dict[str, list[str]] = tomllib.loads(
    (Path(__file__).parents[1] / "data" / "evidence" / "vocabulary.toml").read_text("utf-8")
)


def untied(text: str) -> str:
    """Return text as it is said."""
    return text.replace(TIE, " ")


def in_words(number: int) -> str:
    """Say a number below a million."""
    if number < 20:
        return WORDS["small_numbers"][number]
    if number < 100:
        return WORDS["tens"][number // 10 - 1] + (f" {WORDS['small_numbers'][number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = number % 100
        return f"{WORDS['small_numbers'][number // 100]} hundred" + (f" and {in_words(rest)}" if rest else "")
    rest = number % 1000
    return f"{in_words(number // 1000)} thousand" + (f" {in_words(rest)}" if rest else "")


def amount(chance: random.Random) -> tuple[str, str, str]:
    """Return a number as it is said, the same in another form, and another number."""
    unit = chance.choice(WORDS["units"])
    kind = chance.choice(["plain", "plain", "thousands", "decimal", "time", "year", "hundreds"])
    if kind == "time":
        hour, minute = chance.randint(1, 12), chance.choice(range(10, 60, 5))
        forms = [f"at {in_words(hour)} {in_words(minute)}", f"at {hour}:{minute}"]
        changed = f"at {(hour + chance.randint(1, 6)) % 12 + 1}:{minute}"
    elif kind == "year":
        year = chance.choice([*range(1985, 1999), *range(2011, 2026)])
        forms = [f"in {in_words(year // 100)} {in_words(year % 100)}", f"in {year}"]
        changed = f"in {year + chance.choice([-1, 1, 10])}"
    elif kind == "decimal":
        whole, tenth = chance.randint(1, 30), chance.randint(1, 9)
        forms = [f"{whole}.{tenth} {unit}", f"{in_words(whole)} point {in_words(tenth)} {unit}"]
        changed = f"{whole}{tenth} {unit}"
    elif kind == "thousands":
        thousands = chance.randint(2, 300)
        forms = [f"{thousands},000 {unit}", f"{in_words(thousands)} thousand {unit}", f"{thousands}k {unit}"]
        changed = f"{chance.choice([thousands * 10, thousands + 1])},000 {unit}"
    elif kind == "hundreds":
        hundreds = chance.randint(11, 19)
        forms = [f"{in_words(hundreds)} hundred {unit}", f"{hundreds}00 {unit}", f"1,{hundreds - 10}00 {unit}"]
        changed = f"{hundreds}000 {unit}"
    else:
        number = chance.choice([chance.randint(2, 20), chance.randint(21, 99), chance.randint(100, 999)])
        forms = [f"{number} {unit}", f"{in_words(number)} {unit}"]
        other = chance.choice([number + 1, number * 10, number + 10])
        changed = chance.choice([f"{other} {unit}", f"{in_words(other)} {unit}"])
    said, respelled = chance.sample(forms, 2)
    return said, respelled, changed


AMOUNTS = [amount(random.Random(f"amount {number}")) for number in range(400)]
EXPANDED = {
    "it's": "it is",
    "I'm": "I am",
    "we've": "we have",
    "they'll": "they will",
    "you're": "you are",
    "I'd": "I would",
    "don't": "do not",
    "can't": "cannot",
    "won't": "will not",
    "isn't": "is not",
    "that's": "that is",
}
FILLERS = ["um,", "uh,", f"you{TIE}know,", f"I{TIE}mean,", "er,"]


Texts = list[tuple[str, str]]
_SOUNDS = set(FILLERS)


def sentence(chance: random.Random) -> str:
    """Return a sentence that is hardly ever said twice."""

    def thing() -> str:
        described = [chance.choice(WORDS["adjectives"])] if chance.random() < 0.4 else []
        return " ".join([chance.choice(WORDS["determiners"]), *described, chance.choice(WORDS["nouns"])])

    def clause() -> str:
        verb = chance.choice(WORDS["verbs"])
        if chance.random() < 0.3:
            verb = f"{chance.choice(WORDS['soft'])} {verb}"
        return f"{thing()} {verb} {thing()} {chance.choice(WORDS['places'])} {thing()}"

    words = clause()
    if chance.random() < 0.35:
        words = f"{chance.choice(WORDS['hedges'])} {words}"
    elif chance.random() < 0.06:
        words = f"{chance.choice(WORDS['denials'])} {words}"
    if chance.random() < 0.3:
        words += f", {chance.choice(WORDS['amount_openers'])} {chance.choice(AMOUNTS)[0].replace(' ', TIE)}"
    elif chance.random() < 0.3:
        words += f", and {clause()}"
    if chance.random() < 0.4:
        words = f"{chance.choice(WORDS['openers'])}, {words}"
    spoken: list[str] = []
    for word in words.split(" "):
        if spoken and chance.random() < 0.03:
            spoken.append(chance.choice(FILLERS))
        if chance.random() < 0.02 and word.isalpha():
            spoken.append(word)
        spoken.append(word)
    text = " ".join(spoken)
    return text[0].upper() + text[1:] + chance.choice("....?")


def synthetic_call(chance: random.Random, turns: int) -> Texts:
    """Return the turns of two speakers, some of which run over the other's backchannel."""
    said: Texts = []
    while len(said) < turns:
        speaker, listener = ("A", "B") if len(said) % 2 == 0 else ("B", "A")
        sentences = [sentence(chance) for _ in range(chance.choice([1, 1, 2, 2, 3, 5]))]
        if chance.random() < 0.25:
            words = sentences[-1].split()
            half = len(words) // 2
            said.append((speaker, " ".join([*sentences[:-1], *words[:half]])))
            said.append((listener, chance.choice(WORDS["backchannels"])))
            said.append((speaker, " ".join(words[half:])))
        else:
            said.append((speaker, " ".join(sentences)))
    return said


class Made(msgspec.Struct, frozen=True):
    """A quote of an utterance. said: what was really said; empty when the quote is false."""

    utterance: int
    speaker: str
    quote: str
    said: list[str]


Maker = Callable[[random.Random, Texts], Made | None]


def _words_of(chance: random.Random, texts: Texts, least: int = 6, most: int = 16) -> tuple[int, list[str]] | None:
    """Return an utterance's number and some words of it, cut anywhere."""
    number = chance.randrange(len(texts))
    words = texts[number][1].split()
    if len(words) < least:
        return None
    length = chance.randint(least, min(most, len(words)))
    start = chance.randint(0, len(words) - length)
    cut = words[start : start + length]
    return None if {cut[0], cut[-1]} & _SOUNDS else (number, cut)


def _kept(words: list[str]) -> str:
    """Return words as they must be published, without the marks at the edges that do not matter."""
    return " ".join(words).strip(".,?!;: ")


def _real(chance: random.Random, texts: Texts, change: Callable[[list[str]], list[str] | None]) -> Made | None:
    cut = _words_of(chance, texts)
    if cut is None:
        return None
    number, words = cut
    changed = change(words)
    return None if changed is None else Made(number, texts[number][0], " ".join(changed), [_kept(words)])


def _false(chance: random.Random, texts: Texts, change: Callable[[list[str]], list[str] | None]) -> Made | None:
    made = _real(chance, texts, change)
    return made and msgspec.structs.replace(made, said=[])


def exact(chance: random.Random, texts: Texts) -> Made | None:
    return _real(chance, texts, lambda words: words)


def case_punctuation(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str]:
        plain = [word.rstrip(".,?!") for word in words]
        return ["\u201c" + plain[0].upper(), *plain[1:-1], plain[-1].title() + "!\u201d"]

    return _real(chance, texts, change)


def contraction(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str] | None:
        changed = [EXPANDED.get(word, word) for word in words]
        return changed if changed != words else None

    return _real(chance, texts, change)


def _respelled(chance: random.Random, texts: Texts, form: int) -> Made | None:
    """Return words around an amount with another form of it."""
    number = chance.randrange(len(texts))
    speaker, text = texts[number]
    for forms in chance.sample(AMOUNTS, len(AMOUNTS)):
        tied = forms[0].replace(" ", TIE)
        at = text.find(f" {tied}") + 1
        if not at or text[at + len(tied)] not in ".?":
            continue
        before = re.search(r"(?:\S+ ){3,7}$", text[:at])
        after = re.match(r"(?:\W? \S+){0,3}", text[at + len(tied) :])
        if before and after:
            return Made(number, speaker, before[0] + forms[form] + after[0], [_kept([before[0] + tied + after[0]])])
    return None


def numbers(chance: random.Random, texts: Texts) -> Made | None:
    return _respelled(chance, texts, 1)


def number_changed(chance: random.Random, texts: Texts) -> Made | None:
    made = _respelled(chance, texts, 2)
    return made and msgspec.structs.replace(made, said=[])


def disfluency(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str] | None:
        text = " ".join(words)
        for filler in FILLERS:
            text = text.replace(f" {filler} ", " ")
        text = re.sub(r"\b(\w+) \1\b", r"\1", text)
        return text.split() if text != " ".join(words) and words[0].strip(",") in text else None

    return _real(chance, texts, change)


def elided(chance: random.Random, texts: Texts) -> Made | None:
    cut = _words_of(chance, texts, 13, 26)
    if cut is None:
        return None
    number, words = cut
    first, second = chance.randint(4, 6), chance.randint(4, 6)
    quote = [*words[:first], chance.choice(["...", "\u2026", "[...]"]), *words[-second:]]
    return Made(number, texts[number][0], " ".join(quote), [_kept(words)]) if len(words) > first + second else None


def near_number(chance: random.Random, texts: Texts) -> Made | None:
    made = exact(chance, texts)
    return made and msgspec.structs.replace(made, utterance=made.utterance + chance.choice([-3, -2, -1, 1, 2, 3]))


def far_number(chance: random.Random, texts: Texts) -> Made | None:
    made = exact(chance, texts)
    return made and msgspec.structs.replace(made, utterance=chance.randrange(len(texts)))


def one_word_off(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str] | None:
        at = chance.randrange(1, len(words) - 1)
        plain = words[at].strip(".,?!").lower()
        if plain not in WORDS["nouns"] + WORDS["verbs"] + WORDS["adjectives"]:
            return None
        return [*words[:at], chance.choice(WORDS["nouns"]), *words[at + 1 :]]

    return _real(chance, texts, change)


def soft_word(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str] | None:
        changed = [words[0], *(word for word in words[1:-1] if word not in WORDS["soft"]), words[-1]]
        return changed if len(changed) < len(words) else None

    return _real(chance, texts, change)


def joined(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts) - 2)
    (speaker, first), (_, between), (again, second) = texts[number : number + 3]
    if speaker != again or between not in WORDS["backchannels"] or min(len(first.split()), len(second.split())) < 5:
        return None
    left, right = first.split()[-chance.randint(3, 5) :], second.split()[: chance.randint(3, 5)]
    return Made(number + chance.choice([0, 2]), speaker, " ".join([*left, *right]), [_kept(left), _kept(right)])


def whole_sentence(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts))
    found = chance.choice(re.split(r"(?<=[.?!]) (?=[A-Z])", texts[number][1]))
    return Made(number, texts[number][0], found, [_kept(found.split())]) if len(found.split()) >= 5 else None


def wrong_speaker(chance: random.Random, texts: Texts) -> Made | None:
    """Return what somebody said; the caller demands the other side."""
    made = exact(chance, texts)
    return made and msgspec.structs.replace(made, utterance=made.utterance + chance.choice([-1, 0, 0, 0, 1]), said=[])


def fabricated(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts))
    words = sentence(chance).split()[: chance.randint(6, 14)]
    text = " ".join(words)
    return Made(number, texts[number][0], text, []) if all(text not in other for _, other in texts) else None


def fabricated_from_call(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts))
    near = " ".join(text for _, text in texts[max(number - 3, 0) : number + 4]).split()
    return Made(number, texts[number][0], " ".join(chance.sample(near, min(len(near), chance.randint(6, 12)))), [])


def _two_moments(chance: random.Random, texts: Texts) -> tuple[int, str, list[str], list[str]] | None:
    """Return words of two utterances of one speaker which are far apart and have little in common."""
    first, second = _words_of(chance, texts, 4, 7), _words_of(chance, texts, 4, 7)
    if first is None or second is None or abs(first[0] - second[0]) < 4 or texts[first[0]][0] != texts[second[0]][0]:
        return None
    foreign = (
        set(first[1]) - set(texts[second[0]][1].split()),
        set(second[1]) - set(texts[first[0]][1].split()),
    )
    return (first[0], texts[first[0]][0], first[1], second[1]) if min(map(len, foreign)) >= 3 else None


def stitched(chance: random.Random, texts: Texts) -> Made | None:
    found = _two_moments(chance, texts)
    return found and Made(found[0], found[1], " ".join([*found[2], *found[3]]), [])


def stitched_ellipsis(chance: random.Random, texts: Texts) -> Made | None:
    found = _two_moments(chance, texts)
    return found and Made(found[0], found[1], " ".join([*found[2], "...", *found[3]]), [])


def negation_added(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str]:
        at = chance.randrange(1, len(words) - 1)
        return [*words[:at], chance.choice(["not", "never", "hardly"]), *words[at:]]

    return _false(chance, texts, change)


def negation_dropped(chance: random.Random, texts: Texts) -> Made | None:
    def change(words: list[str]) -> list[str] | None:
        positive = {"don't": "do", "can't": "can", "isn't": "is", "never": "", "nobody": "everybody"}
        at = next((at for at, word in enumerate(words) if word in positive), None)
        if at is None or at == len(words) - 1 or words[at + 1] in positive:
            return None
        if chance.random() < 0.5 and len(words) - at > 5:
            return words[at + 1 :]
        return [*words[:at], *filter(None, [positive[words[at]]]), *words[at + 1 :]]

    return _false(chance, texts, change)


def other_language(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts))
    return Made(number, texts[number][0], chance.choice(WORDS["foreign_sentences"]), [])


def paraphrase(chance: random.Random, texts: Texts) -> Made | None:
    """Keep the short words and say the others in another way."""

    def change(words: list[str]) -> list[str] | None:
        changed = [chance.choice(WORDS["nouns"]) if len(word) > 5 else word for word in words]
        return changed if sum(a != b for a, b in zip(words, changed, strict=True)) * 3 >= len(words) else None

    return _false(chance, texts, change)


def two_speakers(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts) - 1)
    (speaker, first), (other, second) = texts[number : number + 2]
    if speaker == other or min(len(first.split()), len(second.split())) < 5:
        return None
    left, right = first.split()[-chance.randint(3, 6) :], second.split()[: chance.randint(3, 6)]
    return Made(number, speaker, " ".join([*left, *right]), [])


def common_phrase(chance: random.Random, texts: Texts) -> Made | None:
    number = chance.randrange(len(texts))
    phrase = chance.choice(WORDS["common_phrases"])
    return Made(number, texts[number][0], phrase, [])


REAL_MAKERS: dict[str, Maker] = {
    "exact": exact,
    "case_punctuation": case_punctuation,
    "contraction": contraction,
    "numbers": numbers,
    "disfluency": disfluency,
    "elided": elided,
    "near_number": near_number,
    "far_number": far_number,
    "one_word_off": one_word_off,
    "soft_word": soft_word,
    "joined": joined,
    "whole_sentence": whole_sentence,
}
FALSE_MAKERS: dict[str, Maker] = {
    "wrong_speaker": wrong_speaker,
    "fabricated": fabricated,
    "fabricated_from_call": fabricated_from_call,
    "stitched": stitched,
    "stitched_ellipsis": stitched_ellipsis,
    "negation_added": negation_added,
    "negation_dropped": negation_dropped,
    "number_changed": number_changed,
    "other_language": other_language,
    "paraphrase": paraphrase,
    "two_speakers": two_speakers,
    "common_phrase": common_phrase,
}
