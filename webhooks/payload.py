"""What a receiver gets to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from events.messages import CompletedNotice

if TYPE_CHECKING:
    from events.messages import DeliveryRequested

__all__ = ["payload"]


def payload(delivery: DeliveryRequested) -> bytes:
    """JSON: the result event's `type`, `timestamp` and `data`, with `url` and `expires_at` in place of each `object`.

    Both are null for a result that is no longer kept.
    """
    notice = delivery.notice
    data: dict[str, Any] = msgspec.to_builtins(notice.result)
    if isinstance(notice, CompletedNotice):
        for result, link in zip(data["results"], notice.links, strict=True):
            del result["object"]
            result["url"] = None if link is None else link.url
            result["expires_at"] = None if link is None else link.expires_at
    return msgspec.json.encode({"type": notice.result.type, "timestamp": delivery.occurred_at, "data": data})
