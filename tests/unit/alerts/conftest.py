from __future__ import annotations

import pytest

from tests.unit.alerts.office import Office


@pytest.fixture
def office() -> Office:
    return Office()
