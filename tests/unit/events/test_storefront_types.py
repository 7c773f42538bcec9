"""The recipe as the storefront's types have it is the recipe of the contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from events.recipe import Recipe

TYPES: Final = (Path(__file__).parents[3] / "storefront" / "cutout.d.ts").read_text(encoding="utf-8")
CODE: Final = re.sub(r"/\*\*.*?\*/", "", TYPES, flags=re.DOTALL)
ALIASES: Final = dict(re.findall(r"^export type (\w+) =(.*?);$", CODE, re.MULTILINE | re.DOTALL))
INTERFACES: Final = {
    name: re.findall(r"^  (\w+\??): (.*);$", body, re.MULTILINE)
    for name, body in re.findall(r"^export interface (\w+) {(.*?)^}", CODE, re.MULTILINE | re.DOTALL)
}


def written(text: str) -> set[str]:
    """The members of a union, with the names of other unions replaced by theirs."""
    members = {member.strip() for member in text.split("|") if member.strip()}
    return {one for member in members for one in (written(ALIASES[member]) if member in ALIASES else {member})}


def meant(info: msgspec.inspect.Type) -> set[str]:
    """What the contract's type is in TypeScript, as the members of a union."""
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return meant(inner)
        case msgspec.inspect.UnionType(types=types):
            return {one for part in types for one in meant(part)}
        case msgspec.inspect.LiteralType(values=values):
            return {f"'{value}'" for value in values}
        case msgspec.inspect.StructType(cls=cls):
            return {cls.__name__}
        case msgspec.inspect.VarTupleType(item_type=item, min_length=int(least), max_length=int(most)):
            [name] = meant(item)
            return {f"[{', '.join([name] * least + [f'{name}?'] * (most - least))}]"}
    names: dict[type[msgspec.inspect.Type], str] = {
        msgspec.inspect.IntType: "number",
        msgspec.inspect.StrType: "string",
        msgspec.inspect.NoneType: "null",
    }
    return {names[type(info)]}


def structs(info: msgspec.inspect.Type) -> dict[str, msgspec.inspect.StructType]:
    """It and all that are parts of it, by name."""
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return structs(inner)
        case msgspec.inspect.UnionType(types=types):
            return {name: found for part in types for name, found in structs(part).items()}
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            inside = [structs(field.type) for field in fields]
            return {cls.__name__: info} | {name: found for part in inside for name, found in part.items()}
    return {}


STRUCTS: Final = structs(msgspec.inspect.type_info(Recipe))


@pytest.mark.parametrize("name", STRUCTS)
def test_every_part_of_a_recipe_has_its_fields_and_no_others(name: str) -> None:
    struct = STRUCTS[name]
    fields = {f"{field.name}{'' if field.required else '?'}": meant(field.type) for field in struct.fields}
    tag = {} if struct.tag_field is None else {struct.tag_field: {f"'{struct.tag}'"}}
    assert {field: written(text) for field, text in INTERFACES[name]} == tag | fields


def test_all_parts_of_a_recipe_are_compared() -> None:
    assert {"Recipe", "Color", "Gradient", "Blur", "Picture", "Crop", "Position", "Shadow", "Outline"} == set(STRUCTS)
