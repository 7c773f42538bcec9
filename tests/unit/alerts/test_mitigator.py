from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from alerts.incident import decode_incident
from alerts.ports import Target
from alerts.rules import CapInstances, PauseWarming, Rollback
from cloud.deadline import Deadline
from events.errors import ForbiddenError, TransientError
from tests.unit.alerts.office import POLICY, incident

if TYPE_CHECKING:
    from alerts.mitigator import Mitigated
    from alerts.rules import Rule
    from tests.unit.alerts.office import Office

ROLLBACK = Rollback(policy=POLICY, service="gpu-worker")
PAUSE = PauseWarming(policy=POLICY, minutes=90)
CAP = CapInstances(policy=POLICY, service="gpu-worker", instances=1)


def mitigate(office: Office, rule: Rule) -> Mitigated:
    return office.mitigator().mitigate(rule, decode_incident(incident("firing")), Deadline(60))


def test_a_rollback_moves_the_traffic_and_tells_the_way_back(office: Office) -> None:
    outcome = mitigate(office, ROLLBACK)
    assert office.run.changes == ["r2=100"]
    assert (outcome.status, outcome.text) == ("done", "moved the traffic of gpu-worker from r3 back to r2")
    assert outcome.command == (
        "gcloud run services update-traffic gpu-worker --region=europe-west4 --to-revisions=r3=100"
    )


def test_a_rollback_that_was_not_seen_to_take_effect_says_so(office: Office) -> None:
    office.run.settles = False
    assert mitigate(office, ROLLBACK).status == "requested"


def test_a_second_rollback_finds_the_first(office: Office) -> None:
    mitigate(office, ROLLBACK)
    again = mitigate(office, ROLLBACK)
    assert office.run.changes == ["r2=100"]
    assert (again.status, again.text) == (
        "unneeded",
        "not rolling back gpu-worker: its traffic was rolled back to r2 already, from r3",
    )


def test_a_cap_lowers_the_limit_and_tells_the_one_before(office: Office) -> None:
    outcome = mitigate(office, CAP)
    assert office.run.changes == ["max=1"]
    assert outcome.text == "limited gpu-worker to at most 1 instances"
    assert outcome.command == "gcloud run services update gpu-worker --region=europe-west4 --max=3"


def test_a_pause_of_warming_ends_by_itself(office: Office) -> None:
    outcome = mitigate(office, PAUSE)
    assert outcome.text == "paused warming until 2026-11-23 13:30 UTC"
    assert office.flags.up_until("warming-paused") is not None
    office.clock.advance(90 * 60 + 1)
    assert office.flags.up_until("warming-paused") is None


@pytest.mark.parametrize(
    ("rule", "planned"),
    [
        (ROLLBACK, "would move the traffic of gpu-worker from r3 back to r2"),
        (CAP, "would limit gpu-worker to at most 1 instances"),
        (PAUSE, "would pause warming until"),
    ],
)
def test_a_dry_run_says_what_it_would_do_and_does_nothing(office: Office, rule: Rule, planned: str) -> None:
    office.dry_run = True
    outcome = mitigate(office, rule)
    assert outcome.status == "planned"
    assert outcome.text.startswith(planned)
    assert "dry run" in outcome.text
    assert office.run.changes == []
    assert office.flags.up_until("warming-paused") is None


def test_an_old_incident_changes_nothing(office: Office) -> None:
    office.clock.advance(3600)
    outcome = mitigate(office, ROLLBACK)
    assert (outcome.status, outcome.text) == (
        "unneeded",
        "not rolling back gpu-worker: the incident began too long ago",
    )
    assert office.faults.operations == []


def test_a_service_that_changes_meanwhile_is_looked_at_anew(office: Office) -> None:
    def promote() -> None:
        office.run.before_change = lambda: None
        office.run.state = office.run.state._replace(traffic=(Target("r2", 100),))
        office.run.touch()

    office.run.before_change = promote
    assert mitigate(office, ROLLBACK).text == "moved the traffic of gpu-worker from r2 back to r1"


def test_a_service_that_never_stops_changing_is_given_up(office: Office) -> None:
    office.run.before_change = office.run.touch
    outcome = mitigate(office, ROLLBACK)
    assert (outcome.status, office.run.changes) == ("failed", [])
    assert "changed meanwhile" in outcome.text


@pytest.mark.parametrize(
    "error", [TransientError("Cloud Run is away"), ForbiddenError("not allowed"), RuntimeError("a bug")]
)
def test_a_failure_is_an_outcome_with_the_command_to_do_it_by_hand(
    office: Office, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    office.faults.arm(1, error)
    with caplog.at_level(logging.CRITICAL):
        outcome = mitigate(office, ROLLBACK)
    assert (outcome.status, outcome.text) == ("failed", f"rolling back gpu-worker failed: {error}")
    assert outcome.command.endswith("--to-revisions=REVISION=100")
