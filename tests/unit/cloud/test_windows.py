from __future__ import annotations

import threading
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.windows import MemoryWindows, Quota, Taken

MINUTE: Final = Quota(3, 60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestQuotas:
    @pytest.mark.parametrize(
        ("text", "quota"),
        [
            ("60/minute", Quota(60, 60)),
            ("60 per minute", Quota(60, 60)),
            ("1/second", Quota(1, 1)),
            (" 10 / 2 Seconds ", Quota(10, 2)),
            ("1000 per 2 hours", Quota(1000, 7200)),
        ],
    )
    def test_are_written_as_the_package_limits_writes_them(self, text: str, quota: Quota) -> None:
        assert Quota.parse(text) == quota

    @pytest.mark.parametrize(
        "text", ["", "60", "0/minute", "-1/minute", "60/fortnight", "60/minute; 1/second", "1.5/minute", "60/0 minutes"]
    )
    def test_that_are_none_are_refused_by_what_they_say(self, text: str) -> None:
        with pytest.raises(ValueError, match="like 60/minute") as caught:
            Quota.parse(text)
        assert repr(text) in str(caught.value)


class TestAWindow:
    def test_has_room_again_when_the_oldest_one_leaves_it(self) -> None:
        clock = Clock()
        windows = MemoryWindows(clock=clock)
        assert windows.take("a", MINUTE) == Taken(True, 2, 60.0)
        clock.now += 20
        assert windows.take("a", MINUTE) == Taken(True, 1, 40.0)
        clock.now += 20
        assert windows.take("a", MINUTE) == Taken(True, 0, 20.0)
        assert windows.take("a", MINUTE) == Taken(False, 0, 20.0)
        clock.now += 20
        assert windows.take("a", MINUTE) == Taken(True, 0, 20.0)
        assert windows.take("a", MINUTE) == Taken(False, 0, 20.0)

    def test_is_not_prolonged_by_what_it_refused(self) -> None:
        clock = Clock()
        windows = MemoryWindows(clock=clock)
        for _ in range(50):
            windows.take("a", MINUTE)
            clock.now += 1
        clock.now += 13
        assert windows.take("a", MINUTE).allowed

    def test_is_the_business_of_one_key(self) -> None:
        windows = MemoryWindows(clock=Clock())
        for _ in range(4):
            windows.take("a", MINUTE)
        assert windows.take("b", MINUTE).allowed

    @given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
    def test_never_holds_more_than_its_quota_wherever_it_begins(self, pauses: list[float], most: int) -> None:
        clock, quota = Clock(), Quota(most, 60)
        windows, taken = MemoryWindows(clock=clock), list[float]()
        for pause in pauses:
            clock.now += pause
            told = windows.take("a", quota)
            inside = [at for at in taken if at > clock.now - 60]
            assert told.allowed == (len(inside) < most)
            if told.allowed:
                taken.append(clock.now)
                inside.append(clock.now)
            assert told == Taken(told.allowed, most - len(inside), inside[0] - clock.now + 60)
            assert 0 < told.reset <= 60


class TestMemory:
    def test_holds_no_key_longer_than_its_window(self) -> None:
        clock = Clock()
        windows = MemoryWindows(clock=clock)
        for number in range(1000):
            windows.take(f"{number}", MINUTE)
        assert len(windows) == 1000
        clock.now += 60
        windows.take("a", MINUTE)
        assert len(windows) == 1

    def test_forgets_who_was_quiet_for_the_longest_time_where_there_are_too_many(self) -> None:
        windows = MemoryWindows(clock=Clock(), most=2)
        for key in ("a", "b", "a", "c"):
            windows.take(key, MINUTE)
        assert len(windows) == 2
        assert windows.take("a", MINUTE).remaining == 0
        assert windows.take("b", MINUTE).remaining == 2

    def test_counts_right_for_many_threads(self) -> None:
        windows, allowed = MemoryWindows(clock=Clock()), list[bool]()
        together = threading.Barrier(8)

        def take() -> None:
            together.wait(10)
            for _ in range(100):
                allowed.append(windows.take("a", Quota(250, 60)).allowed)

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert (allowed.count(True), len(allowed)) == (250, 800)
