"""What the pipeline's servers are sent, made by hand: again, late, or in another order."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import msgspec

from events.envelope import Outgoing, decode
from events.messages import JobRequested, ResultCompleted, ResultFailed
from events.names import record_name
from jobs.dispatch import job_message
from jobs.outcome import JobRun

if TYPE_CHECKING:
    from local.notifications import Notification
    from local.stack import Stack
    from local.storefront import Accepted

CUTOUT: dict[str, Any] = {}


def completed(notification: Notification) -> ResultCompleted:
    assert isinstance(notification.result, ResultCompleted), notification.result
    return notification.result


def failed(notification: Notification) -> ResultFailed:
    assert isinstance(notification.result, ResultFailed), notification.result
    return notification.result


def finalized(stack: Stack, job: Accepted) -> dict[str, Any]:
    """The request that Eventarc makes for the job's upload."""
    stat = stack.store.stat(stack.buckets.uploads, f"{stack.tenant}/{job.job_id}")
    assert stat is not None
    body = {
        "bucket": stack.buckets.uploads,
        "name": stat.name,
        "generation": str(stat.generation),
        "size": str(stat.size),
        "contentType": stat.content_type,
        "timeCreated": "2026-11-23T12:00:00Z",
        "metadata": dict(stat.metadata),
    }
    source = f"//storage.googleapis.com/projects/_/buckets/{stack.buckets.uploads}"
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "duplicate",
        "ce-type": "google.cloud.storage.object.v1.finalized",
        "ce-source": source,
        "ce-subject": f"objects/{stat.name}",
        "ce-time": "2026-11-23T12:00:00Z",
        "content-type": "application/json",
    }
    return {"headers": headers, "json": body}


def job_push(stack: Stack, job: Accepted, *, run: int = 0) -> dict[str, Any]:
    """The push that brought the job to the worker, from the job's own record, or that of a replay of it."""
    stored = stack.store.read(stack.buckets.jobs, record_name(stack.tenant, job.job_id, "queued"))
    assert stored is not None
    message = msgspec.convert(json.loads(stored.data)["message"], Outgoing)
    if run:
        event = decode(message.data, message.attributes, JobRequested)
        again = JobRun(job_id=job.job_id, tenant=stack.tenant, run=run, source="replay", traceparent=event.traceparent)
        message = job_message(again, msgspec.structs.replace(event.data, run=run), at=event.time)
    return push_of(message)


def push_of(message: Outgoing) -> dict[str, Any]:
    """A message as Pub/Sub pushes it."""
    wrapped = {
        "data": base64.b64encode(message.data.encode()).decode(),
        "attributes": message.attributes,
        "messageId": "1",
    }
    return {"message": wrapped, "subscription": "projects/local/subscriptions/again"}
