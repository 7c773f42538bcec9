"""Strict decoding that names every invalid field at once, where msgspec alone stops at the first."""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from events.errors import InvalidMessageError

__all__ = ["convert", "decode_json"]

T = TypeVar("T")


def decode_json(data: bytes | str, kind: type[T]) -> T:
    """`data` as a `kind`. Raises `InvalidMessageError` with a problem for every invalid field."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        return cast("T", convert(msgspec.json.decode(data), kind))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidMessageError({"$": f"not JSON: {error}"}) from error


def convert(value: object, kind: Any) -> Any:  # noqa: ANN401  # a type expression in, a value of it out
    """A decoded JSON value as a `kind`. Raises `InvalidMessageError` with a problem for every invalid field."""
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidMessageError(_problems(value, kind, "$") or {"$": str(error)}) from error


def _problems(value: object, kind: Any, path: str) -> dict[str, str]:  # noqa: ANN401
    struct = _struct_of(kind, value)
    if struct is not None and isinstance(value, dict):
        return _problems_of_struct(value, struct, path) or _own_problem(value, kind, path)
    item = _item_of(kind)
    if item is not None and isinstance(value, list):
        found: dict[str, str] = {}
        for index, part in enumerate(value):
            found |= _problems(part, item, f"{path}[{index}]")
        return found or _own_problem(value, kind, path)
    return _own_problem(value, kind, path)


def _problems_of_struct(value: dict[str, object], struct: type[msgspec.Struct], path: str) -> dict[str, str]:
    found: dict[str, str] = {}
    hints = typing.get_type_hints(struct, include_extras=True)
    fields = msgspec.structs.fields(struct)
    for field in fields:
        where = f"{path}.{field.encode_name}"
        if field.encode_name in value:
            found |= _problems(value[field.encode_name], hints[field.name], where)
        elif field.required:
            found[where] = "required, but missing"
    config = struct.__struct_config__
    if config.tag_field is not None and value.get(config.tag_field) != config.tag:
        return {f"{path}.{config.tag_field}": f"Expected {config.tag!r}, got {value.get(config.tag_field)!r}"}
    if config.forbid_unknown_fields:
        known = {field.encode_name for field in fields} | {config.tag_field}
        found |= {f"{path}.{name}": "not a known field" for name in value if name not in known}
    return found


def _own_problem(value: object, kind: Any, path: str) -> dict[str, str]:  # noqa: ANN401
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        return {path: str(error).split(" - at `$")[0]}
    return {}


def _struct_of(kind: Any, value: object) -> type[msgspec.Struct] | None:  # noqa: ANN401
    """The struct that `value` is meant to be: the one of the type, or of the union by its tag."""
    structs = [option for option in _options(kind) if isinstance(option, type) and issubclass(option, msgspec.Struct)]
    if len(structs) > 1 and isinstance(value, dict):
        structs = [s for s in structs if value.get(s.__struct_config__.tag_field or "") == s.__struct_config__.tag]
    return structs[0] if len(structs) == 1 else None


def _item_of(kind: Any) -> Any:  # noqa: ANN401
    """The element type of a list or a `tuple[T, ...]`."""
    for option in _options(kind):
        if get_origin(option) in (list, tuple):
            return get_args(option)[0]
    return None


def _options(kind: Any) -> list[Any]:  # noqa: ANN401
    """The members of a union, with `Annotated` taken off."""
    if get_origin(kind) is typing.Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (typing.Union, types.UnionType):
        return [option for part in get_args(kind) for option in _options(part)]
    return [kind]
