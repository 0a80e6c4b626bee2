"""sam and make on the path that only tell a test how they were called, and end as the test says."""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAMES = ("make", "sam")
_ENDS_WITH = """#!{python}
import json, os, sys, urllib.request
called = json.dumps({{"command": [{name!r}, *sys.argv[1:]], "endpoint_url": os.environ.get("AWS_ENDPOINT_URL")}})
sys.exit(int(urllib.request.urlopen({url!r}, called.encode()).read()))
"""


@dataclass
class Called:
    """What was called, in order. carry_out: returns the exit code of a command."""

    carry_out: Callable[[Sequence[str]], int] = lambda _: 0
    commands: list[list[str]] = field(default_factory=list)
    endpoint_urls: list[str | None] = field(default_factory=list)


@contextmanager
def commands_on_path(folder: Path) -> Iterator[Called]:
    """Put both commands into a folder, which is the first of the path inside the block."""
    called = Called()
    with _server(called) as url:
        for name in NAMES:
            script = folder / name
            script.write_text(_ENDS_WITH.format(python=sys.executable, name=name, url=url), "utf-8")
            script.chmod(0o755)
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{folder}{os.pathsep}{before}"
        try:
            yield called
        finally:
            os.environ["PATH"] = before


@contextmanager
def _server(called: Called) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            called.commands.append(said["command"])
            called.endpoint_urls.append(said["endpoint_url"])
            exit_code = called.carry_out(said["command"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(str(exit_code).encode())

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
