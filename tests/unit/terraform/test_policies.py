"""Whoever switches a check of checkov off says why, in place."""

from __future__ import annotations

import re

import pytest

from tests.unit.terraform.module import MODULE

SKIPS = [
    (path.name, skip[1], skip[2])
    for path in sorted(MODULE.glob("*.tf"))
    for skip in re.finditer(r"#checkov:skip=(\w+):?(.*)", path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("file", "check", "reason"), SKIPS)
def test_a_skipped_check_has_a_reason(file: str, check: str, reason: str) -> None:
    assert re.fullmatch(r"CKV2?_GCP_[0-9]+", check), file
    assert len(reason.split()) >= 4, f"{file}: {check} has no reason"


def test_no_check_is_skipped_from_outside() -> None:
    assert not list(MODULE.glob(".checkov.y*ml"))
