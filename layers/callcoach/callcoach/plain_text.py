"""Text as plain e-mail takes it: one line, no longer than it may be, without links; in ASCII or as it is. Pure."""

import re
import unicodedata

# What anybody may have typed with a recording is cut to this.
NAME_CHARACTERS = 60

# Letters and signs that Unicode does not decompose, as ASCII writes them.
_WRITTEN_OUT = """
ß ss ẞ SS æ ae Æ AE œ oe Œ OE ø o Ø O ł l Ł L đ d Đ D ð d Ð D þ th Þ Th € EUR £ GBP ¥ JPY \u0131 i \u2044 / \u00d7 x
""".split()  # noqa: SIM905 - a list would take a page
_PUNCTUATION = (
    dict.fromkeys("\u2018\u2019\u201a", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2013\u2014\u2212\u00b7\u2022", "-")
)
_ASCII = str.maketrans(dict(zip(_WRITTEN_OUT[::2], _WRITTEN_OUT[1::2], strict=True)) | _PUNCTUATION)
# Every dot that may stand in the name of a host becomes one that without_links knows.
_UNICODE = str.maketrans(_PUNCTUATION | {"\u2026": "..."} | dict.fromkeys("\u2024\uff0e\uff61", "."))
# More marks on one letter than any language writes reach into other lines.
_MOST_MARKS = 3

# What may begin a line: a character of Chinese or Japanese with what ends something behind it, or all up to a blank.
_CHINESE_OR_JAPANESE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_ENDS = "\u3001\u3002\u300d\u300f\u3011\u30fc\uff01\uff09\uff0c\uff0e\uff1f"
_PIECE = re.compile(rf"( *)([{_CHINESE_OR_JAPANESE}][{_ENDS},.!?:;)\"']*|[^ {_CHINESE_OR_JAPANESE}]+)")

# Suffixes of files that are no top-level domains.
_FILES = "aac|aiff?|amr|csv|docx?|flac|html|jpe?g|json|ogg|opus|pdf|png|txt|wav|webm|wma|xlsx?"
# What mail programs turn into links: www., or labels and a last one of letters. Each label is looked at once, so that
# the work is linear whatever the text.
_WWW = re.compile(r"\b(www)\.", re.IGNORECASE)
_LABELS = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_LAST_LABEL = re.compile(rf"\.(?!(?:{_FILES})\b)[^\W\d_]{{2,}}+(?![\w-])", re.IGNORECASE)


def ascii_text(text: str) -> str:
    """Return text in printable ASCII on one line.

    Marks and invisible characters are dropped, some signs are written out, other characters become question marks.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    plain = unicodedata.normalize("NFKD", text).translate(_ASCII)
    kept = "".join(
        character
        for character in plain
        if not unicodedata.combining(character) and unicodedata.category(character) != "Cf"
    )
    return "".join(character if " " <= character <= "~" else "?" for character in " ".join(kept.split()))


def unicode_text(text: str) -> str:
    """Return text in any script on one line: without control and format characters, with plain quotation marks."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", text).translate(_UNICODE):
        kind = unicodedata.category(character)[0]
        marks = marks + 1 if kind == "M" else 0
        if kind in "CZ":
            kept.append("" if unicodedata.category(character) == "Cf" else " ")
        elif marks <= _MOST_MARKS:
            kept.append(character)
    return " ".join("".join(kept).split())


def columns(text: str) -> int:
    """Return how many columns a text takes: two for each wide character, none for a mark."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(character)[0] == "M" else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> str:
    """Return text in lines of so many columns, cut at blanks. first and rest: how the first line and the others begin.

    Chinese and Japanese are cut between characters, before no mark that ends something; what is wider than a line
    is cut anywhere.
    """
    lines, indent, line = [], first, ""
    for blanks, word in _PIECE.findall(text):
        pieces = [word] if columns(rest + word) <= width else _letters(word)
        for number, piece in enumerate(pieces):
            longer = f"{line}{blanks if line and not number else ''}{piece}"
            if line and columns(indent + longer) > width:
                lines.append(indent + line)
                indent, longer = rest, piece
            line = longer
    return "\n".join([*lines, indent + line])


def _letters(word: str) -> list[str]:
    """Return the letters of a word, each with its marks."""
    letters: list[str] = []
    for character in word:
        if letters and unicodedata.category(character)[0] == "M":
            letters[-1] += character
        else:
            letters.append(character)
    return letters


def printable(text: str, limit: int = NAME_CHARACTERS) -> str:
    """Return text on one line without control or format characters, cut to limit."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return clipped(" ".join(text.split()), limit)


def is_single_spaced(text: str) -> bool:
    """Whether single blanks between words are all the white space that a text has. False where it cannot be printed."""
    return text.isprintable() and "  " not in text and text == text.strip(" ")


def single_spaced(text: str) -> str:
    """Return text with single blanks between words as its only white space."""
    # To cut a text into its words and join them again takes five times as long as to see that nothing would change.
    return text if is_single_spaced(text) else " ".join(text.split())


def words(code: str | None) -> str:
    """Return a code, such as a reason or a status, in words."""
    return (code or "").replace("_", " ")


def base_name(key: str) -> str:
    """Return a key without its folders; the whole of it where nothing else is left."""
    return key.rstrip("/").rpartition("/")[2] or key


def how_many(number: int, thing: str, *, none: str = "0") -> str:
    """Return a number of things in words: 1 call, 2 calls. none: what stands for no thing."""
    return f"{number or none} {thing}{'' if number == 1 else 's'}"


def clipped(text: str, limit: int) -> str:
    """Return text cut to limit characters, at a word's end where one is near, with dots for the rest."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 3]
    head, _, tail = kept.rpartition(" ")
    return f"{(head if head and len(tail) < 20 else kept).rstrip(' ,;:')}..."


def without_links(text: str) -> str:
    """Return text in which no mail program finds a link: evil[.]com."""
    return _LABELS.sub(_unlinked, _WWW.sub(r"\1[.]", text.replace("://", "[:]//")))


def _unlinked(labels: re.Match[str]) -> str:
    """Return labels without the dots up to the last one with which a name of a host could end."""
    end = max((last.end() for last in _LAST_LABEL.finditer(labels[0])), default=0)
    return labels[0][:end].replace(".", "[.]") + labels[0][end:]
