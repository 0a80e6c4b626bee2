"""The questions to all scorecards: their answers against plain Python, their time, and that all their forms agree."""

import json
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from tests.sandbox.template import parse
from tests.schema import scorecard_schema
from tests.unit.many_scorecards import ITEMS, many_scorecards

from callcoach.trends import Answers, Chosen, Row, ask
from callcoach.trends_queries import QUESTIONS, columns, duckdb_sql, duckdb_type, trino_sql
from scorecard.rubric import RUBRIC_ITEMS
from scorecard.scorecard import Scorecard

TEMPLATE: dict[str, Any] = parse((Path(__file__).parents[2] / "template.yaml").read_text("utf-8"))
QUERIES = Path(__file__).parents[2] / "layers" / "callcoach" / "queries"
COUNT = 10_000
Card = dict[str, Any]
Line = tuple[str, str, str]


@pytest.fixture(scope="module")
def cards() -> list[Card]:
    return list(many_scorecards(COUNT))


@pytest.fixture(scope="module")
def lines(cards: list[Card], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("trends") / "scorecards.jsonl", cards)


@pytest.fixture(scope="module")
def answers(lines: Path) -> Answers:
    return ask(lines, Chosen())


def written(path: Path, cards: Iterable[Card]) -> Path:
    with path.open("wb") as file:
        file.writelines(msgspec.json.encode(card) + b"\n" for card in cards)
    return path


def is_comparable(card: Card) -> bool:
    return card["status"] == "complete" and not card["roles"]["needs_review"] and bool(card["call"]["recorded_at"])


def owners(card: Card) -> list[tuple[str, str | None]]:
    return [("rep", card["call"]["rep"]), ("team", card["call"]["team"])]


def made_by(card: Card) -> tuple[Any, ...]:
    run, numbers = card["run"], card["metrics"]
    return (
        card["schema_version"],
        card["talk_listen"]["definition"],
        *(numbers[name]["definition"] for name in ("questions", "longest_monologue")),
        *(run[name] for name in ("rubric_sha256", "prompt_version", "prompt_sha256", "coach_model")),
    )


def in_parts(cards: Iterable[Card]) -> dict[Line, list[tuple[int, Card]]]:
    """The comparable calls of each line in their order, each with the number of its part."""
    by_line: dict[Line, list[Card]] = defaultdict(list)
    for card in filter(is_comparable, cards):
        for kind, who in owners(card):
            if who is not None:
                by_line[kind, who, card["talk_listen"]["band"]["for"]].append(card)
    return {line: list(_numbered(members)) for line, members in by_line.items()}


def _numbered(cards: list[Card]) -> Iterator[tuple[int, Card]]:
    part, before = 0, None
    for card in sorted(cards, key=lambda card: (card["call"]["recorded_at"], card["call"]["recording"])):
        part += before is not None and made_by(card) != before
        before = made_by(card)
        yield part, card


def line_of(row: Row) -> Line:
    return row["kind"], row["who"], row["call_type"]


MEASURES: dict[str, Callable[[Card], Any]] = {
    "talk_share": lambda card: card["talk_listen"]["rep_share"],
    "questions": lambda card: card["metrics"]["questions"]["value"],
    "longest_monologue": lambda card: card["metrics"]["longest_monologue"]["value"],
}


def median(values: list[float]) -> float | None:
    return statistics.median(values) if len(values) >= 5 else None


def test_made_up_scorecards_are_scorecards(cards: list[Card]) -> None:
    """All of them to the types; every hundredth to the schema, which is made of them."""
    for card in cards:
        msgspec.convert(card, Scorecard)
    validator = Draft202012Validator(scorecard_schema())
    for card in cards[::100]:
        validator.validate(card)
    assert {"complete", "numbers_only", "needs_roles"} == {card["status"] for card in cards}


