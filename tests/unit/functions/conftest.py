from __future__ import annotations

import pytest

from tests.unit.functions.api import Api


@pytest.fixture
def api() -> Api:
    return Api()
