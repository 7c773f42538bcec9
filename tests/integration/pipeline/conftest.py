from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from local.notifications import Notifications
from local.stack import Stack
from local.storefront import Storefront

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole local system, with a network that takes no time."""
    with Stack.instant(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def photo(request: pytest.FixtureRequest) -> bytes:
    """A JPEG that no other test has uploaded."""
    seed = zlib.crc32(request.node.nodeid.encode())
    pixels = np.random.default_rng(seed).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    encoded = BytesIO()
    Image.fromarray(pixels).save(encoded, "jpeg")
    return encoded.getvalue()


@pytest.fixture(scope="package")
def storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.api_key) as client:
        yield client


@pytest.fixture(scope="package")
def notifications(stack: Stack) -> Iterator[Notifications]:
    with Notifications(stack.project, stack.pubsub) as subscriber:
        yield subscriber
