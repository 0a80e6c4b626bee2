"""Patches that spare moto what it would do again; they change nothing but the time that it takes."""

import time
from contextlib import AbstractContextManager
from functools import cache, lru_cache
from typing import Any
from unittest import mock

from moto.core.serialize import ResponseSerializer
from moto.core.utils import camelcase_to_underscores, method_names_from_class
from moto.dynamodb.parsing.ast_nodes import DepthFirstTraverser  # type: ignore[attr-defined]
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]
from moto.kms.utils import generate_private_key
from moto.moto_server.werkzeug_app import DomainDispatcherApplication


def patches() -> list[AbstractContextManager[Any]]:
    """Return the patches, to be entered as long as moto runs."""
    return [
        # It asks of each waiting message, several times a request, whether it is visible yet.
        mock.patch("moto.sqs.models.unix_time_millis", _unix_milliseconds),
        # It looks through its own folders and through the addresses of all services.
        mock.patch.object(
            DomainDispatcherApplication,
            "get_backend_for_host",
            lru_cache(maxsize=64)(DomainDispatcherApplication.get_backend_for_host),
        ),
        mock.patch("moto.core.responses.method_names_from_class", cache(method_names_from_class)),
        # It spells the name of an operation with underscores, letter by letter.
        mock.patch("moto.core.responses.camelcase_to_underscores", cache(camelcase_to_underscores)),
        # It parses an expression, whose tree it only reads, twice.
        mock.patch.object(UpdateExpressionParser, "make", lru_cache(maxsize=256)(UpdateExpressionParser.make)),
        # It asks each walk through an expression anew, at each node, which nodes it is for.
        mock.patch.object(DepthFirstTraverser, "nodes_to_be_processed", _nodes_to_be_processed),
        # It looks for each type that a value of an item may have under all names that an object in Python may give it.
        mock.patch.object(ResponseSerializer, "get_value", _serialized_value),
        # It makes a key pair for the encryption of each account's first table, which takes long, and never uses it.
        mock.patch("moto.kms.models.generate_private_key", _key_pair),
    ]


_nodes_by_walk: dict[type, tuple[type, ...]] = {}
_key_pair = cache(generate_private_key)
_value_of = ResponseSerializer.get_value


def _serialized_value(serializer: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
    """Return a member of what is to be written; the value of an item, {"S": "..."}, is as it is written already."""
    if shape.parent.name == "AttributeValue" and type(value) is dict:
        return value.get(key)
    return _value_of(serializer, value, key, shape)


def _nodes_to_be_processed(walk: DepthFirstTraverser) -> tuple[type, ...]:
    kind = type(walk)
    if kind not in _nodes_by_walk:
        _nodes_by_walk[kind] = tuple(walk._processing_map())
    return _nodes_by_walk[kind]


def _unix_milliseconds() -> float:
    return time.time() * 1000
