"""Whether a process tells of its work, and whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

from cloud.environment import Environment

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Target", "TelemetrySettings"]

Target = Literal["off", "cloud", "otlp", "console"]

_TARGETS: Final[tuple[Target, ...]] = ("off", "cloud", "otlp", "console")
_LOCAL_COLLECTOR: Final = "http://127.0.0.1:4318"
_FLUSH_IN_CLOUD: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """`service` and `revision` name the program; `interval` and `flush` in seconds; `sample_ratio` from 0 to 1."""

    traces: Target
    metrics: Target
    sample_ratio: float
    collector: str
    interval: float
    flush: float
    project: str
    region: str
    service: str
    revision: str

    @property
    def on(self) -> bool:
        return (self.traces, self.metrics) != ("off", "off")

    @classmethod
    def from_env(cls, environ: Mapping[str, str], *, service: str) -> Self:
        """Raises `SettingsError` naming every variable that is missing or wrong."""
        env = Environment(environ)
        settings = cls.read(env, service=service)
        env.check()
        return settings

    @classmethod
    def read(cls, env: Environment, *, service: str) -> Self:
        """Of variables that are checked together with others. `service` counts where Cloud Run tells no name."""
        in_cloud = env.text("K_SERVICE", default="") != ""
        return cls(
            traces=env.choice("TRACES", _TARGETS, default="off"),
            metrics=env.choice("METRICS", _TARGETS, default="off"),
            sample_ratio=env.number("TRACES_SAMPLE_RATIO", default=1.0, minimum=0, maximum=1),
            collector=env.text(
                "OTEL_EXPORTER_OTLP_ENDPOINT", default=_LOCAL_COLLECTOR, pattern=r"https?://[^\s?#]+"
            ).rstrip("/"),
            interval=env.number("METRICS_INTERVAL_SECONDS", default=60.0, minimum=1, maximum=3600),
            flush=env.number(
                "TELEMETRY_FLUSH_SECONDS", default=_FLUSH_IN_CLOUD if in_cloud else 0.0, minimum=0, maximum=5
            ),
            project=env.text("PROJECT"),
            region=env.text("REGION"),
            service=env.text("K_SERVICE", default=service),
            revision=env.text("K_REVISION", default="local"),
        )