def test_numbers_are_those_of_the_scorecards_with_the_medians_of_their_parts(
    cards: list[Card], answers: Answers
) -> None:
    expected = {}
    for line, members in in_parts(cards).items():
        for measure, value_of in MEASURES.items():
            known = [(part, card, value) for part, card in members if (value := value_of(card)) is not None]
            by_part, by_month = defaultdict(list), defaultdict(list)
            for part, card, value in known:
                by_part[part].append(value)
                by_month[part, card["call"]["recorded_at"][:7]].append(value)
            for part, card, value in known:
                of_month = by_month[part, card["call"]["recorded_at"][:7]]
                expected[*line, measure, card["call"]["recording"]] = (
                    (part, value, len(by_part[part]), len(of_month)),
                    (median(by_part[part]), median(of_month)),
                )

    assert len(answers.rows["numbers"]) == len(expected)
    for row in answers.rows["numbers"]:
        counts, medians = expected[*line_of(row), row["measure"], row["recording"]]
        assert (row["part"], row["value"], row["calls"], row["month_calls"]) == counts
        for found, wanted in zip((row["median"], row["month_median"]), medians, strict=True):
            assert found == (wanted if wanted is None else pytest.approx(wanted))


def test_bands_are_the_calls_own(cards: list[Card], answers: Answers) -> None:
    bands = {card["call"]["recording"]: card["talk_listen"]["band"] for card in cards}

    for row in answers.rows["numbers"]:
        if row["measure"] == "talk_share":
            band = bands[row["recording"]]
            assert (row["band_low"], row["band_high"]) == (band["low"], band["high"])


def test_clear_drops_about_our_offer_are_counted(cards: list[Card], answers: Answers) -> None:
    expected: dict[Any, list[int]] = defaultdict(list)
    unknown = set()
    for line, members in in_parts(cards).items():
        for part, card in members:
            group = (*line, part, card["call"]["recorded_at"][:7])
            if not card["sentiment"]:
                unknown.add(group)
                continue
            expected[group].append(sum(is_clear_drop(shift) for shift in card["sentiment"]["shifts"]))

    assert {(*line_of(row), row["part"], row["month"]) for row in answers.rows["drops"]} == expected.keys() | unknown
    for row in answers.rows["drops"]:
        drops = expected[*line_of(row), row["part"], row["month"]]
        assert (row["calls"], row["calls_with_drops"]) == (len(drops), sum(map(bool, drops)))
        assert (row["drops"] or 0) == sum(drops)


def is_clear_drop(shift: Mapping[str, Any]) -> bool:
    return (shift["strength"], shift["to"], shift["about"]) == ("clear", "negative", "our_offer_or_rep")


def test_levels_are_counted(cards: list[Card], answers: Answers) -> None:
    expected = Counter(
        (*line, item, part, card["call"]["recorded_at"][:7], card["coaching"]["rubric"]["items"][item]["level"])
        for line, members in in_parts(cards).items()
        for part, card in members
        for item in ITEMS
    )

    assert {
        (*line_of(row), row["item"], row["part"], row["month"], row["level"]): row["calls"]
        for row in answers.rows["rubric"]
    } == expected


def test_a_line_breaks_where_something_else_was_changed(cards: list[Card], answers: Answers) -> None:
    expected = {
        (*line, part): (before, after)
        for line, members in in_parts(cards).items()
        for (part_before, before), (part, after) in pairwise(members)
        if part != part_before
    }

    assert {(*line_of(row), row["part"]) for row in answers.rows["breaks"]} == expected.keys()
    for row in answers.rows["breaks"]:
        before, after = expected[*line_of(row), row["part"]]
        assert row["recorded_at"] == after["call"]["recorded_at"]
        assert (row["coach_model_before"], row["coach_model"]) == (
            before["run"]["coach_model"],
            after["run"]["coach_model"],
        )
        assert (row["rubric_sha256_before"], row["rubric_sha256"]) == (
            before["run"]["rubric_sha256"],
            after["run"]["rubric_sha256"],
        )


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("run", "coach_model", "another"),
        ("run", "rubric_sha256", "a" * 64),
        ("run", "prompt_version", "2"),
        ("run", "prompt_sha256", "b" * 64),
        ("talk_listen", "definition", "talk_share.turn_union.v2"),
        ("", "schema_version", 2),
    ],
)
def test_each_of_them_breaks_a_line(tmp_path: Path, part: str, name: str, value: Any) -> None:
    first, second = series(2)
    (second[part] if part else second)[name] = value

    found = ask(written(tmp_path / "a.jsonl", [second, first]), Chosen(rep="Dana"))

    (of_rep,) = (row for row in found.rows["breaks"] if row["kind"] == "rep")
    assert of_rep["recorded_at"] == second["call"]["recorded_at"]
    assert [row["part"] for row in found.rows["numbers"] if (row["kind"], row["measure"]) == ("rep", "questions")] == [
        0,
        1,
    ]


