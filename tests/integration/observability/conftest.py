"""The local stack, telling a collector of everything, with a webhook receiver on loopback."""

from __future__ import annotations

import socket
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from local.stack import Stack
from local.storefront import Storefront
from tests.integration.observability.collector import Collector
from tests.integration.webhooks.receivers import Receiver, secret

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = secret(1)


@pytest.fixture
def photos(request: pytest.FixtureRequest) -> Iterator[bytes]:
    """JPEGs that no other test has uploaded."""

    def make() -> Iterator[bytes]:
        seeds = np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
        while True:
            encoded = BytesIO()
            Image.fromarray(seeds.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(encoded, "jpeg")
            yield encoded.getvalue()

    return make()


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    with Receiver(known_secret=SECRET) as running:
        yield running


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, collector: Collector, receiver: Receiver) -> Iterator[Stack]:
    settings = telling(collector.url, receiver)
    with Stack.instant(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture(scope="package")
def storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.api_key) as client:
        yield client


@pytest.fixture(params=["hangs", "refuses"])
def deaf_stack(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> Iterator[Stack]:
    """One whose collector takes connections and never answers, or takes none."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "hangs":
            listener.listen(512)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = telling(url, receiver) | {"TELEMETRY_FLUSH_SECONDS": "0.2"}
        with Stack.instant(tmp_path / "stack", settings) as running:
            yield running


def telling(collector: str, receiver: Receiver) -> dict[str, str]:
    webhooks: dict[str, list[dict[str, Any]]] = {
        Stack.tenant: [{"name": "orders", "url": receiver.url, "secrets": [SECRET]}]
    }
    return {
        "TRACES": "otlp",
        "METRICS": "otlp",
        "METRICS_INTERVAL_SECONDS": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector,
        "WEBHOOKS": msgspec.json.encode(webhooks).decode(),
    }
