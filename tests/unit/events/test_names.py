from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import names
from events.errors import InvalidMessageError
from events.ids import content_id, new_job_id
from events.recipe import Recipe
from tests.unit.examples import JOB_ID, MODEL, OTHER_JOB_ID, RECIPE, SHA256

tenants: Final = st.from_regex(names.TENANT_PATTERN, fullmatch=True)
job_ids: Final = st.datetimes(timezones=st.just(UTC), min_value=datetime(1990, 1, 1)).map(new_job_id)  # noqa: DTZ001  # the strategy adds the zone

CONTENT: Final = content_id(b"0" * 32, "acme", SHA256)


@given(tenants, job_ids)
def test_an_upload_name_is_read_back_as_its_tenant_and_job(tenant: str, job_id: str) -> None:
    assert names.parse_upload_name(names.upload_name(tenant, job_id)) == (tenant, job_id)


@given(st.text(max_size=80))
def test_text_that_is_not_ours_is_no_upload(text: str) -> None:
    with pytest.raises(InvalidMessageError):
        names.parse_upload_name(text)


@pytest.mark.parametrize(
    "name",
    [
        f"acme/{JOB_ID}\n",
        f"acme\n/{JOB_ID}",
        f"acme/x/{JOB_ID}",
        f"/{JOB_ID}",
        f"../{JOB_ID}",
        f"~references/{JOB_ID}",
        f"acme/{JOB_ID.upper()}",
        f"acme/{JOB_ID.replace('-7abc-', '-4abc-')}",
        f"acme/{JOB_ID}/",
        "acme/",
        "acme",
    ],
)
def test_a_name_that_is_almost_an_upload_is_refused(name: str) -> None:
    with pytest.raises(InvalidMessageError, match="is not TENANT/JOB_ID"):
        names.parse_upload_name(name)


@given(st.text(max_size=70))
def test_no_tenant_name_can_leave_its_folder(text: str) -> None:
    """Whatever passes as a tenant has no slash, no dot, no tilde and no control character."""
    if re.search(names.TENANT_PATTERN, text):
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert 1 <= len(text) <= 63


@given(tenants, tenants)
def test_the_folders_of_two_tenants_never_overlap(one: str, other: str) -> None:
    folders = [
        (names.upload_name(tenant, ""), names.job_prefix(tenant, JOB_ID), names.reference_prefix(tenant, CONTENT))
        for tenant in (one, other)
    ]
    if one != other:
        assert not any(a.startswith(b) or b.startswith(a) for a, b in zip(*folders, strict=True))


@given(tenants)
def test_what_is_not_a_job_stands_apart_from_every_tenant(tenant: str) -> None:
    for name in (
        names.reference_name(tenant, CONTENT, JOB_ID),
        names.spend_name(tenant, date(2026, 11, 23), JOB_ID, 0, 1),
        names.activity_name(datetime(2026, 11, 23, tzinfo=UTC)),
    ):
        assert name.startswith("~")
        assert not tenant.startswith("~")


def test_everything_computed_from_one_photo_stands_under_its_content() -> None:
    """That is how a deletion finds all of it."""
    result = names.result_name("acme", CONTENT, MODEL, RECIPE)
    assert result == f"acme/{CONTENT}/{MODEL}/{RECIPE.digest()}.jpg"
    assert names.matte_name("acme", CONTENT, MODEL) == f"acme/{CONTENT}/{MODEL}.png"
    assert result.startswith(names.result_prefix("acme", CONTENT, MODEL))


def test_a_model_is_no_prefix_of_another_models_results() -> None:
    longer = names.result_name("acme", CONTENT, f"{MODEL}-2", Recipe())
    assert not longer.startswith(names.result_prefix("acme", CONTENT, MODEL))


def test_records_and_references_are_found_by_their_prefixes() -> None:
    assert names.record_name("acme", JOB_ID, "done") == f"acme/{JOB_ID}/done.json"
    assert names.reference_name("acme", CONTENT, JOB_ID) == f"{names.reference_prefix('acme', CONTENT)}{JOB_ID}"
    assert not names.record_name("acme", OTHER_JOB_ID, "done").startswith(names.job_prefix("acme", JOB_ID))


def test_a_days_spend_is_one_listing_and_its_amount_is_in_the_name() -> None:
    day = date(2026, 11, 23)
    name = names.spend_name("acme", day, JOB_ID, 1, 1_184_100)
    assert name == f"~spend/acme/2026-11-23/{JOB_ID}~1~1184100"
    assert name.startswith(names.spend_prefix("acme", day))


@given(st.lists(st.datetimes(timezones=st.just(UTC), min_value=datetime(1990, 1, 1)), min_size=2, max_size=2))  # noqa: DTZ001  # the strategy adds the zone
def test_activity_names_sort_by_time(moments: list[datetime]) -> None:
    earlier, later = sorted(moments)
    assert names.activity_name(earlier) <= names.activity_name(later)
