from __future__ import annotations

from tests.scheduling import unit_of


def test_tests_that_share_servers_run_in_one_process() -> None:
    folder = "tests/integration/webhooks"
    assert (
        unit_of(f"{folder}/test_webhooks.py::test_a[x/y::z]") == unit_of(f"{folder}/test_others.py::test_b") == folder
    )


def test_files_of_unit_tests_run_in_any() -> None:
    assert unit_of("tests/unit/events/test_ids.py::TestIds::test_a") == "tests/unit/events/test_ids.py"
