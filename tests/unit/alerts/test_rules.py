from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from alerts.incident import decode_incident
from alerts.rules import FRESH, CapInstances, PauseWarming, Rollback, Rule, is_fresh, rules_for
from tests.unit.alerts.office import POLICY, incident

RULES = (
    Rollback(policy=POLICY, service="gpu-worker"),
    PauseWarming(policy=POLICY),
    CapInstances(policy="daily spend", service="gpu-worker", instances=1),
)


def test_the_policys_name_alone_chooses_the_rules() -> None:
    assert rules_for(decode_incident(incident("firing")), RULES) == RULES[:2]
    assert rules_for(decode_incident(incident("firing", policy_name="daily spend")), RULES) == RULES[2:]
    assert rules_for(decode_incident(incident("log_based")), RULES) == ()


def test_nothing_that_a_message_says_chooses_a_rule_or_its_service() -> None:
    assert rules_for(decode_incident(incident("hostile")), RULES) == ()
    read = decode_incident(incident("firing", resource={"labels": {"service_name": "payments"}}))
    assert [rule.service for rule in rules_for(read, RULES) if isinstance(rule, Rollback)] == ["gpu-worker"]


def test_the_end_of_an_incident_and_a_test_message_have_no_rules() -> None:
    assert rules_for(decode_incident(incident("resolved")), RULES) == ()
    assert rules_for(decode_incident(incident("test_message", policy_name=POLICY)), RULES) == ()


def test_an_incident_is_fresh_for_half_an_hour() -> None:
    read = decode_incident(incident("firing"))
    assert read.started_at is not None
    assert is_fresh(read, read.started_at + FRESH)
    assert not is_fresh(read, read.started_at + FRESH + timedelta(seconds=1))


def test_rules_are_settings() -> None:
    text = """[{"policy": "p", "action": "rollback", "service": "gpu-worker"},
        {"policy": "p", "action": "pause_warming"},
        {"policy": "q", "action": "cap_instances", "service": "gpu-worker", "instances": 2}]"""
    assert msgspec.json.decode(text, type=tuple[Rule, ...]) == (
        Rollback(policy="p", service="gpu-worker"),
        PauseWarming(policy="p", minutes=120),
        CapInstances(policy="q", service="gpu-worker", instances=2),
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"policy": "p", "action": "delete_everything"}',
        '{"policy": "", "action": "rollback", "service": "gpu-worker"}',
        '{"policy": "p", "action": "rollback", "service": "../payments"}',
        '{"policy": "p", "action": "cap_instances", "service": "gpu-worker", "instances": 0}',
        '{"policy": "p", "action": "pause_warming", "hours": 2}',
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Rule)
