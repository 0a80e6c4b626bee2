"""Keys from Secrets Manager."""

from typing import Any

import boto3
import pytest

from callcoach.errors import SettingsError
from callcoach.secrets import Secrets


@pytest.fixture
def manager(aws: None) -> Any:
    return boto3.client("secretsmanager")


@pytest.mark.parametrize(
    "text", ["the-key", " the-key\n", '{"api_key": "the-key"}', ' {"api_key": " the-key ", "b": 1}']
)
def test_key_is_plain_text_or_a_field_of_json(manager: Any, text: str) -> None:
    manager.create_secret(Name="s", SecretString=text)
    assert Secrets(manager).key("s") == "the-key"


def test_key_may_be_binary(manager: Any) -> None:
    manager.create_secret(Name="s", SecretBinary=b"the-key\n")
    assert Secrets(manager).key("s") == "the-key"


@pytest.mark.parametrize(
    "text",
    [
        '{"other": "5ecre7"}',
        '{"api_key": ""}',
        '{"api_key": null}',
        '{"api_key": {"a": "5ecre7"}}',
        '{"api_key": 5, "5ecre7',
        "  ",
    ],
)
def test_secret_without_a_key_is_named_and_not_shown(manager: Any, text: str) -> None:
    manager.create_secret(Name="callcoach/assemblyai", SecretString=text)
    with pytest.raises(SettingsError, match="callcoach/assemblyai") as raised:
        Secrets(manager).key("callcoach/assemblyai")
    assert "5ecre7" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_missing_secret_is_named(manager: Any) -> None:
    with pytest.raises(SettingsError, match="callcoach/none"):
        Secrets(manager).key("callcoach/none")


def test_key_is_read_once_in_five_minutes(manager: Any) -> None:
    """A rotated key is taken up when the kept one is five minutes old."""
    manager.create_secret(Name="s", SecretString="first")
    secrets = Secrets(manager)
    assert secrets.key("s") == "first"
    manager.put_secret_value(SecretId="s", SecretString="second")
    assert secrets.key("s") == "first"
    assert Secrets(manager).key("s") == "second"
