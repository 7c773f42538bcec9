"""The contract for subscribers: a JSON Schema of every message, and an AsyncAPI document of every topic.

`python -m events.schemas` writes them, generated from the types of `events.messages`; `--check` says whether those
that are there are current.

Sources: https://json-schema.org/draft/2020-12, https://www.asyncapi.com/docs/reference/specification/v3.0.0.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from events.messages import EVENT_TYPES, USD_PATTERN, Message
from events.patterns import portable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ASYNCAPI", "documents", "main", "schema_name"]

ASYNCAPI: Final = "asyncapi.json"
_FOLDER: Final = Path(__file__).parent.parent / "docs" / "events"
_VERSION: Final = "1.0.0"


class _Topic(NamedTuple):
    """`public` topics are for anybody's subscriptions; the others are between parts of Cutout."""

    summary: str
    public: bool = False


_TOPICS: Final[Mapping[str, _Topic]] = {
    "costs": _Topic("What every part of every job cost.", public=True),
    "deliveries": _Topic("Attempts to tell webhook receivers of a result."),
    "jobs": _Topic("Jobs for the worker with the network."),
    "renders": _Topic("Jobs whose matte exists, for the function that renders them on the CPU."),
    "results": _Topic("How every job ended.", public=True),
    "ticks": _Topic("Moments at which to consider whether a worker should be warm."),
    "warmups": _Topic("Requests to the worker to be warm."),
}


def schema_name(kind: type[Message]) -> str:
    """The file that holds the JSON Schema of a message type."""
    return f"{kind.type}.json"


def documents() -> dict[str, str]:
    """File names and contents. The same types always give the same text."""
    schemas = {schema_name(kind): _schema(kind) for kind in EVENT_TYPES}
    return {name: _text(document) for name, document in (schemas | {ASYNCAPI: _asyncapi()}).items()}


def _schema(kind: type[Message]) -> dict[str, Any]:
    own, others = _components([kind], "#/$defs/{name}")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:cutout:event:{kind.type}",
    }
    document: dict[str, Any] = head | own[kind.__name__] | {"title": kind.type}
    return document | {"$defs": others} if others else document


def _asyncapi() -> dict[str, Any]:
    messages, others = _components(EVENT_TYPES, "#/components/schemas/{name}")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Cutout events",
            "version": _VERSION,
            "description": (
                "CloudEvents 1.0 over Google Cloud Pub/Sub in binary mode: the attributes of a message carry the "
                "event's, its data is JSON. Delivery is at least once and in no order; a repeated event has the same "
                "`ce-id`, and another run of a job has others."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in sorted(_kinds_by_topic())},
        "operations": dict(_operations()),
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in EVENT_TYPES},
            "schemas": messages | others,
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    return {
        "address": topic,
        "summary": _TOPICS[topic].summary,
        "messages": {
            kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in _kinds_by_topic()[topic]
        },
    }


def _operations() -> Iterable[tuple[str, dict[str, Any]]]:
    """Cutout sends on every topic, and receives on those that are between its own parts."""
    for topic in sorted(_kinds_by_topic()):
        operation = {"channel": {"$ref": f"#/channels/{topic}"}, "summary": _TOPICS[topic].summary}
        yield f"send_{topic}", {"action": "send"} | operation
        if not _TOPICS[topic].public:
            yield f"receive_{topic}", {"action": "receive"} | operation


def _message(kind: type[Message]) -> dict[str, Any]:
    return {
        "name": kind.type,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": _headers(kind),
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _headers(kind: type[Message]) -> dict[str, Any]:
    """The attributes of a message in the Pub/Sub binding's binary mode."""
    properties: dict[str, dict[str, Any]] = {
        "ce-specversion": {"const": "1.0"},
        "ce-id": {"type": "string", "description": "the same in every delivery and retry of one event: drop repeats"},
        "ce-source": {"type": "string", "format": "uri-reference", "description": "which part of Cutout sent it"},
        "ce-type": {"const": kind.type},
        "ce-subject": {"type": "string", "description": "TENANT/JOB_ID where the event is about a job"},
        "ce-time": {"type": "string", "format": "date-time"},
        "ce-traceparent": {"type": "string", "description": "W3C Trace Context, from the upload request on"},
        "content-type": {"const": "application/json"},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _kinds_by_topic() -> dict[str, list[type[Message]]]:
    topics: dict[str, list[type[Message]]] = {}
    for kind in EVENT_TYPES:
        for topic in kind.topics:
            topics.setdefault(topic, []).append(kind)
    return topics


def _components(kinds: Sequence[type[Message]], references: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Schemas by type name: those of `kinds`, and those that they refer to."""
    _, components = msgspec.json.schema_components(kinds, ref_template=references)
    schemas = {name: _published(schema) for name, schema in sorted(components.items())}
    own = {kind.__name__: schemas.pop(kind.__name__) for kind in kinds}
    return own, schemas


def _published(value: Any) -> Any:  # noqa: ANN401  # JSON in, JSON out
    """Only what JSON Schema knows: patterns as every validator reads them, decimal numbers by their form.

    `discriminator` is OpenAPI's; the tags of a union's members say the same.
    """
    if isinstance(value, list):
        return [_published(part) for part in value]
    if not isinstance(value, dict):
        return value
    schema = {key: _published(part) for key, part in value.items() if key != "discriminator"}
    if isinstance(schema.get("pattern"), str):
        schema["pattern"] = portable(schema["pattern"])
    return schema | {"pattern": portable(USD_PATTERN)} if schema.get("format") == "decimal" else schema


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 1 if `--check` finds a file that is not current."""
    parser = argparse.ArgumentParser(prog="python -m events.schemas", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; say what is not current")
    parser.add_argument("--out", type=Path, default=_FOLDER, metavar="FOLDER", help="default: docs/events")
    chosen = parser.parse_args(arguments)
    stale = _stale(chosen.out)
    if not chosen.check:
        _write(chosen.out)
    verb = "not current" if chosen.check else "written"
    sys.stdout.writelines(f"{verb}: {chosen.out / name}\n" for name in sorted(stale))
    return int(chosen.check and bool(stale))


def _stale(folder: Path) -> set[str]:
    """Files that differ from what they should be, are missing, or should not be there."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return {name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name)}


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
