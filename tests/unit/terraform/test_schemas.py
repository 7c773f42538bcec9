"""The schemas of the topics let the messages pass that the code publishes."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from events.messages import EVENT_TYPES, Message
from terraform import protobuf
from tests.unit.examples import EXAMPLES
from tests.unit.terraform.module import MODULE, local_values

FIELD = re.compile(r"\s*(?:repeated )?(?:map<string, )?(\w+)>? (\w+) = \d+;")


def messages(text: str) -> dict[str, dict[str, str]]:
    """The type of each field, by message; the outer one is called by the name that stands first."""
    found: dict[str, dict[str, str]] = {}
    open_messages: list[str] = []
    for line in text.splitlines():
        if opened := re.match(r"\s*message (\w+) \{", line):
            open_messages.append(opened[1])
            found[opened[1]] = {}
        elif line.strip() == "}":
            open_messages.pop()
        elif field := FIELD.match(line):
            found[open_messages[-1]][field[2]] = field[1]
    return found


def unknown_fields(value: Any, kind: str, known: dict[str, dict[str, str]]) -> list[str]:
    """Paths of what a message of this kind has no field for."""
    if isinstance(value, list):
        return [path for part in value for path in unknown_fields(part, kind, known)]
    if kind not in known or not isinstance(value, dict):
        return []
    missing = [name for name in value if name not in known[kind]]
    return missing + [
        f"{name}.{path}"
        for name, part in value.items()
        if name in known[kind]
        for path in unknown_fields(part, known[kind][name], known)
    ]


def schema_of(message: Message) -> str | None:
    topics = local_values()["topics"]
    schemas = {topics[topic].get("schema") for topic in message.topics if topic != "ticks"}
    assert len(schemas) == 1, "the topics of one event have one schema"
    name: str | None = schemas.pop()
    return name


@pytest.mark.parametrize("name", sorted(protobuf.TOPICS))
def test_definitions_are_current(name: str) -> None:
    committed = (MODULE / "schemas" / f"{name}.proto").read_text(encoding="utf-8")
    assert committed == protobuf.definitions()[name], "run `make schemas`"


def test_no_definition_is_left_over() -> None:
    assert {path.stem for path in (MODULE / "schemas").glob("*.proto")} == set(protobuf.TOPICS)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.type)
def test_every_message_fits_the_schema_of_its_topic(message: Message) -> None:
    name = schema_of(message)
    if name is None:
        assert message.type == "cutout.delivery.requested.v1"
        return
    assert message.type in protobuf.TOPICS[name]
    known = messages(protobuf.definitions()[name])
    value = msgspec.json.decode(msgspec.json.encode(message))
    assert unknown_fields(value, next(iter(known)), known) == []


def test_a_field_that_is_not_in_the_schema_would_be_found() -> None:
    known = messages(protobuf.definitions()["job_requested"])
    value = {"upload": {"bucket": "b", "colour": "red"}, "urgent": True}
    assert unknown_fields(value, "JobRequested", known) == ["urgent", "upload.colour"]


def test_every_event_type_is_looked_at() -> None:
    assert {message.type for message in EXAMPLES} == {kind.type for kind in EVENT_TYPES}


def test_a_union_of_objects_has_the_fields_of_all() -> None:
    parts = {
        "Circle": {"properties": {"kind": {"enum": ["circle"]}, "radius": {"type": "integer"}}},
        "Square": {"properties": {"kind": {"enum": ["square"]}, "side": {"type": "number"}}},
    }
    either = {"anyOf": [{"$ref": "#/$defs/Circle"}, {"$ref": "#/$defs/Square"}]}
    shape = {"anyOf": [either, {"type": "null"}]}
    text = protobuf.definition("drawing", [{"title": "t", "properties": {"shape": shape}, "$defs": parts}])
    assert messages(text) == {
        "Drawing": {"shape": "Circle_or_Square"},
        "Circle_or_Square": {"kind": "string", "radius": "int64", "side": "double"},
    }


def test_what_has_no_form_in_proto3_is_refused() -> None:
    union = {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}, "title": "t"}
    with pytest.raises(ValueError, match="no unions"):
        protobuf.definition("either", [union])
    with pytest.raises(ValueError, match="no type"):
        protobuf.definition("nothing", [{"properties": {"a": {"type": "null-like"}}, "title": "t"}])
    parts = {"A": {"properties": {"x": {"type": "string"}}}, "B": {"properties": {"x": {"type": "integer"}}}}
    either = {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]}
    with pytest.raises(ValueError, match="several types"):
        protobuf.definition("mixed", [{"title": "t", "properties": {"a": either}, "$defs": parts}])
