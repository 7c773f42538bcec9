from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from warehouse.group_commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Sequence


class Gate:
    """A commit that notes its groups, and stays under way until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.started = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def commit(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.started.release()
        assert self.go.acquire(timeout=10)
        return [10 * item for item in items]


def waiting(group: GroupCommit[int, int]) -> int:
    return len(group._waiting)


def test_a_single_item_waits_for_no_company() -> None:
    assert GroupCommit[int, int](lambda items: [-item for item in items], most=5).submit(3) == -3


def test_what_comes_during_a_commit_goes_together_with_the_next_one() -> None:
    gate = Gate()
    group = GroupCommit(gate.commit, most=10)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(group.submit, 0)
        assert gate.started.acquire(timeout=10)
        others = [pool.submit(group.submit, number) for number in range(1, 6)]
        until(lambda: waiting(group) == 5)
        for _ in range(2):
            gate.go.release()
        assert first.result(10) == 0
        assert [other.result(10) for other in others] == [10, 20, 30, 40, 50]
    assert [sorted(items) for items in gate.groups] == [[0], [1, 2, 3, 4, 5]]


def test_no_group_is_larger_than_it_may_be() -> None:
    gate = Gate()
    group = GroupCommit(gate.commit, most=2)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(group.submit, 0)
        assert gate.started.acquire(timeout=10)
        others = [pool.submit(group.submit, number) for number in range(1, 6)]
        until(lambda: waiting(group) == 5)
        for _ in range(4):
            gate.go.release()
        assert [one.result(10) for one in (first, *others)] == [0, 10, 20, 30, 40, 50]
    assert [len(items) for items in gate.groups] == [1, 2, 2, 1]


@pytest.mark.parametrize("failure", [ValueError("no"), None], ids=["it raises", "a result is missing"])
def test_a_commit_that_fails_fails_for_each_of_its_items_and_for_no_other(failure: ValueError | None) -> None:
    answers: list[list[int]] = []

    def commit(items: Sequence[int]) -> list[int]:
        if 13 in items and failure is not None:
            raise failure
        answers.append(list(items))
        return [] if 13 in items else list(items)

    group = GroupCommit(commit, most=10)
    with pytest.raises(ValueError, match=r"no|zip"):
        group.submit(13)
    assert group.submit(1) == 1
