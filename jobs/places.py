"""Which bucket holds what."""

from __future__ import annotations

import msgspec

__all__ = ["Buckets"]


class Buckets(msgspec.Struct, frozen=True, kw_only=True):
    """Bucket names. `jobs` holds the job records, the references, the spend ledger and the worker's activity.

    `assets` holds the tenants' own images; it is empty where they have none.
    """

    uploads: str
    mattes: str
    results: str
    jobs: str
    assets: str = ""
