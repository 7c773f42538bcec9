"""What is told of jobs: spans with the right parents, and numbers."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import StatusCode
from prometheus_client import generate_latest

from cloud.environment import SettingsError
from events.errors import TransientError
from events.trace import trace_id
from functions import main
from functions.wiring import Parts
from jobs.metrics import JobMetrics
from jobs.outcome import JobRun
from tests.fakes import BlindMattes
from tests.unit.examples import MODEL, TRACEPARENT
from tests.unit.functions import api as api_module
from tests.unit.functions.api import Api
from tests.unit.functions.test_settings import COMMON
from tests.unit.scene import Scene
from tests.unit.tracing import Recorder, context_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def metrics() -> JobMetrics:
    return JobMetrics()


@pytest.fixture
def scene(recorder: Recorder, metrics: JobMetrics) -> Scene:
    return Scene(tracer=recorder.tracer, measures=metrics)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, recorder: Recorder, metrics: JobMetrics) -> Api:
    monkeypatch.setattr(api_module, "Scene", partial(Scene, tracer=recorder.tracer, measures=metrics))
    return Api()


def number(metrics: JobMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_a_miss_is_one_trace_through_on_upload_and_worker(scene: Scene, recorder: Recorder) -> None:
    job = scene.run()
    assert {f"{context_of(span).trace_id:032x}" for span in recorder.spans} == {trace_id(TRACEPARENT)}
    told = recorder.one("on_upload")
    assert told.parent is not None
    assert f"{told.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    parents = {(span.name, recorder.parent(span)) for span in recorder.spans}
    assert parents == {
        ("on_upload", None),
        ("check", "on_upload"),
        ("lookup", "on_upload"),
        ("publish jobs", "on_upload"),
        ("publish costs", "on_upload"),
        ("gpu_worker", "on_upload"),
        *((stage, "gpu_worker") for stage in ("lookup", "download", "decode", "network", "store_matte")),
        *((stage, "gpu_worker") for stage in ("render", "store_results", "publish results", "publish costs")),
    }
    assert recorder.attributes("on_upload") == {
        "job_id": job.job_id,
        "tenant": job.tenant,
        "outcome": "accepted",
        "cache": "miss",
    }
    assert recorder.attributes("gpu_worker") == {
        "job_id": job.job_id,
        "tenant": job.tenant,
        "run": 0,
        "attempt": 1,
        "lane": "gpu",
        "model": MODEL,
        "outcome": "completed",
        "cache": "miss",
        "batch_size": 1,
        "cold_start": False,
    }


def test_the_job_that_can_not_be_done_is_told_of_with_its_code(scene: Scene, recorder: Recorder) -> None:
    _, message = scene.queued()
    scene.processor(BlindMattes(MODEL)).process(message)
    assert recorder.attributes("gpu_worker")["outcome"] == "no_foreground"
    assert recorder.one("gpu_worker").status.status_code is StatusCode.UNSET


def test_a_refused_upload_is_told_of_with_its_code(scene: Scene, recorder: Recorder) -> None:
    job = scene.upload(b"%PDF-1.7" + b" " * 5000)
    scene.on_upload()(scene.finalized(job))
    assert recorder.attributes("on_upload")["outcome"] == "unsupported_format"


def test_a_request_keeps_the_callers_trace_and_binds_its_own_span_to_the_upload(api: Api, recorder: Recorder) -> None:
    wanted = {"content_type": "image/jpeg", "size": 100}
    reply = api.request_upload(wanted, headers={"traceparent": TRACEPARENT})
    span = recorder.one("request_upload")
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == TRACEPARENT.split("-")[2]
    bound = reply.json["upload"]["headers"]["x-goog-meta-traceparent"]
    assert bound.split("-")[1:3] == [trace_id(TRACEPARENT), f"{context_of(span).span_id:016x}"]
    assert recorder.attributes("request_upload")["job_id"] == reply.json["job_id"]


def test_a_refused_request_is_no_error_of_the_service(api: Api, recorder: Recorder) -> None:
    api.request_upload({"content_type": "image/jpeg", "size": 100}, key="wrong")
    span = recorder.one("request_upload")
    assert span.attributes == {"error.type": "unauthorized"}
    assert span.status.status_code is StatusCode.UNSET


class TestNumbers:
    def test_the_cache_is_counted_by_answer(self, scene: Scene, metrics: JobMetrics) -> None:
        scene.run()
        scene.run()
        for answer in ("miss", "hit"):
            labels = {"by": "on_upload", "cache": answer}
            assert number(metrics, "cutout_cache_lookup_seconds_count", **labels) == 1

    def test_a_claimed_hash_is_counted_apart(self, api: Api, metrics: JobMetrics) -> None:
        job = api.scene.run()
        wanted = {"content_type": "image/png", "size": len(job.data), "sha256": job.sha256}
        wanted["recipes"] = [{}, {"background": {"kind": "color", "color": "#ffffff"}, "format": "jpg", "max_side": 16}]
        assert api.request_upload(wanted).json["state"] == "done"
        labels = {"by": "request_upload", "cache": "hit"}
        assert number(metrics, "cutout_cache_lookup_seconds_count", **labels) == 1

    def test_a_cache_that_can_not_be_asked_is_an_error(self, scene: Scene, metrics: JobMetrics) -> None:
        job = scene.upload()
        run = JobRun(job_id=job.job_id, tenant=job.tenant, run=0, source="on_upload", traceparent=TRACEPARENT)
        scene.faults.arm(1, TransientError("the bucket is away"))
        with pytest.raises(TransientError):
            scene.dispatch.look_up(run, scene.dispatch.content(job.tenant, job.sha256), job.recipes)
        assert number(metrics, "cutout_cache_errors_total", by="on_upload") == 1

    def test_time_and_cost_of_a_photo_are_counted_by_the_dearest_answer(
        self, scene: Scene, metrics: JobMetrics
    ) -> None:
        miss, hit = scene.run(), scene.run()
        for job, cache in ((miss, "miss"), (hit, "hit")):
            told = scene.completed(job)
            waited = (told.completed_at - told.requested_at).total_seconds()
            assert number(metrics, "cutout_retrieval_seconds_count", cache=cache) == 1
            assert number(metrics, "cutout_retrieval_seconds_sum", cache=cache) == pytest.approx(waited)
            cost = number(metrics, "cutout_image_cost_usd_sum", cache=cache)
            assert cost == pytest.approx(float(told.cost_usd), abs=1e-9)

    def test_a_start_is_counted_with_its_phases(self, metrics: JobMetrics) -> None:
        metrics.started({"build": 0.25})
        assert number(metrics, "cutout_cold_starts_total") == 1
        assert number(metrics, "cutout_cold_start_seconds", phase="build") == 0.25

    def test_decisions_on_warming_are_counted_with_their_reason(self, metrics: JobMetrics) -> None:
        metrics.warming_decided("none", "budget")
        metrics.warming_decided("none", "budget")
        assert number(metrics, "cutout_warming_decisions_total", action="none", reason="budget") == 2

    def test_circuits_are_read_when_somebody_asks(self, metrics: JobMetrics) -> None:
        states: dict[str, str] = {}
        metrics.watch_circuits(lambda: states)
        states |= {"monitoring": "open", "shop": "half_open", "orders": "closed"}
        found = [number(metrics, "cutout_circuit_state", circuit=name) for name in ("orders", "shop", "monitoring")]
        assert found == [0, 1, 2]

    def test_no_label_holds_an_id(self, scene: Scene, metrics: JobMetrics) -> None:
        job = scene.run()
        shown = generate_latest(metrics.registry).decode()
        assert job.job_id not in shown
        assert job.tenant not in shown


class TestColdStart:
    def test_what_is_off_is_not_imported(self, tmp_path: Path) -> None:
        assert imported(tmp_path, {}) == set()

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"TRACES": "otlp"}, {"opentelemetry.sdk"}),
            ({"METRICS": "otlp"}, {"prometheus_client"}),
        ],
    )
    def test_what_is_on_leaves_the_exporters_to_the_thread_that_sends(
        self, tmp_path: Path, settings: Mapping[str, str], expected: set[str]
    ) -> None:
        assert imported(tmp_path, settings) == expected

    def test_a_wrong_setting_is_refused_before_anything_is_built(self) -> None:
        parts = Parts(COMMON | {"TRACES": "everywhere"}, function="on_upload")
        with pytest.raises(SettingsError, match="TRACES"):
            _ = parts.desk


def imported(folder: Path, settings: Mapping[str, str]) -> set[str]:
    """Which libraries of telemetry `on_upload` has imported when it is ready to answer."""
    watched = ("opentelemetry.sdk", "opentelemetry.exporter.otlp", "prometheus_client")
    program = f"import sys; from functions.main import on_upload; print(*sys.modules.keys() & set({watched!r}))"
    emulators = {"STORAGE_EMULATOR_HOST": "http://127.0.0.1:9", "PUBSUB_EMULATOR_HOST": "127.0.0.1:9"}
    root = str(Path(main.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": root, **COMMON, **emulators, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())
