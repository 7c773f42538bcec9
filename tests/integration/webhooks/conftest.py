"""The local stack with webhook receivers on loopback, which it is told to allow."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import pytest

from local.stack import Stack
from local.storefront import Storefront
from tests.http_server import Answer
from tests.integration.webhooks.receivers import Receiver, secret

if TYPE_CHECKING:
    from collections.abc import Iterator

OLD, NEW = secret(1), secret(2)
ANSWER_SECONDS: Final = 2.0
"""How long a receiver has to answer."""
BREAKER_FAILURES: Final = 20
"""In a row. More than the others give any reason for, but for the one that is down."""
FORBIDDEN: Final = {
    "metadata": "https://169.254.169.254/latest/meta-data",
    "metadata-plain": "http://169.254.169.254/computeMetadata/v1/",
    "mapped": "https://[::ffff:169.254.169.254]/",
    "translated": "https://[64:ff9b::169.254.169.254]/",
    "unique-local": "https://[fd00:ec2::254]/",
    "link-local": "https://[fe80::1]/",
    "private": "https://10.0.0.1/",
    "decimal": "https://2852039166/",
}
"""Receivers of the other tenant that lead where nobody may go, also where loopback is allowed."""


class Receivers(NamedTuple):
    """`shaky` fails three times, `hanging` answers when `released`, `rotated` knows a secret that others succeed.

    `down` fails until it is `repaired`; it belongs to the other tenant.
    """

    steady: Receiver
    shaky: Receiver
    hanging: Receiver
    rotated: Receiver
    redirecting: Receiver
    inner: Receiver
    gone: Receiver
    released: threading.Event
    down: Receiver
    repaired: threading.Event


@pytest.fixture(scope="package")
def receivers() -> Iterator[Receivers]:
    released, repaired = threading.Event(), threading.Event()

    def when_released(_attempt: int) -> Answer:
        released.wait(120)
        return Answer()

    with ExitStack() as exits:

        def start(receiver: Receiver) -> Receiver:
            return exits.enter_context(receiver)

        exits.callback(released.set)
        inner = start(Receiver(known_secret=NEW))
        redirect = Answer(307, headers=(("location", inner.url),))
        yield Receivers(
            steady=start(Receiver(known_secret=NEW)),
            shaky=start(Receiver(known_secret=NEW, reply=lambda attempt: Answer(500 if attempt <= 3 else 200))),
            hanging=start(Receiver(known_secret=NEW, reply=when_released)),
            rotated=start(Receiver(known_secret=OLD)),
            redirecting=start(Receiver(known_secret=NEW, reply=lambda attempt: redirect if attempt == 1 else Answer())),
            inner=inner,
            gone=start(Receiver(known_secret=NEW, reply=lambda _: Answer(410))),
            released=released,
            down=start(Receiver(known_secret=NEW, reply=lambda _: Answer(200 if repaired.is_set() else 503))),
            repaired=repaired,
        )


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, receivers: Receivers) -> Iterator[Stack]:
    """Retries come within a second or two."""
    webhooks: dict[str, list[dict[str, Any]]] = {
        Stack.tenant: [
            {"name": name, "url": getattr(receivers, name).url, "secrets": [NEW]}
            for name in ("steady", "shaky", "hanging", "redirecting", "gone")
        ],
        Stack.other_tenant: [{"name": name, "url": url, "secrets": [NEW]} for name, url in FORBIDDEN.items()],
    }
    webhooks[Stack.other_tenant].append({"name": "down", "url": receivers.down.url, "secrets": [NEW]})
    webhooks[Stack.tenant].append({"name": "rotated", "url": receivers.rotated.url, "secrets": [OLD, NEW]})
    settings = {
        "WEBHOOKS": msgspec.json.encode(webhooks).decode(),
        "WEBHOOK_TIMEOUT_SECONDS": str(ANSWER_SECONDS),
        "WEBHOOK_LONGEST_PAUSE_SECONDS": "1",
        "BREAKER_FAILURES": str(BREAKER_FAILURES),
    }
    with Stack.instant(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture(scope="package")
def storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.api_key) as client:
        yield client


@pytest.fixture(scope="package")
def other_storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.other_api_key) as client:
        yield client
