"""What all scorecards of a stack say over time: asked of DuckDB, on a copy that lasts as long as the questions."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from callcoach.side_by_side import side_by_side
from callcoach.traces import Progress
from callcoach.trends_queries import QUESTIONS, columns, duckdb_sql, duckdb_type

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PREFIX = "scorecards/"

Row = dict[str, Any]


class Chosen(msgspec.Struct, frozen=True):
    """Which calls count; None for all."""

    rep: str | None = None
    team: str | None = None
    since: datetime | None = None


class Answers(msgspec.Struct, frozen=True):
    """The rows of each question. cards: how many scorecards were chosen; unreadable: how many of all are none."""

    rows: dict[str, list[Row]]
    cards: int
    unreadable: int


class _Version(msgspec.Struct):
    schema_version: int


def copy_scorecards(client: "S3Client", bucket: str, out: BinaryIO, progress: Progress) -> int:
    """Write all scorecards of a bucket as lines of JSON, and return how many objects are none."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_PREFIX)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", []) if entry["Key"].endswith(".json")]

    def read(key: str) -> bytes | None:
        try:
            return client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except client.exceptions.NoSuchKey:
            # Forgotten since it was listed.
            return None

    unreadable = 0
    for done, body in enumerate(side_by_side(read, keys), start=1):
        unreadable += body is not None and not _is_written(body, out)
        progress("scorecards read", done, len(keys))
    return unreadable


def _is_written(body: bytes, out: BinaryIO) -> bool:
    """Write a scorecard as one line, unless it is none."""
    try:
        msgspec.json.decode(body, type=_Version)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    out.write(body.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
    return True


def ask(lines: Path, chosen: Chosen, questions: Iterable[str] = QUESTIONS) -> Answers:
    """Ask the questions of scorecards that lie in a file as lines of JSON."""
    # It is wanted by nobody else, and not installed everywhere.
    import duckdb  # noqa: PLC0415 - see above

    with duckdb.connect() as database:
        read = duckdb.read_json(
            str(lines),
            format="newline_delimited",
            ignore_errors=True,
            columns={name: duckdb_type(kind) for name, kind in columns().items()},
            connection=database,
        )
        read.create("read")
        database.execute(
            "CREATE TABLE scorecards AS SELECT * FROM read WHERE ($rep IS NULL OR call.rep = $rep)"
            " AND ($team IS NULL OR call.team = $team) AND ($since IS NULL OR call.recorded_at >= $since)",
            {
                "rep": chosen.rep,
                "team": chosen.team,
                "since": chosen.since and f"{chosen.since:%Y-%m-%dT%H:%M:%SZ}",
            },
        )
        rows = {question: list(_rows(database, duckdb_sql(question))) for question in questions}
        (cards,) = database.execute("SELECT count(*) FROM scorecards").fetchone() or (0,)
        return Answers(rows, cards, 0)


def _rows(database: Any, sql: str) -> Iterator[Row]:  # noqa: ANN401 - duckdb is imported where it is used
    answer = database.execute(sql)
    names: Sequence[str] = [column[0] for column in answer.description]
    for row in answer.fetchall():
        yield dict(zip(names, row, strict=True))
