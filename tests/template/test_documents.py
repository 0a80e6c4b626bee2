"""What a document tells somebody to type, open or set is there; what is typed is run by a test, or says why not."""

import re
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.sandbox.template import parse
from tests.unit.test_architecture import MODULES

from callcoach.commands import callcoach

if TYPE_CHECKING:
    import click

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "ARCHITECTURE.md",
    "METRICS.md",
    "OPERATIONS.md",
    "DECISIONS.md",
    "CHANGELOG.md",
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
TEMPLATE = parse((ROOT / "template.yaml").read_text("utf-8"))

# Which test runs what a code block tells to type. A target of make that is a command runs that.
RUN_BY = {
    "make demo": "tests/integration/test_commands.py",
    "callcoach deploy": "tests/integration/test_operator_deploy.py",
    "callcoach destroy": "tests/integration/test_operator_destroy.py",
    "callcoach doctor": "tests/integration/test_operator_doctor.py",
    "callcoach forget": "tests/integration/test_forget.py",
    "callcoach smoke": "tests/integration/test_operator_smoke.py",
    "callcoach subscribe": "tests/integration/test_operator_subscribe.py",
}
NOT_RUN = {
    "make setup": "whoever runs the tests has done that",
    "make test": "it would run itself",
    "make lint": ".ci/run does",
    "make audit": ".ci/run does",
    "make build": ".ci/run does, and test_build.py looks at what it leaves",
    "make faults": "it takes ten minutes; tests/faults runs a sample of it",
    ".ci/run": "the build machine does",
    "aws s3": "needs an AWS account; the sandbox's S3 takes the same upload",
}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@cache
def text(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def prose(document: str) -> str:
    """Return a document without its code blocks."""
    return FENCE.sub("", text(document))


def commands(document: str) -> Iterator[list[str]]:
    """Yield each command of the code blocks that name no language, in words, without what is set before it."""
    for language, block in FENCE.findall(text(document)):
        for line in block.replace("\\\n", " ").splitlines() if not language else ():
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words:
                yield words


ALL_COMMANDS = [(document, words) for document in DOCUMENTS for words in commands(document)]


def names(words: list[str]) -> Iterator[str]:
    """Yield under which names a command may be run by a test."""
    if words[:3] == ["python", "-m", "callcoach"]:
        yield f"callcoach {words[3]}"
    elif words[0] == "make" and words[1] in callcoach.commands:
        yield f"callcoach {words[1]}"
    else:
        yield " ".join(words[:2])
        yield words[0]


@pytest.mark.parametrize(("document", "words"), ALL_COMMANDS, ids=[" ".join(words) for _, words in ALL_COMMANDS])
def test_each_command_is_run_by_a_test_or_says_why_not(document: str, words: list[str]) -> None:
    known = {**RUN_BY, **NOT_RUN}
    found = [known[name] for name in names(words) if name in known]

    assert found, f"{document}: {words}"


def test_the_lists_hold_nothing_else_and_the_tests_run_what_they_are_said_to() -> None:
    named = {name for _, words in ALL_COMMANDS for name in names(words)}

    assert {*RUN_BY, *NOT_RUN} <= named
    for command, test in RUN_BY.items():
        assert f'"{command.split()[1]}"' in (ROOT / test).read_text("utf-8"), command


def parsed(words: list[str]) -> None:
    """Let click read a command of callcoach as it reads one that is given."""
    command = callcoach.commands[words[0]]
    command.make_context(words[0], [word for word in words[1:] if word != "…"], resilient_parsing=False)


def test_commands_of_callcoach_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all their options; files that they name are there."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "samconfig.toml", tmp_path)
    (tmp_path / "call.mp3").touch()
    told = [words[3:] for _, words in ALL_COMMANDS if words[:3] == ["python", "-m", "callcoach"]]

    assert told
    for words in told:
        parsed(words)


def test_targets_of_make_exist_and_take_what_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In code blocks and in sentences; OPTIONS are those of the command."""
    monkeypatch.chdir(tmp_path)
    in_blocks = [words for _, words in ALL_COMMANDS if words[0] == "make"]
    codes = [code for document in DOCUMENTS for code in INLINE.findall(prose(document))]
    in_prose = [shlex.split(code) for code in codes if code.startswith("make ")]

    assert in_blocks
    assert in_prose
    for _, target, *given in in_blocks + in_prose:
        assert target in TARGETS, target
        for assignment in given:
            name, equals, value = assignment.partition("=")
            assert equals, assignment
            assert re.search(rf"\$+[({{]{name}\b|\({name}\)|{name}:-", MAKEFILE), f"make {target} {assignment}"
            if name == "OPTIONS" and target in callcoach.commands:
                key = ["KEY"] if target in ("show", "open", "forget") else []
                parsed([target, *shlex.split(value), *key])


def options(command: "click.Command") -> set[str]:
    return {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}


# Of the commands, and of what else make passes OPTIONS to.
OPTIONS = {option for command in callcoach.commands.values() for option in options(command)} | {
    option
    for path in (ROOT / "tests").glob("*/__main__.py")
    for option in re.findall(r"add_argument\(\s*\"(--[a-z-]+)\"", path.read_text("utf-8"))
}


def test_commands_in_sentences_exist_with_their_options() -> None:
    """`callcoach status [KEY]`, `rescore KEY… | --prefix P`: the command, and each option that is named with it."""
    for document in DOCUMENTS:
        for code in INLINE.findall(prose(document)):
            if code.startswith("OPTIONS="):
                assert set(re.findall(r"--[a-z][a-z-]*", code)) <= OPTIONS, f"{document}: {code}"
            words = code.removeprefix("python -m ").split()
            words = words[1:] if words[0] == "callcoach" else words
            if not words or words[0] not in callcoach.commands:
                assert not code.startswith("python -m callcoach "), f"{document}: {code}"
                continue
            command = callcoach.commands[words[0]]
            for named in re.findall(r"--[a-z][a-z-]*", code):
                assert named in {*options(command), "--help"}, f"{document}: {code}"


def test_each_command_has_its_rights() -> None:
    """In the table of what an operator may do."""
    table = text("OPERATIONS.md").split("\n## What an operator may do\n")[1].split("\n## ")[0]
    first_cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    named = {code.split()[0] for cell in first_cells for code in INLINE.findall(cell)}

    assert named == set(callcoach.commands)


def anchors(document: str) -> set[str]:
    """Return what a heading's link ends in on GitHub."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in LINK.findall(text(document)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (folder / path).resolve() if path else ROOT / document
        assert linked.exists(), f"{document}: {target}"
        if anchor:
            assert anchor in anchors(str(linked.relative_to(ROOT))), f"{document}: {target}"


# What looks like a path and is none of the repository: names in buckets, addresses at services, what is made here.
NO_FILES = re.compile(
    r"(submissions|transcripts|replies|reports|scorecards|failures|overrides)/.*|(csv|teams)/|out/.*|\.aws-sam.*|\.venv.*"
    r"|dana-reyes/.*|callcoach/(assemblyai)?|AWS/.*|.*<.*|s3://.*|https?://.*|[\d.,]+/[\d.,]+|/.*|my-call\.mp3|call\.mp3"
    r"|functions/<lambda>/|\.txt|\.in|requirements-\*\.in"
)
BESIDE = [
    "",
    "functions/scorecard",
    "functions/scorecard/templates",
    "layers/callcoach/callcoach",
    ".github",
    "tests/template",
    "tests/benchmarks",
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document: str) -> None:
    for code in INLINE.findall(prose(document)):
        looks_like_one = "/" in code or re.search(r"\.(py|md|ya?ml|toml|json|txt|sql|in|j2)$", code)
        if looks_like_one and re.fullmatch(r"[\w.*<>/-]+", code) and not NO_FILES.fullmatch(code):
            assert any((ROOT / folder / code).exists() for folder in BESIDE), f"{document}: {code}"


# Names of AWS, written like a parameter's.
NO_PARAMETERS = {"DescribeStackResources"}


def counted() -> set[str]:
    """Return the metrics that the functions count."""
    return {
        name
        for path in MODULES.values()
        for name in re.findall(r"[\"']([A-Z][a-z]+[A-Za-z]+)[\"']", path.read_text("utf-8"))
    }


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if name not in ("CHANGELOG.md", "DECISIONS.md")])
def test_parameters_that_are_named_exist(document: str) -> None:
    """And resources, outputs, metrics and errors, which are written alike."""
    classes = set(re.findall(r"class (\w+)", "\n".join(path.read_text("utf-8") for path in MODULES.values())))
    known = {
        *TEMPLATE["Parameters"],
        *TEMPLATE["Resources"],
        *TEMPLATE["Outputs"],
        *counted(),
        *classes,
        *NO_PARAMETERS,
    }
    for code in INLINE.findall(prose(document)):
        if named := re.fullmatch(r"([A-Z][a-z]+[A-Z][A-Za-z]*)(=\S*)?", code):
            assert named[1] in known, f"{document}: {code}"
            if named[2] and named[1] in TEMPLATE["Parameters"]:
                allowed = TEMPLATE["Parameters"][named[1]].get("AllowedValues")
                assert not allowed or named[2].lstrip("=") in map(str, allowed), f"{document}: {code}"


