"""What every test gets without asking: an environment and a logging set-up that it can't leave changed behind it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from tests.scheduling import FolderScheduling, long_ones_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer


def pytest_configure(config: pytest.Config) -> None:
    """Threads of torch that wait for each other sleep: where tests share the cores, they would spin in others' time."""
    if hasattr(config, "workerinput"):
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    return FolderScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    long_ones_first(items)


@pytest.fixture(autouse=True)
def restored_environment() -> Iterator[None]:
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, logging.root.manager.disable
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.disable(disabled)
