"""Every night: the popular recipes for the newest photos, so that a shopper who asks for one finds it made.

The results are rendered from stored mattes as those of any job, by `render`, but quietly. Job ids are those of the
night and the photo, so a second run in the same night sends the same messages and pays for nothing twice.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

import flask
import msgspec

from events.envelope import Outgoing
from events.errors import TransientError
from events.ids import new_job_id
from events.messages import JobRequested
from events.recipe import MAX_RECIPES
from events.validation import decode_json
from functions.warming_settings import PrecomputeSettings
from jobs.dispatch import job_message
from jobs.kept_photos import KeptPhotos
from jobs.ledger import Ledger
from jobs.outcome import JobRun
from planner.precompute import fair_order, popular
from warehouse.demand import RecordedDemand
from warehouse.settings import WarehouseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from decimal import Decimal

    from events.recipe import Recipe
    from functions.wiring import Parts
    from jobs.costs import Billing
    from jobs.desk import JobDesk
    from jobs.kept_photos import KeptPhoto
    from jobs.ledger import Page
    from planner.precompute import Demand

__all__ = ["Precompute", "Precomputed", "RecipeDemand", "build"]

_LOG: Final = logging.getLogger(__name__)
_OVERHEAD_SECONDS: Final = 2.0
"""Of a job besides its recipes: reading the photo and the matte, decoding them."""


class RecipeDemand(Protocol):
    def recipes_since(self, moment: datetime) -> Sequence[Demand]:
        """How often shoppers asked for which recipe since then. Raises `TransientError`."""


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One photo's part of the night. `nano_usd` (10^-9) is what it may cost."""

    key: str
    nano_usd: int


class Precomputed(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent. `nano_usd` is what the night has reserved until now, other runs included."""

    jobs: int
    results: int
    nano_usd: int


class Precompute:
    def __init__(
        self,
        desk: JobDesk,
        photos: KeptPhotos,
        demand: RecipeDemand,
        settings: PrecomputeSettings,
        *,
        billing: Billing,
        model: str,
    ) -> None:
        self._desk = desk
        self._photos = photos
        self._demand = demand
        self._settings = settings
        self._billing = billing
        self._model = model
        self._ledger = Ledger(desk.store, desk.buckets.jobs, "~precompute", _Plan)

    def __call__(self) -> Precomputed:
        """Send what is worth it, until the budget is used up. Raises `TransientError`; then run it again."""
        now = self._desk.clock()
        jobs = results = 0
        page = self._ledger.page(now)
        for photo, missing in self._wanted(now):
            plan = _Plan(key=_job_id(page.day, photo), nano_usd=self._price(len(missing)))
            message = self._message(plan.key, photo, missing, now)
            reserved = self._reserved(page, plan, message, now)
            if reserved is None:
                break
            page = reserved
            if self._send(page, plan.key, photo):
                jobs += 1
                results += len(missing)
        done = Precomputed(jobs=jobs, results=results, nano_usd=page.nano_usd)
        _LOG.info("precomputed", extra=msgspec.structs.asdict(done))
        return done

    def _wanted(self, now: datetime) -> list[tuple[KeptPhoto, tuple[Recipe, ...]]]:
        settings = self._settings
        demand = self._demand.recipes_since(now - settings.demand_age)
        by_tenant: dict[str, list[tuple[KeptPhoto, tuple[Recipe, ...]]]] = {}
        for tenant, recipes in popular(demand, most=settings.recipes, at_least=settings.requests).items():
            photos = self._photos.since(tenant, now - settings.photo_age)
            candidates = ((photo, _missing(photo, recipes)) for photo in photos)
            by_tenant[tenant] = [(photo, missing) for photo, missing in candidates if missing]
        return fair_order(by_tenant)

    def _reserved(self, page: Page[_Plan], plan: _Plan, message: Outgoing, now: datetime) -> Page[_Plan] | None:
        """The page with the plan on it and the message beside it, or None if the budget has no room for it."""
        while page.find(plan.key) is None:
            if page.nano_usd + plan.nano_usd > _nano(self._settings.daily_usd):
                return None
            page = self._ledger.append(page, plan, msgspec.json.encode(message)) or self._ledger.page(now)
        return page

    def _send(self, page: Page[_Plan], job_id: str, photo: KeptPhoto) -> bool:
        """The message that was reserved for first. False if the photo is just being deleted."""
        line = page.find(job_id)
        if line is None:
            raise LookupError(f"nothing is reserved for {job_id}")
        try:
            self._desk.references.add(photo.content.tenant, photo.content.content_id, job_id)
        except TransientError as error:
            self._desk.references.release(photo.content.tenant, photo.content.content_id, job_id)
            _LOG.info("precompute_skipped", extra={"job_id": job_id, "reason": error.message})
            return False
        self._desk.settlement.publish([decode_json(self._ledger.data(line), Outgoing)])
        return True

    def _message(self, job_id: str, photo: KeptPhoto, missing: tuple[Recipe, ...], now: datetime) -> Outgoing:
        tenant = photo.content.tenant
        with self._desk.tracer.span("precompute", parent=None, job_id=job_id, tenant=tenant) as span:
            run = JobRun(job_id=job_id, tenant=tenant, run=0, source="precompute", traceparent=span.traceparent)
        request = JobRequested(
            job_id=job_id,
            tenant=tenant,
            upload=photo.upload,
            sha256=photo.sha256,
            recipes=missing,
            model=self._model,
            lane="cpu",
            requested_at=now,
            speculative=True,
        )
        return job_message(run, request, at=now)

    def _price(self, recipes: int) -> int:
        seconds = _OVERHEAD_SECONDS + recipes * self._settings.seconds_a_recipe
        return _nano(self._billing.price(self._billing.usage(seconds)))


def _missing(photo: KeptPhoto, recipes: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
    wanted = (recipe for recipe in recipes if photo.content.result(recipe) not in photo.results)
    return tuple(wanted)[:MAX_RECIPES]


def _job_id(day: date, photo: KeptPhoto) -> str:
    """The same for one photo all day (UTC)."""
    content = photo.content
    seed = f"{day}\x1f{content.tenant}\x1f{content.content_id}\x1f{content.model}"
    bits = int.from_bytes(hashlib.sha256(seed.encode()).digest())
    return new_job_id(datetime.combine(day, time(), tzinfo=UTC), lambda number: (bits >> number) % (1 << number))


def _nano(usd: Decimal) -> int:
    return int(usd.scaleb(9))


def build(parts: Parts) -> Callable[[flask.Request], flask.Response]:
    """The Cloud Function, for a scheduler's POST."""
    from cloud.bigquery import BigQueryQueries  # noqa: PLC0415  # decisions need no client

    model, warehouse = parts.settings.model, WarehouseSettings.from_env(parts.environ)
    queries = BigQueryQueries.connect(project=parts.settings.project, deadline=warehouse.deadline)
    precompute = Precompute(
        parts.desk,
        KeptPhotos(parts.desk, model=model),
        RecordedDemand(queries, warehouse.dataset),
        PrecomputeSettings.from_env(parts.environ),
        billing=parts.settings.billing("cpu"),
        model=model,
    )

    def function(_request: flask.Request) -> flask.Response:
        return flask.Response(msgspec.json.encode(precompute()), status=HTTPStatus.OK, mimetype="application/json")

    return function
