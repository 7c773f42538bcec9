"""What every test gets without asking: an environment and a logging set-up that it can't leave changed behind it."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

    from tests.scheduling import FolderScheduling


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    from tests.scheduling import FolderScheduling  # noqa: PLC0415  # nothing of xdist where there is one process

    return FolderScheduling(config, log)


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
