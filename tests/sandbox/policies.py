"""Decide what IAM and resource policies permit. Pure: documents in, decision out."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

_STATEMENT_KEYS = {
    "Sid",
    "Effect",
    "Principal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


class UnsupportedPolicyError(Exception):
    """The policy uses an element or a condition operator that the sandbox does not evaluate."""


@dataclass(frozen=True)
class Principal:
    """Who asks: an ARN of the account, or an AWS service acting for itself."""

    kind: Literal["AWS", "Service"]
    name: str


@dataclass(frozen=True)
class Question:
    """May this principal perform this action on this resource, in these circumstances?

    `context` holds condition keys in lower case. A key that is absent makes its condition false.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str]


class Policy:
    """One policy document."""

    def __init__(self, document: str | Mapping[str, Any]) -> None:
        """Read the document. Raises UnsupportedPolicyError for what permits() could not honour."""
        content = json.loads(document) if isinstance(document, str) else document
        if content.get("Version") not in ("2012-10-17", "2008-10-17"):
            raise UnsupportedPolicyError(f"Policy version {content.get('Version')!r}")
        statements = content["Statement"]
        self._statements = [statements] if isinstance(statements, Mapping) else list(statements)
        for statement in self._statements:
            unknown = statement.keys() - _STATEMENT_KEYS
            if unknown:
                raise UnsupportedPolicyError(f"Policy statement with {sorted(unknown)}")
            for operator in statement.get("Condition", {}):
                if operator not in _OPERATORS:
                    raise UnsupportedPolicyError(f"Condition operator {operator}")

    def effects(self, question: Question) -> set[str]:
        """Return the effects (Allow, Deny) of the statements that speak about the question."""
        return {statement["Effect"] for statement in self._statements if _concerns(statement, question)}


def is_permitted(
    question: Question,
    *,
    identity: Iterable[Policy],
    resource: Iterable[Policy] = (),
    boundaries: Iterable[Policy] = (),
) -> bool:
    """Combine policies as IAM does inside one account.

    A Deny anywhere wins; otherwise the principal's own policies or the resource's must allow, and every boundary too.
    """
    identity_effects = set[str]().union(*(policy.effects(question) for policy in identity))
    resource_effects = set[str]().union(*(policy.effects(question) for policy in resource))
    boundary_effects = [policy.effects(question) for policy in boundaries]
    effects = identity_effects | resource_effects
    if "Deny" in effects.union(*boundary_effects):
        return False
    return "Allow" in effects and all("Allow" in bound for bound in boundary_effects)


def _concerns(statement: Mapping[str, Any], question: Question) -> bool:
    return (
        _principal_matches(statement.get("Principal"), question.principal)
        and _listed(statement, "Action", question.action.lower(), str.lower)
        and _listed(statement, "Resource", question.resource, str)
        and _conditions_hold(statement.get("Condition", {}), question.context)
    )


def _principal_matches(element: Any, principal: Principal) -> bool:
    if element is None or element == "*":
        return True
    patterns = _strings(element.get(principal.kind, []))
    return any(pattern in ("*", principal.name) for pattern in patterns)


def _listed(statement: Mapping[str, Any], element: str, value: str, fold: Callable[[str], str]) -> bool:
    if f"Not{element}" in statement:
        patterns = _strings(statement[f"Not{element}"])
        return not any(_matches(fold(pattern), value) for pattern in patterns)
    if element not in statement:
        return True  # A trust policy names no resource: it is the role itself.
    return any(_matches(fold(pattern), value) for pattern in _strings(statement[element]))


def _conditions_hold(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    return all(
        key.lower() in context
        and any(_OPERATORS[operator](context[key.lower()], wanted) for wanted in _strings(values))
        for operator, tests in conditions.items()
        for key, values in tests.items()
    )


def _strings(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


@lru_cache(maxsize=1024)
def _wildcard(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(character, re.escape(character)) for character in pattern), re.DOTALL)


def _matches(pattern: str, value: str) -> bool:
    return _wildcard(pattern).fullmatch(value) is not None


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "Bool": lambda actual, wanted: actual.lower() == wanted.lower(),
    "StringEquals": lambda actual, wanted: actual == wanted,
    "StringLike": lambda actual, wanted: _matches(wanted, actual),
    "ArnEquals": lambda actual, wanted: _matches(wanted, actual),
    "ArnLike": lambda actual, wanted: _matches(wanted, actual),
}
