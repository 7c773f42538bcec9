from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.notifications import Notifications
from local.stack import Stack
from local.storefront import Storefront

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole local system, with a network that takes no time."""
    with Stack.instant(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def storefront(stack: Stack) -> Iterator[Storefront]:
    with Storefront(stack.api_url, stack.api_key) as client:
        yield client


@pytest.fixture(scope="session")
def notifications(stack: Stack) -> Iterator[Notifications]:
    with Notifications(stack.project, stack.pubsub) as subscriber:
        yield subscriber
