from __future__ import annotations

from typing import NamedTuple

from tests.scheduling import long_ones_first, unit_of


class Item(NamedTuple):
    nodeid: str


def test_tests_that_share_servers_run_in_one_process() -> None:
    folder = "tests/integration/webhooks"
    assert (
        unit_of(f"{folder}/test_webhooks.py::test_a[x/y::z]") == unit_of(f"{folder}/test_others.py::test_b") == folder
    )


def test_files_of_unit_tests_run_in_any() -> None:
    assert unit_of("tests/unit/events/test_ids.py::TestIds::test_a") == "tests/unit/events/test_ids.py"


def test_what_takes_minutes_begins_before_what_takes_seconds_and_after_the_quick_ones() -> None:
    files = [
        "unit/events/test_ids.py",
        "browser/test_a.py",
        "integration/alerts/test_a.py",
        "integration/costs/test_a.py",
    ]
    items = [Item(f"tests/{file}::test_a") for file in files]
    long_ones_first(items)
    assert [item.nodeid.split("/")[-2] for item in items] == ["events", "browser", "costs", "alerts"]
