"""How often a shift is found where there is none, where there is one, and after one label is changed."""

import random
from collections.abc import Iterable, Sequence
from statistics import median

import msgspec
from tests.benchmarks._table import Table
from tests.unit.examples import SAMPLE_CALLS, sample_transcript

from scorecard.sentiment import (
    MINIMUM_ROWS,
    Episode,
    PlacedRow,
    find_episodes,
    place_rows,
    speech_of,
    usable_rows,
)

# Shares of negative, neutral and positive sentences.
MIXES = ((0.02, 0.90, 0.08), (0.05, 0.80, 0.15), (0.10, 0.72, 0.18), (0.15, 0.50, 0.35), (0.25, 0.45, 0.30))
SIZES = (20, 40, 80, 150, 300)
# Sentences in a planted stretch, and the share of negative ones among them.
PLANTED = ((8, 0.65), (6, 0.60))
PLANTED_SIZE = 60
LABELS = (-1, 0, 1)


class Found(msgspec.Struct, frozen=True):
    """How many stretches were found per call. possible: the clear ones are among them."""

    clear: float
    possible: float


class Power(msgspec.Struct, frozen=True):
    """In which part of the calls a planted stretch was found. onset_errors: in sentences, of those that were found."""

    clear: float
    possible: float
    onset_errors: list[int]


def labelled_rows(labels: Iterable[int]) -> list[PlacedRow]:
    """Return usable rows of these labels, each in an utterance of its own."""
    return [PlacedRow(10_000 * index, 10_000 * index + 4000, label, 0.9, index) for index, label in enumerate(labels)]


def customer_rows(name: str) -> list[PlacedRow]:
    """Return the usable rows of a sample call's customer."""
    transcript = sample_transcript(name)
    identification = transcript.identification
    assert identification
    assert identification.mapping
    customer = next(label for label, role in identification.mapping.items() if role == "Customer")
    utterances = transcript.utterances or []
    placed = place_rows(transcript.sentiment_rows or [], utterances)
    said = [row for row in placed if utterances[row.utterance].speaker == customer]
    return usable_rows(said, speech_of(utterances))


def found_by_chance(calls: Iterable[Sequence[int]]) -> Found:
    """Count what is found in calls that hold no stretch."""
    number = clear = possible = 0
    for labels in calls:
        episodes = find_episodes(labelled_rows(labels))
        number += 1
        clear += sum(episode.is_clear for episode in episodes)
        possible += len(episodes)
    return Found(clear / number, possible / number)


def drawn(mix: tuple[float, float, float], size: int, calls: int) -> Iterable[list[int]]:
    """Draw the labels of that many calls independently."""
    draw = random.Random(f"{mix} {size}")
    return (draw.choices(LABELS, mix, k=size) for _ in range(calls))


def shuffled(name: str, calls: int) -> Iterable[list[int]]:
    """Shuffle a sample call's labels that often."""
    draw = random.Random(name)
    labels = [row.label for row in customer_rows(name)]
    return (draw.sample(labels, len(labels)) for _ in range(calls))


def power(mix: tuple[float, float, float], length: int, share: float, calls: int) -> Power:
    """Plant a stretch of negative sentences in each of that many calls, and look for it."""
    draw = random.Random(f"{mix} {length} {share}")
    _, neutral, positive = mix
    clear = possible = 0
    onset_errors = []
    for _ in range(calls):
        labels = draw.choices(LABELS, mix, k=PLANTED_SIZE)
        first = draw.randrange(PLANTED_SIZE - length + 1)
        rest = (1 - share) / (neutral + positive)
        labels[first : first + length] = draw.choices(LABELS, (share, neutral * rest, positive * rest), k=length)
        hit = next((one for one in find_episodes(labelled_rows(labels)) if _hits(one, first, length)), None)
        if hit:
            possible += 1
            clear += hit.is_clear
            onset_errors.append(abs(hit.first - first))
    return Power(clear / calls, possible / calls, sorted(onset_errors))


def _hits(episode: Episode, first: int, length: int) -> bool:
    return episode.polarity == -1 and episode.first < first + length and first < episode.past


def changed_by_one(rows: Sequence[PlacedRow]) -> Iterable[tuple[str, list[PlacedRow]]]:
    """Return the rows with each one of them labelled otherwise, or left out."""
    for index, row in enumerate(rows):
        yield "left out", [*rows[:index], *rows[index + 1 :]]
        for label in LABELS:
            if label != row.label:
                other = msgspec.structs.replace(row, label=label, confidence=0.9)
                yield "labelled otherwise", [*rows[:index], other, *rows[index + 1 :]]


def clear_shift_after_a_change(name: str) -> dict[str, list[float]]:
    """Return by kind of change what chance is expected to bring of a sample call's clearest shift afterwards.

    1 where it is not found any more.
    """
    rows = customer_rows(name)
    clearest = min(find_episodes(rows), key=lambda episode: episode.expected_by_chance)
    assert clearest.is_clear
    start_ms, end_ms = rows[clearest.first].start_ms, rows[clearest.past - 1].end_ms
    expected: dict[str, list[float]] = {}
    for kind, changed in changed_by_one(rows):
        still = [
            episode.expected_by_chance
            for episode in find_episodes(changed)
            if episode.polarity == clearest.polarity
            and changed[episode.first].start_ms < end_ms
            and start_ms < changed[episode.past - 1].end_ms
        ]
        expected.setdefault(kind, []).append(min(still, default=1.0))
    return expected


def run(calls: int = 1000) -> Table:
    """Return the tables."""
    lines = [f"Shifts found per call where labels are independent ({calls} calls each): clear / clear and possible"]
    lines.append(f"{'negative/neutral/positive':28}" + "".join(f"{f'{size} rows':>14}" for size in SIZES))
    for mix in MIXES:
        cells = [found_by_chance(drawn(mix, size, calls)) for size in SIZES]
        name = " / ".join(f"{part:.0%}" for part in mix)
        lines.append(f"{name:28}" + "".join(f"{f'{cell.clear:.2f} / {cell.possible:.2f}':>14}" for cell in cells))
    lines += ["", f"The same in a sample call's own labels, shuffled {calls} times"]
    for sample in SAMPLE_CALLS:
        cell = found_by_chance(shuffled(sample, calls))
        lines.append(f"{sample:28}{f'{cell.clear:.2f} / {cell.possible:.2f}':>14}")
    lines += ["", f"Planted stretch in {PLANTED_SIZE} rows ({calls} calls each): found clear / found; onset in rows"]
    for length, share in PLANTED:
        for mix in MIXES:
            got = power(mix, length, share, calls)
            name = f"{length} rows, {share:.0%} negative, in " + " / ".join(f"{part:.0%}" for part in mix)
            most = got.onset_errors[len(got.onset_errors) * 9 // 10]
            onset = f"median {median(got.onset_errors):.0f}, 90 % <= {most}"
            lines.append(f"{name:48}{got.clear:>6.0%} / {got.possible:.0%}   {onset}")
    lines += ["", f"A clear shift after one change (found while at most 0.3; {MINIMUM_ROWS} rows or more)"]
    for kind, expected in clear_shift_after_a_change("discovery_price_shock").items():
        kept = sum(one <= 0.3 for one in expected)
        lines.append(f"one row {kind:20}{kept:>4} of {len(expected)} keep it; worst expectation {max(expected):.3f}")
    return Table(lines)
