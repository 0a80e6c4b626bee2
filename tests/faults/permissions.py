"""python -m tests.faults.permissions: what each role may do and what it does, which has to be the same.

With --mutate it takes one permission at a time out of template.yaml, and lets the functions do what they needed it for:
a check of that activity has to fail.
"""

import argparse
import os
import re
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.sandbox.cloud import Cloud
from tests.sandbox.deployment import DeploymentError
from tests.sandbox.policies import Policy, Principal, Question

if TYPE_CHECKING:
    from tests.faults.activity import Activity

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("SubmitRole", "ScorecardRole", "WebhookRole")

# What IAM asks on AWS and nobody asks in the sandbox.
UNOBSERVABLE = {
    "logs:CreateLogStream": "a function's output goes to a file",
    "logs:PutLogEvents": "a function's output goes to a file",
    "kms:Decrypt": "nothing is really encrypted",
    "kms:GenerateDataKey": "nothing is really encrypted",
}
# Lambda asks for these when it connects a queue to a function, and refuses to without them.
DEPLOYMENT = "deployment"
ASKED_AT_DEPLOYMENT = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
READERS = {("SubmitRole", "RecordingsQueue"), ("ScorecardRole", "CallbacksQueue")}

Use = tuple[str, str, str]


@dataclass(frozen=True, order=True)
class Grant:
    """An action on a resource that a statement of a role's policy allows; position counts the statement's resources."""

    role: str
    statement: str
    action: str
    resource: str
    position: int

    @property
    def is_observable(self) -> bool:
        """Whether the sandbox would know of its use."""
        return self.action not in UNOBSERVABLE

    @property
    def is_asked_at_deployment(self) -> bool:
        """Whether Lambda asks for it before a function runs."""
        return self.action in ASKED_AT_DEPLOYMENT and (self.role, self.resource) in READERS


@dataclass
class Observation:
    """What the roles of a stack may do, and did in all activities together.

    used_in: the first activity that used a grant. uses: role, action and ARN, with the grants that permit it.
    """

    granted: list[Grant]
    used_in: dict[Grant, str] = field(default_factory=dict)
    uses: dict[Use, list[Grant]] = field(default_factory=dict)

    @property
    def unused(self) -> list[Grant]:
        """The grants that should not be."""
        return [grant for grant in self.granted if grant.is_observable and grant not in self.used_in]


def observe(parameters: Mapping[str, str] | None = None, activities: "Sequence[Activity] | None" = None) -> Observation:
    """Deploy the stack and let the functions do all that they do, or these activities alone."""
    from tests.faults.activity import ACTIVITIES, deployed, perform  # the path is set first, see below

    with deployed(parameters) as stack:
        policies = dict(granted(stack.cloud))
        seen = Observation(list(policies))
        seen.used_in |= {grant: DEPLOYMENT for grant in policies if grant.is_asked_at_deployment}
        for activity in activities or ACTIVITIES:
            perform(activity, stack)
            for use in _uses(stack.cloud) - seen.uses.keys():
                seen.uses[use] = [grant for grant, policy in policies.items() if _permits(grant, policy, use)]
                for grant in seen.uses[use]:
                    seen.used_in.setdefault(grant, activity.__name__)
    return seen


def granted(cloud: Cloud) -> Iterator[tuple[Grant, Policy]]:
    """Read what the roles of a deployed stack may do, each action on each resource with a policy that says it alone."""
    iam = cloud.client("iam")
    for role in ROLES:
        name = cloud.resources[role]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                for action in listed(statement["Action"]):
                    for position, arn in enumerate(listed(statement["Resource"])):
                        # The sandbox has asked its condition, which is about the call, when it was used.
                        alone = {name: statement[name] for name in ("Sid", "Effect")}
                        alone |= {"Action": action, "Resource": arn}
                        grant = Grant(role, statement["Sid"], action, readable(arn, cloud.resources), position)
                        yield grant, Policy({"Version": document["Version"], "Statement": alone})


def readable(arn: str, physical_ids: Mapping[str, str]) -> str:
    """Return an ARN's resource with the template's names in the place of generated ones."""
    resource = arn.split(":", 5)[5]
    for logical_id, physical_id in physical_ids.items():
        name = re.split("[/:]", physical_id)[-1]
        # Other physical ids, such as a version's number, name nothing in an ARN.
        if logical_id.lower() in name.lower():
            resource = resource.replace(name, logical_id)
    return resource


def _uses(cloud: Cloud) -> set[Use]:
    return {(role, *permission) for role, used in cloud.used_permissions().items() for permission in used}


def _permits(grant: Grant, policy: Policy, use: Use) -> bool:
    role, action, arn = use
    return role == grant.role and bool(policy.effects(Question(Principal("AWS", role), action, arn, {})))


# Dropping a permission.


