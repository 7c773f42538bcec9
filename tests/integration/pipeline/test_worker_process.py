"""The worker's process over HTTP: batches, and its end. The emulator pushes two at a time, so pushes are made here."""

from __future__ import annotations

import base64
import hashlib
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from events.ids import new_job_id
from events.messages import JobRequested, ResultCompleted, Upload
from events.names import upload_name
from events.recipe import Recipe
from events.trace import new_traceparent
from jobs.dispatch import job_message
from jobs.outcome import JobRun
from tests import asking
from tests.integration.pipeline.deliveries import completed, push_of
from tests.integration.pipeline.own_worker import a_worker
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from subprocess import Popen

    from local.notifications import Notifications
    from local.stack import Stack


def a_push(stack: Stack, seed: int) -> tuple[str, dict[str, Any]]:
    """A job with an upload of its own, and the push that asks for it."""
    pixels = np.random.default_rng([1, seed]).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    data = encoded.getvalue()
    now = datetime.now(UTC)
    job_id = new_job_id(now)
    name = upload_name(stack.tenant, job_id)
    stack.store.create(stack.buckets.uploads, name, data, content_type="image/jpeg")
    stat = stack.store.stat(stack.buckets.uploads, name)
    assert stat is not None
    request = JobRequested(
        job_id=job_id,
        tenant=stack.tenant,
        upload=Upload(bucket=stack.buckets.uploads, name=name, generation=stat.generation),
        sha256=hashlib.sha256(data).hexdigest(),
        recipes=(Recipe(),),
        model=stack.model,
        lane="gpu",
        requested_at=now,
    )
    run = JobRun(job_id=job_id, tenant=stack.tenant, run=0, source="test", traceparent=new_traceparent())
    message = job_message(run, request, at=now)
    return job_id, push_of(message)


def test_jobs_that_arrive_together_go_through_the_network_together(stack: Stack, notifications: Notifications) -> None:
    pushes = [a_push(stack, seed) for seed in range(6)]
    with (
        a_worker(stack, INSTANT_BATCH="4", INSTANT_SECONDS="0.3") as (_, url),
        ThreadPoolExecutor(len(pushes)) as pool,
    ):
        answers = list(pool.map(lambda push: asking.post(f"{url}/jobs", json=push[1]), pushes))
        metrics = asking.get(f"{url}/metrics").text

    assert [answer.status_code for answer in answers] == [204] * len(pushes)
    for job_id, _ in pushes:
        assert isinstance(notifications.wait_for(job_id, seconds=PATIENCE).result, ResultCompleted)
    photos_alone = re.search(r'cutout_batch_size_bucket\{le="1.0"\} (\d+)', metrics)
    assert photos_alone is not None
    assert int(float(photos_alone[1])) <= 2


def test_jobs_for_one_photo_that_arrive_together_go_through_the_network_once(
    stack: Stack, notifications: Notifications
) -> None:
    pushes = [a_push(stack, 50) for _ in range(4)]
    with (
        a_worker(stack, INSTANT_BATCH="4", INSTANT_SECONDS="0.5") as (_, url),
        ThreadPoolExecutor(len(pushes)) as pool,
    ):
        answers = list(pool.map(lambda push: asking.post(f"{url}/jobs", json=push[1]), pushes))
        metrics = asking.get(f"{url}/metrics").text

    assert [answer.status_code for answer in answers] == [204] * len(pushes)
    told = [completed(notifications.wait_for(job_id, seconds=PATIENCE)) for job_id, _ in pushes]
    assert [result.cache for one in told for result in one.results].count("miss") == 1
    assert "cutout_batch_size_count 1.0" in metrics


def _end_once_busy(process: Popen[bytes], url: str) -> None:
    until(lambda: asking.get(f"{url}/metrics").text, lambda metrics: "cutout_jobs_in_flight 1.0" in metrics)
    process.send_signal(signal.SIGTERM)


def test_a_worker_that_is_told_to_end_finishes_its_job_first(stack: Stack, notifications: Notifications) -> None:
    job_id, push = a_push(stack, 100)
    with (
        a_worker(stack, INSTANT_SECONDS="1.0") as (process, url),
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(asking.post, f"{url}/jobs", json=push)
        _end_once_busy(process, url)

        assert answer.result().status_code == 204
        assert process.wait(timeout=PATIENCE) == 0
    assert isinstance(notifications.wait_for(job_id, seconds=PATIENCE).result, ResultCompleted)


def test_a_job_that_outlives_the_grace_is_given_back_in_time(stack: Stack) -> None:
    """Cloud Run kills the process 10 s after it told it to end."""
    _, push = a_push(stack, 101)
    with (
        a_worker(stack, INSTANT_SECONDS="14") as (process, url),
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(asking.post, f"{url}/jobs", json=push)
        _end_once_busy(process, url)
        told = time.monotonic()

        assert process.wait(timeout=PATIENCE) == 0
        assert time.monotonic() - told < 10
        assert answer.result().status_code == 503
        assert answer.result().json()["error"]["code"] == "shutting_down"


def test_a_push_with_two_bad_fields_is_refused_and_both_are_named(stack: Stack) -> None:
    _, push = a_push(stack, 200)
    data = base64.b64decode(push["message"]["data"]).replace(b'"lane":"gpu"', b'"lane":"tpu"')
    data = data.replace(f'"tenant":"{stack.tenant}"'.encode(), b'"tenant":"../x"')
    push["message"]["data"] = base64.b64encode(data).decode()
    answer = asking.post(f"{stack.worker_url}/jobs", json=push)

    assert answer.status_code == 400
    message = answer.json()["error"]["message"]
    assert "$.lane" in message
    assert "$.tenant" in message
