"""python -m callcoach: the commands of those who run callcoach."""

import io
import sys

try:
    from callcoach.commands import callcoach
except ModuleNotFoundError as missing:
    package = str(missing.name).partition(".")[0]
    sys.exit(
        f"python -m callcoach needs {package}, which is not installed here. In the project's folder: make setup,"
        " then .venv/bin/python -m callcoach; anywhere else: pip install boto3 click rich and what"
        " layers/callcoach/requirements.txt lists"
    )

# What a terminal cannot write becomes a question mark, and no error.
for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")

callcoach(prog_name="python -m callcoach")
