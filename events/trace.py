"""W3C Trace Context: the `traceparent` that follows a photo from the upload request to the notification.

Source: https://www.w3.org/TR/trace-context/, version 00, and what later versions promise to keep of it.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

__all__ = ["child_traceparent", "is_traceparent", "known_traceparent", "new_traceparent", "trace_id"]

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_LATER: Final = re.compile(r"(?!00|ff)[0-9a-f]{2}-(?P<ids>[0-9a-f]{32}-[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(-.*)?")


def is_traceparent(value: str) -> bool:
    return _TRACEPARENT.fullmatch(value) is not None


def known_traceparent(value: str) -> str | None:
    """The part of a version 00, in a traceparent of that version or a later one; None where it is malformed."""
    if is_traceparent(value):
        return value
    later = _LATER.fullmatch(value)
    known = later and f"00-{later['ids']}-{int(later['flags'], 16) & 1:02x}"
    return known if known and is_traceparent(known) else None


def new_traceparent() -> str:
    """A new sampled trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_traceparent(parent: str | None) -> str:
    """A new span in the parent's trace, or in a new trace where the parent is missing or malformed."""
    known = known_traceparent(parent or "")
    if known is None:
        return new_traceparent()
    version, trace, _, flags = known.split("-")
    return f"{version}-{trace}-{secrets.token_hex(8)}-{flags}"


def trace_id(traceparent: str) -> str:
    """The 32 hex digits that all spans of one trace share."""
    return traceparent.split("-")[1]
