"""What is told of a job on the real servers: one trace from the request to the webhook, and numbers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from local.ports import free_ports
from local.processes import Program, Supervisor
from local.stack import ROOT
from local.storefront import Storefront
from tests import asking
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.stack import Stack
    from tests.integration.observability.collector import Collector, Span
    from tests.integration.webhooks.receivers import Receiver

_MAIN = ROOT / "functions" / "main.py"
STAGES = (
    "lookup",
    "download",
    "decode",
    "prepare",
    "network",
    "upsample",
    "store_matte",
    "render",
    "store_results",
)


def whole(spans: list[Span]) -> bool:
    """Whether all parts of a job that was a miss, with one recipe and one receiver, have come: parents come last."""
    names = Counter(span.name for span in spans)
    known = {span.id for span in spans} | {""}
    ended = names["deliver"] == 1 and names["record_cost"] == 2
    return ended and all(span.parent in known for span in spans)


def path(span: Span, spans: dict[str, Span]) -> list[str]:
    """Names from a trace's root to the span."""
    names = [span.name]
    while span.parent:
        span = spans[span.parent]
        names.insert(0, span.name)
    return names


def test_a_job_is_one_trace_from_the_request_to_the_webhook(
    storefront: Storefront, collector: Collector, receiver: Receiver, photos: Iterator[bytes]
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}])
    [told] = receiver.wait_for(job.job_id)
    spans = collector.spans_of(job.job_id, until=whole)

    assert len({span.trace for span in spans}) == 1
    by_id = {span.id: span for span in spans}
    paths = {" > ".join(path(span, by_id)) for span in spans}
    accepted = "request_upload > on_upload"
    worked = f"{accepted} > gpu_worker"
    assert paths == {
        "request_upload",
        accepted,
        f"{accepted} > check",
        f"{accepted} > lookup",
        f"{accepted} > publish jobs",
        f"{accepted} > publish costs",
        f"{accepted} > record_cost",
        worked,
        *(f"{worked} > {stage}" for stage in STAGES),
        f"{worked} > network > network_pass",
        f"{worked} > publish results",
        f"{worked} > publish costs",
        f"{worked} > record_cost",
        f"{worked} > notify",
        f"{worked} > notify > publish deliveries",
        f"{worked} > notify > deliver",
    }
    [deliver] = [span for span in spans if span.name == "deliver"]
    assert told.headers["traceparent"].split("-")[1:3] == [deliver.trace, deliver.id]


def test_spans_say_what_came_of_the_job_and_nothing_that_could_be_abused(
    storefront: Storefront, collector: Collector, photos: Iterator[bytes]
) -> None:
    job = storefront.upload(next(photos), "image/jpeg", [{}])
    spans = collector.spans_of(job.job_id, until=whole)

    about = {span.name: span.attributes for span in spans if not span.name.startswith("publish")}
    assert about["on_upload"]["cutout.cache"] == "miss"
    worked = about["gpu_worker"]
    assert worked["cutout.tenant"] == "demo"
    assert (worked["cutout.outcome"], worked["cutout.cache"], worked["cutout.batch_size"]) == ("completed", "miss", 1)
    assert worked["cutout.model"].startswith("instant-")
    assert (about["deliver"]["cutout.outcome"], about["deliver"]["cutout.status"]) == ("delivered", 200)
    services = {span.name: span.service for span in spans}
    assert (services["on_upload"], services["decode"], services["deliver"]) == ("on_upload", "gpu_worker", "deliver")
    text = msgspec.json.encode([span.attributes for span in spans]).decode()
    for secret in ("http://", "Signature", "topsecret", job.token):
        assert secret not in text
    assert all(about["gcp.project_id"] == "cutout-local" for about in collector.resources)


def test_the_callers_trace_goes_on(stack: Stack, collector: Collector) -> None:
    caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
    wanted = {"content_type": "image/jpeg", "size": 100}
    headers = {"X-Api-Key": stack.api_key, "traceparent": caller}
    job_id = asking.post(f"{stack.api_url}/uploads", json=wanted, headers=headers).json()["job_id"]
    [span] = collector.spans_of(job_id, until=lambda spans: len(spans) == 1)
    assert (span.trace, span.parent) == (caller.split("-")[1], caller.split("-")[2])


