"""Environment variables as typed settings."""

from typing import Any

import msgspec
import pytest

from callcoach.environment import read_settings
from callcoach.errors import SettingsError
from scorecard.settings import Settings as ScorecardSettings
from submit.settings import Settings as SubmitSettings


class Example(msgspec.Struct, frozen=True):
    name: str
    models: tuple[str, ...]
    seconds: int
    share: float
    enabled: bool = False


GOOD = {"NAME": "a=b, c", "MODELS": "one, two,,three ", "SECONDS": "900", "SHARE": "0.40", "ENABLED": "true"}


def test_variables_become_typed_fields() -> None:
    """Unknown variables, of which Lambda sets many, are ignored."""
    settings = read_settings(Example, {**GOOD, "AWS_REGION": "eu-central-1", "name": "small letters"})
    assert settings == Example("a=b, c", ("one", "two", "three"), 900, 0.4, enabled=True)


def test_default_stands_where_a_variable_is_missing() -> None:
    assert read_settings(Example, {name: text for name, text in GOOD.items() if name != "ENABLED"}).enabled is False


@pytest.mark.parametrize("text", ["false", "False", "0"])
def test_switch_can_be_off(text: str) -> None:
    assert read_settings(Example, GOOD | {"ENABLED": text}).enabled is False


def test_all_faults_are_named_at_once_and_no_value() -> None:
    """A person mends them in one deployment; a value may be a secret that was put in the wrong place."""
    with pytest.raises(SettingsError) as raised:
        read_settings(Example, {"NAME": "x", "SECONDS": "5ecre7", "SHARE": "", "ENABLED": "5ecre7"})
    message = str(raised.value)
    assert all(name in message for name in ("MODELS is missing", "SECONDS", "SHARE", "ENABLED"))
    assert "NAME" not in message
    assert "5ecre7" not in message
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("settings_type", [SubmitSettings, ScorecardSettings])
def test_every_setting_of_a_function_is_required(settings_type: Any) -> None:
    """A forgotten variable is a broken deployment, not a default."""
    with pytest.raises(SettingsError) as raised:
        read_settings(settings_type, {})
    names = {field.name.upper() for field in msgspec.structs.fields(settings_type)}
    assert set(str(raised.value).split("; ")) == {f"{name} is missing" for name in names}