def series(count: int, **call: Any) -> list[Card]:
    """Calls of one rep, a day apart, that differ in nothing else."""
    one = next(many_scorecards(1, reps=1))
    cards = []
    for number in range(count):
        card = json.loads(json.dumps(one))
        card["status"], card["roles"]["needs_review"] = "complete", False
        card["call"] |= {
            "rep": "Dana",
            "team": "North",
            "recorded_at": f"2026-05-{number + 1:02}T09:00:00Z",
            "recording": f"{number}.mp3",
        } | call
        cards.append(card)
    return cards


@pytest.mark.parametrize(("count", "has_median"), [(4, False), (5, True)])
def test_fewer_than_five_calls_have_no_median(tmp_path: Path, count: int, has_median: bool) -> None:  # noqa: FBT001 - of the table above
    found = ask(written(tmp_path / "a.jsonl", series(count)), Chosen())

    shares = [row for row in found.rows["numbers"] if row["measure"] == "talk_share"]
    assert len(shares) == 2 * count
    assert {row["median"] is not None for row in shares} == {has_median}
    assert {row["month_median"] is not None for row in shares} == {has_median}


def test_what_is_in_no_line_is_counted_with_its_reason(cards: list[Card], answers: Answers) -> None:
    expected: Counter[Any] = Counter()
    for card in cards:
        for kind, who in owners(card):
            call_type = card["talk_listen"]["band"]["for"]
            if card["status"] != "complete":
                expected[kind, who, call_type, card["status_reason"] or card["status"]] += 1
            elif card["roles"]["needs_review"]:
                expected[kind, who, call_type, "needs_review"] += 1
            elif who is None:
                expected[kind, who, call_type, "nobody_named"] += 1

    assert {(*line_of(row), row["reason"]): row["calls"] for row in answers.rows["uncoached"]} == expected


def test_every_call_is_in_a_line_or_counted(answers: Answers) -> None:
    for kind in ("rep", "team"):
        shown = {row["recording"] for row in answers.rows["numbers"] if row["kind"] == kind}
        left_out = sum(row["calls"] for row in answers.rows["uncoached"] if row["kind"] == kind)
        assert len(shown) + left_out == COUNT == answers.cards


def test_calls_are_chosen_by_rep_team_and_time(cards: list[Card], lines: Path) -> None:
    chosen = Chosen(rep="Rep 07", team="South", since=datetime(2026, 5, 1, tzinfo=UTC))
    wanted = [
        card
        for card in cards
        if (card["call"]["rep"], card["call"]["team"]) == ("Rep 07", "South")
        and card["call"]["recorded_at"] >= "2026-05-01"
    ]

    found = ask(lines, chosen)

    assert found.cards == len(wanted) > 20
    assert {row["who"] for row in found.rows["numbers"]} == {"Rep 07", "South"}


