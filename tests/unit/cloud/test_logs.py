from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from cloud.logs import configure

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG = logging.getLogger("tests.logs")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def json_line(*, level: int = logging.INFO, project: str | None = None, **extra: Any) -> Any:
    return line_with(extra, level=level, project=project)


def line_with(extra: Mapping[str, Any], *, level: int = logging.INFO, project: str | None = None) -> Any:
    """The one line that an event becomes."""
    stream = io.StringIO()
    configure("json", project=project, level=logging.DEBUG, stream=stream)
    LOG.log(level, "job_done", extra=extra)
    line, end = stream.getvalue().split("\n")
    assert end == ""
    return json.loads(line)


def text(event: str, extra: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    configure("text", stream=stream)
    LOG.warning(event, extra=extra)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("level", "severity"),
    [
        (logging.DEBUG, "DEBUG"),
        (logging.INFO, "INFO"),
        (logging.WARNING, "WARNING"),
        (logging.ERROR, "ERROR"),
        (logging.CRITICAL, "CRITICAL"),
        (logging.CRITICAL + 40, "CRITICAL"),
    ],
)
def test_the_level_is_the_severity(level: int, severity: str) -> None:
    assert json_line(level=level)["severity"] == severity


def test_the_event_is_the_message_and_its_fields_stand_beside_it() -> None:
    line = json_line(job_id="j", seconds=1.5, stages={"read": 0.25})
    assert line["message"] == "job_done"
    assert (line["job_id"], line["seconds"], line["stages"]) == ("j", 1.5, {"read": 0.25})
    assert line["logger"] == "tests.logs"
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("traceparent", [TRACEPARENT, f"01{TRACEPARENT[2:]}-and-more"])
def test_a_traceparent_becomes_the_trace_that_cloud_logging_groups_by(traceparent: str) -> None:
    line = json_line(project="shop", traceparent=traceparent)
    assert line["logging.googleapis.com/trace"] == "projects/shop/traces/0af7651916cd43dd8448eb211c80319c"
    assert line["logging.googleapis.com/spanId"] == "b7ad6b7169203331"
    assert line["logging.googleapis.com/trace_sampled"] is True
    assert "traceparent" not in line


@pytest.mark.parametrize("traceparent", [None, 5, "", "00-zz-11-01"])
def test_something_that_is_no_traceparent_leaves_no_trace(traceparent: object) -> None:
    line = json_line(project="shop", traceparent=traceparent)
    assert not [name for name in line if name.startswith("logging.googleapis.com")]


def test_an_exception_is_one_field() -> None:
    stream = io.StringIO()
    configure("json", stream=stream)
    LOG.error("job_failed", exc_info=ValueError("first line\nsecond line"))
    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert line["stack_trace"] == "ValueError: first line\nsecond line"


@pytest.mark.parametrize("name", ["severity", "time", "logger"])
def test_a_field_can_not_replace_what_the_line_says_of_itself(name: str) -> None:
    assert line_with({name: "forged"})[name] != "forged"


def test_line_breaks_in_a_value_can_not_forge_a_line() -> None:
    assert json_line(name_given='x\n{"message":"forged"}')["name_given"] == 'x\n{"message":"forged"}'


class Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


RECURSIVE: list[Any] = []
RECURSIVE.append(RECURSIVE)


@pytest.mark.parametrize(
    "value",
    [Opaque(), {("a", "b"): 1}, "\udc80", RECURSIVE, float("nan"), b"\xff", {1, 2}],
    ids=["object", "tuple keys", "surrogate", "recursion", "nan", "bytes", "set"],
)
def test_a_value_that_json_can_not_hold_does_not_lose_the_line(value: object) -> None:
    line = json_line(value=value, job_id="j")
    assert line["message"] == "job_done"
    assert line["job_id"] == "j"
    assert "value" in line


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("broken repr")


class ClosedStream(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError(text)


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_handler_that_fails_does_not_fail_the_job(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    configure(style, stream=stream)
    LOG.info("job_done", extra={"value": Broken()})
    LOG.info("job_done %d", "no number")
    configure(style, stream=ClosedStream())
    LOG.info("job_done")
    assert stream.getvalue() == ""
    assert "Logging error" in capsys.readouterr().err


def test_text_is_one_readable_line() -> None:
    line = text("job_done", {"job_id": "j", "seconds": 1.5})
    assert line.endswith(" WARNING job_done job_id=j seconds=1.5\n")


def test_configuring_again_replaces_the_handler() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("json", stream=first)
    configure("json", stream=second)
    LOG.info("job_done")
    assert first.getvalue() == ""
    assert second.getvalue().count("\n") == 1


def test_debug_events_stay_out_unless_asked_for() -> None:
    stream = io.StringIO()
    configure("json", stream=stream)
    LOG.debug("detail")
    assert stream.getvalue() == ""


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(ValueError, match="json or text, not 'xml'"):
        configure("xml")
