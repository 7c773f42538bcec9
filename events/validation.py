"""Strict decoding that names every invalid field at once, where msgspec alone stops at the first.

A struct may have a static method `conflicts`: from its fields as given it tells what is wrong with them together.
"""

from __future__ import annotations

import threading
import types
import typing
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, get_args, get_origin

import msgspec

from events.errors import InvalidMessageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["convert", "decode_json"]

T = TypeVar("T")

_LEARNING: Final = threading.Lock()


def decode_json(data: bytes | str, kind: type[T]) -> T:
    """`data` as a `kind`. Raises `InvalidMessageError` with a problem for every invalid field."""
    _learn(kind)
    try:
        try:
            return msgspec.json.decode(data, type=kind)
        except msgspec.ValidationError:
            value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidMessageError({"$": f"not JSON: {error}"}) from error
    except RecursionError as error:
        raise InvalidMessageError({"$": "nested too deeply"}) from error
    return cast("T", convert(value, kind))


def convert(value: object, kind: Any) -> Any:  # noqa: ANN401  # a type expression in, a value of it out
    """A decoded JSON value as a `kind`. Raises `InvalidMessageError` with a problem for every invalid field."""
    _learn(kind)
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidMessageError(_problems(value, kind, "$") or {"$": str(error)}) from error


def _learn(kind: Any) -> None:  # noqa: ANN401
    """Let msgspec take a type apart, which it does at the first use; two threads that do so at once crash it."""
    with _LEARNING:
        _decoder(kind)


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:  # noqa: ANN401
    return msgspec.json.Decoder(kind)


def _problems(value: object, kind: Any, path: str) -> dict[str, str]:  # noqa: ANN401
    structs = _structs_of(kind, value)
    if len(structs) == 1 and isinstance(value, dict):
        return _problems_of_struct(value, structs[0], path) or _own_problem(value, kind, path)
    if structs and isinstance(value, dict):
        return _unknown_tag(value, structs, path)
    found: dict[str, str] = {}
    for key, part, part_kind in _parts(value, kind):
        found |= _problems(part, part_kind, f"{path}{key}")
    if found and isinstance(value, list):
        return found | _own_problem(value, _of_anything(kind), path)
    return found or _own_problem(value, kind, path)


def _parts(value: object, kind: Any) -> Iterator[tuple[str, object, Any]]:  # noqa: ANN401
    """Where each element of a list or a mapping stands in it, the element, and its type."""
    if isinstance(value, list) and (item := _argument(kind, (list, tuple), 0)) is not None:
        yield from ((f"[{index}]", part, item) for index, part in enumerate(value))
    if isinstance(value, dict) and (item := _argument(kind, (dict,), 1)) is not None:
        yield from ((f".{name}", part, item) for name, part in value.items())


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
    conflicts = getattr(struct, "conflicts", None)
    if conflicts is not None:
        found = {f"{path}.{name}": problem for name, problem in conflicts(value).items()} | found
    config = struct.__struct_config__
    if config.tag_field is not None and value.get(config.tag_field) != config.tag:
        return _unknown_tag(value, [struct], path)
    if config.forbid_unknown_fields:
        known = {field.encode_name for field in fields} | {config.tag_field}
        found |= {f"{path}.{name}": "not a known field" for name in value if name not in known}
    return found


def _unknown_tag(value: dict[str, object], structs: list[type[msgspec.Struct]], path: str) -> dict[str, str]:
    """Of members of one union, which all name their tag alike."""
    field = structs[0].__struct_config__.tag_field
    known = " or ".join(repr(struct.__struct_config__.tag) for struct in structs)
    return {f"{path}.{field}": f"Expected {known}, got {value.get(field or '')!r}"}


def _own_problem(value: object, kind: Any, path: str) -> dict[str, str]:  # noqa: ANN401
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        return {path: str(error).split(" - at `$")[0]}
    return {}


def _structs_of(kind: Any, value: object) -> list[type[msgspec.Struct]]:  # noqa: ANN401
    """The struct that `value` is meant to be: the one of the type, or of the union by its tag; else the whole union."""
    structs = [option for option in _options(kind) if isinstance(option, type) and issubclass(option, msgspec.Struct)]
    if len(structs) == 1 or not isinstance(value, dict):
        return structs
    named = [
        each for each in structs if value.get(each.__struct_config__.tag_field or "") == each.__struct_config__.tag
    ]
    return named or structs


def _argument(kind: Any, origins: tuple[type, ...], index: int) -> Any:  # noqa: ANN401
    """An argument of the member of a type that is one of `origins`: the element type of a `tuple[T, ...]`."""
    for option in _options(kind):
        if get_origin(option) in origins:
            return get_args(option)[index]
    return None


def _of_anything(kind: Any) -> Any:  # noqa: ANN401
    """A type of lists that takes any elements, with what it says about their number."""
    if get_origin(kind) is typing.Annotated:
        return typing.Annotated[(_of_anything(get_args(kind)[0]), *kind.__metadata__)]
    return list[Any]


def _options(kind: Any) -> list[Any]:  # noqa: ANN401
    """The members of a union, with `Annotated` taken off."""
    if get_origin(kind) is typing.Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (typing.Union, types.UnionType):
        return [option for part in get_args(kind) for option in _options(part)]
    return [kind]
