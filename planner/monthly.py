"""What a month costs, by product, from how many photos come a day: arithmetic, with every assumption a field.

Let n photos a day be those that no cache answers, at random within H open hours, so l = n / (3600 H) a second. A photo
occupies an instance for s seconds when the network is busy; an instance starts in S, is kept for W after its last
photo, and takes on work up to a share u of its capacity. The first photo of a day finds no instance. Of the others

- a share a = exp(-l W) finds none either, since nobody came in the W before;
- each keeps one awake until the next one comes, or for W: (1 - a) / l seconds on average.

So 1 + (n - 1) a instances start, and one is awake for W + (n - 1) (1 - a) / l seconds, in the company of others where
the work needs k = max(1, l s / u) of them. Billed are starts (S + s) + awake k. Bursts need more instances for the same
photos, and leave them alone for longer in between: `planner.simulation` plays such days.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec

from events.prices import PRICES, PriceTable, Usage
from planner.intents import DEFAULT_STAGES
from planner.list_prices import LIST_PRICES, ListPrices
from planner.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FUNCTIONS",
    "HIT",
    "MISS",
    "SWEEP_TICK",
    "WARM_TICK",
    "Function",
    "Line",
    "Load",
    "Month",
    "Shop",
    "Traffic",
]

_DAYS: Final = 30
_HOUR_SECONDS: Final = 3600
_MONTH_HOURS: Final = 730
_MB: Final = 1e6 / 2**30
_KB: Final = 1e3 / 2**30
"""In GiB."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class Traffic(NamedTuple):
    """Calls of Cloud Storage (class A: writes and lists; B: reads) and messages. Tests count them in the code."""

    class_a: int
    class_b: int
    messages: int


MISS: Final = Traffic(class_a=20, class_b=19, messages=5)
"""A photo that the worker does, its shopper's PUT, three calls for its status and its download included."""
HIT: Final = Traffic(class_a=8, class_b=2, messages=2)
"""A photo that is answered by its hash, and its download."""
WARM_TICK: Final = Traffic(class_a=4, class_b=1, messages=1)
SWEEP_TICK: Final = Traffic(class_a=1, class_b=0, messages=0)

_STATUS_CALLS: Final = 3
_TICKS_A_DAY: Final = 1440
_SPANS: Final = {"miss": 25, "hit": 5, "tick": 1}
_LINES: Final = {"miss": 15, "hit": 5, "tick": 1}
"""Of log, besides the requests."""
_SECRETS: Final = 4


class Function(NamedTuple):
    """As terraform/functions.tf has it: vCPUs, GiB, calls at once on one instance. `seconds` of a call are assumed."""

    vcpus: float
    gib: float
    at_once: int
    seconds: float


FUNCTIONS: Final = {
    "request_upload": Function(1, 0.5, 20, 0.15),
    "on_upload": Function(1, 1, 8, 0.5),
    "job_status": Function(1, 0.5, 80, 1.5),
    "intents": Function(1, 0.5, 80, 0.05),
    "notify": Function(1, 0.5, 20, 0.05),
    "record_cost": Function(1, 0.5, 80, 0.2),
    "sweep_deliveries": Function(1, 0.5, 1, 0.2),
    "warm": Function(1, 0.5, 4, 0.4),
    "reconcile_idle": Function(1, 0.5, 1, 5.0),
    "precompute": Function(1, 1, 1, 20.0),
}
"""Those that a photo or the clock calls. `job_status` takes so long besides the worker, for all calls of a photo."""

_SCHEDULED: Final = {"sweep_deliveries": _TICKS_A_DAY, "warm": _TICKS_A_DAY, "reconcile_idle": 24, "precompute": 1}
"""Calls a day."""


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes, with what, and how the worker takes it. Sizes in MB (10^6) and kB."""

    images_a_day: NotNegative
    hit_rate: Share = 0.0
    """Of the photos, those that are answered by their hash: nothing is uploaded."""
    open_hours: Annotated[float, msgspec.Meta(gt=0, le=24)] = 13.0
    seconds_an_image: Positive = 2.0
    """Of an instance whose network is busy. Not measured on an L4."""
    utilization: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.6
    intents_an_image: NotNegative = sum(1 / stage.likelihood for stage in DEFAULT_STAGES.values())
    """Those of shoppers who look and don't upload included; 0 without warmer.js."""
    upload_mb: NotNegative = 3.0
    matte_mb: NotNegative = 0.5
    result_mb: NotNegative = 2.0
    records_kb: NotNegative = 16.0
    message_kb: NotNegative = 2.0
    request_kb: NotNegative = 2.0
    log_line_kb: NotNegative = 1.5
    upload_days: Positive = 7.0
    result_days: Positive = 30.0
    images_gib: NotNegative = 46.0
    """Of containers that are kept: five images of the worker, and of each function."""
    cdn: bool = False
    worker: Worker = Worker()


