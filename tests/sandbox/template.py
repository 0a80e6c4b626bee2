"""Read a SAM template as CloudFormation does: transform, parameters, conditions, intrinsic functions.

Nothing here talks to AWS. What CloudFormation would refuse is refused, and what this reader does not know is
refused by name instead of being passed over.
"""

import copy
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse
from tests.sandbox.session import isolated_session

ARTIFACTS_BUCKET = "artifacts"

_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Resources",
    "Outputs",
}
_RESOURCE_ATTRIBUTES = {
    "Type",
    "Condition",
    "DependsOn",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Metadata",
    "Properties",
}
_PARAMETER_ATTRIBUTES = {
    "Type",
    "Default",
    "Description",
    "ConstraintDescription",
    "NoEcho",
    "AllowedValues",
    "AllowedPattern",
    "MinValue",
    "MaxValue",
    "MinLength",
    "MaxLength",
}
_SUBSTITUTION = re.compile(r"\$\{(!?)([^}]+)\}")
_SECRET_REFERENCE = re.compile(
    r"\{\{resolve:secretsmanager:(?P<secret>arn:(?:[^:}]+:){4}secret:[^:}]+|[^:}]+)"
    r":SecretString(?::(?P<json_key>[^:}]*))?(?::(?P<stage>[^:}]*))?(?::(?P<version>[^:}]*))?\}\}"
)
_CODE_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


class TemplateError(Exception):
    """CloudFormation would not accept this template, or these parameters for it."""


class UnresolvedReferenceError(TemplateError):
    """A Ref, GetAtt, Sub, FindInMap or condition names something that does not exist."""


class UnsupportedTemplateError(TemplateError):
    """Valid for CloudFormation perhaps, but the sandbox does not know it."""


class _NoValue:
    """The value of AWS::NoValue: whatever holds it is left out."""


_NO_VALUE = _NoValue()


@dataclass(frozen=True)
class SecretReference:
    """A dynamic reference to a secret's value, or to one of its JSON keys. "" is what is not named."""

    secret: str
    json_key: str = ""
    stage: str = ""
    version: str = ""


@dataclass(frozen=True)
class Resource:
    """One resource as written, intrinsic functions included."""

    type: str
    properties: Mapping[str, Any]
    dependencies: frozenset[str]


class Attributes:
    """What Ref and GetAtt give for the resources that exist so far."""

    def __init__(self) -> None:
        self._physical_ids: dict[str, str] = {}
        self._attributes: dict[str, Mapping[str, str]] = {}

    def add(self, logical_id: str, physical_id: str, attributes: Mapping[str, str]) -> None:
        self._physical_ids[logical_id] = physical_id
        self._attributes[logical_id] = attributes

    @property
    def physical_ids(self) -> Mapping[str, str]:
        return self._physical_ids

    def ref(self, logical_id: str) -> str:
        if logical_id not in self._physical_ids:
            raise UnresolvedReferenceError(f"Ref {logical_id}: no such parameter or resource")
        return self._physical_ids[logical_id]

    def get(self, logical_id: str, attribute: str) -> str:
        if logical_id not in self._attributes:
            raise UnresolvedReferenceError(f"GetAtt {logical_id}.{attribute}: no such resource")
        if attribute not in self._attributes[logical_id]:
            raise UnresolvedReferenceError(f"GetAtt {logical_id}.{attribute}: no such attribute")
        return self._attributes[logical_id][attribute]


def read(
    path: Path, *, region: str, edit: Callable[[dict[str, Any]], None] | None = None
) -> tuple[dict[str, Any], dict[str, Path]]:
    """Read and transform the SAM template at path.

    `edit` may change the parsed template before the transform. The folders that CodeUri and ContentUri name
    come back beside the document, by the object key that the transformed template has in their place.
    """
    text = path.read_text(encoding="utf-8")
    if edit is None:
        return copy.deepcopy(_transformed(text, path.parent, region))
    document = parse(text)
    edit(document)
    return _transform(document, path.parent, region)


