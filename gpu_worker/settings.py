"""What the worker reads from the environment, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cloud.environment import Environment
from cloud.telemetry.settings import TelemetrySettings
from jobs.costs import Billing
from jobs.places import Buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gpu_worker.engines.models import Backend
    from gpu_worker.weights import Precision

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    project: str
    region: str
    host: str
    port: int
    buckets: Buckets
    content_secret: bytes
    device: str
    weights: Path | None
    precision: Precision
    backend: Backend
    cache: Path | None
    threads: int | None
    concurrency: int
    max_pending: int
    batch_window: float
    push_audience: str
    push_sender: str
    vcpus: float
    gib: float
    gpus: int
    log_format: str
    telemetry: TelemetrySettings

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong.

        On Cloud Run (where `K_SERVICE` is set) it refuses to start without the audience and the sender of pushes.
        """
        env = Environment(environ)
        in_cloud = "K_SERVICE" in environ
        weights = env.text("WEIGHTS", default="")
        cache = env.text("CACHE_DIR", default="")
        threads = env.integer("THREADS", default=0, minimum=0, maximum=256)
        settings = cls(
            project=env.text("PROJECT"),
            region=env.text("REGION"),
            host=env.text("HOST", default="0.0.0.0"),  # noqa: S104  # a container listens on all interfaces
            port=env.integer("PORT", default=8080, minimum=0, maximum=65535),
            buckets=Buckets(
                uploads=env.text("UPLOADS_BUCKET"),
                mattes=env.text("MATTES_BUCKET"),
                results=env.text("RESULTS_BUCKET"),
                jobs=env.text("JOBS_BUCKET"),
                assets=env.text("ASSETS_BUCKET", default=""),
            ),
            content_secret=env.secret_bytes("CONTENT_SECRET"),
            device=env.choice("DEVICE", ("cuda", "cpu")),
            weights=Path(weights) if weights else None,
            precision=env.choice("PRECISION", ("f32", "bf16", "f16"), default="f32"),
            backend=env.choice("BACKEND", ("torch", "openvino"), default="torch"),
            cache=Path(cache) if cache else None,
            threads=threads or None,
            concurrency=env.integer("CONCURRENCY", default=4, minimum=1, maximum=64),
            max_pending=env.integer("MAX_PENDING", default=64, minimum=1, maximum=1000),
            batch_window=env.number("BATCH_WINDOW_SECONDS", default=0.1, minimum=0, maximum=0.1),
            push_audience=env.text("PUSH_AUDIENCE") if in_cloud else env.text("PUSH_AUDIENCE", default=""),
            push_sender=env.text("PUSH_SENDER") if in_cloud else env.text("PUSH_SENDER", default=""),
            vcpus=env.number("INSTANCE_VCPUS", default=8.0, minimum=0.08),
            gib=env.number("INSTANCE_GIB", default=32.0, minimum=0.125),
            gpus=env.integer("INSTANCE_GPUS", default=1, minimum=0, maximum=1),
            log_format=env.choice("LOG_FORMAT", ("json", "text"), default="json"),
            telemetry=TelemetrySettings.read(env, service="gpu_worker"),
        )
        env.check()
        return settings

    def billing(self) -> Billing:
        return Billing(
            kind="gpu" if self.gpus else "cpu",
            plan="instance",
            region=self.region,
            vcpus=self.vcpus,
            gib=self.gib,
            gpus=self.gpus,
        )
