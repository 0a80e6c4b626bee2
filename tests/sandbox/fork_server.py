"""A process that has imported what a function imports, and forks: a function starts in a tenth of the time.

`python fork_server.py MODULE …` reads a line of JSON for each process to start from its standard input, and writes a
line when it has started, {"id", "pid"}, and when it has ended, {"id", "returncode"}. It ends with its input. It runs in
processes of functions, so it imports nothing of the sandbox. All that it starts have the same code and layers.
"""

import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial, partialmethod
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakKeyDictionary

import boto3.session
import botocore.hooks
import botocore.httpsession
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.loaders import JSONFileLoader, Loader
from jinja2 import Environment, FileSystemBytecodeCache

_READ_BYTES = 65_536
# It reads the environment on import, so each process imports it, and what imports it, by itself.
_READS_ENVIRONMENT = "aws_lambda_powertools"
_SERVICES = ("dynamodb", "s3", "secretsmanager", "sesv2", "sns", "sqs")


def serve() -> None:
    """Start processes until the input ends."""
    ended, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    unread = b""
    while True:
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready:
            os.read(ended, _READ_BYTES)
            _reap(running)
        if 0 in ready:
            read = os.read(0, _READ_BYTES)
            if not read:
                return
            *lines, unread = (unread + read).split(b"\n")
            for line in lines:
                _start(json.loads(line), running)


def _start(order: dict[str, Any], running: dict[int, int]) -> None:
    _import_ahead(order["package"], _roots(order))
    # What a collection in the child would only look at stays in memory that both share.
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        os._exit(_run(order))
    # Also done here, so that whoever is told the id can kill the group at once.
    os.setpgid(pid, pid)
    running[pid] = order["id"]
    _tell(id=order["id"], pid=pid)


def _roots(order: dict[str, Any]) -> tuple[str, ...]:
    return (order["cwd"], *order["environment"]["PYTHONPATH"].split(os.pathsep))


@cache
def _import_ahead(package: str, roots: Sequence[str]) -> None:
    """Import what a package of a function and its imports have in modules that read no environment."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == _READS_ENVIRONMENT}
    sys.modules[_READS_ENVIRONMENT] = None  # type: ignore[assignment]
    before, sys.path = sys.path, [*roots, *sys.path]
    try:
        if package:
            for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
                with suppress(ModuleNotFoundError):
                    importlib.import_module(module.name)
    finally:
        sys.path = before
        del sys.modules[_READS_ENVIRONMENT]
        sys.modules.update(hidden)


@cache
def share_between_sessions() -> None:
    """Let all sessions of this process share what else each finds, parses and works out anew.

    The descriptions of AWS's services, some 10 MB; today's names of events that had others; which handlers of events
    take any argument; and the settings of TLS, which no server of the sandbox speaks.
    """
    read = cache(partial(JSONFileLoader.load_file, JSONFileLoader()))
    JSONFileLoader.load_file = lambda _, path: read(path)  # type: ignore[assignment, method-assign]
    for name in ("list_available_services", "load_data", "load_service_model"):
        setattr(Loader, name, _shared(getattr(Loader, name)))
    rename = cache(partial(EventAliaser._alias_event_name, EventAliaser(HierarchicalEmitter())))  # type: ignore[attr-defined]
    EventAliaser._alias_event_name = lambda _, event: rename(event)  # type: ignore[attr-defined]
    botocore.hooks.accepts_kwargs = _remembered(botocore.hooks.accepts_kwargs)  # type: ignore[assignment]
    botocore.httpsession.create_urllib3_context = cache(botocore.httpsession.create_urllib3_context)


def _shared(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let loaders that look into the same folders share what a method of theirs finds."""
    found: dict[Any, Any] = {}

    def load(loader: Loader, *arguments: Any, **options: Any) -> Any:
        asked = (*loader.search_paths, arguments, *options.items())
        if asked not in found:
            found[asked] = method(loader, *arguments, **options)
        return found[asked]

    return load


def _remembered(question: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a question about a function, which a method has from its class, be answered once."""
    answers: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def answer(handler: Any) -> Any:
        function = getattr(handler, "__func__", handler)
        if function not in answers:
            answers[function] = question(function)
        return answers[function]

    return answer


def _read_descriptions_ahead() -> None:
    """Let all processes share the descriptions too."""
    share_between_sessions()
    session = boto3.session.Session(region_name="us-east-1")
    for service in _SERVICES:
        session.client(service)  # type: ignore[call-overload]


def _share_templates(folder: str) -> None:
    """Let all processes share what Jinja makes of a template: the first that reads one writes it down there."""
    shared = FileSystemBytecodeCache(folder)
    Environment.__init__ = partialmethod(Environment.__init__, bytecode_cache=shared)  # type: ignore[assignment, method-assign]


def _reap(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        _tell(id=running.pop(pid), returncode=os.waitstatus_to_exitcode(status))


def _tell(**said: int) -> None:
    os.write(1, json.dumps(said).encode() + b"\n")


def _run(order: dict[str, Any]) -> int:
    """Be the process that was ordered, and return its exit status."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for opened, descriptor in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
        os.dup2(opened, descriptor)
    os.closerange(3, 256)
    # Should the interpreter itself crash, its threads' last lines stand in the log.
    faulthandler.enable()
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["cwd"])
    sys.path[:0] = _roots(order)
    sys.argv = order["arguments"]
    try:
        if order["module"]:
            runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    # The folder of this file came first on the path; in Lambda it is the function's.
    del sys.path[0]
    for name in sys.argv[1:]:
        importlib.import_module(name)
    _read_descriptions_ahead()
    with TemporaryDirectory() as templates:
        _share_templates(templates)
        serve()
    # To give back by pieces what was imported takes a second.
    os._exit(0)
