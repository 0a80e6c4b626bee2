"""python -m callcoach trends: what all scorecards say over time."""

import tempfile
from datetime import datetime
from pathlib import Path

import click
import msgspec

from callcoach.deployed import Answer, Deployed, When, about_a_stack, printing, telling_progress
from callcoach.plain_text import how_many
from callcoach.trends import Chosen, ask, copy_scorecards
from callcoach.trends_files import write_trends


@click.command()
@click.option("--rep", help="Calls of this rep only.")
@click.option("--team", help="Calls of this team only.")
@click.option("--since", type=When(), help="Recorded since then: 30d, 26w, 2026-05-06.")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/trends"),
    show_default=True,
    help="Where the files go.",
)
@about_a_stack
@printing
def trends(deployed: Deployed, *, rep: str | None, team: str | None, since: datetime | None, folder: Path) -> Answer:
    """Write a page for each rep and each team: how their calls go over time.

    Talk share, questions, monologues, clear drops about our offer and levels of behaviours, from the scorecards alone
    and by type of call. Calls that were not coached, or whose sides are in doubt, are counted apart. index.html leads
    to all pages; csv/ holds the same numbers. What is forgotten later stays in files that were written before.
    """
    try:
        import duckdb  # noqa: F401, PLC0415 - only this command needs it
    except ModuleNotFoundError:
        raise click.ClickException("trends need duckdb: make setup, or pip install duckdb jinja2.") from None
    with tempfile.TemporaryDirectory(prefix="callcoach-") as place, telling_progress() as progress:
        lines = Path(place) / "scorecards.jsonl"
        with lines.open("wb") as file:
            unreadable = copy_scorecards(deployed.s3, deployed.documents.bucket, file, progress)
        answers = msgspec.structs.replace(ask(lines, Chosen(rep, team, since)), unreadable=unreadable)
        if not answers.cards:
            of_such_calls = " of such calls" if rep or team or since else ""
            raise click.ClickException(f"there are no scorecards{of_such_calls} yet.")
        written = write_trends(answers, folder)
    pages = [str(path) for path in written if path.suffix == ".html"]
    document = {
        "stack": deployed.stack.name,
        "scorecards": answers.cards,
        "unreadable": unreadable,
        "files": [str(path) for path in written],
    }
    told = f"{how_many(answers.cards, 'scorecard')}, {how_many(len(pages) - 1, 'page')}: {folder / 'index.html'}"
    return Answer(document, f"{told}\nNo scorecards: {how_many(unreadable, 'object')}." if unreadable else told)