def test_drawings_show_what_is_deployed() -> None:
    drawn = [
        name
        for document in DOCUMENTS
        for language, block in FENCE.findall(text(document))
        if language == "text"
        for name in re.findall(r"\b[A-Z][A-Za-z]+(?:Api|Bucket|Dlq|Function|Queue|Topic)\b", block)
    ]

    assert drawn
    assert set(drawn) <= set(TEMPLATE["Resources"])


def test_the_map_of_modules_is_the_code_s() -> None:
    """Each module has its place in ARCHITECTURE.md, and no other is there."""
    told = text("ARCHITECTURE.md").split("\n## The code\n")[1]
    parts = re.split(r"\*\*(functions/submit|functions/scorecard|layers/callcoach/callcoach)\*\*", told)[1:]
    for folder, part in zip(parts[::2], parts[1::2], strict=True):
        package = folder.rpartition("/")[2]
        there = {name.partition(".")[2] for name in MODULES if name.startswith(f"{package}.")} - {"__init__"}
        named = [code for code in INLINE.findall(part) if "/" not in code]
        assert sorted(named) == sorted(there), folder


def test_errors_are_told_as_they_are() -> None:
    """The table of the architecture has each kind that callcoach.work tells apart."""
    for error in ("Postponed", "AccountRefused", "TransientError", "PermanentError", "MalformedMessage"):
        assert f"| `{error}`" in text("ARCHITECTURE.md")
        assert f"class {error}(" in MODULES["callcoach.errors"].read_text("utf-8")
