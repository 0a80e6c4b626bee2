"""Each role may do what it does and nothing more, and what it may do it needs."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest
from tests.faults.activity import (
    OWN_BUCKET_PARAMETERS,
    a_call_is_scored,
    a_recording_is_gone_before_it_is_submitted,
)
from tests.faults.permissions import (
    ROLES,
    ROOT,
    UNOBSERVABLE,
    Grant,
    Observation,
    failing_check,
    listed,
    observe,
    without,
)
from tests.sandbox.template import parse

TEMPLATE: dict[str, Any] = parse((ROOT / "template.yaml").read_text("utf-8"))
SAMPLE = 4


@pytest.fixture(scope="module")
def seen() -> Observation:
    """What the roles do in all activities."""
    return observe()


def test_every_permission_is_used(seen: Observation) -> None:
    assert len(seen.granted) > 50
    assert seen.unused == []


def test_every_use_is_permitted_once(seen: Observation) -> None:
    """By the role's own policy, and by one statement of it."""
    assert {use: grants for use, grants in seen.uses.items() if len(grants) != 1} == {}


def test_what_the_sandbox_cannot_observe_is_known_by_name(seen: Observation) -> None:
    in_template = {action for _, action, _ in permissions(TEMPLATE)}
    assert in_template - {grant.action for grant in seen.used_in} == UNOBSERVABLE.keys()


def test_every_permission_for_an_own_bucket_is_used(seen: Observation) -> None:
    """With a bucket, a prefix, a webhook key and keys of KMS that are not the default ones."""
    own = observe(OWN_BUCKET_PARAMETERS, (a_call_is_scored, a_recording_is_gone_before_it_is_submitted))
    differing = set(own.granted) - set(seen.granted)
    assert {grant.action for grant in differing if not grant.is_observable} == {"kms:Decrypt", "kms:GenerateDataKey"}
    differing = {grant for grant in differing if grant.is_observable}
    assert {grant.resource for grant in differing} == {"owned-by-us", "owned-by-us/calls/*", "secret:WebhookKeyBSecret"}
    assert differing <= own.used_in.keys()


@pytest.mark.parametrize("number", range(SAMPLE))
def test_a_permission_is_missed_when_it_is_dropped(seen: Observation, number: int) -> None:
    """A sample of what `python -m tests.faults.permissions --mutate` does with each."""
    dropped = random.Random(0).sample(sorted(seen.used_in), SAMPLE)[number]
    assert failing_check(seen.used_in[dropped], dropped), dropped


def test_a_dropped_permission_is_the_only_one() -> None:
    """The rest of its statement stays, action by action and resource by resource."""
    for role, statement in statements(TEMPLATE):
        for action in listed(statement["Action"]):
            for position, resource in enumerate(listed(statement["Resource"])):
                edited = deepcopy(TEMPLATE)
                without(Grant(role, statement["Sid"], action, "", position))(edited)
                dropped = Counter([(role, action, json.dumps(resource))])
                assert permissions(edited) == permissions(TEMPLATE) - dropped


def statements(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the roles' statements, those too that depend on a condition."""
    for role in ROLES:
        for policy in chosen(document["Resources"][role]["Properties"]["Policies"]):
            for statement in chosen(policy["PolicyDocument"]["Statement"]):
                yield role, statement


def chosen(items: Sequence[Any]) -> Iterator[Any]:
    """Yield the items of a list, those in an Fn::If too."""
    for item in items:
        yield item["Fn::If"][1] if "Fn::If" in item else item


def permissions(document: Mapping[str, Any]) -> Counter[tuple[str, str, str]]:
    """Count every action on every resource."""
    return Counter(
        (role, action, json.dumps(resource))
        for role, statement in statements(document)
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    )
