"""The part of the Cloud Run Admin API that is used, over real gRPC, with the client's own types.

It keeps the rules that matter: etags, update masks, percents that sum to 100, revisions that must be ready, changes
that take effect only some polls after they were accepted, and another template as a revision that has to start.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.cloud.run_v2 import (
    Condition,
    GetServiceRequest,
    ListRevisionsRequest,
    ListRevisionsResponse,
    Revision,
    Service,
    TrafficTarget,
    TrafficTargetAllocationType,
    TrafficTargetStatus,
    UpdateServiceRequest,
)
from google.longrunning import operations_pb2
from google.rpc import code_pb2

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["LATEST", "RunAdminServer", "revision", "target"]

LATEST = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
BY_NAME = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
BORN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PAGE = 2


def target(revision: str, percent: int, tag: str = "") -> TrafficTarget:
    """To that revision, or to the latest one where it is empty."""
    return TrafficTarget(type_=BY_NAME if revision else LATEST, revision=revision, percent=percent, tag=tag)


def revision(service: str, name: str, *, day: int, ready: bool = True) -> Revision:
    state = Condition.State.CONDITION_SUCCEEDED if ready else Condition.State.CONDITION_FAILED
    conditions = [
        Condition(type_="ContainerReady", state=Condition.State.CONDITION_SUCCEEDED),
        Condition(type_="Ready", state=state),
        Condition(type_="Active", state=Condition.State.CONDITION_FAILED, severity=Condition.Severity.INFO),
    ]
    return Revision(name=f"{service}/revisions/{name}", create_time=BORN + timedelta(days=day), conditions=conditions)


class RunAdminServer:
    """Use as a context manager. `updates` keeps every accepted request. `polls` is how long a change takes.

    Methods that are `hanging` never answer. With `reads`, a change also takes effect by that many readings of the
    service. A revision of another template then is ready, or not, as `starts` says; its tags get URLs that begin with
    `tag_url`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: dict[str, Service] = {}
        self._revisions: dict[str, list[Revision]] = {}
        self._operations: dict[str, tuple[int, Service]] = {}
        self._failures: dict[str, list[grpc.StatusCode]] = {}
        self._numbers = itertools.count(1)
        self.updates: list[UpdateServiceRequest] = []
        self.polls = 1
        self.reads: int | None = None
        self.starts = True
        self.tag_url = "http://127.0.0.1:1"
        self._unread: dict[str, int] = {}
        self.lose_answer = False
        self.operation_error = ""
        self.hanging: set[str] = set()
        self._server = grpc.server(ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers(
            (
                _handlers(
                    "google.cloud.run.v2.Services",
                    GetService=(
                        self._hang("GetService", self._get_service),
                        GetServiceRequest.deserialize,
                        Service.serialize,
                    ),
                    UpdateService=(
                        self._hang("UpdateService", self._update_service),
                        UpdateServiceRequest.deserialize,
                        operations_pb2.Operation.SerializeToString,
                    ),
                ),
                _handlers(
                    "google.cloud.run.v2.Revisions",
                    ListRevisions=(
                        self._hang("ListRevisions", self._list_revisions),
                        ListRevisionsRequest.deserialize,
                        ListRevisionsResponse.serialize,
                    ),
                ),
                _handlers(
                    "google.longrunning.Operations",
                    GetOperation=(
                        self._hang("GetOperation", self._get_operation),
                        operations_pb2.GetOperationRequest.FromString,
                        operations_pb2.Operation.SerializeToString,
                    ),
                ),
            )
        )
        self.address = f"{LOOPBACK}:{self._server.add_insecure_port(f'{LOOPBACK}:0')}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(grace=None).wait()

    def deploy(self, name: str, *revisions: tuple[str, bool], traffic: list[TrafficTarget], **fields: Any) -> str:
        """A service with revisions, oldest first, each ready or not. Returns its full name."""
        path = f"projects/cutout-shop/locations/europe-west4/services/{name}"
        with self._lock:
            self._revisions[path] = [
                revision(path, each, day=day, ready=ready) for day, (each, ready) in enumerate(revisions)
            ]
            service = Service(name=path, etag=self._etag(), traffic=traffic, generation=1, **fields)
            for made in self._revisions[path]:
                made.containers = service.template.containers
            latest = next(each for each, ready in reversed(revisions) if ready)
            service.latest_ready_revision = f"{path}/revisions/{latest}"
            self._services[path] = _observed(service)
        return path

    def current(self, path: str) -> Service:
        with self._lock:
            return copy.deepcopy(self._services[path])

    def fail(self, method: str, *codes: grpc.StatusCode) -> None:
        """The next calls of that method fail so, one after the other."""
        with self._lock:
            self._failures[method] = list(codes)

    def revisions(self, path: str) -> list[Revision]:
        """Oldest first."""
        with self._lock:
            return copy.deepcopy(self._revisions[path])

    def change(self, path: str, **fields: Any) -> None:
        """Somebody else sets these fields, with effect at once."""
        with self._lock:
            for field, value in fields.items():
                setattr(self._services[path], field, value)
            self._services[path].etag = self._etag()
            _observed(self._services[path])

    def lose_revisions(self, path: str) -> None:
        """As it is before the first revision was ready."""
        with self._lock:
            for each in self._revisions[path]:
                each.conditions[1] = Condition(type_="Ready", state=Condition.State.CONDITION_FAILED)
            self._services[path].latest_ready_revision = ""

    def touch(self, path: str) -> None:
        """Somebody else changes the service."""
        with self._lock:
            self._services[path].etag = self._etag()

    def _hang(self, method: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def handler(request: Any, context: grpc.ServicerContext) -> Any:
            while method in self.hanging and context.is_active():
                time.sleep(0.02)
            return call(request, context)

        return handler

    def _get_service(self, request: GetServiceRequest, context: grpc.ServicerContext) -> Service:
        with self._lock:
            self._maybe_fail("GetService", context)
            service = self._known(request.name, context)
            if request.name in self._unread:
                self._unread[request.name] -= 1
                if self._unread[request.name] < 0:
                    del self._unread[request.name]
                    self._settle(service)
            return service

    def _update_service(self, request: UpdateServiceRequest, context: grpc.ServicerContext) -> operations_pb2.Operation:
        with self._lock:
            self._maybe_fail("UpdateService", context)
            stored = self._known(request.service.name, context)
            if request.service.etag != stored.etag:
                context.abort(grpc.StatusCode.ABORTED, "Conflict for resource: the etag is not the current one")
            changed = copy.deepcopy(stored)
            for field in request.update_mask.paths:
                setattr(changed, field, getattr(request.service, field))
            self._check_traffic(changed, context)
            changed.etag, changed.generation = self._etag(), stored.generation + 1
            if "template" in request.update_mask.paths:
                self._revisions[changed.name].append(self._made(changed))
            if self.reads is not None:
                changed.reconciling = True
                self._unread[changed.name] = self.reads
            self._services[changed.name] = changed
            self.updates.append(request)
            name = f"projects/cutout-shop/locations/europe-west4/operations/{next(self._numbers)}"
            self._operations[name] = (self.polls, changed)
            if self.lose_answer:
                self.lose_answer = False
                context.abort(grpc.StatusCode.UNAVAILABLE, "the answer is lost")
            return operations_pb2.Operation(name=name)

    def _get_operation(
        self, request: operations_pb2.GetOperationRequest, context: grpc.ServicerContext
    ) -> operations_pb2.Operation:
        with self._lock:
            if request.name not in self._operations:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such operation")
            left, changed = self._operations[request.name]
            if left > 1:
                self._operations[request.name] = (left - 1, changed)
                return operations_pb2.Operation(name=request.name)
            operation = operations_pb2.Operation(name=request.name, done=True)
            if self.operation_error:
                operation.error.code = code_pb2.FAILED_PRECONDITION
                operation.error.message = self.operation_error
                return operation
            settled = self._services[changed.name] = _observed(self._services[changed.name])
            operation.response.Pack(Service.pb(settled))
            return operation

    def _list_revisions(self, request: ListRevisionsRequest, context: grpc.ServicerContext) -> ListRevisionsResponse:
        """Two a page, newest first, as the service lists them."""
        with self._lock:
            self._maybe_fail("ListRevisions", context)
            newest_first = self._revisions[request.parent][::-1]
        start = int(request.page_token or 0)
        more = str(start + PAGE) if start + PAGE < len(newest_first) else ""
        return ListRevisionsResponse(revisions=newest_first[start : start + PAGE], next_page_token=more)

    def _made(self, service: Service) -> Revision:
        """A revision of the template, which starts."""
        path, number = service.name, len(self._revisions[service.name])
        made = revision(path, f"{path.rpartition('/')[2]}-{number:05d}-new", day=number)
        made.conditions[1] = Condition(type_="Ready", state=Condition.State.CONDITION_RECONCILING)
        made.containers = service.template.containers
        made.annotations = dict(service.template.annotations)
        return made

    def _settle(self, service: Service) -> None:
        """What was accepted takes effect."""
        for each in self._revisions[service.name]:
            if each.conditions[1].state == Condition.State.CONDITION_RECONCILING:
                good, bad = Condition.State.CONDITION_SUCCEEDED, Condition.State.CONDITION_FAILED
                message = "" if self.starts else "The container failed its startup probe."
                state = good if self.starts else bad
                each.conditions[1] = Condition(type_="Ready", state=state, message=message)
                if self.starts:
                    service.latest_ready_revision = each.name
        service.reconciling = False
        _observed(service)
        for target in service.traffic_statuses:
            target.uri = self.tag_url if target.tag else ""

    def _known(self, path: str, context: grpc.ServicerContext) -> Service:
        if path not in self._services:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Resource '{path}' was not found")
        return self._services[path]

    def _check_traffic(self, service: Service, context: grpc.ServicerContext) -> None:
        ready = {
            each.name.rpartition("/")[2]
            for each in self._revisions[service.name]
            if each.conditions[1].state == Condition.State.CONDITION_SUCCEEDED
        }
        if sum(each.percent for each in service.traffic) != 100:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "traffic percents must sum to 100")
        if any(each.type_ == BY_NAME and each.revision not in ready for each in service.traffic):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "traffic to a revision that is not ready")

    def _maybe_fail(self, method: str, context: grpc.ServicerContext) -> None:
        if self._failures.get(method):
            context.abort(self._failures[method].pop(0), f"{method} fails as told")

    def _etag(self) -> str:
        return f'"{next(self._numbers)}"'


def _observed(service: Service) -> Service:
    """As it is once a change has taken effect."""
    service.traffic_statuses = [
        TrafficTargetStatus(type_=each.type_, revision=each.revision, percent=each.percent, tag=each.tag)
        for each in service.traffic
    ]
    return service


def _handlers(service: str, **methods: tuple[Callable[..., Any], Any, Any]) -> Any:
    return grpc.method_handlers_generic_handler(
        service,
        {
            name: grpc.unary_unary_rpc_method_handler(call, request_deserializer=read, response_serializer=write)
            for name, (call, read, write) in methods.items()
        },
    )
