"""What a coach notices in a call, found by rules: problems, questions, doubts, answers, the end."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.sandbox.assemblyai.coach.conversation import (
    CUSTOMER,
    REP,
    STOP_WORDS,
    Conversation,
    Line,
    stems,
    tokens,
)

PRICE = (
    r"\b(pric(e|es|ing)|\d[\d,.]* (dollars )?(a|per) (year|month|seat|user|quarter)|package for .* is \d|"
    r"(year|month)ly (fee|cost))\b"
)
AMOUNT = r"\b\d[\d,]* (?:a|per) (?:year|month)(?: for each \w+)?"
TROUBLE = (
    r"\b(nightmare|problem|pain|painful|hurts?|los(e|es|t|ing)|miss(ed|es)?|fail\w*|wrong|late|mess|slow|"
    r"manual\w*|by hand|by phone|cop(y|ies)|waits?|waiting|again and again|nobody|disputes?|twice|broken|"
    r"complain\w*|struggl\w*|without a|stand in the way|burned|poor|never really)\b"
)
NO_TROUBLE = r"\b(would|could|want|no problem|not a problem)\b"
CONSEQUENCE = (
    r"\b(why|what happen\w*|what would (it|that) mean|what does (it|that) (mean|cost)|how often|how long|"
    r"who (else|besides)|what went wrong|which of|what did (it|that)|how do you know|affect\w*|"
    r"what else would)\b"
)
DOUBTS = {
    "price": r"\b(more than i|more than we|expensive|kind of money|budget year|pay for (it|that)|"
    r"be paying for|too much|number like that|get this approved|steep)\b",
    "timing": r"\b(worried about the (timing|time)|busy season|not (now|this year|the right time)|"
    r"too (soon|early))\b",
    "risk": r"\b(last vendor|promised the same|never really worked|burned|risk|worried|"
    r"before i sign|not convinced|sounds too)\b",
    "another supplier": r"\b(also (look|looking|talk|talking) (at|to)|other vendors?|compet\w+)\b",
    "somebody else's decision": r"\b(have to (ask|check with|run it by)|not my (call|decision)|"
    r"needs? approval)\b",
}
NAMED = {
    "price": "the price",
    "timing": "the timing",
    "risk": "the risk",
    "another supplier": "the other supplier",
    "somebody else's decision": "who has to agree",
}
SETTLES = r"\b(does that (settle|work|help|answer|cover)|would that (work|help)|is there more behind)\b"
DEFERS = (
    r"\b(get to (that|it|\w+) in a|later|in a minute|a topic of its own|before that|"
    r"let me (first|walk|give you|also)|not a problem at all|pretty much everything)\b"
)
RESTATES = (
    r"\b(if i understand|so what i hear|what i'm hearing|it sounds like|you said|you mentioned|you told|"
    r"did i get|is that the point|so the \w+ (counts|is|are)|let me make sure|in other words|"
    r"would be a risk|so if the)\b"
)
TIES = (
    r"\b(you said|you mentioned|you told me|since you|because you|for your|that you described|"
    r"your \w+ only)\b"
)
LIKE_YOU = r"\b(\w+ like yours|like you|companies your size)\b"
LIKES = (
    r"\b(i like that|would love|that would (take|help|work|save|give)|that alone|oh,? nice|"
    r"answer i was hoping|exactly what (we|i)|more reasonable)\b"
)
AGENDA = r"\b(minutes|we've planned|agenda|at the end we|i'd like to use|want to cover|after that we)\b"
PURPOSE = r"\b(i'd like to|i'd love to|i wanted to|planned for today|calling (about|because)|show you)\b"
AGREES_AGENDA = r"\b(is that (okay|fine|alright)|does that work|sound good|anything (you'd|to) add)\b"
WISH = r"\b(what would make|what would you like|what do you want|get out of|hoping to|matters most)\b"
DAY = (
    r"\b(?:next |this |on )?(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow)"
    r"(?: the \w+)?(?:,? at (?:\w+|\d+(?::\d+)?))?"
)
VAGUE_DAY = r"\b(sometime next week|next week|sometime|in a few weeks|soon|next month)\b"
REP_ACTION = r"\b(i'll|we'll|i can|let me|let's|how about|could we|shall we|we could|can we)\b"
CUSTOMER_ACTION = r"\b(i'll (ask|bring|check|send|talk|look|take a look|get)|(he|she|they)'ll (bring|send))\b"
CONSENTS = (
    r"(\b(works( for)?|should work|sounds good|that's fine|let's do|see you|send it over)\b|"
    r"^(yes|sure|okay|perfect))"
)
DECLINES = r"\b(not interested|no thanks|please don't call|we'll stay with|take us off)\b"
GOODBYE = r"\b(bye|have a good|thanks|thank you|talk soon|take care|see you)\b"
OWN_WORLD = r"\b(we|our|my|i)\b"


@dataclass(frozen=True)
class Doubt:
    """A doubt of the customer: its kind, its lines, the answer, and the questions before and after that."""

    kind: str
    lines: Sequence[Line]
    answer: Line | None
    asked_first: Line | None
    settled: Line | None


@dataclass(frozen=True)
class NextStep:
    """How the call ends: the rep side's proposal, the customer's answer, and what each takes on."""

    status: str
    proposal: Line | None
    consent: Line | None
    customer_action: Line | None
    when: str
    people_named: bool


class Observations:
    """Everything noticed in one conversation; each property is a moment or a list of moments."""

    def __init__(self, conversation: Conversation) -> None:
        self.call = conversation
        self.rep = conversation.side(REP)
        self.customer = conversation.side(CUSTOMER)

    @cached_property
    def price(self) -> Line | None:
        """The rep side's first line with a price."""
        return next((line for line in self.rep if line.says(AMOUNT)), None)

    @cached_property
    def doubts(self) -> list[Doubt]:
        """The customer's doubts by kind, the one that comes back most often (or else last) first."""
        found: dict[str, list[Line]] = {}
        for line in self.customer:
            if "?" in line.text and not line.says(r"\bworried\b"):
                continue
            for kind, pattern in DOUBTS.items():
                if line.says(pattern):
                    found.setdefault(kind, []).append(line)
                    break
        order = sorted(found, key=lambda kind: (len(found[kind]), found[kind][-1].number), reverse=True)
        return [self._doubt(kind, found[kind]) for kind in order]

    def _doubt(self, kind: str, lines: Sequence[Line]) -> Doubt:
        answer = self.call.reply(lines[0])
        if answer is None:
            return Doubt(kind, lines, None, None, None)
        replies = [line for line in self.call.after(lines[-1], 5) if line.side == REP]
        settled = next((line for line in replies if line.says(SETTLES)), None)
        asked = answer if answer.questions and not answer.says(SETTLES) else None
        return Doubt(kind, lines, answer, asked, settled)

    @cached_property
    def problems(self) -> list[tuple[Line, str]]:
        """What goes wrong at the customer's, worst first: the line and the sentence that says it."""
        scored: list[tuple[int, Line, str]] = []
        doubtful = {line.number for doubt in self.doubts for line in doubt.lines}
        for line in self.customer:
            if line.number in doubtful:
                continue
            for part in line.sentences:
                lower = part.lower()
                if part.endswith("?") or not re.search(TROUBLE, lower) or re.search(NO_TROUBLE, lower):
                    continue
                score = 2 * len(re.findall(TROUBLE, lower)) + 2 * bool(re.search(r"\d", lower))
                score += 2 * bool(re.search(OWN_WORLD, lower)) - abs(len(part.split()) - 10) // 4
                scored.append((score, line, part))
        scored.sort(key=lambda item: (-item[0], item[1].number))
        best: dict[int, tuple[Line, str]] = {}
        for _, line, part in scored:
            best.setdefault(line.number, (line, part))
        return list(best.values())

    @cached_property
    def situation(self) -> tuple[Line, str] | None:
        """The customer's first sentence about how they work."""
        for line in self.customer[:8]:
            for part in line.sentences:
                own = re.match(r"(?:then |so |and |well, )*(we|i|our|my) \w+", part.lower())
                aside = re.search(r"\b(minutes|hour|meeting|like to know|stop you)\b|\?", part.lower())
                if own and not aside and len(part.split()) > 5:
                    return line, part
        return None

    @cached_property
    def unanswered(self) -> list[tuple[Line, str, Line]]:
        """What the customer asked or raised and the next words of the rep side pass over."""
        found = []
        for line in self.customer:
            reply = self.call.reply(line)
            raised = self._raised(line)
            if reply is None or raised is None:
                continue
            if reply.questions and stems(raised) & stems(reply.text):
                continue
            answers = stems(raised) & stems(reply.sentences[0]) or reply.says(r"^(yes|no|sure|it can|with both|both)\b")
            if (reply.says(DEFERS) and not reply.says(r"^(yes|no)\b")) or not answers:
                found.append((line, raised, reply))
        return found

    @staticmethod
    def _raised(line: Line) -> str | None:
        for part in reversed(line.sentences[-3:]):
            lower = part.lower()
            if re.search(r"\b(wanted to ask about|what about|my question|i asked about)\b", lower):
                return part
        asked = [part for part in line.sentences[-1:] if part.endswith("?") and len(part.split()) > 4]
        return asked[0] if asked else None

    @cached_property
    def digging(self) -> list[tuple[Line, str, Line | None]]:
        """The rep side's questions about causes and consequences that build on an answer, with the reply."""
        found = []
        for line in self.rep:
            heard = [other for other in self.call.before(line, 3) if other.side == CUSTOMER and other.words > 5]
            for part in line.questions:
                if heard and re.search(CONSEQUENCE, part.lower()):
                    found.append((line, part, self.call.reply(line)))
                    break
        return found

    @cached_property
    def questions(self) -> list[tuple[Line, str]]:
        """All questions of the rep side."""
        return [(line, part) for line in self.rep for part in line.questions]

    @cached_property
    def restated(self) -> list[tuple[Line, str, Line | None]]:
        """Where the rep side says the customer's point back, and the customer's line that confirms it."""
        found = []
        for line in self.rep:
            heard = [other for other in self.call.before(line, 8) if other.side == CUSTOMER]
            said = {stem for other in heard for stem in stems(other.text)}
            parts = [part for part in line.sentences if re.search(RESTATES, part.lower())]
            if parts and stems(line.text) & said:
                part = max(parts, key=len)
                reply = self.call.reply(line)
                confirms = reply is not None and reply.says(r"^(yes|right|exactly|that's right|no,)")
                whole = part if len(part.split()) > 7 else max(line.sentences, key=len)
                found.append((line, whole, reply if confirms else None))
        return found

    @cached_property
    def acknowledged(self) -> Line | None:
        """Where the rep side takes a problem in with a word or two and moves on."""
        for line, _ in self.problems:
            reply = self.call.reply(line)
            if reply and reply.says(r"^(yeah|right|okay|got it|sure|wow|i see|that makes sense|understood)\b"):
                return reply
        return None

    @cached_property
    def tied(self) -> list[tuple[Line, str, Line]]:
        """Where the offer is tied to something the customer said: line, sentence, the need's line."""
        found = []
        for line in self.rep:
            for part in line.sentences:
                if part.endswith("?") or not re.search(TIES, part.lower()) or re.search(r"\bi'll\b", part.lower()):
                    continue
                words = stems(part)
                needs = [
                    need
                    for need in self.customer
                    if need.number < line.number and len(words & stems(need.text)) >= 1 and need.words > 5
                ]
                offers = re.search(r"\b(with|we|this|page|is a|so your|let me show)\b", line.lower)
                if needs and offers and not line.questions:
                    best = max(needs, key=lambda need: (len(words & stems(need.text)), need.number))
                    sentence = part if len(part.split()) > 9 else max(line.sentences, key=len)
                    found.append((line, sentence, best))
                    break
        return found

    @cached_property
    def offered(self) -> bool:
        """Whether anything is offered or shown at all."""
        return bool(self.price or self.tied) or (self.general_offer is not None and self.general_offer.words > 40)

    @cached_property
    def general_offer(self) -> Line | None:
        """The rep side's longest line about the product that is tied to nothing."""
        tied = {line.number for line, _, _ in self.tied}
        run = [line for line in self.call.longest_run() if line.number not in tied]
        return max(run, key=lambda line: line.words, default=None)

    @cached_property
    def liked(self) -> list[Line]:
        """The customer's lines that say that something fits."""
        return [line for line in self.customer if line.says(LIKES)]

    @cached_property
    def opening(self) -> tuple[int, Line | None]:
        """The level of the opening, and the rep side's line that shows it."""
        first = self.call.lines[: max(6, len(self.call.lines) // 10)]
        rep = [line for line in first if line.side == REP]
        agenda = next((line for line in rep if line.says(AGENDA)), None)
        agreed = next((line for line in rep if line.says(AGREES_AGENDA)), None)
        wish = next((line for line in rep if line.questions and line.says(WISH)), None)
        purpose = next((line for line in rep if line.says(PURPOSE)), None)
        if agenda and agreed and wish and self._taken_up(wish):
            return 3, agenda
        if agenda and (agreed or wish):
            return 2, agenda
        if agenda or purpose:
            return 1, agenda or purpose
        return 0, rep[0] if rep else None

    def _taken_up(self, wish: Line) -> bool:
        reply = self.call.reply(wish)
        later = [line for line in self.rep if reply and line.number > reply.number][:6]
        return reply is not None and any(stems(reply.text) & stems(line.text) for line in later)

    @cached_property
    def next_step(self) -> NextStep:
        """What is agreed at the end."""
        last = self.call.lines[-max(12, len(self.call.lines) // 5) :]
        rep = [line for line in last if line.side == REP]
        customer = [line for line in last if line.side == CUSTOMER]
        action = next((line for line in customer if line.says(CUSTOMER_ACTION)), None)
        if refusal := next((line for line in customer if line.says(DECLINES)), None):
            return NextStep("customer_declined", None, refusal, None, "", people_named=False)
        dated = [line for line in rep if line.says(DAY) and (line.says(REP_ACTION) or line.questions)]
        proposal = dated[0] if dated else None
        if proposal is not None:
            consent = self.call.reply(proposal)
            day = re.search(DAY, proposal.text, re.IGNORECASE)
            if consent is not None and consent.says(CONSENTS) and day:
                people = re.search(r"\bwith (you and )?[A-Z]\w+", proposal.text) is not None
                return NextStep("agreed", proposal, consent, action, day[0].removeprefix("on "), people)
        if proposal is None:
            vague = [line for line in rep if line.says(REP_ACTION) and (line.says(VAGUE_DAY) or line.says(r"\bsend\b"))]
            proposal = vague[-1] if vague else None
        if proposal is not None:
            consent = self.call.reply(proposal)
            day = re.search(VAGUE_DAY, proposal.text, re.IGNORECASE)
            return NextStep("proposed", proposal, consent, action, day[0] if day else "", people_named=False)
        closed = any(line.says(GOODBYE) for line in self.call.lines[-4:])
        return NextStep("none" if closed else "not_in_recording", None, None, action, "", people_named=False)

    @cached_property
    def smaller_start(self) -> Line | None:
        """Where the rep side answers a doubt with a question about a smaller step."""
        for doubt in self.doubts:
            for line in self.call.after(doubt.lines[-1], 4):
                if line.side == REP and line.questions and line.says(r"\b(smaller|start with|pilot|try|only the)\b"):
                    return line
        return None

    def topics(self, lines: Sequence[Line], most: int) -> list[str]:
        """Return the things that lines speak about most: nouns after an article, by how often they come."""
        told = [part.lower() for line in lines for part in line.sentences if not part.endswith("?")]
        text = " ".join(told)
        found = re.findall(r"\b(?:the|a|an|our|your) ((?:[a-z-]+ ){0,2}[a-z-]+)", text)
        counted = Counter[str]()
        for phrase in found:
            words = []
            for word in phrase.split():
                if word in STOP_WORDS or word in NO_TOPIC or not word.isalpha():
                    break
                words.append(word)
            for size in range(1, len(words) + 1):
                counted[" ".join(words[:size])] += 1
        names: list[str] = []
        for phrase, count in sorted(counted.items(), key=lambda item: (-item[1] * (1 + item[0].count(" ")), item[0])):
            known = any(set(phrase.split()) & set(name.split()) for name in names)
            if count > 1 and len(phrase) > 3 and not known:
                names.append(phrase)
        return names[:most]

    def subject(self, text: str, also_in: str | None = None) -> str | None:
        """Return the content word of `text` (and of `also_in`) that the call comes back to most often."""
        shared = stems(also_in) if also_in is not None else stems(text)
        spoken = Counter(token for line in self.call.lines for token in set(tokens(line.text)))
        words = [
            word
            for word in tokens(text)
            if len(word) > 4 and word.isalpha() and spoken[word] > 1 and stems(word) & shared and word not in NO_TOPIC
        ]
        found = max(words, key=lambda word: (spoken[word], len(word)), default=None)
        return self._phrase(found) if found else None

    def _phrase(self, word: str) -> str:
        """Return `word` as the call uses it: with its usual neighbour, its article, a name's capital."""
        text = " ".join(line.text for line in self.call.lines)
        following = re.findall(rf"\b{word} ([a-z]{{4,}})\b", text, re.IGNORECASE)
        after = Counter(other.lower() for other in following)
        usual = next((other for other, count in after.most_common() if count > 1 and other not in LINKS), None)
        phrase = f"{word} {usual}" if usual else word
        written = re.search(rf"(?<=[a-z] )\b{phrase}\b", text, re.IGNORECASE)
        phrase = written[0] if written else phrase
        alone = re.findall(rf"\b(\w+) {phrase}(?=[.,?!]| (?:{'|'.join(LINKS)})\b)", text, re.IGNORECASE)
        definite = [before for before in alone if before.lower() in ("the", "our", "your", "this", "my")]
        return f"the {phrase}" if len(definite) * 2 > len(alone) else phrase


# What follows a noun that stands alone.
LINKS: tuple[str, ...] = (
    "at",
    "by",
    "calls",
    "comes",
    "for",
    "from",
    "goes",
    "have",
    "here",
    "in",
    "is",
    "now",
    "of",
    "on",
)
LINKS += ("part", "that", "they", "to", "today", "when", "will", "with", "would")
NO_TOPIC = frozenset(
    """
    able apps asked beginning bigger bit bottom busy called calls careful certain clear cost could
    couple different early enough example fantastic free front full general happen happens help hold
    honest important interesting large latest local long longer lot main mentioned minute moment normal
    number nutshell other others overtime person picture place point possible problem problems question
    reading real really right second short side simple single small smaller something start started
    talks team term thing times topic total typical until usual version wanted works world worst would
    wrong yourself
    """.split()  # noqa: SIM905 - words read better as text
)
