"""A Cloud Run service as it was read, and a change of it, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["Change", "Revision", "Service", "Target"]


class Target(NamedTuple):
    """Where a part of the traffic goes. `latest` follows the newest ready revision, which is `revision` for now.

    `url` is that of the tag, and empty until Cloud Run has made it.
    """

    revision: str
    percent: int
    tag: str = ""
    latest: bool = False
    url: str = ""


class Revision(NamedTuple):
    """`ready` is None while it starts for the first time. `rollout` is the id of the one that made it."""

    name: str
    created_at: datetime
    ready: bool | None
    image: str
    rollout: str = ""
    problem: str = ""


class Service(NamedTuple):
    """`limit` and `limit_of_revision` are the most instances of all revisions together and of each; 0 is none.

    `settled` is false while an accepted change has not taken effect. `environment` is that of the newest template.
    """

    name: str
    etag: str
    traffic: tuple[Target, ...]
    annotations: Mapping[str, str]
    limit: int
    limit_of_revision: int
    settled: bool
    environment: Mapping[str, str]
    revisions: tuple[Revision, ...]

    def revision(self, name: str) -> Revision | None:
        return next((revision for revision in self.revisions if revision.name == name), None)

    @property
    def newest(self) -> Revision | None:
        return max(self.revisions, key=lambda revision: revision.created_at, default=None)


class Change(NamedTuple):
    """Everything that one update changes at once; None is left as it is. An image makes a new revision, marked so."""

    annotations: Mapping[str, str]
    traffic: tuple[Target, ...] | None = None
    limit: int | None = None
    image: str | None = None
    rollout: str = ""
