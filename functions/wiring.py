"""What the functions are made of, put together from the settings as each function needs it."""

from __future__ import annotations

import atexit
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cloud.breaker import BreakerPolicy, Breakers
from cloud.cdn import CdnUrlSigner
from cloud.environment import SettingsError
from cloud.logs import configure
from cloud.pubsub import GooglePublisher
from cloud.storage import GoogleObjectStore
from cloud.telemetry.settings import TelemetrySettings
from cloud.telemetry.start import Telemetry
from cloud.windows import MemoryWindows
from functions.admission import Admission
from functions.rate_limit_settings import IN_MEMORY, RateLimitSettings
from functions.rate_limits import RateLimits
from functions.settings import ApiSettings, CdnSettings, Settings, SigningSettings
from functions.tenants import Tenants
from jobs.activity import Activity
from jobs.desk import JobDesk
from jobs.dispatch import Dispatch
from jobs.meter import Meter
from jobs.speculation import CostsOnly
from jobs.spend import DailySpend
from jobs.telemetry import UNMEASURED, UNTRACED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloud.windows import Windows
    from functions.rate_limits import PublicFunction
    from jobs.metrics import JobMetrics
    from jobs.ports import Tracer, UrlSigner
    from webhooks.settings import WebhookSettings

__all__ = ["Parts"]


_TELL_SECONDS: Final = 2.0
"""What an instance that ends waits, at most, for spans and numbers that were not sent yet."""


class Parts:
    """The parts of one process; what a function never asks for is never made."""

    def __init__(self, environ: Mapping[str, str], *, function: str = "functions") -> None:
        self.environ = environ
        self.function = function
        self.settings = Settings.from_env(environ)
        configure(self.settings.log_format, project=self.settings.project)

    @cached_property
    def api(self) -> ApiSettings:
        return ApiSettings.from_env(self.environ)

    @cached_property
    def publisher(self) -> GooglePublisher:
        return GooglePublisher.connect(project=self.settings.project)

    @cached_property
    def desk(self) -> JobDesk:
        tracer = self.tracer
        return JobDesk.over(
            GoogleObjectStore.connect(),
            self.publisher,
            self.settings.buckets,
            secret=self.settings.content_secret,
            tracer=tracer,
            measures=self.metrics or UNMEASURED,
        )

    @cached_property
    def quiet_desk(self) -> JobDesk:
        """For jobs that nobody is told of."""
        settings = self.settings
        return JobDesk.over(
            self.desk.store,
            CostsOnly(self.publisher),
            settings.buckets,
            secret=settings.content_secret,
            tracer=self.tracer,
        )

    @cached_property
    def telemetry(self) -> Telemetry:
        settings = TelemetrySettings.from_env(self.environ, service=self.function)
        telemetry = Telemetry(settings)
        if settings.on:
            atexit.register(telemetry.close, _TELL_SECONDS)
        return telemetry

    @cached_property
    def tracer(self) -> Tracer:
        return self.telemetry.tracer or UNTRACED

    @cached_property
    def metrics(self) -> JobMetrics | None:
        """None where nobody wants them."""
        if not self.telemetry.measures:
            return None
        from jobs.metrics import JobMetrics  # noqa: PLC0415  # off costs no import

        metrics = JobMetrics()
        metrics.watch_circuits(self.breakers.states)
        self.telemetry.watch(metrics.registry)
        return metrics

    @cached_property
    def tenants(self) -> Tenants:
        return Tenants(self.api.tenants)

    def admission(self, limits: RateLimits) -> Admission:
        spend = DailySpend(self.desk.store, self.settings.buckets.jobs, self.desk.clock)
        return Admission(self.tenants, spend, self.desk.clock, limits)

    def rate_limits(self, function: PublicFunction) -> RateLimits:
        settings = RateLimitSettings.from_env(self.environ)
        windows = self._windows(settings.storage)
        return RateLimits(function, settings.quotas[function], windows, proxies=settings.proxies)

    def _windows(self, storage: str) -> Windows:
        if storage == IN_MEMORY:
            return MemoryWindows()
        from cloud.redis_windows import RedisWindows  # noqa: PLC0415  # a tenth of a second of a cold start

        try:
            return RedisWindows.connect(storage, self.breakers)
        except ValueError:
            raise SettingsError({"RATE_LIMIT_STORAGE": "is no URL of a Redis"}) from None

    @cached_property
    def dispatch(self) -> Dispatch:
        return Dispatch(self.desk, model=self.settings.model)

    @cached_property
    def activity(self) -> Activity:
        return Activity(self.desk.store, self.settings.buckets.jobs, self.desk.clock)

    @cached_property
    def breakers(self) -> Breakers:
        """The circuits of what the function calls: receivers, Monitoring, Cloud Run's API, the rate limits' Redis."""
        return Breakers(BreakerPolicy.from_env(self.environ))

    @cached_property
    def meter(self) -> Meter:
        return Meter(self.settings.billing("function"))

    @cached_property
    def webhooks(self) -> WebhookSettings:
        from webhooks.settings import WebhookSettings  # noqa: PLC0415  # few functions tell receivers

        return WebhookSettings.from_env(self.environ)

    @cached_property
    def signer(self) -> UrlSigner:
        """Uploads go to the bucket; results come from the CDN where there is one, whoever is told of them."""
        from cloud.signing import signer_for  # noqa: PLC0415  # not every function signs

        bucket = signer_for(SigningSettings.from_env(self.environ))
        cdn = CdnSettings.from_env(self.environ)
        if cdn is None:
            return bucket
        results, clock = self.settings.buckets.results, self.desk.clock
        return CdnUrlSigner(cdn.key, bucket, endpoint=cdn.endpoint, bucket=results, clock=clock)
