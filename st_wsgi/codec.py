"""
Between JSON and values: the only place that turns snake case into camel case and back.

An attrs class names its members in snake case; on the wire they are in camel case unless the field's metadata says
otherwise (``{"wire": "name"}``, or ``{"wire": None}`` for a member that is never sent). A class variable ``status``
becomes the member ``status``. Members that are None are left out, as the protocol does.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import attrs

from .errors import CoreReplyInvalid
from .users import RecipeUserId

K = TypeVar("K")
T = TypeVar("T")
Decoder: TypeAlias = Callable[[Any], Any]


class _Mismatch(Exception):
    """A place in the JSON that has another type than expected; the public functions raise CoreReplyInvalid for it."""


def to_json(value: object) -> Any:
    """Return *value* (attrs values, mappings, sequences, scalars) as JSON types."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, RecipeUserId):
        return value.value
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    members: dict[str, Any] = {}
    kind: Any = type(value)
    status = getattr(kind, "status", None)
    if isinstance(status, str):
        members["status"] = status
    for name, wire in _wire_names(kind):
        item = getattr(value, name)
        if item is not None:
            members[wire] = to_json(item)
    return members


def from_json(kind: type[T], data: object, *, path: str) -> T:
    """
    Return *data* as a value of the attrs class *kind*. Unknown members are ignored, types are not converted.

    :param path: of the core call that gave the data, for the error.
    :raises CoreReplyInvalid: a member is missing or of another type; the message names it.
    """
    try:
        value: T = _decoder_of(kind)(data)
    except _Mismatch as mismatch:
        raise CoreReplyInvalid(path=path, problem=str(mismatch)) from None
    return value


def member_from_json(kind: type[T], data: Mapping[str, Any], name: str, *, path: str) -> T:
    """
    Return the member *name* of a JSON object as a *kind*: an attrs class, a scalar, ``dict``, ``list[str]``, ...

    :param path: of the core call that gave the data, for the error.
    :raises CoreReplyInvalid: the member is missing or of another type.
    """
    if name not in data:
        raise CoreReplyInvalid(path=path, problem=f"{name} is missing")
    try:
        value: T = _decoder_of(kind)(data[name])
    except _Mismatch as mismatch:
        raise CoreReplyInvalid(path=path, problem=f"{name} {mismatch}") from None
    return value


def present(members: Mapping[K, Any]) -> dict[K, Any]:
    """Return *members* without those that are None: an optional member is absent and never null."""
    return {name: value for name, value in members.items() if value is not None}


def camel_case(name: str) -> str:
    """Return a name in snake case as it is on the wire: ``tenantId`` for ``tenant_id``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@functools.cache
def _wire_names(kind: Any) -> tuple[tuple[str, str], ...]:
    names = ((field.name, field.metadata.get("wire", camel_case(field.name))) for field in attrs.fields(kind))
    return tuple((name, wire) for name, wire in names if wire is not None)


def _decoder_of(kind: Any) -> Decoder:
    return _decoder(kind)  # through Any, since type checkers hold no type for certain to be hashable


@functools.cache
def _decoder(kind: Any) -> Decoder:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object:
        return lambda data: data
    if kind is RecipeUserId:
        return lambda data: RecipeUserId(_exactly(str, data))
    if kind in (str, int, bool, float):
        return functools.partial(_exactly, kind)
    if origin is types.UnionType or origin is typing.Union:
        inner = _decoder(next(argument for argument in arguments if argument is not type(None)))
        return lambda data: None if data is None else inner(data)
    if origin is tuple:
        return functools.partial(_decode_tuple, _decoder(arguments[0]))
    if origin is list:
        return functools.partial(_decode_list, _decoder(arguments[0]))
    if origin is dict or kind in (dict, list):
        return functools.partial(_exactly, origin or kind)
    return functools.partial(_decode_object, kind)


def _exactly(kind: type[Any], data: object) -> Any:
    if type(data) is not kind:
        raise _Mismatch(f"is a {type(data).__name__}, not a {kind.__name__}")
    return data


def _decode_tuple(inner: Decoder, data: object) -> tuple[Any, ...]:
    return tuple(_decode_list(inner, data))


def _decode_list(inner: Decoder, data: object) -> list[Any]:
    return [inner(item) for item in _exactly(list, data)]


def _decode_without_null(inner: Decoder, data: object) -> Any:
    return inner([item for item in data if item is not None] if type(data) is list else data)


def _decode_object(kind: Any, data: object) -> Any:
    members = _exactly(dict, data)
    values: dict[str, Any] = {}
    for name, wire, decode, required in _members(kind):
        if wire in members:
            try:
                values[name] = decode(members[wire])
            except _Mismatch as mismatch:
                raise _Mismatch(f"{wire} {mismatch}") from None
        elif required:
            raise _Mismatch(f"{wire} is missing")
    return kind(**values)


@functools.cache
def _members(kind: Any) -> tuple[tuple[str, str, Decoder, bool], ...]:
    hints, fields, members = typing.get_type_hints(kind), attrs.fields_dict(kind), []
    for name, wire in _wire_names(kind):
        decoder = _decoder(hints[name])
        if fields[name].metadata.get("drops_null"):
            decoder = functools.partial(_decode_without_null, decoder)
        members.append((name, wire, decoder, fields[name].default is attrs.NOTHING))
    return tuple(members)
