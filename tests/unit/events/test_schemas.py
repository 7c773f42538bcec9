from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # it ships no types

from events.envelope import job_event
from events.messages import EVENT_TYPES
from events.schemas import ASYNCAPI, documents, main, schema_name
from tests.unit.examples import AT, EXAMPLES, JOB_ID, TENANT, TRACEPARENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from events.messages import Message

COMMITTED = Path(__file__).parents[3] / "docs" / "events"

every_message = pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.type)


@pytest.fixture(scope="module")
def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(documents()[ASYNCAPI])
    return document


def schema_of(kind: type[Message]) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(documents()[schema_name(kind)])
    return schema


def encoded(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(msgspec.json.encode(message))
    return value


def references(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for part in value:
            yield from references(part)
    if isinstance(value, dict):
        for key, part in value.items():
            if key == "$ref":
                yield str(part)
            yield from references(part)


def resolved(document: dict[str, Any], reference: str) -> dict[str, Any]:
    """What a reference within the document points to."""
    assert reference.startswith("#/")
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    assert isinstance(found, dict)
    return found


def test_what_is_committed_is_current() -> None:
    """If not: `python -m events.schemas`."""
    committed = {path.name: path.read_text(encoding="utf-8") for path in COMMITTED.glob("*.json")}
    assert committed == documents()


def test_there_is_a_schema_of_every_message() -> None:
    assert set(documents()) == {f"{kind.type}.json" for kind in EVENT_TYPES} | {ASYNCAPI}


@every_message
def test_a_schema_is_valid_and_accepts_what_is_sent(message: Message) -> None:
    schema = schema_of(type(message))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(encoded(message))
    assert schema["$id"] == f"urn:cutout:event:{message.type}"
    assert schema["title"] == message.type


@every_message
def test_a_schema_refuses_what_we_would_refuse(message: Message) -> None:
    validator = Draft202012Validator(schema_of(type(message)))
    sent = encoded(message)
    required = msgspec.structs.fields(message)[0].name
    incomplete = {key: value for key, value in sent.items() if key != required}
    refused: list[object] = [sent | {"extra": 1}, incomplete, [], None]
    for bad in refused:
        with pytest.raises(ValidationError):
            validator.validate(bad)


@pytest.mark.parametrize(
    ("field", "value"),
    [("tenant", "../acme"), ("sha256", "x"), ("recipes", []), ("recipes", [{}] * 9), ("lane", "tpu"), ("run", -1)],
)
def test_the_constraints_of_the_types_are_in_the_schemas(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Draft202012Validator(schema_of(type(EXAMPLES[0]))).validate(encoded(EXAMPLES[0]) | {field: value})


@pytest.mark.parametrize("usd", ["0", "0.001184100", "4.00E-7", "0E-9", "12"])
def test_money_is_a_decimal_number_as_text(usd: str) -> None:
    schema = schema_of(type(EXAMPLES[3]))["properties"]["usd"]
    Draft202012Validator(schema).validate(usd)
    for bad in (0.1, "", "1,5", "NaN", "$1", "-5", "1E+400000", "0.0000000001", "1" * 30):
        with pytest.raises(ValidationError):
            Draft202012Validator(schema).validate(bad)


def test_patterns_are_such_as_every_validator_reads() -> None:
    """RE2, which many use, knows no look-around."""
    assert not any("(?" in text for text in documents().values())


@pytest.mark.parametrize("name", [*map(schema_name, EVENT_TYPES), ASYNCAPI])
def test_every_reference_resolves(name: str) -> None:
    document = json.loads(documents()[name])
    for reference in references(document):
        assert resolved(document, reference)


def test_the_document_has_every_topic_with_every_message_that_goes_there(asyncapi: dict[str, Any]) -> None:
    told = {
        channel["address"]: {resolved(asyncapi, message["$ref"])["name"] for message in channel["messages"].values()}
        for channel in asyncapi["channels"].values()
    }
    assert told == {
        topic: {kind.type for kind in EVENT_TYPES if topic in kind.topics}
        for topic in {topic for kind in EVENT_TYPES for topic in kind.topics}
    }
    assert {"jobs", "renders", "results", "costs", "ticks", "warmups"} <= set(told)


def test_every_topic_is_sent_to_and_the_internal_ones_are_received_from(asyncapi: dict[str, Any]) -> None:
    operations = asyncapi["operations"].values()
    for name in asyncapi["channels"]:
        actions = {op["action"] for op in operations if op["channel"]["$ref"] == f"#/channels/{name}"}
        assert actions == ({"send"} if name in {"results", "costs"} else {"send", "receive"})


@every_message
def test_the_document_describes_the_attributes_and_data_that_are_sent(
    asyncapi: dict[str, Any], message: Message
) -> None:
    event = job_event(
        message, tenant=TENANT, job_id=JOB_ID, part="", run=0, source="x", time=AT, traceparent=TRACEPARENT
    )
    out = event.outgoing(message.topics[0])
    described = asyncapi["components"]["messages"][type(message).__name__]
    Draft202012Validator(described["headers"]).validate(out.attributes)
    assert set(described["headers"]["properties"]) == set(out.attributes)
    payload = {"$ref": described["payload"]["$ref"], "components": asyncapi["components"]}
    Draft202012Validator(payload).validate(json.loads(out.data))
    with pytest.raises(ValidationError):
        Draft202012Validator(described["headers"]).validate(out.attributes | {"ce-type": "another"})


def test_the_command_writes_what_is_missing_and_removes_what_is_no_longer_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "events"
    assert main(["--out", str(out)]) == 0
    assert {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()} == documents()
    (out / "cutout.old.v1.json").write_text("{}", encoding="utf-8")
    (out / "README.md").write_text("by hand", encoding="utf-8")
    capsys.readouterr()
    assert main(["--out", str(out)]) == 0
    assert capsys.readouterr().out == f"written: {out / 'cutout.old.v1.json'}\n"
    assert sorted(path.name for path in out.iterdir()) == sorted([*documents(), "README.md"])


def test_the_check_names_every_file_that_is_not_current_and_changes_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--out", str(tmp_path)])
    assert main(["--out", str(tmp_path), "--check"]) == 0
    (tmp_path / ASYNCAPI).write_text("{}", encoding="utf-8")
    (tmp_path / schema_name(EVENT_TYPES[0])).unlink()
    capsys.readouterr()
    assert main(["--out", str(tmp_path), "--check"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert told == [f"not current: {tmp_path / name}" for name in (ASYNCAPI, schema_name(EVENT_TYPES[0]))]
    assert (tmp_path / ASYNCAPI).read_text(encoding="utf-8") == "{}"