def _transform(document: dict[str, Any], folder: Path, region: str) -> tuple[dict[str, Any], dict[str, Path]]:
    artifacts = _take_artifacts(document, folder)
    # It warns that a feature toggle and metrics of AWS's own service go nowhere.
    for part in ("feature_toggle", "metrics"):
        logging.getLogger(f"samtranslator.{part}").setLevel(logging.ERROR)
    translator = Translator({}, Parser(), boto_session=isolated_session(region))
    try:
        transformed = translator.translate(document, parameter_values={})
    except InvalidDocumentException as error:
        reasons = "; ".join(cause.message for cause in error.causes)
        raise TemplateError(f"{error.message} {reasons}") from error
    return transformed, artifacts


def parse(text: str) -> dict[str, Any]:
    """Return a template as it is written, for the caller to keep and to change."""
    return copy.deepcopy(_parsed(text))


# Many tests read the same template, and many stacks are made of it.
_parsed = lru_cache(maxsize=4)(yaml_parse)


@lru_cache(maxsize=4)
def _transformed(text: str, folder: Path, region: str) -> tuple[dict[str, Any], dict[str, Path]]:
    return _transform(parse(text), folder, region)


def _take_artifacts(document: dict[str, Any], folder: Path) -> dict[str, Path]:
    artifacts: dict[str, Path] = {}
    defaults = document.get("Globals", {}).get("Function", {})
    default_code = defaults.pop("CodeUri", None)
    for logical_id, resource in document.get("Resources", {}).items():
        name = _CODE_PROPERTIES.get(resource.get("Type"))
        if name is None:
            continue
        properties = resource.setdefault("Properties", {})
        if default_code is not None and name == "CodeUri":
            properties.setdefault(name, default_code)
        source = properties.get(name)
        if not isinstance(source, str) or not (folder / source).is_dir():
            raise TemplateError(f"{logical_id}.{name}: {source!r} is not a folder beside the template")
        artifacts[logical_id] = (folder / source).resolve()
        properties[name] = f"s3://{ARTIFACTS_BUCKET}/{logical_id}"
    return artifacts


