"""The adapter of the Cloud Run Admin API, over real gRPC."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from google.cloud.run_v2 import RevisionScaling, RevisionTemplate, ServiceScaling

from alerts.incident import decode_incident
from alerts.mitigator import Mitigator
from alerts.ports import Revision, Target
from alerts.revisions import StepBack, step_back
from alerts.rules import Rollback
from cloud.deadline import Deadline
from cloud.run import GoogleRunAdmin
from events.errors import ConflictError, ForbiddenError, NotFoundError, PermanentError, TransientError
from jobs.flags import Flags
from tests.events import load_event
from tests.fakes import FakeStore, SettableClock
from tests.integration.alerts.run_admin import BORN, RunAdminServer, target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alerts.mitigator import Mitigated


@pytest.fixture
def server() -> Iterator[RunAdminServer]:
    with RunAdminServer() as running:
        yield running


@pytest.fixture
def run(server: RunAdminServer) -> Iterator[GoogleRunAdmin]:
    admin = GoogleRunAdmin.connect(
        project="cutout-shop", region="europe-west4", emulator=server.address, deadline=2, settle=2
    )
    yield admin
    admin.close()


@pytest.fixture
def path(server: RunAdminServer) -> str:
    """A worker whose latest revision has all traffic, and whose limits are 3 and, of a revision, 5."""
    return server.deploy(
        "gpu-worker",
        ("r1", True),
        ("r2", False),
        ("r3", True),
        traffic=[target("", 100, "stable"), target("r1", 0, "old")],
        annotations={"owner": "shop"},
        labels={"team": "storefront"},
        template=RevisionTemplate(scaling=RevisionScaling(max_instance_count=5), service_account="worker@x"),
        scaling=ServiceScaling(min_instance_count=0, max_instance_count=3),
    )


def test_a_service_is_read_with_its_latest_revision_by_name(run: GoogleRunAdmin, path: str) -> None:
    service = run.service("gpu-worker")
    assert service.traffic == (Target("r3", 100, "stable", latest=True), Target("r1", 0, "old"))
    assert service.annotations == {"owner": "shop"}
    assert (service.max_instances, service.max_instances_of_revision) == (3, 5)


def test_revisions_are_read_from_every_page_with_their_age_and_health(run: GoogleRunAdmin, path: str) -> None:
    listed = run.revisions("gpu-worker")
    assert [(each.name, each.ready) for each in listed] == [("r3", True), ("r2", False), ("r1", True)]
    assert listed[2] == Revision("r1", BORN, ready=True)


def test_the_traffic_goes_where_it_was_decided_and_everything_else_stays(
    run: GoogleRunAdmin, server: RunAdminServer, path: str
) -> None:
    before = server.current(path)
    service = run.service("gpu-worker")
    step = step_back(service, run.revisions("gpu-worker"))
    assert isinstance(step, StepBack)
    assert run.set_traffic(service, step.traffic, step.annotations)

    after = server.current(path)
    assert list(after.traffic) == [target("r1", 100), target("", 0, "stable"), target("r1", 0, "old")]
    assert dict(after.annotations) == {
        "owner": "shop",
        "cutout-rolled-back-to": "r1",
        "cutout-rolled-back-from": "r3",
    }
    assert (after.template, after.labels, after.scaling) == (before.template, before.labels, before.scaling)
    assert [list(update.update_mask.paths) for update in server.updates] == [["traffic", "annotations"]]
    assert step_back(run.service("gpu-worker"), run.revisions("gpu-worker")) == (
        "its traffic was rolled back to r1 already, from r3",
    )


def test_the_limit_of_the_service_changes_alone(run: GoogleRunAdmin, server: RunAdminServer, path: str) -> None:
    assert run.set_max_instances(run.service("gpu-worker"), 1)
    after = server.current(path)
    assert after.scaling == ServiceScaling(min_instance_count=0, max_instance_count=1)
    assert after.template.scaling.max_instance_count == 5
    assert list(after.traffic) == [target("", 100, "stable"), target("r1", 0, "old")]


def test_a_service_that_somebody_changed_meanwhile_is_left_alone(
    run: GoogleRunAdmin, server: RunAdminServer, path: str
) -> None:
    service = run.service("gpu-worker")
    server.touch(path)
    with pytest.raises(ConflictError, match="changed meanwhile"):
        run.set_max_instances(service, 1)
    assert server.updates == []


def test_a_change_whose_answer_was_lost_is_made_once(run: GoogleRunAdmin, server: RunAdminServer, path: str) -> None:
    server.lose_answer = True
    with pytest.raises(ConflictError, match="etag"):
        run.set_max_instances(run.service("gpu-worker"), 1)
    assert len(server.updates) == 1


def test_a_change_that_takes_long_is_reported_as_not_seen(
    run: GoogleRunAdmin, server: RunAdminServer, path: str
) -> None:
    server.polls = 1000
    assert not run.set_max_instances(run.service("gpu-worker"), 1)


def test_a_change_that_fails_on_the_way_is_an_error(run: GoogleRunAdmin, server: RunAdminServer, path: str) -> None:
    server.operation_error = "Revision 'r1' is not ready and cannot serve traffic."
    with pytest.raises(PermanentError, match="cannot serve traffic"):
        run.set_max_instances(run.service("gpu-worker"), 1)


def test_a_short_outage_is_waited_out(run: GoogleRunAdmin, server: RunAdminServer, path: str) -> None:
    server.fail("GetService", grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)
    assert run.service("gpu-worker").max_instances == 3


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, ForbiddenError),
        (grpc.StatusCode.UNAUTHENTICATED, ForbiddenError),
        (grpc.StatusCode.INVALID_ARGUMENT, PermanentError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, TransientError),
    ],
)
def test_refusals_keep_their_meaning(
    run: GoogleRunAdmin, server: RunAdminServer, path: str, code: grpc.StatusCode, error: type[Exception]
) -> None:
    server.fail("ListRevisions", code)
    with pytest.raises(error, match="can't list the revisions of gpu-worker"):
        run.revisions("gpu-worker")


def test_a_service_that_is_not_there_is_not_found(run: GoogleRunAdmin, path: str) -> None:
    with pytest.raises(NotFoundError, match="payments"):
        run.service("payments")


RULE = Rollback(policy="gpu-worker errors", service="gpu-worker")


def roll_back(run: GoogleRunAdmin, seconds: float) -> Mitigated:
    clock = SettableClock()
    incident = decode_incident(json.dumps(load_event("incident_firing")).encode())
    mitigator = Mitigator(lambda: run, Flags(FakeStore(), "j", clock), clock, region="europe-west4")
    return mitigator.mitigate(RULE, incident, Deadline(seconds))


@pytest.mark.parametrize(
    ("method", "status", "seconds"),
    [
        ("GetService", "failed", 1.0),
        ("ListRevisions", "failed", 1.0),
        ("UpdateService", "failed", 1.0),
        ("GetOperation", "requested", 5.0),  # time enough to ask for the change
    ],
)
def test_an_api_that_never_answers_keeps_nobody_longer_than_all_mitigations_may_take(
    server: RunAdminServer, path: str, method: str, status: str, seconds: float
) -> None:
    server.hanging = {method}
    run = GoogleRunAdmin.connect(project="cutout-shop", region="europe-west4", emulator=server.address)
    began = time.monotonic()
    assert roll_back(run, seconds).status == status
    assert time.monotonic() - began < seconds + 20
    server.hanging = set()
    run.close()


def test_what_comes_after_the_time_of_all_mitigations_is_not_begun(
    run: GoogleRunAdmin, server: RunAdminServer, path: str
) -> None:
    outcome = roll_back(run, 0.0)
    assert (outcome.status, server.updates) == ("failed", [])
    assert outcome.command.endswith("--to-revisions=REVISION=100")
    assert roll_back(run, 60.0).status == "done"


def test_an_operation_that_can_not_be_looked_at_is_reported_as_not_seen(
    run: GoogleRunAdmin, server: RunAdminServer, path: str
) -> None:
    server.hanging = {"GetOperation"}
    assert not run.set_max_instances(run.service("gpu-worker"), 1)
    server.hanging = set()


def test_an_api_that_cant_be_reached_is_given_up_within_the_deadline() -> None:
    with RunAdminServer() as server:
        address = server.address
    admin = GoogleRunAdmin.connect(project="p", region="r", emulator=address, deadline=1)
    with pytest.raises(TransientError, match="can't read gpu-worker"):
        admin.service("gpu-worker")
    admin.close()
