"""How many real quotes the evidence check keeps, and how many false ones pass.

Two sets: quotes labelled by hand (tests/data/evidence), and quotes made from calls with a seed: real ones are words of
a call, changed as language models change them; false ones are changed so that nobody said them.
"""

import random
import statistics
import time
import tomllib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec
from tests.benchmarks._synthetic_calls import (
    FALSE_MAKERS,
    REAL_MAKERS,
    Made,
    Maker,
    Texts,
    synthetic_call,
    untied,
)
from tests.benchmarks._table import Table

from callcoach.transcript import Utterance, Word, decode_transcript
from scorecard.evidence import Claim, DemandedSide, Verifier
from scorecard.scorecard import Evidence
from scorecard.speakers import RoleAssignment

DATA = Path(__file__).parents[1] / "data"
SEED = 20260506
PER_KIND = 250
SYNTHETIC_CALLS = 12
TURNS = 120

WHOLE_SENTENCES = "whole_sentence"
NEVER_PASS = ("fabricated", "fabricated_from_call", "number_changed", "stitched", "stitched_ellipsis", "wrong_speaker")


class Call(msgspec.Struct, frozen=True):
    """A call whose speakers' sides are known."""

    utterances: list[Utterance]
    sides: dict[str, DemandedSide]
    language: str

    def verifier(self) -> Verifier:
        roles = msgspec.convert(
            {"sides": self.sides, "source": "override", "identification": "none", "reasons": []}, RoleAssignment
        )
        return Verifier(self.utterances, roles, language=self.language)


class Quote(msgspec.Struct, frozen=True):
    """A quote, and whether it should be published: said holds words that must be."""

    kind: str
    call: str
    utterance: int
    side: DemandedSide | None
    quote: str
    said: list[str]


class Result(msgspec.Struct, frozen=True):
    """What was published of a quote."""

    quote: Quote
    evidence: list[Evidence]

    @property
    def is_right(self) -> bool:
        """Whether a real quote's own words are published, or nothing of a false one."""
        published = [evidence.text for evidence in self.evidence]
        if not self.quote.said:
            return not published
        return all(any(words in text for text in published) for words in self.quote.said)


def labelled_calls() -> dict[str, Call]:
    """Return the calls that the labelled quotes are from."""
    tables = tomllib.loads((DATA / "evidence" / "calls.toml").read_text("utf-8"))
    return {name: Call(spoken(table["turns"]), table["sides"], table["language"]) for name, table in tables.items()}


def labelled_quotes() -> list[Quote]:
    """Return the quotes that were labelled by hand."""
    lines = (DATA / "evidence" / "quotes.jsonl").read_text("utf-8").splitlines()
    return [msgspec.json.decode(line, type=Quote) for line in lines]


def generated_texts() -> dict[str, Texts]:
    """Return what is said in the sample calls and in synthetic ones."""
    texts = {
        f"synthetic_{number}": synthetic_call(random.Random(f"{SEED} {number}"), TURNS)
        for number in range(SYNTHETIC_CALLS)
    }
    for folder in sample_calls():
        utterances = decode_transcript((folder / "transcript.json").read_bytes()).utterances or []
        texts[folder.name] = [(said.speaker, said.text) for said in utterances]
    return texts


def generated_calls() -> dict[str, Call]:
    """Return the same as calls; the sample calls as they were transcribed."""
    calls = {name: two_party(texts) for name, texts in generated_texts().items()}
    for folder in sample_calls():
        speakers = tomllib.loads((folder / "script.toml").read_text("utf-8"))["speakers"]
        utterances = decode_transcript((folder / "transcript.json").read_bytes()).utterances or []
        calls[folder.name] = Call(utterances, {label: who["side"] for label, who in speakers.items()}, "en_us")
    return calls


def sample_calls() -> list[Path]:
    """Return the folders of the sample calls."""
    return sorted(path for path in (DATA / "calls").iterdir() if path.is_dir())


def two_party(texts: Texts) -> Call:
    """Return a synthetic call."""
    turns = [f"{speaker}: {untied(text)}" for speaker, text in texts]
    return Call(spoken(turns), {"A": "rep", "B": "customer"}, "en_us")


