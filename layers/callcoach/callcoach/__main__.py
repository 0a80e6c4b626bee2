"""python -m callcoach: the commands of those who run callcoach."""

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

callcoach(prog_name="python -m callcoach")
