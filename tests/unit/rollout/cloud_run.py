"""A service in memory, and what Cloud Run makes of a change of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from rollout.plan import Order
from rollout.service import Revision, Service, Target

if TYPE_CHECKING:
    from rollout.service import Change

__all__ = ["IMAGE", "NOW", "OLD_IMAGE", "ORDER", "URL", "apply", "service"]

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OLD_IMAGE: Final = "worker@sha256:" + "0" * 64
IMAGE: Final = "worker@sha256:" + "1" * 64
URL: Final = "https://candidate---gpu-worker.run.app"
ORDER: Final = Order(image=IMAGE, holder="build-1")
ENVIRONMENT: Final = {
    "PUSH_SENDER": "push@cutout.iam.gserviceaccount.com",
    "PUSH_AUDIENCE": "https://gpu-worker.cutout",
    "UPLOADS_BUCKET": "u-cutout",
    "JOBS_BUCKET": "j-cutout",
}


def service(
    *traffic: Target,
    annotations: dict[str, str] | None = None,
    limit: int = 0,
    limit_of_revision: int = 3,
    ready: bool | None = True,
) -> Service:
    """With one revision, `old`, which has all traffic where nothing else is said."""
    old = Revision("old", NOW - timedelta(days=1), ready, OLD_IMAGE)
    return Service(
        name="gpu-worker",
        etag="1",
        traffic=traffic or (Target("old", 100, latest=True),),
        annotations=annotations or {},
        limit=limit,
        limit_of_revision=limit_of_revision,
        settled=True,
        environment=ENVIRONMENT,
        revisions=(old,),
    )


def apply(service: Service, change: Change, *, starts: bool | None = True) -> Service:
    """The service with the change in effect. A new image gives the revision `new`, which starts, or does not."""
    revisions = service.revisions
    if change.image is not None:
        made = Revision("new", NOW, starts, change.image, change.rollout, "" if starts else "it crashed")
        revisions = (made, *revisions)
    traffic = service.traffic if change.traffic is None else change.traffic
    return service._replace(
        etag=f"{int(service.etag) + 1}",
        annotations=change.annotations,
        traffic=tuple(target._replace(url=URL if target.tag else "") for target in traffic),
        limit=service.limit if change.limit is None else change.limit,
        revisions=revisions,
    )
