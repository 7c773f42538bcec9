"""What the alerts need from the outside, as protocols and values; `cloud/` implements them, tests fake them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from cloud.deadline import Deadline

__all__ = ["Answer", "Poster", "Revision", "RunAdmin", "RunService", "Target"]


class Revision(NamedTuple):
    """A revision of a Cloud Run service. `ready` says that it once reached a serving state and was not deleted."""

    name: str
    created_at: datetime
    ready: bool


class Target(NamedTuple):
    """Where a part of a service's traffic goes. `tag` names a URL of its own, which may have no traffic at all.

    `latest` follows the newest ready revision, which is `revision` for now.
    """

    revision: str
    percent: int
    tag: str = ""
    latest: bool = False


class RunService(NamedTuple):
    """A Cloud Run service as it was read. A limit of its own, or of each revision, is 0 where there is none."""

    name: str
    etag: str
    traffic: tuple[Target, ...]
    annotations: Mapping[str, str]
    max_instances: int
    max_instances_of_revision: int


class RunAdmin(Protocol):
    """The Cloud Run services of one region.

    Every method raises `TransientError` where it may work later, and another `CutoutError` where it can't. The changes
    raise `ConflictError` if the service is no longer as it was read, and return whether they took effect in time.
    """

    def within(self, limit: Deadline) -> RunAdmin:
        """The same, for as long: a call that begins later, or is not answered by then, raises `TransientError`."""

    def service(self, name: str) -> RunService: ...

    def revisions(self, name: str) -> tuple[Revision, ...]: ...

    def set_traffic(self, service: RunService, traffic: tuple[Target, ...], annotations: Mapping[str, str]) -> bool: ...

    def set_max_instances(self, service: RunService, instances: int) -> bool: ...


class Answer(NamedTuple):
    """What a server answered to a POST: the status, and the beginning of the body."""

    status: int
    body: bytes


class Poster(Protocol):
    def post(self, url: str, data: bytes, headers: Mapping[str, str]) -> Answer:
        """POST JSON. Raises `TransientError` where no answer came in time; redirects are not followed."""
