"""Connections to the sandbox's servers are kept, as AWS keeps them, and end with their server."""

from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from tests.sandbox.account import Account
from tests.sandbox.http_server import Handler, Server


def test_a_connection_to_aws_is_kept_until_the_account_ends() -> None:
    account = Account("eu-west-1")
    account.start()
    with closing(HTTPConnection(urlsplit(account.endpoint_url).netloc, timeout=10)) as connection:
        connection.connect()
        kept = connection.sock
        for _ in range(2):
            connection.request("PUT", "/bucket/key", body=b"a body that nobody asks for")
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (403, True)
            assert connection.sock is kept
        account.stop()
        assert kept.recv(1) == b""


def test_a_server_that_nobody_has_asked_ends() -> None:
    server = Server(Handler)
    server.start()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection(server.address, timeout=10).connect()
