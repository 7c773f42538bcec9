from __future__ import annotations

from jobs.recent import Recent


def test_the_newest_names_are_known_and_one_that_comes_again_is_new() -> None:
    recent = Recent(most=2)
    recent.add("a")
    recent.add("b")
    recent.add("a")
    assert "a" in recent
    assert "b" in recent
    recent.add("c")
    assert "a" in recent
    assert "b" not in recent
    assert "c" in recent
