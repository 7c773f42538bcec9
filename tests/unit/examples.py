"""One message of every type, with every field given."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from events.messages import (
    CompletedNotice,
    CostRecorded,
    DeliveryRequested,
    JobRequested,
    ObjectRef,
    Result,
    ResultCompleted,
    ResultFailed,
    ResultLink,
    Upload,
    WarmupRequested,
)
from events.recipe import Color, Crop, Recipe

if TYPE_CHECKING:
    from events.messages import Message

__all__ = ["AT", "EXAMPLES", "JOB_ID", "MODEL", "OTHER_JOB_ID", "RECIPE", "SHA256", "TENANT", "TRACEPARENT"]

AT: Final = datetime(2026, 11, 23, 12, 0, 0, 250000, tzinfo=UTC)
JOB_ID: Final = "019ab0d2-5f80-7abc-8def-0123456789ab"
OTHER_JOB_ID: Final = "019ab0d2-5f81-7abc-8def-0123456789ab"
TENANT: Final = "acme"
MODEL: Final = "instant-000000000000-fp32-p1"
SHA256: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
TRACEPARENT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECIPE: Final = Recipe(
    effect="black_white", background=Color(color="#ff8800"), crop=Crop(margin=5), format="jpg", max_side=800
)

_RESULT: Final = Result(
    recipe=RECIPE,
    object=ObjectRef(bucket="cutout-results", name=f"{TENANT}/content/{MODEL}/digest.jpg"),
    content_type="image/jpeg",
    width=800,
    height=600,
    bytes=123_456,
    cache="miss",
)

_COMPLETED: Final = ResultCompleted(
    job_id=JOB_ID,
    tenant=TENANT,
    model=MODEL,
    results=(_RESULT,),
    confidence=0.97,
    lane="gpu",
    cold_start=True,
    timings={"network": 0.8, "render": 0.1},
    cost_usd=Decimal("0.001184100"),
    requested_at=AT,
    completed_at=AT,
    run=1,
)

EXAMPLES: Final[tuple[Message, ...]] = (
    JobRequested(
        job_id=JOB_ID,
        tenant=TENANT,
        upload=Upload(bucket="cutout-uploads", name=f"{TENANT}/{JOB_ID}", generation=1_700_000_000_000_001),
        sha256=SHA256,
        recipes=(RECIPE, Recipe()),
        model=MODEL,
        lane="gpu",
        requested_at=AT,
        run=1,
        timings={"check": 0.05},
    ),
    _COMPLETED,
    ResultFailed(
        job_id=JOB_ID,
        tenant=TENANT,
        code="no_foreground",
        message="nothing stands out",
        retryable=False,
        failed_at=AT,
        run=1,
    ),
    CostRecorded(
        occurred_at=AT,
        kind="gpu",
        region="europe-west4",
        usd=Decimal("0.001184100"),
        price_version="2026-11",
        gpu_seconds=3.0,
        vcpu_seconds=24.0,
        gib_seconds=96.0,
        job_id=JOB_ID,
        tenant=TENANT,
        model=MODEL,
        recipe=RECIPE.digest(),
        cache="miss",
        batch_size=2,
        cold_start=True,
        megapixels=12.2,
        recipe_json=RECIPE.canonical().decode(),
        lane="gpu",
        speculative=True,
        latency_seconds=24.5,
        revision=0,
    ),
    WarmupRequested(reason="forecast", at=AT),
    DeliveryRequested(
        delivery_id="5f7c1a52-0a3f-5d0e-9a55-1d1f3c6b9e77",
        receiver="orders",
        occurred_at=AT,
        notice=CompletedNotice(
            result=_COMPLETED, links=(ResultLink(url="https://storage.test/r-cutout/x.jpg", expires_at=AT),)
        ),
        attempt=2,
        first_attempt_at=AT,
    ),
)
