"""What may import what. Read from the source, so that a forgotten import is seen before it is run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "callcoach": ROOT / "layers" / "callcoach" / "callcoach",
    "submit": ROOT / "functions" / "submit",
    "scorecard": ROOT / "functions" / "scorecard",
}
MODULES = {
    f"{package}.{path.stem}": path for package, folder in PACKAGES.items() for path in sorted(folder.glob("*.py"))
}
# What wires the rest: the functions, and the commands of operators.
HANDLERS = {"submit.handler", "scorecard.handler", "callcoach.commands"}
ADAPTERS = {
    "callcoach.assemblyai",
    "callcoach.aws_clients",
    "callcoach.aws_faults",
    "callcoach.idempotency",
    "callcoach.notifications",
    "callcoach.observability",
    "callcoach.queue",
    "callcoach.secrets",
    "callcoach.slots",
    "callcoach.stack",
    "callcoach.state",
    "callcoach.storage",
    "callcoach.subscriptions",
    "scorecard.report_mail",
}
# What the steps are made of: values in, values out.
PURE = {
    "callcoach.acceptance",
    "callcoach.call_types",
    "callcoach.documents",
    "callcoach.environment",
    "callcoach.errors",
    "callcoach.moments",
    "callcoach.names",
    "callcoach.languages",
    "callcoach.meanings",
    "callcoach.plain_text",
    "callcoach.pricing",
    "callcoach.published",
    "callcoach.rescoring",
    "callcoach.resubmission",
    "callcoach.rows",
    "callcoach.scorecard_view",
    "callcoach.transcript",
    "submit.recording",
    "submit.settings",
    "scorecard.callback",
    "scorecard.coachable",
    "scorecard.coaching",
    "scorecard.english",
    "scorecard.evidence",
    "scorecard.mail",
    "scorecard.metrics",
    "scorecard.numerals",
    "scorecard.phrases",
    "scorecard.question",
    "scorecard.replies",
    "scorecard.reply",
    "scorecard.rendering",
    "scorecard.report",
    "scorecard.role_signals",
    "scorecard.rubric",
    "scorecard.scorecard",
    "scorecard.sentiment",
    "scorecard.settings",
    "scorecard.speakers",
    "scorecard.tokens",
    "scorecard.turns",
    "scorecard.wording",
}
OUTSIDE = {
    "boto3",
    "botocore",
    "requests",
    "urllib3",
    "aws_lambda_powertools",
    "socket",
    "subprocess",
    "random",
    "time",
}


def tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def imports(module: str) -> set[str]:
    """Return the modules that a module imports when it runs; those for type checking alone do not count."""
    return set(_imported(tree(module)))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import hides which package it reaches"
        assert node.module
        yield node.module
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)


def packages_imported(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_one_way(module: str) -> None:
    """The layer imports no function, no function another, and nothing that is deployed imports a test."""
    package = module.partition(".")[0]
    own = {"callcoach"} if package == "callcoach" else {"callcoach", package}
    assert packages_imported(module) & {"callcoach", "submit", "scorecard", "functions", "layers", "tests"} <= own


def reached(module: str) -> set[str]:
    """Return the modules of ours that are imported with a module, itself too."""
    found, to_look_at = {module}, [module]
    while to_look_at:
        fresh = (imports(to_look_at.pop()) & MODULES.keys()) - found
        found |= fresh
        to_look_at += fresh
    return found


def test_a_submission_starts_without_prices() -> None:
    """They would be read at each cold start, and nothing is priced there."""
    assert "callcoach.pricing" in reached("scorecard.handler")
    assert "callcoach.pause" in reached("submit.handler")
    assert "callcoach.pricing" not in reached("submit.handler")


@pytest.mark.parametrize("module", MODULES)
def test_only_adapters_reach_outside(module: str) -> None:
    """boto3, botocore, HTTP and Powertools are imported by the adapters and by the handlers that wire them."""
    reached = packages_imported(module) & {"boto3", "botocore", "requests", "urllib3", "aws_lambda_powertools"}
    assert not reached or module in ADAPTERS | HANDLERS
    assert "boto3" not in reached or module in HANDLERS


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_import_nothing_that_acts(module: str) -> None:
    """Nor any module of ours that does, but for pure functions on text."""
    assert not packages_imported(module) & OUTSIDE
    ours = {name for name in imports(module) if name.split(".")[0] in PACKAGES}
    assert ours <= PURE | {"callcoach.notifications"}


@pytest.mark.parametrize("module", sorted(PURE))
def test_pure_modules_read_no_clock(module: str) -> None:
    calls = [node.func for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    assert not {func.attr for func in calls if isinstance(func, ast.Attribute)} & {"now", "utcnow", "today", "time"}


@pytest.mark.parametrize("module", MODULES)
def test_only_handlers_read_the_environment(module: str) -> None:
    read = [
        node.attr
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    ]
    assert "os" not in imports(module) or module in HANDLERS
    assert not read or module in HANDLERS


def test_every_module_named_here_exists() -> None:
    assert set(MODULES) >= HANDLERS | ADAPTERS | PURE


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(tree(module))
