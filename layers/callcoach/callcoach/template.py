"""template.yaml, as far as somebody who deploys it has to know it: the parameters, and what they may be."""

import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

_MISSPELT_SHARE = 0.6


class Parameter(msgspec.Struct, frozen=True):
    """A parameter. default: as text; allowed_values: () for any; pattern: of the whole value, "" for any."""

    name: str
    default: str
    description: str
    allowed_values: tuple[str, ...] = ()
    pattern: str = ""
    constraint: str = ""
    is_number: bool = False
    minimum: float = -math.inf
    maximum: float = math.inf

    def fault(self, value: str) -> str:
        """Return why CloudFormation would refuse a value; "" where it would not."""
        if self.allowed_values and value not in self.allowed_values:
            return f"{self.name} is one of {', '.join(self.allowed_values)}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"{self.name} cannot be {value!r}: {self.constraint or f'it has to look like {self.pattern}'}"
        return self._fault_of_number(value) if self.is_number else ""

    def _fault_of_number(self, value: str) -> str:
        try:
            is_within = self.minimum <= float(value) <= self.maximum
        except ValueError:
            is_within = False
        return "" if is_within else f"{self.name} is a number from {self.minimum:g} to {self.maximum:g}"


def read_parameters(path: Path) -> dict[str, Parameter]:
    """Return the parameters of a template, by name."""
    import yaml  # noqa: PLC0415 - only whoever deploys needs it

    class Loader(yaml.SafeLoader):
        """Reads what CloudFormation's own tags stand before as if they were not there."""

    Loader.add_multi_constructor("!", _without_tag)
    loader = Loader(path.read_text("utf-8"))
    try:
        document = loader.get_single_data()
    finally:
        loader.dispose()
    return {name: _parameter(name, described) for name, described in document["Parameters"].items()}


def faults(parameters: Mapping[str, Parameter], values: Mapping[str, str]) -> list[str]:
    """Return what is wrong about values for parameters, a sentence each."""
    found = []
    for name, value in values.items():
        if name in parameters:
            found.append(parameters[name].fault(value))
        else:
            alike = difflib.get_close_matches(name, parameters, n=1, cutoff=_MISSPELT_SHARE)
            found.append(f"there is no parameter {name}" + (f"; did you mean {alike[0]}?" if alike else ""))
    return [fault for fault in found if fault]


def _parameter(name: str, described: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        default=str(described["Default"]),
        description=described["Description"],
        allowed_values=tuple(map(str, described.get("AllowedValues", ()))),
        pattern=described.get("AllowedPattern", ""),
        constraint=described.get("ConstraintDescription", ""),
        is_number=described["Type"] == "Number",
        minimum=described.get("MinValue", -math.inf),
        maximum=described.get("MaxValue", math.inf),
    )


def _without_tag(loader: Any, _tag: str, node: Any) -> object:  # noqa: ANN401 - yaml is imported where it is used
    construct = {"scalar": loader.construct_scalar, "sequence": loader.construct_sequence}
    return construct.get(node.id, loader.construct_mapping)(node)
