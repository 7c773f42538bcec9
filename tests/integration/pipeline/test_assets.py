"""A photo before the tenant's own image, on the real servers."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from events.messages import ResultCompleted
from local.assets import keep
from local.storefront import RefusedError
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from local.notifications import Notifications
    from local.stack import Stack
    from local.storefront import Storefront


def jpeg(seed: int, size: tuple[int, int]) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    return encoded.getvalue()


def on_image(sha256: str) -> list[dict[str, Any]]:
    return [{"background": {"kind": "image", "asset": sha256}, "format": "avif", "dpi": 300}]


def test_an_image_of_the_tenant_is_the_background_for_the_worker_and_the_function(
    stack: Stack, storefront: Storefront, notifications: Notifications
) -> None:
    asset = jpeg(4711, (300, 200))
    sha256 = hashlib.sha256(asset).hexdigest()
    with pytest.raises(RefusedError) as refused:
        storefront.upload(jpeg(1, (128, 96)), "image/jpeg", on_image(sha256))
    assert (refused.value.status, refused.value.code) == (400, "asset_missing")

    assert keep(stack.store, stack.buckets.assets, stack.tenant, asset) == sha256
    job = storefront.upload(jpeg(1, (128, 96)), "image/jpeg", on_image(sha256))
    first = notifications.wait_for(job.job_id, seconds=PATIENCE).result
    assert isinstance(first, ResultCompleted), first
    assert (first.lane, first.results[0].content_type) == ("gpu", "image/avif")
    status = storefront.wait(job, seconds=PATIENCE)
    image = Image.open(BytesIO(storefront.download(status["results"][0]["url"])))
    assert (image.format, image.mode, image.size) == ("AVIF", "RGB", (128, 96))

    recipes = [recipe | {"format": "png", "effect": "sketch"} for recipe in on_image(sha256)]
    again = notifications.wait_for(storefront.restyle(job, recipes).job_id, seconds=PATIENCE).result
    assert isinstance(again, ResultCompleted), again
    assert (again.lane, again.results[0].cache) == ("cpu", "matte")
