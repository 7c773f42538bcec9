"""`python -m terraform.protobuf`: the schemas of the Pub/Sub topics, from the JSON Schemas of the events.

Pub/Sub knows Avro and protocol buffers only, and takes messages in the JSON form of either. Avro's wraps every optional
value in the name of its type, which ours does not; proto3's takes ours as they are. A definition has one message on the
outside and imports nothing (https://cloud.google.com/pubsub/docs/schemas), so times and amounts are strings.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

__all__ = ["TOPICS", "definition", "definitions", "main"]

ROOT: Final = Path(__file__).parent
EVENTS: Final = ROOT.parent / "docs" / "events"

TOPICS: Final = {
    "job_requested": ("cutout.job.requested.v1",),
    "job_ended": ("cutout.result.completed.v1", "cutout.result.failed.v1"),
    "cost_recorded": ("cutout.cost.recorded.v1",),
    "warmup_requested": ("cutout.warmup.requested.v1",),
}
"""Which events a schema lets pass. A topic with several types has one message with the fields of all of them.

Deliveries have none: a link that is gone stands as null in a list, which proto3's JSON has no place for.
"""

_SCALARS: Final = {"string": "string", "integer": "int64", "number": "double", "boolean": "bool"}

_UNION: Final = "_or_"

Schema = dict[str, Any]


def definition(name: str, schemas: list[Schema]) -> str:
    """One message named after `name`, that takes whatever fits one of the JSON Schemas."""
    parts: Schema = {}
    fields: Schema = {}
    for schema in schemas:
        parts |= {part: given["properties"] for part, given in schema.get("$defs", {}).items()}
        fields |= schema["properties"]
    lines = [f"message {_title(name)} {{", *_fields(fields)]
    for part in sorted(_used(fields, parts)):
        lines += ["", f"  message {part} {{", *(f"  {line}" for line in _fields(_properties(part, parts))), "  }"]
    origin = f"// From docs/events: {' and '.join(schema['title'] for schema in schemas)}."
    return "\n".join(('syntax = "proto3";', "", origin, *lines, "}", ""))


def definitions() -> dict[str, str]:
    """By the name of the schema."""
    return {
        name: definition(name, [msgspec.json.decode((EVENTS / f"{kind}.json").read_bytes()) for kind in kinds])
        for name, kinds in TOPICS.items()
    }


def _fields(properties: Schema) -> list[str]:
    return [f"  {_type(given)} {name} = {number};" for number, (name, given) in enumerate(properties.items(), start=1)]


def _type(given: Schema) -> str:
    """Raises `ValueError` for what proto3 has no type for."""
    choices = _choices(given)
    if choices and all("$ref" in choice for choice in choices):
        return _UNION.join(str(choice["$ref"]).rpartition("/")[2] for choice in choices)
    if len(choices) != 1:
        raise ValueError(f"proto3's JSON has no unions of other things than objects: {given}")
    (only,) = choices
    if "enum" in only:
        return "string"
    if only.get("type") == "array":
        return f"repeated {_type(only['items'])}"
    if only.get("type") == "object":
        return f"map<string, {_type(only['additionalProperties'])}>"
    if only.get("type") in _SCALARS:
        return _SCALARS[only["type"]]
    raise ValueError(f"proto3 has no type for {given}")


def _choices(given: Schema) -> list[Schema]:
    """What a value may be, besides null, which stands for an absent field."""
    if "anyOf" in given:
        return [choice for part in given["anyOf"] for choice in _choices(part)]
    return [] if given.get("type") == "null" else [given]


def _properties(part: str, parts: Schema) -> Schema:
    """Those of a part, or of all parts of a union: which of them it is tells the field `kind`.

    Raises `ValueError` for parts of a union that have different types of field under one name.
    """
    properties: Schema = {}
    for name in part.split(_UNION):
        for field, given in parts[name].items():
            if _type(properties.setdefault(field, given)) != _type(given):
                raise ValueError(f"{field} has several types in {part}")
    return properties


def _used(properties: Schema, parts: Schema) -> set[str]:
    """The parts that these properties need, directly or by way of others."""
    found: set[str] = set()
    waiting = [properties]
    while waiting:
        types = {re.sub(r"repeated |map<string, |>", "", _type(given)) for given in waiting.pop().values()}
        new = types - set(_SCALARS.values()) - found
        found |= new
        waiting += [_properties(part, parts) for part in new]
    return found


def _title(name: str) -> str:
    return name.replace("_", " ").title().replace(" ", "")


def main() -> int:
    folder = ROOT / "schemas"
    folder.mkdir(exist_ok=True)
    for name, text in definitions().items():
        (folder / f"{name}.proto").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
