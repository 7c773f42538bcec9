"""The Cloud Run Admin API v2 as an `alerts.ports.RunAdmin`.

Every change carries the etag of the service as it was read, so it never overwrites somebody else's.
Source: https://cloud.google.com/run/docs/reference/rpc/google.cloud.run.v2.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Self, cast

import grpc
from google.api_core.exceptions import (
    Conflict,
    DeadlineExceeded,
    FailedPrecondition,
    Forbidden,
    GoogleAPIError,
    InternalServerError,
    InvalidArgument,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from google.api_core.future.polling import DEFAULT_POLLING
from google.api_core.operation import Operation
from google.api_core.retry import Retry, if_exception_type
from google.api_core.timeout import ConstantTimeout
from google.auth.exceptions import GoogleAuthError
from google.cloud.run_v2 import (
    Condition,
    ListRevisionsRequest,
    RevisionsClient,
    Service,
    ServicesClient,
    UpdateServiceRequest,
)

from cloud.breaker import Breakers
from cloud.run_api import LATEST, Clients, clients_over, short_name, traffic_target
from events.errors import ConflictError, ForbiddenError, NotFoundError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from google.cloud.run_v2 import Revision, TrafficTarget, TrafficTargetStatus

    from alerts.ports import Revision as RunRevision
    from alerts.ports import RunService, Target
    from cloud.deadline import Deadline

__all__ = ["DEADLINE_SECONDS", "SETTLE_SECONDS", "GoogleRunAdmin"]

DEADLINE_SECONDS: Final = 20.0
"""A call starts no further attempt after this time."""
SETTLE_SECONDS: Final = 30.0
"""How long a change is watched until it has taken effect."""

_CIRCUIT: Final = "run-admin"
_ATTEMPT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 5.0
"""The client's own limit for a look at an operation is ten minutes."""
_REPEATABLE: Final = if_exception_type(DeadlineExceeded, InternalServerError, ServiceUnavailable)
"""A change that was made although its answer got lost is refused the second time, since the etag is another by then."""


class _Target(NamedTuple):
    """Field for field an `alerts.ports.Target`, which this layer may not import."""

    revision: str
    percent: int
    tag: str
    latest: bool


class _Revision(NamedTuple):
    """Field for field an `alerts.ports.Revision`."""

    name: str
    created_at: datetime
    ready: bool


class _Service(NamedTuple):
    """Field for field an `alerts.ports.RunService`."""

    name: str
    etag: str
    traffic: tuple[_Target, ...]
    annotations: Mapping[str, str]
    max_instances: int
    max_instances_of_revision: int


