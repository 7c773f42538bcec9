"""Ids: time-ordered for jobs, deterministic for events, keyed for content."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["content_id", "event_id", "job_time", "new_job_id"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EVENTS: Final = uuid.UUID("6f1d9c1e-6d0b-5d57-9f1a-4b6c1f0c7a55")


def new_job_id(now: datetime, random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """A UUIDv7 (RFC 9562, section 5.7): ids of later milliseconds sort later."""
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    value = milliseconds << 80 | 0x7 << 76 | random_bits(12) << 64 | 0b10 << 62 | random_bits(62)
    return str(uuid.UUID(int=value))


def job_time(job_id: str) -> datetime:
    """When the job's id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=uuid.UUID(job_id).int >> 80)


def event_id(job_id: str, event_type: str, part: str = "", run: int = 0) -> str:
    """The same id for every delivery and retry of one event; another for each run of a replayed job.

    `part` tells apart the events of one type that one job sends.
    """
    return str(uuid.uuid5(_EVENTS, "\x1f".join((job_id, event_type, part, str(run)))))


def content_id(secret: bytes, tenant: str, sha256: str) -> str:
    """64 hex digits that stand for a photo's content within one tenant.

    HMAC-SHA256 (RFC 2104), so that an object name that leaks tells nobody the photo's hash.
    """
    return hmac.new(secret, f"{tenant}\x1f{sha256}".encode(), hashlib.sha256).hexdigest()
