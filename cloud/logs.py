"""Structured logs: one line of JSON an event, as Cloud Logging reads it from stdout.

An event is a constant name with fields, `log.info("job_done", extra={"job_id": ...})`, never a sentence with values in
it. Fields of Cloud Logging: https://cloud.google.com/logging/docs/structured-logging. A field named `traceparent`
becomes the trace that the line belongs to.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

import msgspec

from events.trace import known_traceparent, trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["JsonFormatter", "TextFormatter", "configure"]

_NOT_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "traceparent"}
_SEVERITIES: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def configure(
    style: str, *, project: str | None = None, level: int = logging.INFO, stream: TextIO | None = None
) -> None:
    """Send every logger of this process to `stream` (stdout), and nowhere else. May be called again.

    `style` is `json` (of `project`'s traces) or `text`.
    """
    if style not in {"json", "text"}:
        raise ValueError(f"logs are json or text, not {style!r}")
    handler = _Handler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(project) if style == "json" else TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


class JsonFormatter(logging.Formatter):
    """One JSON object a line. A field that JSON can't hold is written as its `repr`."""

    def __init__(self, project: str | None = None) -> None:
        super().__init__()
        self._project = project

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "severity": _severity(record.levelno),
            "message": record.getMessage(),
            "time": _time_of(record).isoformat(),
            "logger": record.name,
        }
        # A field named like one of the line's own must not replace it.
        line = _fields(record) | line | self._trace(record)
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)  # the name that Error Reporting looks for
        return _encoded(line)

    def _trace(self, record: logging.LogRecord) -> dict[str, object]:
        traceparent = getattr(record, "traceparent", None)
        known = known_traceparent(traceparent) if isinstance(traceparent, str) else None
        if self._project is None or known is None:
            return {}
        _, _, span, flags = known.split("-")
        return {
            "logging.googleapis.com/trace": f"projects/{self._project}/traces/{trace_id(known)}",
            "logging.googleapis.com/spanId": span,
            "logging.googleapis.com/trace_sampled": bool(int(flags, 16) & 1),
        }


class TextFormatter(logging.Formatter):
    """For a terminal: `12:00:00.123 INFO    job_done job_id=... seconds=1.5`, and the traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        moment = _time_of(record).astimezone().strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        line = f"{moment} {_severity(record.levelno):8}{record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to a stream. A line that can't be formatted or written is reported on stderr and given up."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.stream.write(f"{self.format(record)}\n")
            self.stream.flush()
        except Exception:  # noqa: BLE001  # logging never fails a job
            with suppress(Exception):
                self.handleError(record)


def _encoded(line: Mapping[str, object]) -> str:
    try:
        return msgspec.json.encode(line, enc_hook=repr).decode()
    except (TypeError, ValueError, RecursionError):
        plain = {
            name: value if isinstance(value, str) and value.isascii() else ascii(value) for name, value in line.items()
        }
        return msgspec.json.encode(plain).decode()


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """What was passed as `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _NOT_FIELDS}


def _severity(level: int) -> str:
    return _SEVERITIES[min(max(level // 10, 1), len(_SEVERITIES)) - 1]


def _time_of(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
