"""What the functions are made of, put together from the settings as each function needs it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from cloud.logs import configure
from cloud.pubsub import GooglePublisher
from cloud.storage import GoogleObjectStore
from functions.admission import Admission
from functions.settings import ApiSettings, Settings, SigningSettings
from functions.tenants import Tenants
from jobs.activity import Activity
from jobs.desk import JobDesk
from jobs.dispatch import Dispatch
from jobs.meter import Meter
from jobs.speculation import CostsOnly
from jobs.spend import DailySpend

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.ports import UrlSigner
    from webhooks.settings import WebhookSettings

__all__ = ["Parts"]


class Parts:
    """The parts of one process; what a function never asks for is never made."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
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
        return JobDesk.over(
            GoogleObjectStore.connect(),
            self.publisher,
            self.settings.buckets,
            secret=self.settings.content_secret,
        )

    @cached_property
    def quiet_desk(self) -> JobDesk:
        """For jobs that nobody is told of."""
        settings = self.settings
        return JobDesk.over(
            self.desk.store, CostsOnly(self.publisher), settings.buckets, secret=settings.content_secret
        )

    @cached_property
    def tenants(self) -> Tenants:
        return Tenants(self.api.tenants)

    @cached_property
    def admission(self) -> Admission:
        spend = DailySpend(self.desk.store, self.settings.buckets.jobs, self.desk.clock)
        return Admission(self.tenants, spend, self.desk.clock)

    @cached_property
    def dispatch(self) -> Dispatch:
        return Dispatch(self.desk, model=self.settings.model)

    @cached_property
    def activity(self) -> Activity:
        return Activity(self.desk.store, self.settings.buckets.jobs, self.desk.clock)

    @cached_property
    def meter(self) -> Meter:
        return Meter(self.settings.billing("function"))

    @cached_property
    def webhooks(self) -> WebhookSettings:
        from webhooks.settings import WebhookSettings  # noqa: PLC0415  # few functions tell receivers

        return WebhookSettings.from_env(self.environ)

    @cached_property
    def signer(self) -> UrlSigner:
        from cloud.signing import signer_for  # noqa: PLC0415  # not every function signs

        return signer_for(SigningSettings.from_env(self.environ))
