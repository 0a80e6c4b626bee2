"""Unit tests reach no network, and no account but the one that moto keeps in this process."""

from collections.abc import Iterator

import boto3
import pytest
from hypothesis import settings
from moto import mock_aws

from callcoach.observability import metrics
from callcoach.state import State

# The same examples each time, and nothing left in the checkout.
settings.register_profile("unit", max_examples=40, derandomize=True, database=None, deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_network(socket_disabled: None) -> None:
    """Let every attempt to open a socket fail."""


@pytest.fixture(autouse=True)
def _no_metrics() -> Iterator[None]:
    """Let no test leave metrics behind, which a hundred later would be sent."""
    yield
    metrics.clear_metrics()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account in eu-central-1, kept in memory."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    # checkov:skip=CKV_SECRET_2: the key of AWS's own documents
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    with mock_aws():
        yield


@pytest.fixture
def state(aws: None) -> State:
    """A state table as template.yaml makes it."""
    client = boto3.client("dynamodb")
    client.create_table(
        TableName="state",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return State(client, "state")
