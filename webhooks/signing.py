"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), version 1: HMAC-SHA256 of id, time and body."""

from __future__ import annotations

import base64
from datetime import UTC
from typing import TYPE_CHECKING, Final

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

__all__ = ["check_secret", "signature_headers"]

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = range(24, 65)


def check_secret(secret: str) -> None:
    """Raises `ValueError` for what is not `whsec_` and the base64 of 24 to 64 bytes; the message never shows it."""
    allowed = f"a secret is {_PREFIX} and base64 of {_SECRET_BYTES.start} to {_SECRET_BYTES.stop - 1} bytes"
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        raise ValueError(allowed) from None
    if not secret.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError(allowed)


def signature_headers(delivery_id: str, body: bytes, secrets: Iterable[str], *, at: datetime) -> dict[str, str]:
    """The three headers, with a signature for each secret: a receiver that knows any one of them can verify."""
    moment = at.astimezone(UTC)  # the package takes the hour of any zone for UTC's
    signatures = [Webhook(secret).sign(delivery_id, moment, body.decode()) for secret in secrets]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
