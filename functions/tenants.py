"""Storefronts: who may call the public functions, from where, and for how much a day."""

from __future__ import annotations

import hashlib
import hmac
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import msgspec

from events.errors import ForbiddenError, UnauthorizedError
from events.messages import Sha256
from events.messages import Tenant as TenantName

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Tenant", "Tenants"]


class Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`key_sha256` lists the SHA-256 of every key that is valid now, so that keys can rotate."""

    name: TenantName
    key_sha256: Annotated[tuple[Sha256, ...], msgspec.Meta(min_length=1)]
    origins: tuple[str, ...]
    daily_cap_usd: Annotated[Decimal, msgspec.Meta(description="USD a day, UTC")]

    def __post_init__(self) -> None:
        if not self.daily_cap_usd.is_finite() or self.daily_cap_usd < 0:
            raise ValueError(f"daily_cap_usd: an amount of at least 0, got {self.daily_cap_usd}")

    def check_origin(self, origin: str | None) -> None:
        """A browser always says where a page comes from; a server says nothing. Raises `ForbiddenError`."""
        if origin is not None and origin not in self.origins:
            raise ForbiddenError(f"origin {origin!r} is not one of this storefront's origins")


class Tenants:
    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._by_name = {tenant.name: tenant for tenant in tenants}

    def by_key(self, key: str | None) -> Tenant:
        """Raises `UnauthorizedError`. Takes the same time whichever key is compared."""
        if not key:
            raise UnauthorizedError("the header X-Api-Key is missing")
        digest = hashlib.sha256(key.encode()).hexdigest()
        found: Tenant | None = None
        for tenant in self._by_name.values():
            for valid in tenant.key_sha256:
                if hmac.compare_digest(digest, valid):
                    found = tenant
        if found is None:
            raise UnauthorizedError("the key in X-Api-Key is not known")
        return found

    def by_name(self, name: str) -> Tenant | None:
        return self._by_name.get(name)

    def allows(self, origin: str) -> bool:
        """Whether any storefront has this origin: all that a preflight, which carries no key, can be asked."""
        return any(origin in tenant.origins for tenant in self._by_name.values())