def generated_quotes(calls: dict[str, Call], per_kind: int) -> list[Quote]:
    """Make quotes of each kind, about a fifth of them of the sample calls."""
    quotes: list[Quote] = []
    texts = generated_texts()
    for kind, make in (REAL_MAKERS | FALSE_MAKERS).items():
        chance = random.Random(f"{SEED} {kind}")
        for name, made in islice(made_quotes(make, chance, texts), per_kind):
            side = calls[name].sides[made.speaker]
            if kind == "wrong_speaker":
                side = "customer" if side == "rep" else "rep"
            said = [untied(words) for words in made.said]
            quotes.append(Quote(kind, name, made.utterance, side, untied(made.quote), said))
    return quotes


def made_quotes(make: Maker, chance: random.Random, texts: dict[str, Texts]) -> Iterator[tuple[str, Made]]:
    """Yield quotes and the names of their calls without end."""
    while True:
        name = chance.choice(sorted(texts))
        if made := make(chance, texts[name]):
            yield name, made


def milliseconds_per_quote() -> list[str]:
    """Measure quotes of a call of an hour: those that stand where they are said to, and those that stand nowhere."""
    chance = random.Random(f"{SEED} time")
    texts = synthetic_call(chance, 400)
    long_call = two_party(texts)
    verifier = long_call.verifier()
    words = sum(len(said.words) for said in long_call.utterances)
    lines = [f"milliseconds for a quote of a call with {len(texts)} utterances and {words} words"]
    for name, make in (("where it is said to be", REAL_MAKERS["exact"]), ("nowhere", FALSE_MAKERS["fabricated"])):
        spent: list[float] = []
        for _, made in islice(made_quotes(make, chance, {"long": texts}), 200):
            claim = Claim(made.utterance, untied(made.quote))
            started = time.perf_counter()
            verifier.verified([claim])
            spent.append((time.perf_counter() - started) * 1000)
        lines.append(f"{name:<24}median {statistics.median(spent):.2f}, most {max(spent):.2f}")
    return lines


def run() -> Table:
    """Return the tables."""
    calls = generated_calls()
    lines = [
        "Labelled by hand",
        "",
        *table(results(labelled_quotes(), labelled_calls())),
        "",
        f"Made from {len(calls)} calls, seed {SEED}",
        "",
        *table(results(generated_quotes(calls, PER_KIND), calls)),
        "",
        *milliseconds_per_quote(),
    ]
    return Table(lines)


def spoken(turns: Sequence[str]) -> list[Utterance]:
    """Say turns such as "A: Hello." at a constant speed, one after the other."""
    utterances: list[Utterance] = []
    now_ms = 0
    for turn in turns:
        speaker, _, text = turn.partition(": ")
        words = [Word(word, now_ms + 400 * at, now_ms + 400 * (at + 1)) for at, word in enumerate(text.split())]
        utterances.append(Utterance(speaker, text, now_ms, words[-1].end_ms, words))
        now_ms = words[-1].end_ms + 200
    return utterances


def results(quotes: Sequence[Quote], calls: dict[str, Call]) -> list[Result]:
    """Check quotes, each call with one verifier."""
    verifiers = {name: call.verifier() for name, call in calls.items()}
    return [
        Result(quote, verifiers[quote.call].verified([Claim(quote.utterance, quote.quote)], quote.side))
        for quote in quotes
    ]


def table(checked: Sequence[Result]) -> list[str]:
    """Return a line for each kind, and precision and recall over all."""
    kinds = sorted({result.quote.kind for result in checked})
    lines = [f"{'real quotes':<24}{'kept':>6}{'of':>6}{'recall':>9}"]
    lines += [_line(kind, checked, real=True) for kind in kinds if kind in REAL_MAKERS]
    lines += ["", f"{'false quotes':<24}{'passed':>6}{'of':>6}{'share':>9}"]
    lines += [_line(kind, checked, real=False) for kind in kinds if kind not in REAL_MAKERS]
    kept = sum(result.is_right for result in checked if result.quote.said)
    real = sum(bool(result.quote.said) for result in checked)
    passed = sum(not result.is_right for result in checked if not result.quote.said)
    false = len(checked) - real
    lines += ["", f"recall {kept / real:.4f} ({kept} of {real})"]
    lines += [f"precision {kept / (kept + passed):.4f}, false quotes that pass {passed} of {false}"]
    return lines


def _line(kind: str, checked: Sequence[Result], *, real: bool) -> str:
    own = [result for result in checked if result.quote.kind == kind]
    count = sum(result.is_right is real for result in own)
    return f"{kind:<24}{count:>6}{len(own):>6}{count / len(own):>9.3f}"