def test_time_grows_with_the_scorecards(lines: Path, tmp_path: Path) -> None:
    """Eight times as many take less than sixteen times as long; what is fixed is left out by the smaller one."""

    def seconds(path: Path) -> float:
        started = time.perf_counter()
        ask(path, Chosen())
        return time.perf_counter() - started

    few = written(tmp_path / "few.jsonl", list(many_scorecards(COUNT // 8)))

    assert min(seconds(lines) for _ in range(2)) < 16 * min(seconds(few) for _ in range(2))


# The forms of one table.


def test_the_template_has_the_table_s_columns() -> None:
    table = TEMPLATE["Resources"]["TrendsTable"]["Properties"]["TableInput"]

    assert {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]} == columns()


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_template_has_the_questions(question: str) -> None:
    query = TEMPLATE["Resources"][f"Trends{question.capitalize()}Query"]["Properties"]["QueryString"]
    base = TEMPLATE["Mappings"]["Trends"]["ComparableCalls"]["Sql"]

    assert query == {
        "Fn::Join": ["", [{"Fn::FindInMap": ["Trends", "ComparableCalls", "Sql"]}, query["Fn::Join"][1][1]]]
    }
    assert base + query["Fn::Join"][1][1] == trino_sql(question)


def test_every_file_is_a_question_and_none_is_deployed_unless_wanted() -> None:
    assert {path.stem for path in QUERIES.glob("*.sql")} == {"comparable_calls", *QUESTIONS}
    athena = {
        name: item
        for name, item in TEMPLATE["Resources"].items()
        if item["Type"].startswith(("AWS::Glue", "AWS::Athena"))
    }
    assert len(athena) == 2 + len(QUESTIONS)
    assert {item["Condition"] for item in athena.values()} == {"HasAthena"}
    assert TEMPLATE["Parameters"]["EnableAthena"]["Default"] == "false"


def test_every_column_is_a_field_of_a_scorecard() -> None:
    schema = scorecard_schema()
    for name, hive_type in columns().items():
        _assert_holds(schema, schema, name, hive_type)


KINDS = {"string": {"string"}, "int": {"integer"}, "double": {"number", "integer"}, "boolean": {"boolean"}}


def _assert_holds(schema: Any, parent: Any, name: str, hive_type: str) -> None:
    """Whether the schema has a field of that name under the parent, which the type can hold."""
    # What a scorecard holds by id may be any.
    field = parent["properties"][name] if "properties" in parent else parent["additionalProperties"]
    forms = [_resolved(schema, form) for form in field.get("anyOf", [field])]
    inner = hive_type.partition("<")[2][:-1]
    if hive_type.startswith("struct<"):
        (form,) = (form for form in forms if form.get("type") == "object")
        for part in _fields(inner):
            _assert_holds(schema, form, *part.split(":", 1))
    elif hive_type.startswith("array<"):
        (form,) = (form for form in forms if form.get("type") == "array")
        _assert_holds(schema, {"properties": {name: form["items"]}}, name, inner)
    else:
        assert {_kind(form) for form in forms} - {"null"} <= KINDS[hive_type], name


def _kind(form: Any) -> str:
    """Return the JSON type of a value; one that is listed or given shows its own."""
    shown = form.get("const", form.get("enum", [""])[0])
    return str(form.get("type") or {str: "string", int: "integer"}[type(shown)])


def _resolved(schema: Any, form: Any) -> Any:
    return schema["$defs"][form["$ref"].rsplit("/", 1)[-1]] if "$ref" in form else form


def _fields(inner: str) -> list[str]:
    """Split a struct's fields: at commas outside of angle brackets."""
    return re.findall(r"(?:[^,<>]|<(?:[^<>]|<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>)*>)+", inner)


def test_items_of_the_rubric_are_those_that_are_asked_for() -> None:
    asked = re.findall(r"\('(\w+)'\)", trino_sql("rubric").partition("judged AS")[2])

    assert asked == list(RUBRIC_ITEMS)
    assert [field.split(":")[0] for field in _fields(columns()["coaching"].partition("items:struct<")[2][:-3])] == asked


def test_types_have_two_names() -> None:
    assert duckdb_type("struct<a:int,b:array<struct<c:string,for:double>>>") == (
        'STRUCT("a" INTEGER, "b" STRUCT("c" VARCHAR, "for" DOUBLE)[])'
    )


def test_engines_differ_in_one_thing() -> None:
    for question in QUESTIONS:
        theirs, ours = trino_sql(question), duckdb_sql(question)
        assert re.sub(r"lambda (\w+): ", r"\1 -> ", ours) == theirs
        assert ("->" in theirs) == (question == "drops")


@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_use_what_both_engines_know(question: str) -> None:
    """Functions whose names and arguments Trino and DuckDB share; DuckDB has run them all."""
    code = re.sub(r"--.*", "", trino_sql(question))
    called = {name.lower() for name in re.findall(r"\b([A-Za-z_]+)\s*\(", code)}

    assert called <= {
        *("avg", "cardinality", "coalesce", "count", "filter", "lag", "row_number", "substr", "sum"),
        *("as", "cast", "item", "join", "measure", "over", "owner", "values"),
    } | set(re.findall(r"(\w+) AS \(", code))