class Load(NamedTuple):
    """The worker's day. `instances` are awake at once while any is."""

    starts: float
    awake_seconds: float
    instances: float
    billed_seconds: float


class Line(NamedTuple):
    product: str
    usd: float


class _Counts(NamedTuple):
    """Of a month. `waited` is from a photo's arrival to its result, seconds on average, where no cache answers."""

    misses: float
    hits: float
    intents: float
    ticks: float
    waited: float

    @property
    def images(self) -> float:
        return self.misses + self.hits


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` by product; the worker's day is `load`."""

    shop: Shop
    load: Load
    lines: tuple[Line, ...]

    @classmethod
    def of(cls, shop: Shop, *, compute: PriceTable = PRICES, prices: ListPrices = LIST_PRICES) -> Month:
        load = _load(shop)
        return cls(shop=shop, load=load, lines=tuple(_Bill(shop, load, compute, prices).lines()))

    @property
    def usd(self) -> float:
        return sum(line.usd for line in self.lines)

    @property
    def worker_usd(self) -> float:
        return _worker_usd(self.shop, self.load)

    @property
    def usd_an_image(self) -> float | None:
        """None where no photo came."""
        images = _DAYS * self.shop.images_a_day
        return self.usd / images if images else None


def _load(shop: Shop) -> Load:
    misses = shop.images_a_day * (1 - shop.hit_rate)
    if not misses:
        return Load(0.0, 0.0, 0.0, 0.0)
    worker = shop.worker
    rate = misses / (shop.open_hours * _HOUR_SECONDS)
    first, others = min(1.0, misses), max(0.0, misses - 1)
    alone = math.exp(-rate * worker.idle_seconds)
    starts = first + others * alone
    awake = first * worker.idle_seconds + others * (1 - alone) / rate
    instances = max(1.0, rate * shop.seconds_an_image / shop.utilization)
    billed = starts * (worker.cold_start_seconds + shop.seconds_an_image) + awake * instances
    return Load(starts, awake, instances, billed)


def _worker_usd(shop: Shop, load: Load) -> float:
    return _DAYS * float(shop.worker.price(load.billed_seconds))


class _Bill:
    """The products' shares of one month, in USD."""

    def __init__(self, shop: Shop, load: Load, compute: PriceTable, prices: ListPrices) -> None:
        self._shop, self._load, self._compute, self._prices = shop, load, compute, prices
        images = _DAYS * shop.images_a_day
        misses = images * (1 - shop.hit_rate)
        cold = _DAYS * load.starts / misses if misses else 0.0
        self._counts = _Counts(
            misses=misses,
            hits=images - misses,
            intents=images * shop.intents_an_image,
            ticks=float(_DAYS * _TICKS_A_DAY),
            waited=FUNCTIONS["job_status"].seconds + shop.seconds_an_image + cold * shop.worker.cold_start_seconds,
        )

    def lines(self) -> Iterator[Line]:
        counts, prices = self._counts, self._prices
        yield Line("GPU worker", _worker_usd(self._shop, self._load))
        yield Line("Functions, for photos", self._functions_of_photos())
        yield Line("Functions, by the clock", self._functions_of_the_clock())
        intents = self._calls("intents", counts.intents, FUNCTIONS["intents"].seconds) + self._requests(counts.intents)
        yield Line("Intents: function, requests, logs", intents)
        edge = prices.forwarding_rules_hour * _MONTH_HOURS + prices.armor_policy_month + 3 * prices.armor_rule_month
        asked = counts.images + _STATUS_CALLS * counts.misses
        yield Line("Load balancer, Cloud Armor, request logs", edge + self._requests(asked))
        yield Line("Cloud Storage, kept", self._kept())
        yield Line("Cloud Storage, calls", self._storage_calls())
        downloaded = counts.images * self._shop.result_mb * _MB
        yield Line("Results to browsers", prices.cdn_gib * downloaded if self._shop.cdn else prices.egress(downloaded))
        yield Line("Pub/Sub, BigQuery", self._messages())
        yield Line("Logs, traces", self._logs())
        yield Line("Container images, schedules, secrets", self._standing())

    def _functions_of_photos(self) -> float:
        counts = self._counts
        asking = self._calls("job_status", _STATUS_CALLS * counts.misses, counts.waited / _STATUS_CALLS)
        calls = {
            "request_upload": counts.images,
            "on_upload": counts.misses,
            "notify": counts.images,
            "record_cost": counts.hits + 2 * counts.misses,
        }
        return asking + sum(self._calls(name, count, FUNCTIONS[name].seconds) for name, count in calls.items())

    def _calls(self, name: str, calls: float, seconds: float) -> float:
        """Those that come while another is open share its instance."""
        rate = calls / (_DAYS * self._shop.open_hours * _HOUR_SECONDS)
        shared = min(FUNCTIONS[name].at_once, max(1.0, rate * seconds))
        return calls * (seconds / shared * self._second(name) + float(self._compute.function_request))

    def _functions_of_the_clock(self) -> float:
        request = float(self._compute.function_request)
        return sum(
            _DAYS * count * (FUNCTIONS[name].seconds * self._second(name) + request)
            for name, count in _SCHEDULED.items()
        )

    def _second(self, name: str) -> float:
        usage = Usage(vcpu_seconds=FUNCTIONS[name].vcpus, gib_seconds=FUNCTIONS[name].gib)
        return float(self._compute.function(usage) - self._compute.function_request)

    def _requests(self, requests: float) -> float:
        """The limits, the bytes, and two lines of log, the load balancer's and the function's, both in BigQuery too."""
        prices, shop = self._prices, self._shop
        logged = 2 * requests * shop.log_line_kb * _KB
        limited = requests / 1e6 * prices.armor_million_requests
        balanced = requests * shop.request_kb * _KB * prices.balanced_gib
        return limited + balanced + logged * (prices.logged_gib + prices.bigquery_inserted_gib)

    def _kept(self) -> float:
        """Once as many photos are deleted as come."""
        shop = self._shop
        photo = shop.upload_mb * shop.upload_days + (shop.matte_mb + shop.result_mb) * shop.result_days
        records = shop.records_kb * _KB * (shop.result_days + 1)
        gib = shop.images_a_day * ((1 - shop.hit_rate) * photo * _MB + records)
        return gib * self._prices.storage_gib_month

    def _storage_calls(self) -> float:
        """A long poll reads two records a second, besides what `Traffic` counts."""
        counts = self._counts
        times = ((counts.misses, MISS), (counts.hits, HIT), (counts.ticks, WARM_TICK), (counts.ticks, SWEEP_TICK))
        polled = 2 * counts.misses * counts.waited
        writes = sum(count * traffic.class_a for count, traffic in times)
        reads = sum(count * traffic.class_b for count, traffic in times) + polled
        return writes * self._prices.storage_class_a + reads * self._prices.storage_class_b

    def _messages(self) -> float:
        """Each message is published and delivered; a row of costs has the size of a message."""
        counts, size = self._counts, self._shop.message_kb * _KB
        messages = counts.misses * MISS.messages + counts.hits * HIT.messages + counts.ticks * WARM_TICK.messages
        rows = counts.hits + 2 * counts.misses
        return size * (2 * messages * self._prices.pubsub_gib + rows * self._prices.bigquery_inserted_gib)

    def _logs(self) -> float:
        counts = self._counts
        times = {"miss": counts.misses, "hit": counts.hits, "tick": 2 * counts.ticks}
        lines = sum(count * _LINES[kind] for kind, count in times.items())
        spans = sum(count * _SPANS[kind] for kind, count in times.items())
        logged = lines * self._shop.log_line_kb * _KB * self._prices.logged_gib
        return logged + spans / 1e6 * self._prices.million_spans

    def _standing(self) -> float:
        prices = self._prices
        images = self._shop.images_gib * prices.images_gib_month
        return images + len(_SCHEDULED) * prices.scheduled_job_month + _SECRETS * prices.secret_version_month
