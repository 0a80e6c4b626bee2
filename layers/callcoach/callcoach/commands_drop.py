"""python -m callcoach drop: recordings into their bucket, with what is known about the calls."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from callcoach import uploads
from callcoach.deployed import Answer, Deployed, When, about_a_stack, call_type_option, err, printing
from callcoach.languages import language_code
from callcoach.meanings import meaning
from callcoach.plain_text import printable
from callcoach.uploads import Upload


class LanguageCode(click.ParamType[str]):
    """A language's code."""

    name = "code"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the code as AssemblyAI writes it."""
        return language_code(value) or self.fail(f"{value!r} is no language code: say en, en_uk or de", param, ctx)


@click.command()
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--rep", help="Who sells.")
@click.option("--customer", help="Who buys.")
@click.option("--team", help="The rep's team.")
@call_type_option
@click.option("--language", type=LanguageCode(), help="The call's language, such as en or de.")
@click.option("--recorded-at", type=When(), help="When the call was, in UTC if it names no zone.")
@click.option("--prefix", default="", help="What the recordings' names begin with, such as dana-reyes/.")
@click.option("--replace", is_flag=True, help="Replace recordings that lie there under the same names.")
@about_a_stack
@printing
def drop(
    deployed: Deployed,
    *,
    files: Sequence[Path],
    prefix: str,
    replace: bool,
    recorded_at: datetime | None,
    **details: str | None,
) -> Answer:
    """Upload recordings, with what is known about the calls.

    What would be refused is refused before it is uploaded. A file that lies there already is left out;
    --replace drops it again, which is how a call that failed is tried once more.
    """
    bucket = deployed.stack.recordings_bucket
    known = {name.replace("_", "-"): text for name, text in details.items()}
    try:
        said = uploads.metadata(known | {"recorded-at": recorded_at.isoformat() if recorded_at else None})
        planned = uploads.planned(files, _under(deployed.stack.recordings_prefix, prefix))
    except ValueError as fault:
        raise click.UsageError(f"{fault}.") from None
    refused = [f"{upload.path}: {meaning('failure', upload.refusal)}" for upload in planned if upload.refusal]
    if refused:
        raise click.ClickException("nothing was uploaded, because these would be refused:\n  " + "\n  ".join(refused))
    wanted = planned if replace else _not_there(deployed, planned)
    for upload in wanted:
        with _upload_progress(upload.path.name, upload.size_bytes) as told:
            uploads.put(deployed.s3, bucket, upload, said, told)
    there = [upload.key for upload in planned if upload not in wanted]
    lines = [f"Dropped: {printable(upload.key, 1024)}" for upload in wanted]
    lines += [f"There already, so left as it is (--replace drops it again): {printable(key, 1024)}" for key in there]
    return Answer(
        {"bucket": bucket, "dropped": [upload.key for upload in wanted], "there_already": there}, "\n".join(lines)
    )


def _under(recordings_prefix: str, prefix: str) -> str:
    """Return what the keys begin with: of another object no event is told."""
    return prefix if prefix.startswith(recordings_prefix) else f"{recordings_prefix}{prefix}"


def _not_there(deployed: Deployed, planned: Sequence[Upload]) -> list[Upload]:
    """Return the files that do not lie there already; end if another one would be replaced."""
    wanted, others = [], []
    for upload in planned:
        try:
            if not uploads.already_there(deployed.recordings, deployed.stack.recordings_bucket, upload):
                wanted.append(upload)
        except FileExistsError as there:
            others.append(str(there))
    if others:
        raise click.ClickException(
            "nothing was uploaded, because other recordings have these names (--replace replaces them):\n  "
            + "\n  ".join(others)
        )
    return wanted


@contextmanager
def _upload_progress(name: str, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a bar in a terminal, and yield what is told of each part's bytes."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as progress:
        task = progress.add_task(printable(name), total=size_bytes)
        yield lambda sent: progress.advance(task, sent)
