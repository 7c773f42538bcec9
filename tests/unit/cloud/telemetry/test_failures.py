from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cloud.telemetry.failures import Failures

if TYPE_CHECKING:
    import pytest


def test_one_line_an_interval_says_how_much_was_lost(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    failures = Failures("traces", interval=60, monotonic=lambda: now[0])
    with caplog.at_level(logging.WARNING):
        failures.lost(5, "refused")
        for _ in range(3):
            now[0] += 10
            failures.lost(7, "refused")
        now[0] = 61
        failures.lost(1, "timeout")
    assert [vars(record)["lost"] for record in caplog.records] == [5, 22]
    assert {record.message for record in caplog.records} == {"telemetry_lost"}
    assert vars(caplog.records[-1])["reason"] == "timeout"


def test_it_knows_whether_the_newest_attempt_failed() -> None:
    failures = Failures("traces")
    assert not failures.last_failed
    failures.lost(1, "refused")
    assert failures.last_failed
    failures.sent()
    assert not failures.last_failed