def test_the_numbers_of_functions_and_worker_are_sent(
    stack: Stack, storefront: Storefront, collector: Collector, photos: Iterator[bytes]
) -> None:
    photo = next(photos)
    for _ in range(2):
        storefront.wait(storefront.upload(photo, "image/jpeg", [{}]), seconds=PATIENCE)

    def counted(name: str, service: str, **labels: str) -> None:
        wanted = (service, labels)
        collector.points(name, until=lambda points: any((p.service, p.labels) == wanted and p.value for p in points))

    counted("cutout_cache_lookup_seconds", "on_upload", by="on_upload", cache="miss")
    counted("cutout_cache_lookup_seconds", "on_upload", by="on_upload", cache="hit")
    counted("cutout_retrieval_seconds", "gpu_worker", cache="miss")
    counted("cutout_retrieval_seconds", "on_upload", cache="hit")
    counted("cutout_image_cost_usd", "gpu_worker", cache="miss")
    counted("cutout_cold_starts_total", "notify")
    counted("cutout_cold_start_seconds", "gpu_worker", phase="import")
    counted("cutout_stage_seconds", "gpu_worker", stage="network")
    shown = asking.get(f"{stack.worker_url}/metrics").text
    [jobs] = [line.split()[1] for line in shown.splitlines() if line.startswith("cutout_jobs_total{")]
    collector.points("cutout_jobs_total", until=lambda points: points[-1].value == float(jobs) if points else False)


def test_a_collector_that_hangs_or_refuses_neither_fails_nor_slows_a_job(
    deaf_stack: Stack, storefront: Storefront, photos: Iterator[bytes]
) -> None:
    """Compared with jobs of the stack whose collector listens."""
    with Storefront(deaf_stack.api_url, deaf_stack.api_key) as deaf:
        usual = min(seconds_of(storefront, next(photos)) for _ in range(5))
        unheard = min(seconds_of(deaf, next(photos)) for _ in range(5))
    assert unheard < usual + 0.5, (unheard, usual)
    lines = list(log_lines(deaf_stack))
    assert [line for line in lines if line["severity"] not in {"INFO", "WARNING"}] == []
    assert [line for line in lines if line["logger"].startswith("opentelemetry")] == []


def test_what_was_not_sent_when_an_instance_ends_is_sent_by_its_end(stack: Stack, collector: Collector) -> None:
    program = """if True:
        import os
        from functions.wiring import Parts
        parts = Parts(os.environ, function="ending")
        parts.telemetry.begin()
        with parts.tracer.span("before", parent=None, job_id="the-last") as before:
            pass
        parts.telemetry.flush()
        with parts.tracer.span("last", parent=before.traceparent):
            pass
    """
    telling = {"TRACES": "otlp", "TELEMETRY_FLUSH_SECONDS": "5", "MODEL": stack.model}
    environ = {**os.environ, **stack.worker_environ(), **telling}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)
    spans = collector.spans_of("the-last", until=lambda spans: len(spans) == 2)
    assert [(span.service, span.name) for span in spans] == [("ending", "before"), ("ending", "last")]


def test_a_function_that_the_framework_forked_is_heard(stack: Stack, collector: Collector, tmp_path: Path) -> None:
    """As in the cloud: built in one process, called in another."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    told = {"K_SERVICE": "forked", "HOST": "127.0.0.1", "PORT": str(port)}
    function = Program(
        name="forked",
        command=(sys.executable, "-m", "functions_framework", "--target=request_upload", f"--source={_MAIN}"),
        environ={**stack._functions_environ(), **told},
        cwd=ROOT,
        ready=lambda: _listens(port),
    )
    with Supervisor(tmp_path) as supervisor:
        supervisor.start(function)
        wanted = {"content_type": "image/jpeg", "size": 100}
        reply = asking.post(f"{url}/uploads", json=wanted, headers={"X-Api-Key": stack.api_key})
        assert reply.status_code == 201
        [span] = collector.spans_of(reply.json()["job_id"], until=lambda spans: len(spans) == 1)
        assert (span.service, span.name) == ("forked", "request_upload")
        collector.points("cutout_cold_starts_total", until=lambda points: "forked" in {p.service for p in points})
    about = [each for each in collector.resources if each["service.name"] == "forked"]
    senders = {each["service.instance.id"] for each in about}
    assert len(senders) == 2, "one of spans and one of numbers: the process that was forked from sends none"


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def seconds_of(shop: Storefront, photo: bytes) -> float:
    started = time.monotonic()
    job = shop.upload(photo, "image/jpeg", [{}])
    status = shop.wait(job, seconds=PATIENCE)
    assert status["state"] == "done"
    return time.monotonic() - started


def log_lines(stack: Stack, *processes: str) -> Iterator[dict[str, Any]]:
    for process in processes or ("worker", "functions-api", "functions-events"):
        for line in (stack.state / "logs" / f"{process}.log").read_text().splitlines():
            if line.startswith("{"):
                yield msgspec.json.decode(line, type=dict[str, Any])
