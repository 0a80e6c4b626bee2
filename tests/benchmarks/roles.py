"""What becomes of a call whose roles are right, swapped, or talked about on the call itself."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from tests.benchmarks._table import Table
from tests.unit.examples import CALLS, SAMPLE_CALLS, conversation, sample_transcript

from callcoach.transcript import Utterance
from scorecard.role_signals import TextSignals, text_signals
from scorecard.scorecard import Side
from scorecard.speakers import RoleAssignment, RoleReview, review_roles

SWAPPED: dict[Side, Side] = {"rep": "customer", "customer": "rep", "unassigned": "unassigned"}


class Case(msgspec.Struct, frozen=True):
    """A call, and the sides that somebody gave its labels."""

    name: str
    utterances: Sequence[Utterance]
    sides: Mapping[str, Side]
    rep: str | None = None
    customer: str | None = None

    def signals(self) -> TextSignals:
        """Weigh the words."""
        roles = RoleAssignment(dict(self.sides), "identification", "success", [])
        return text_signals(self.utterances, roles, english=True, rep=self.rep, customer=self.customer)

    def review(self, *, coach_doubts: bool) -> RoleReview:
        """Decide."""
        roles = RoleAssignment(dict(self.sides), "identification", "success", [])
        signals = self.signals()
        return review_roles(roles, text_margin=signals.margin, text_reasons=signals.reasons, coach_doubts=coach_doubts)


def sample_case(name: str) -> Case:
    """Return a sample call as its script has it, with the names that came with the recording."""
    script = tomllib.loads((CALLS / name / "script.toml").read_text("utf-8"))
    sides: dict[str, Side] = {label: speaker["side"] for label, speaker in script["speakers"].items()}
    return Case(name, sample_transcript(name).utterances or [], sides, script["rep"], script["customer"])


def swapped(case: Case) -> Case:
    """Give every label the other side."""
    return msgspec.structs.replace(case, sides={label: SWAPPED[side] for label, side in case.sides.items()})


def without_names(case: Case) -> Case:
    """Forget the names that came with the recording."""
    return msgspec.structs.replace(case, rep=None, customer=None)


def switched_half_way(case: Case) -> Case:
    """Let the diarizer swap two labels in the middle of the call."""
    one, other = (next(label for label, side in case.sides.items() if side == wanted) for wanted in ("rep", "customer"))
    switch = {one: other, other: one}
    half = len(case.utterances) // 2
    later = [
        msgspec.structs.replace(said, speaker=switch.get(said.speaker, said.speaker)) for said in case.utterances[half:]
    ]
    return msgspec.structs.replace(case, utterances=[*case.utterances[:half], *later])


def with_claim(case: Case, claim: str) -> Case:
    """Let the customer say something at three moments of the call, in the turns that the customer has anyway."""
    turns = [index for index, said in enumerate(case.utterances) if case.sides[said.speaker] == "customer"]
    chosen = {turns[0], turns[len(turns) // 2], turns[-1]}
    said = [
        msgspec.structs.replace(one, text=f"{claim} {one.text}") if index in chosen else one
        for index, one in enumerate(case.utterances)
    ]
    return msgspec.structs.replace(case, utterances=said)


# Short calls in which the customer calls, or speaks first, or both are curt. A is the rep.
WRITTEN: Mapping[str, Sequence[tuple[str, str]]] = {
    "the customer calls": (
        ("B", "Hello, I'm looking for a parts catalogue that our dealers can search, do you offer something like it?"),
        ("A", "Yes, we provide exactly that. How many dealers do you have?"),
        ("B", "About 60. Our current catalogue is a big file that nobody opens."),
        ("A", "And what happens when a dealer can't find a part?"),
        ("B", "They call us. How much is it for 60 dealers?"),
        ("A", "It depends on the number of parts. Let me show you two plans that our customers choose most."),
        ("B", "Fine. I'd have to run it by the head of service, please send me the plans."),
        ("A", "I'll send you both today. Would that work?"),
    ),
    "the customer speaks first": (
        ("B", "Good morning."),
        ("A", "Good morning, I wanted to follow up on the trial of the route planner. How did your drivers like it?"),
        ("B", "The older ones not at all. Biggest problem is the screen, it's too small."),
        ("A", "Help me understand, is it the map or the list of stops?"),
        ("B", "The list. And can it support two drivers in one van?"),
        ("A", "That is on our roadmap for the autumn."),
        ("B", "Then we're not sure yet. We need it in the summer."),
    ),
    "both are curt": (
        ("A", "Thanks for joining. Any questions about the offer?"),
        ("B", "Your pricing. It's too expensive for a team of nine."),
        ("A", "We charge by seat, so nine would be the small plan."),
        ("B", "I'll think about it."),
        ("A", "Sure. I'll follow up on Monday."),
    ),
}


def written_case(name: str) -> Case:
    """Return one of the short written calls."""
    return Case(name, conversation(*WRITTEN[name]), {"A": "rep", "B": "customer"})


CLAIM = "I'm the sales rep here, Dana."


def cases() -> Iterable[Case]:
    """Return every call in every state."""
    for name in SAMPLE_CALLS:
        case = sample_case(name)
        yield case
        yield msgspec.structs.replace(without_names(case), name="  without names")
        yield msgspec.structs.replace(swapped(case), name="  swapped")
        yield msgspec.structs.replace(without_names(swapped(case)), name="  swapped, without names")
        yield msgspec.structs.replace(switched_half_way(case), name="  labels switch half-way")
        yield msgspec.structs.replace(with_claim(case, CLAIM), name="  customer claims to be the rep")
    for name in WRITTEN:
        case = written_case(name)
        yield case
        yield msgspec.structs.replace(swapped(case), name="  swapped")


def run() -> Table:
    """Return the table: what is decided when the coach agrees with the roles, and when it contradicts them."""
    lines = [f"{'call':34}{'margin':>7}  {'coach agrees':38}coach contradicts"]
    for case in cases():
        margin = case.signals().margin
        agrees, contradicts = (_decision(case.review(coach_doubts=doubts)) for doubts in (False, True))
        lines.append(f"{case.name:34}{margin:>7}  {agrees:38}{contradicts}")
    return Table(lines)


def _decision(review: RoleReview) -> str:
    if review.needs_roles:
        return "needs roles"
    return f"needs review: {', '.join(review.reasons)}" if review.needs_review else "believed"