class GoogleRunAdmin:
    """The services of one region. Thread-safe. The connection is opened by the first call.

    While the API is left alone since it kept failing, every method raises `TransientError` at once.
    """

    def __init__(
        self,
        services: ServicesClient,
        revisions: RevisionsClient,
        *,
        project: str,
        region: str,
        deadline: float = DEADLINE_SECONDS,
        settle: float = SETTLE_SECONDS,
        breakers: Breakers | None = None,
        limit: Deadline | None = None,
    ) -> None:
        self._services = services
        self._revisions = revisions
        self._project = project
        self._region = region
        self._retry = Retry(predicate=_REPEATABLE, initial=0.2, maximum=5.0, multiplier=2.0)
        self._deadline = deadline
        self._settle = settle
        self._breakers = breakers or Breakers()
        self._limit = limit

    @classmethod
    def connect(
        cls,
        *,
        project: str,
        region: str,
        emulator: str | None = None,
        deadline: float = DEADLINE_SECONDS,
        settle: float = SETTLE_SECONDS,
        breakers: Breakers | None = None,
    ) -> Self:
        """The API at `emulator` (`host:port`), else at `RUN_EMULATOR_HOST`, else the real one."""
        host = emulator or os.environ.get("RUN_EMULATOR_HOST")
        clients = clients_over(grpc.insecure_channel(host)) if host else Clients(ServicesClient(), RevisionsClient())
        return cls(
            *clients,
            project=project,
            region=region,
            deadline=deadline,
            settle=settle,
            breakers=breakers,
        )

    def within(self, limit: Deadline) -> Self:
        """The same services over the same connection, for as long. No attempt begins after that."""
        return type(self)(
            self._services,
            self._revisions,
            project=self._project,
            region=self._region,
            deadline=self._deadline,
            settle=self._settle,
            breakers=self._breakers,
            limit=limit,
        )

    def service(self, name: str) -> RunService:
        with self._asking("read", name):
            found = self._get(name)
        return cast(
            "RunService",
            _Service(
                name=name,
                etag=found.etag,
                traffic=tuple(_target(found, target) for target in found.traffic_statuses or found.traffic),
                annotations=dict(found.annotations),
                max_instances=found.scaling.max_instance_count,
                max_instances_of_revision=found.template.scaling.max_instance_count,
            ),
        )

    def revisions(self, name: str) -> tuple[RunRevision, ...]:
        with self._asking("list the revisions of", name):
            listed = self._listed(self._path(name))
            found = tuple(_Revision(short_name(each.name), each.create_time, _is_ready(each)) for each in listed)
        return cast("tuple[RunRevision, ...]", found)

    def set_traffic(self, service: RunService, traffic: tuple[Target, ...], annotations: Mapping[str, str]) -> bool:
        """Raises `ConflictError` if the service is no longer as it was read. Whether the traffic moved in time."""
        with self._asking("change the traffic of", service.name):
            changed = self._as_read(service)
            changed.traffic = [traffic_target(target) for target in traffic]
            changed.annotations = dict(annotations)
            return self._update(changed, "traffic", "annotations")

    def set_max_instances(self, service: RunService, instances: int) -> bool:
        """The limit of the service, which needs no new revision. Raises and returns as `set_traffic` does."""
        with self._asking("limit", service.name):
            changed = self._as_read(service)
            changed.scaling.max_instance_count = instances
            return self._update(changed, "scaling")

    def close(self) -> None:
        self._services.transport.close()
        self._revisions.transport.close()

    @contextmanager
    def _asking(self, operation: str, name: str) -> Iterator[None]:
        with self._breakers.call(_CIRCUIT), _reporting(operation, name):
            yield

    def _path(self, name: str) -> str:
        return ServicesClient.service_path(self._project, self._region, name)

    def _left(self, seconds: float) -> float:
        """So many seconds, or fewer. Raises `TimeoutError` where there are none."""
        return seconds if self._limit is None else min(seconds, self._limit.left())

    def _patience(self) -> tuple[Retry, ConstantTimeout]:
        """For one call: until when attempts begin, and how long each may take."""
        retry = self._retry.with_timeout(self._left(self._deadline))
        return retry, ConstantTimeout(self._left(_ATTEMPT_SECONDS))

    def _get(self, name: str) -> Service:
        retry, timeout = self._patience()
        return self._services.get_service(name=self._path(name), retry=retry, timeout=timeout)

    def _listed(self, parent: str) -> Iterator[Revision]:
        """Page by page, since the client gives each of them the time of the first."""
        request = ListRevisionsRequest(parent=parent)
        while True:
            retry, timeout = self._patience()
            page = next(self._revisions.list_revisions(request=request, retry=retry, timeout=timeout).pages)
            yield from page.revisions
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def _as_read(self, service: RunService) -> Service:
        """The whole service again, so that an update leaves out nothing of it."""
        current = self._get(service.name)
        if current.etag != service.etag:
            raise ConflictError(f"Cloud Run service {service.name} was changed meanwhile")
        return current

    def _update(self, service: Service, *fields: str) -> bool:
        request = UpdateServiceRequest(service=service, update_mask={"paths": fields})
        retry, timeout = self._patience()
        accepted = self._services.update_service(request=request, retry=retry, timeout=timeout)
        polling = DEFAULT_POLLING.with_delay(initial=0.2, maximum=2.0)
        try:
            self._watched(accepted).result(timeout=self._left(self._settle), polling=polling)
        except TimeoutError:
            return False
        return True

    def _watched(self, accepted: Operation) -> Operation:
        """The operation, looked at with our patience."""
        operations, name = self._services.transport.operations_client, accepted.operation.name
        seconds = self._left(_POLL_SECONDS)
        look = partial(
            operations.get_operation, name, retry=self._retry.with_timeout(seconds), timeout=ConstantTimeout(seconds)
        )
        return Operation(accepted.operation, look, partial(operations.cancel_operation, name), Service)


def _target(service: Service, target: TrafficTarget | TrafficTargetStatus) -> _Target:
    latest = target.type_ == LATEST
    revision = short_name(service.latest_ready_revision) if latest else target.revision
    return _Target(revision, target.percent, target.tag, latest)


def _is_ready(revision: Revision) -> bool:
    """A retired revision is still ready: it only has no instances."""
    return any(
        condition.type_ == "Ready" and condition.state == Condition.State.CONDITION_SUCCEEDED
        for condition in revision.conditions
    )


@contextmanager
def _reporting(operation: str, name: str) -> Iterator[None]:
    """Every failure of the service, the network or the credentials as an error of ours."""
    try:
        yield
    except (GoogleAPIError, GoogleAuthError, TimeoutError) as error:
        message = f"Cloud Run: can't {operation} {name}: {error}"
        if isinstance(error, Conflict):
            raise ConflictError(message, service=name) from error
        if isinstance(error, NotFound):
            raise NotFoundError(message, service=name) from error
        if isinstance(error, Forbidden | Unauthorized):
            raise ForbiddenError(message, service=name) from error
        if isinstance(error, InvalidArgument | FailedPrecondition):
            raise PermanentError(message, service=name) from error
        raise TransientError(message, service=name) from error
