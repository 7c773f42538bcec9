"""A claim on an alert against the times around it."""

from __future__ import annotations

from datetime import timedelta

from alerts.mitigator import MITIGATION_SECONDS
from jobs.claims import LEASE
from local import topology
from tests.unit.terraform.module import local_values

[ON_ALERT] = [each for each in topology.subscriptions(worker_url="http://w") if each.name == "on-alert"]


def test_it_lasts_longer_than_the_function_may_and_so_than_all_mitigations() -> None:
    seconds = local_values()["functions"]["on_alert"]["seconds"]
    assert MITIGATION_SECONDS < seconds < LEASE.total_seconds()


def test_the_message_comes_again_after_the_claim_of_an_instance_that_died() -> None:
    shortest, longest = ON_ALERT.backoff
    pauses = (min(shortest * 2**retry, longest) for retry in range(ON_ALERT.attempts - 1))
    assert sum(pauses, timedelta(0)) > LEASE
