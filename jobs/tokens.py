"""A job's token: who holds it may read and delete the job. A storefront's key can't, since browsers show it."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final

from events.names import TENANT

__all__ = ["new_token", "tenant_of", "token_digest", "token_matches"]

_TOKEN: Final = re.compile(rf"({TENANT})\.[A-Za-z0-9_-]{{43}}")


def new_token(tenant: str) -> str:
    """The tenant, so that the job's records can be found, and 256 random bits."""
    return f"{tenant}.{secrets.token_urlsafe(32)}"


def tenant_of(token: str) -> str | None:
    """The tenant that the token claims; None if it is not of a token's form."""
    match = _TOKEN.fullmatch(token)
    return match[1] if match else None


def token_digest(token: str) -> str:
    """What is kept of a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def token_matches(token: str, digest: str) -> bool:
    return hmac.compare_digest(token_digest(token), digest)
