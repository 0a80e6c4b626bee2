"""Environment variables as typed settings."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from callcoach.errors import SettingsError

SettingsType = TypeVar("SettingsType", bound=msgspec.Struct)


def read_settings(settings_type: type[SettingsType], environment: Mapping[str, str]) -> SettingsType:
    """Build settings_type from the variables named like its fields in capitals.

    A tuple is written with commas. Fields without a default are required; unknown variables are ignored.
    Raises SettingsError that names every variable at fault, and no value.
    """
    values: dict[str, object] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(settings_type):
        name = field.name.upper()
        text = environment.get(name)
        if text is None:
            if field.required:
                faults.append(f"{name} is missing")
            continue
        value: object = text
        if getattr(field.type, "__origin__", None) is tuple:
            value = tuple(part.strip() for part in text.split(",") if part.strip())
        try:
            values[field.name] = msgspec.convert(value, field.type, strict=False)
        except msgspec.ValidationError:
            faults.append(f"{name} cannot be read as {field.type}")
    if faults:
        raise SettingsError("; ".join(faults))
    return settings_type(**values)
