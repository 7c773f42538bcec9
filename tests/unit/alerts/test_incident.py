from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.incident import Link, decode_incident
from events.errors import InvalidMessageError
from tests.unit.alerts.office import incident

START = datetime(2026, 11, 23, 11, 56, tzinfo=UTC)


def test_a_firing_incident_is_read_with_all_it_says() -> None:
    read = decode_incident(incident("firing"))
    assert (read.id, read.project, read.test, read.open) == ("0.opqiw61fsv7p", "cutout-shop", False, True)
    assert (read.severity, read.policy, read.condition) == ("critical", "gpu-worker errors", "5xx ratio over 5 minutes")
    assert (read.observed, read.comparison, read.threshold) == ("0.412", ">", "0.05")
    assert (read.started_at, read.ended_at) == (START, None)
    assert read.metric == "Request Count"
    assert read.resource.startswith("cutout-shop Cloud Run Revision")
    assert read.links[1] == Link(
        name="Runbook: worker errors", url="https://runbooks.example.com/cutout/gpu-worker-errors"
    )


def test_the_end_of_an_incident_has_the_same_key() -> None:
    fired, resolved = decode_incident(incident("firing")), decode_incident(incident("resolved"))
    assert resolved.key == fired.key
    assert (resolved.open, resolved.ended_at) == (False, datetime(2026, 11, 23, 12, 8, tzinfo=UTC))


def test_incidents_of_one_id_in_two_projects_have_two_keys() -> None:
    keys = {decode_incident(incident("firing", scoping_project_id=project)).key for project in ("a", "b", None)}
    assert len(keys) == 3


def test_the_consoles_test_message_is_told_as_such() -> None:
    read = decode_incident(incident("test_message"))
    assert (read.test, read.open) == (True, True)
    assert (read.started_at, read.ended_at) == (None, None)
    assert (read.documentation, read.links) == ("Test documentation", ())


def test_what_is_not_given_is_empty() -> None:
    read = decode_incident(incident("without_optional_fields"))
    assert (read.severity, read.observed, read.threshold, read.comparison) == ("none", "", "", "")
    assert (read.metric, read.documentation, read.links) == ("", "", ())


def test_a_log_based_incident_takes_its_severity_from_the_policys_label() -> None:
    read = decode_incident(incident("log_based"))
    assert (read.severity, read.observed, read.threshold) == ("warning", "", "")
    assert read.resource == "cloud_run_revision project_id=cutout-shop, service_name=on-dead-letter"


def test_a_threshold_that_stands_only_in_the_condition_is_found() -> None:
    assert decode_incident(incident("firing", threshold_value=None)).threshold == "0.05"


def test_values_may_be_numbers() -> None:
    read = decode_incident(incident("firing", observed_value=0.5, threshold_value=2))
    assert (read.observed, read.threshold) == ("0.5", "2")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b"\xff\xfe", "not JSON", id="no text"),
        pytest.param(b"[]", r"\$", id="a list"),
        pytest.param(incident("another_version"), r"\$\.version", id="another version"),
        pytest.param(b'{"version":"1.2"}', r"\$\.incident: required", id="no incident"),
        pytest.param(incident("firing", incident_id=""), "incident_id", id="no id"),
        pytest.param(incident("firing", state="acknowledged"), "state", id="an unknown state"),
        pytest.param(incident("firing", started_at=-1), "started_at", id="a time before time"),
        pytest.param(incident("firing", started_at=10**18), "started_at", id="a time after time"),
        pytest.param(incident("firing", ended_at="soon"), "ended_at", id="no time"),
    ],
)
def test_anything_else_is_refused_with_what_is_wrong(data: bytes, problem: str) -> None:
    with pytest.raises(InvalidMessageError, match=problem):
        decode_incident(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = tuple(json.loads(incident("firing"))["incident"])


@given(field=st.sampled_from(_FIELDS), value=_JSON)
def test_an_incident_is_read_or_refused_whatever_stands_in_a_field(field: str, value: Any) -> None:
    problem = ""
    try:
        decode_incident(incident("firing", **{field: value}))
    except InvalidMessageError as error:
        problem = str(error)
    assert not problem or f"$.incident.{field}" in problem
