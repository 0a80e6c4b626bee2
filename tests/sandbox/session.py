"""The boto3 session of the sandbox, deaf to the user's own AWS profiles and files."""

import os
from functools import lru_cache

import boto3
import botocore.session
from tests.sandbox.fork_server import share_between_sessions


@lru_cache(maxsize=4)
def isolated_session(region: str) -> boto3.Session:
    """Return the session for a region; it is shared because it keeps the parsed service models."""
    share_between_sessions()
    unset = (None, None, None, None)
    no_file = (None, None, os.devnull, None)
    variables = {"profile": unset, "config_file": no_file, "credentials_file": no_file}
    return boto3.Session(region_name=region, botocore_session=botocore.session.Session(session_vars=variables))
