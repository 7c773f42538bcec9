"""The tenants' own images, such as backgrounds, which recipes name by their content.

An asset is stored under its SHA-256 (`assets: {tenant}/{sha256}`), so it never changes, and neither does a result made
with it: a recipe's digest holds the asset's. Another image is another asset. Only the tenant's own are ever looked for.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from events.errors import AssetMissingError, AssetUnusableError
from events.names import asset_name
from events.recipe import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from events.recipe import Recipe
    from jobs.ports import ObjectStore

__all__ = ["Assets"]


class Assets:
    """Reads assets; whoever keeps the tenants' shops writes them. An empty `bucket` means that nobody has any."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        self._store = store
        self._bucket = bucket

    def check(self, tenant: str, recipes: Iterable[Recipe]) -> None:
        """Raise `AssetMissingError` for the first asset of the recipes that is not there, before work is spent."""
        pictures = [recipe.background for recipe in recipes if isinstance(recipe.background, Picture)]
        for sha256 in dict.fromkeys(picture.asset for picture in pictures):
            if not self._bucket or self._store.stat(self._bucket, asset_name(tenant, sha256)) is None:
                raise _missing(sha256)

    def read(self, tenant: str, sha256: str) -> bytes:
        """The asset's bytes. Raises `AssetMissingError`, and `AssetUnusableError` for bytes of another hash."""
        stored = self._store.read(self._bucket, asset_name(tenant, sha256)) if self._bucket else None
        if stored is None:
            raise _missing(sha256)
        if hashlib.sha256(stored.data).hexdigest() != sha256:
            raise AssetUnusableError(
                f"asset {sha256}: what is stored under this name has another SHA-256", asset=sha256
            )
        return stored.data


def _missing(sha256: str) -> AssetMissingError:
    return AssetMissingError(f"background.asset: this storefront has no asset {sha256}", asset=sha256)