class Template:
    """A transformed template with its parameters, ready to be resolved resource by resource."""

    def __init__(
        self,
        document: Mapping[str, Any],
        *,
        parameters: Mapping[str, str],
        pseudo_parameters: Mapping[str, str],
        read_secret: Callable[[SecretReference], str],
    ) -> None:
        _refuse_unknown("section", document, _SECTIONS)
        self._document = document
        self._pseudo_parameters = pseudo_parameters
        self._read_secret = read_secret
        self._conditions: dict[str, bool] = {}
        self.parameters = _parameter_values(document.get("Parameters", {}), parameters)

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """The resources whose condition holds, in the template's order."""
        kept = {}
        for logical_id, resource in self._document["Resources"].items():
            _refuse_unknown(f"attribute of {logical_id}", resource, _RESOURCE_ATTRIBUTES)
            if "Condition" in resource and not self._condition(resource["Condition"]):
                continue
            kept[logical_id] = resource
        return {logical_id: self._resource(logical_id, kept) for logical_id in kept}

    def _resource(self, logical_id: str, resources: Mapping[str, Any]) -> Resource:
        resource = resources[logical_id]
        properties = resource.get("Properties", {})
        explicit = resource.get("DependsOn", [])
        names = {explicit} if isinstance(explicit, str) else set(explicit)
        # To depend on a resource that a condition has left out is allowed, to refer to it is not.
        names -= self._document["Resources"].keys() - resources.keys()
        names.update(self._references(properties))
        return Resource(resource["Type"], properties, self._dependencies(logical_id, names, resources))

    def _dependencies(self, name: str, references: set[str], resources: Mapping[str, Any]) -> frozenset[str]:
        names = references - self._pseudo_parameters.keys() - self.parameters.keys() - {"AWS::NoValue"}
        if unknown := sorted(names - resources.keys()):
            raise UnresolvedReferenceError(f"{name} refers to {', '.join(unknown)}, which do not exist")
        return frozenset(names)

    def check(self) -> None:
        """Raise UnresolvedReferenceError if a resource or an output refers to something that does not exist."""
        resources = self.resources
        for name, output in self._outputs().items():
            self._dependencies(f"Output {name}", set(self._references(output["Value"])), resources)

    def creation_order(self) -> list[str]:
        """Order the logical ids so that each comes after those it refers to."""
        ordered: list[str] = []
        waiting = dict(self.resources)
        while waiting:
            ready = [name for name in waiting if waiting[name].dependencies <= set(ordered)]
            if not ready:
                raise TemplateError(f"Circular dependency between resources: {sorted(waiting)}")
            ordered += ready
            for name in ready:
                del waiting[name]
        return ordered

    def properties(self, logical_id: str, attributes: Attributes) -> dict[str, Any]:
        resolved = self.resolve(self.resources[logical_id].properties, attributes)
        if not isinstance(resolved, dict):
            raise TemplateError(f"{logical_id}: Properties must be a mapping")
        return resolved

    def outputs(self, attributes: Attributes) -> dict[str, str]:
        outputs = self._outputs().items()
        return {name: str(self.resolve(output["Value"], attributes)) for name, output in outputs}

    def _outputs(self) -> dict[str, Any]:
        outputs: Mapping[str, Any] = self._document.get("Outputs", {})
        for name, output in outputs.items():
            _refuse_unknown(f"attribute of output {name}", output, {"Description", "Value", "Condition"})
        return {
            name: output
            for name, output in outputs.items()
            if "Condition" not in output or self._condition(output["Condition"])
        }

    def resolve(self, value: Any, attributes: Attributes) -> Any:
        """Replace every intrinsic function and dynamic reference in value.

        Raises UnresolvedReferenceError for a name that does not exist (yet), UnsupportedTemplateError for a
        function that this reader does not know.
        """
        if isinstance(value, str):
            return self._dynamic_references(value)
        if isinstance(value, list):
            items = (self.resolve(item, attributes) for item in value)
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        function = _intrinsic(value)
        if function is None:
            pairs = ((key, self.resolve(item, attributes)) for key, item in value.items())
            return {key: item for key, item in pairs if item is not _NO_VALUE}
        argument = value[function]
        match function:
            case "Ref":
                return self._ref(argument, attributes)
            case "Fn::GetAtt":
                return attributes.get(*_attribute_path(argument))
            case "Fn::Sub":
                return self._dynamic_references(self._sub(argument, attributes))
            case "Fn::Join":
                separator, items = argument
                return str(separator).join(_text(item) for item in self.resolve(items, attributes))
            case "Fn::If":
                return self.resolve(self._branch(argument), attributes)
            case "Fn::FindInMap":
                return self._find_in_map(argument)
        raise UnsupportedTemplateError(f"Intrinsic function {function}")

    def _ref(self, name: str, attributes: Attributes) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._pseudo_parameters:
            return self._pseudo_parameters[name]
        if name in self.parameters:
            return self.parameters[name]
        return attributes.ref(name)

    def _sub(self, argument: Any, attributes: Attributes) -> str:
        text, variables = _sub_parts(argument)
        values = self.resolve(variables, attributes)

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return _text(values[name])
            if "." in name:
                return attributes.get(*_attribute_path(name))
            return _text(self._ref(name, attributes))

        return _SUBSTITUTION.sub(replace, text)

    def _dynamic_references(self, text: str) -> str:
        resolved = _SECRET_REFERENCE.sub(lambda match: self._read_secret(SecretReference(**match.groupdict(""))), text)
        if "{{resolve:" in resolved:
            raise UnsupportedTemplateError(f"Dynamic reference in {text!r}")
        return resolved

    def _find_in_map(self, argument: list[Any]) -> Any:
        map_name, *keys = (self._static(part) for part in argument)
        found = self._document.get("Mappings", {}).get(map_name)
        for key in keys:
            if not isinstance(found, Mapping) or key not in found:
                raise UnresolvedReferenceError(f"FindInMap {map_name}.{'.'.join(map(str, keys))}")
            found = found[key]
        return found

    def _static(self, value: Any) -> Any:
        """Resolve what may only depend on parameters."""
        return self.resolve(value, Attributes())

    def _branch(self, argument: list[Any]) -> Any:
        condition, when_true, when_false = argument
        return when_true if self._condition(condition) else when_false

    def _condition(self, name: str) -> bool:
        if name not in self._conditions:
            expressions = self._document.get("Conditions", {})
            if name not in expressions:
                raise UnresolvedReferenceError(f"Condition {name}")
            self._conditions[name] = self._evaluate(expressions[name])
        return self._conditions[name]

    def _evaluate(self, expression: Mapping[str, Any]) -> bool:
        ((function, argument),) = expression.items()
        match function:
            case "Fn::Equals":
                left, right = (self._static(side) for side in argument)
                return _text(left) == _text(right)
            case "Fn::Not":
                return not self._evaluate(argument[0])
            case "Fn::And":
                return all(self._evaluate(part) for part in argument)
            case "Fn::Or":
                return any(self._evaluate(part) for part in argument)
            case "Condition":
                return self._condition(argument)
        raise UnsupportedTemplateError(f"Condition function {function}")

    def _references(self, value: Any) -> Iterator[str]:
        """Name what value refers to, in the branches that the conditions choose."""
        if isinstance(value, list):
            for item in value:
                yield from self._references(item)
        if not isinstance(value, Mapping):
            return
        match _intrinsic(value):
            case "Ref":
                yield value["Ref"]
            case "Fn::GetAtt":
                yield _attribute_path(value["Fn::GetAtt"])[0]
            case "Fn::If":
                yield from self._references(self._branch(value["Fn::If"]))
            case "Fn::FindInMap":
                self._find_in_map(value["Fn::FindInMap"])
            case "Fn::Sub":
                text, variables = _sub_parts(value["Fn::Sub"])
                names = (match[2].split(".")[0] for match in _SUBSTITUTION.finditer(text) if not match[1])
                yield from (name for name in names if name not in variables)
                yield from self._references(list(variables.values()))
            case _:
                yield from self._references(list(value.values()))