def without(grant: Grant) -> Callable[[dict[str, Any]], None]:
    """Return an edit of the template that takes this out of its role, and nothing else."""

    def edit(document: dict[str, Any]) -> None:
        policies = document["Resources"][grant.role]["Properties"]["Policies"]
        for policy in list(policies):
            inner = policy["Fn::If"][1] if "Fn::If" in policy else policy
            statements = inner["PolicyDocument"]["Statement"]
            rest = [part for statement in statements for part in _rest(statement, grant)]
            inner["PolicyDocument"]["Statement"] = rest
            if not rest:
                # IAM takes no policy without a statement.
                policies.remove(policy)

    return edit


def _rest(statement: dict[str, Any], grant: Grant) -> list[dict[str, Any]]:
    """Return what is left of a statement: its other actions, and the action on its other resources."""
    if statement.get("Sid") != grant.statement:
        return [statement]
    actions, resources = listed(statement["Action"]), listed(statement["Resource"])
    others = statement | {"Action": [action for action in actions if action != grant.action]}
    elsewhere = statement | {
        "Sid": f"{grant.statement}Elsewhere",
        "Action": grant.action,
        "Resource": [resource for position, resource in enumerate(resources) if position != grant.position],
    }
    return [part for part in (others, elsewhere) if part["Action"] and part["Resource"]]


def listed(value: Any) -> list[Any]:
    """Return what an element of a statement holds; IAM takes one alone as well."""
    return value if isinstance(value, list) else [value]


def failing_check(activity_name: str, dropped: Grant | None = None) -> str | None:
    """Perform an activity on a stack of its own, without one permission, and return the check that fails."""
    from tests.faults import activity  # the path is set first, see below

    try:
        with activity.deployed(edit=without(dropped) if dropped else None) as stack:
            if activity_name != DEPLOYMENT:
                activity.perform(getattr(activity, activity_name), stack)
    except DeploymentError as refusal:
        if activity_name != DEPLOYMENT:
            raise
        return str(refusal).rpartition(": ")[2]
    except AssertionError as failed:
        return traceback.extract_tb(failed.__traceback__)[-1].line or repr(failed)
    return None


# The command.


def main(arguments: Sequence[str]) -> int:
    """Print the table; return 1 unless what is granted is what is used, and each drop is noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.permissions", description="Prove least privilege.")
    parser.add_argument("--mutate", action="store_true", help="drop one permission at a time, and see who notices")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="stacks at a time")
    asked = parser.parse_args(arguments)
    seen = observe()
    _print_used(seen)
    if asked.mutate and not _mutate(seen, asked.workers):
        return 1
    return int(bool(seen.unused))


def _print_used(seen: Observation) -> None:
    for role, grants in _by_role(seen.granted).items():
        print(f"\n{role}")
        for grant in grants:
            unobservable = f"not observable: {UNOBSERVABLE.get(grant.action)}"
            use = seen.used_in.get(grant, "UNUSED") if grant.is_observable else unobservable
            print(f"  {grant.action:30} {grant.resource:40} {use}")
    observable = [grant for grant in seen.granted if grant.is_observable]
    print(
        f"\npermissions: granted {len(seen.granted)}, used {len(seen.used_in)}, "
        f"not observable {len(seen.granted) - len(observable)}, unused {len(seen.unused)}",
        flush=True,
    )


def _mutate(seen: Observation, workers: int) -> bool:
    """Drop each used permission; return whether every drop is noticed, and nothing is where nothing is dropped."""
    started = time.monotonic()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        controls = {name: pool.submit(failing_check, name) for name in sorted(set(seen.used_in.values()))}
        used = [grant for grant in seen.granted if grant in seen.used_in]
        drops = {grant: pool.submit(failing_check, seen.used_in[grant], grant) for grant in used}
        unexpected = {name: check for name, control in controls.items() if (check := control.result())}
        noticed = {grant: drop.result() for grant, drop in drops.items()}
    for role, grants in _by_role(noticed).items():
        print(f"\n{role} without")
        for grant in grants:
            print(f"  {grant.action:30} {grant.resource:40} {noticed[grant] or 'NOT NOTICED'}")
    print(f"\n{time.monotonic() - started:.0f} s; with nothing dropped, {len(controls)} activities alone on a stack:")
    print("\n".join(f"  {name}: {check}" for name, check in unexpected.items()) or "  no check fails")
    print(f"permissions: dropped {len(noticed)}, noticed {sum(map(bool, noticed.values()))}")
    return all(noticed.values()) and not unexpected


def _by_role(grants: Sequence[Grant] | Mapping[Grant, Any]) -> dict[str, list[Grant]]:
    roles = defaultdict[str, list[Grant]](list)
    for grant in grants:
        roles[grant.role].append(grant)
    return roles


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "layers" / "callcoach")]
    sys.exit(main(sys.argv[1:]))
