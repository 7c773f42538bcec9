from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from planner.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def test_the_policies_are_compared_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pattern", "one_an_hour", "--days", "1"]) == 0
    title, columns, *rows = capsys.readouterr().out.splitlines()
    assert title == "one_an_hour: 24 jobs in 1 days, 0.01 USD a second waited, 5 USD a day"
    assert columns.split()[:2] == ["policy", "cold"]
    named = [row[:22].strip() for row in rows]
    assert named[:5] == ["off", "schedule", "schedule, no limit", "economic, no intents", "economic"]
    assert rows[0].split()[-3:] == ["0.00", "0.00", "0.00"]


def test_a_shops_own_arrivals_can_be_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = tmp_path / "arrivals.txt"
    recorded.write_text("2026-11-23T12:00:00Z\n2026-11-24T11:59:00+01:00\n")
    assert main(["--arrivals", str(recorded), "--budget", "2.5"]) == 0
    assert "2 jobs in 1 days, 0.01 USD a second waited, 2.5 USD a day" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pattern", "no_such"],
        ["--days", "0"],
        ["--value", "-1"],
        ["--budget", "much"],
        ["--arrivals", "/no/such/file"],
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert arguments[0] in capsys.readouterr().err or "/no/such/file" in arguments


def test_times_without_a_zone_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = tmp_path / "arrivals.txt"
    recorded.write_text("2026-11-23T12:00:00\n")
    with pytest.raises(SystemExit):
        main(["--arrivals", str(recorded)])
    assert "times with a zone" in capsys.readouterr().err
