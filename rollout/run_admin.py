"""The Cloud Run Admin API v2 as a `rollout.ports.RunAdmin`.

Beside `cloud.run`, which knows only what an incident needs: a rollout also reads images and environments, makes
revisions, and waits for what it did by looking, since another process may have to go on from there.
Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import grpc
from google.cloud.run_v2 import Condition, RevisionsClient, ServicesClient, UpdateServiceRequest

from cloud.run_api import LATEST, clients_over, short_name, traffic_target
from events.errors import ConflictError
from rollout.google import TIMEOUT, reporting, retry
from rollout.service import Revision, Service, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud.run_v2 import Container, TrafficTarget
    from google.cloud.run_v2 import Revision as RunRevision
    from google.cloud.run_v2 import Service as RunService

    from rollout.service import Change

__all__ = ["ROLLOUT", "GoogleRunAdmin"]

ROLLOUT: Final = "cutout-rollout"
"""The annotation of a revision that says which rollout made it."""


class GoogleRunAdmin:
    """The services of one region. The connection is opened by the first call."""

    def __init__(
        self,
        services: ServicesClient,
        revisions: RevisionsClient,
        *,
        project: str,
        region: str,
        deadline: float = 60.0,
    ) -> None:
        self._services = services
        self._revisions = revisions
        self._project = project
        self._region = region
        self._retry = retry(deadline)

    @classmethod
    def connect(cls, *, project: str, region: str) -> Self:
        """The API at `RUN_EMULATOR_HOST` (`host:port`), else the real one."""
        host = os.environ.get("RUN_EMULATOR_HOST")
        if not host:
            return cls(ServicesClient(), RevisionsClient(), project=project, region=region)
        return cls.over(grpc.insecure_channel(host), project=project, region=region)

    @classmethod
    def over(cls, channel: grpc.Channel, *, project: str, region: str, deadline: float = 60.0) -> Self:
        services, revisions = clients_over(channel)
        return cls(services, revisions, project=project, region=region, deadline=deadline)

    def read(self, name: str) -> Service:
        path = self._path(name)
        with reporting(f"read {name} in {self._region}"):
            found = self._services.get_service(name=path, retry=self._retry, timeout=TIMEOUT)
            listed = self._revisions.list_revisions(parent=path, retry=self._retry, timeout=TIMEOUT)
            revisions = tuple(_revision(each) for each in listed)
        container = _ingress(found.template.containers)
        return Service(
            name=name,
            etag=found.etag,
            traffic=tuple(_target(found, target) for target in found.traffic),
            annotations=dict(found.annotations),
            limit=found.scaling.max_instance_count,
            limit_of_revision=found.template.scaling.max_instance_count,
            settled=not found.reconciling,
            environment={each.name: each.value for each in container.env if each.value} if container else {},
            revisions=revisions,
        )

    def apply(self, service: Service, change: Change) -> None:
        with reporting(f"change {service.name} in {self._region}"):
            current = self._services.get_service(name=self._path(service.name), retry=self._retry, timeout=TIMEOUT)
            if current.etag != service.etag:
                raise ConflictError(f"{service.name} in {self._region} was changed meanwhile")
            request = UpdateServiceRequest(service=current, update_mask={"paths": _changed(current, change)})
            self._services.update_service(request=request, retry=self._retry, timeout=TIMEOUT)

    def close(self) -> None:
        self._services.transport.close()
        self._revisions.transport.close()

    def _path(self, name: str) -> str:
        return ServicesClient.service_path(self._project, self._region, name)


def _changed(service: RunService, change: Change) -> list[str]:
    """Make the change, and say of which fields it is."""
    service.annotations = dict(change.annotations)
    fields = ["annotations"]
    if change.traffic is not None:
        service.traffic = [traffic_target(target) for target in change.traffic]
        fields.append("traffic")
    if change.limit is not None:
        service.scaling.max_instance_count = change.limit
        fields.append("scaling")
    container = _ingress(service.template.containers)
    if change.image is not None and container is not None:
        container.image = change.image
        service.template.revision = ""  # Cloud Run names it: a name that is fixed would be taken at the next change
        service.template.annotations[ROLLOUT] = change.rollout
        fields.append("template")
    return fields


def _ingress(containers: Sequence[Container]) -> Container | None:
    return next((each for each in containers if each.ports), next(iter(containers), None))


def _revision(found: RunRevision) -> Revision:
    ready = next((each for each in found.conditions if each.type_ == "Ready"), None)
    states = {Condition.State.CONDITION_SUCCEEDED: True, Condition.State.CONDITION_FAILED: False}
    container = _ingress(found.containers)
    return Revision(
        name=short_name(found.name),
        created_at=datetime.fromtimestamp(found.create_time.timestamp(), UTC),
        ready=states.get(ready.state) if ready else None,
        image=container.image if container else "",
        rollout=found.annotations.get(ROLLOUT, ""),
        problem=ready.message if ready else "",
    )


def _target(service: RunService, target: TrafficTarget) -> Target:
    """As it was asked for; only the URLs are Cloud Run's."""
    latest = target.type_ == LATEST
    url = next((each.uri for each in service.traffic_statuses if target.tag and each.tag == target.tag), "")
    revision = short_name(service.latest_ready_revision) if latest else target.revision
    return Target(revision, target.percent, target.tag, latest, url)
