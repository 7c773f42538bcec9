"""Object names. They are ours alone: nothing that a shopper types becomes part of one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from events.errors import InvalidMessageError
from events.patterns import whole

if TYPE_CHECKING:
    from datetime import date, datetime

    from events.recipe import Recipe

__all__ = [
    "JOB_ID_PATTERN",
    "MODEL_PATTERN",
    "TENANT",
    "TENANT_PATTERN",
    "JobName",
    "activity_name",
    "asset_name",
    "job_prefix",
    "matte_name",
    "parse_upload_name",
    "record_name",
    "reference_name",
    "reference_prefix",
    "result_name",
    "result_prefix",
    "spend_name",
    "spend_prefix",
    "upload_name",
]

TENANT: Final = "[a-z0-9][a-z0-9-]{0,62}"
TENANT_PATTERN: Final = whole(TENANT)
JOB_ID_PATTERN: Final = whole("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MODEL_PATTERN: Final = whole("[a-z0-9][a-z0-9.-]{0,127}")


class JobName(NamedTuple):
    tenant: str
    job_id: str


def upload_name(tenant: str, job_id: str) -> str:
    return f"{tenant}/{job_id}"


def parse_upload_name(name: str) -> JobName:
    """The tenant and job of an upload. Raises `InvalidMessageError` for a name that is not ours."""
    tenant, _, job_id = name.partition("/")
    if re.fullmatch(TENANT_PATTERN, tenant) is None or re.fullmatch(JOB_ID_PATTERN, job_id) is None:
        raise InvalidMessageError({"$.name": f"{name[:120]!r} is not TENANT/JOB_ID"})
    return JobName(tenant, job_id)


def asset_name(tenant: str, sha256: str) -> str:
    return f"{tenant}/{sha256}"


def matte_name(tenant: str, content: str, model: str) -> str:
    return f"{tenant}/{content}/{model}.png"


def result_prefix(tenant: str, content: str, model: str) -> str:
    return f"{tenant}/{content}/{model}/"


def result_name(tenant: str, content: str, model: str, recipe: Recipe) -> str:
    return f"{result_prefix(tenant, content, model)}{recipe.digest()}.{recipe.extension}"


def job_prefix(tenant: str, job_id: str) -> str:
    return f"{tenant}/{job_id}/"


def record_name(tenant: str, job_id: str, state: str) -> str:
    return f"{job_prefix(tenant, job_id)}{state}.json"


def reference_prefix(tenant: str, content: str) -> str:
    """Under it stands one empty object for each job that uses this content; `~` keeps it apart from tenants."""
    return f"~references/{tenant}/{content}/"


def reference_name(tenant: str, content: str, job_id: str) -> str:
    return f"{reference_prefix(tenant, content)}{job_id}"


def spend_prefix(tenant: str, day: date) -> str:
    return f"~spend/{tenant}/{day.isoformat()}/"


def spend_name(tenant: str, day: date, job_id: str, run: int, nano_usd: int) -> str:
    """The amount stands in the name, so that a listing alone gives the day's sum."""
    return f"{spend_prefix(tenant, day)}{job_id}~{run}~{nano_usd}"


def activity_name(minute: datetime) -> str:
    """One object for each minute (UTC) in which a worker was awake; names sort by time."""
    return f"~activity/{minute:%Y-%m-%dT%H:%M}"