def _intrinsic(value: Mapping[str, Any]) -> str | None:
    names = [name for name in value if name == "Ref" or name.startswith("Fn::")]
    if not names:
        return None
    if len(value) > 1:
        raise TemplateError(f"{names[0]} beside other keys: {sorted(value)}")
    return names[0]


def _attribute_path(argument: Any) -> tuple[str, str]:
    logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    return logical_id, attribute


def _sub_parts(argument: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(argument, str):
        return argument, {}
    text, variables = argument
    return text, variables


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise TemplateError(f"{value!r} is not a string")


def _refuse_unknown(what: str, names: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(names.keys() - known)
    if unknown:
        raise UnsupportedTemplateError(f"{what}: {', '.join(unknown)}")


def _parameter_values(declarations: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(given.keys() - declarations.keys())
    if unknown:
        raise TemplateError(f"Parameters do not exist in the template: {', '.join(unknown)}")
    values = {}
    for name, declaration in declarations.items():
        _refuse_unknown(f"attribute of parameter {name}", declaration, _PARAMETER_ATTRIBUTES)
        if name not in given and "Default" not in declaration:
            raise TemplateError(f"Parameter {name} must have a value")
        value = given[name] if name in given else _text(declaration["Default"])
        _check_parameter(name, declaration, value)
        values[name] = value
    return values


def _check_parameter(name: str, declaration: Mapping[str, Any], value: str) -> None:
    def refuse(reason: str) -> TemplateError:
        explanation = declaration.get("ConstraintDescription", reason)
        return TemplateError(f"Parameter {name} = {value!r}: {explanation}")

    allowed = declaration.get("AllowedValues")
    if allowed is not None and value not in [_text(choice) for choice in allowed]:
        raise refuse(f"must be one of {allowed}")
    match declaration["Type"]:
        case "String":
            pattern = declaration.get("AllowedPattern")
            if pattern is not None and not re.fullmatch(pattern, value):
                raise refuse(f"must match {pattern}")
            if len(value) < declaration.get("MinLength", 0):
                raise refuse(f"must have at least {declaration['MinLength']} characters")
            if len(value) > declaration.get("MaxLength", len(value)):
                raise refuse(f"must have at most {declaration['MaxLength']} characters")
        case "Number":
            try:
                number = float(value)
            except ValueError:
                raise refuse("must be a number") from None
            if number < declaration.get("MinValue", number):
                raise refuse(f"must be at least {declaration['MinValue']}")
            if number > declaration.get("MaxValue", number):
                raise refuse(f"must be at most {declaration['MaxValue']}")
        case other:
            raise UnsupportedTemplateError(f"Parameter {name} of type {other}")
