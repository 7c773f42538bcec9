from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import TransientError
from jobs.ledger import Ledger
from tests.fakes import Crash, FakeStore

NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BUCKET: Final = "j-cutout"


class Spending(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    nano_usd: int


def ledger(store: FakeStore) -> Ledger[Spending]:
    return Ledger(store, BUCKET, "~test", Spending)


def spend(store: FakeStore, key: str, nano_usd: int, *, limit: int, now: datetime = NOW) -> bool:
    """What whoever spends does: read, check, write; and again where somebody was quicker."""
    book = ledger(store)
    page = book.page(now)
    while page.nano_usd + nano_usd <= limit:
        if book.append(page, Spending(key=key, nano_usd=nano_usd)) is not None:
            return True
        page = book.page(now)
    return False


def test_an_empty_day_has_spent_nothing() -> None:
    page = ledger(FakeStore()).page(NOW)
    assert (page.lines, page.before, page.nano_usd, page.open) == ((), (), 0, ())


def test_lines_keep_their_order_and_their_data() -> None:
    store = FakeStore()
    book = ledger(store)
    for number in range(12):
        page = book.page(NOW)
        assert book.append(page, Spending(key=f"k{number}", nano_usd=number), b"%d" % number) is not None
    page = book.page(NOW)
    assert [line.entry.key for line in page.lines] == [f"k{number}" for number in range(12)]
    assert [book.data(line) for line in page.lines] == [b"%d" % number for number in range(12)]
    assert page.nano_usd == sum(range(12))


def test_who_comes_second_writes_nothing() -> None:
    store = FakeStore()
    book = ledger(store)
    page = book.page(NOW)
    assert book.append(page, Spending(key="a", nano_usd=1)) is not None
    assert book.append(page, Spending(key="b", nano_usd=1)) is None
    assert [line.entry.key for line in book.page(NOW).lines] == ["a"]


def test_a_page_knows_what_was_just_written_on_it() -> None:
    store = FakeStore()
    book = ledger(store)
    first = book.append(book.page(NOW), Spending(key="a", nano_usd=1))
    assert first is not None
    second = book.append(first, Spending(key="b", nano_usd=2))
    assert second == book.page(NOW)


def test_who_never_heard_that_the_entry_was_written_finds_it_there() -> None:
    store = FakeStore()
    book = ledger(store)
    page = book.page(NOW)
    entry = Spending(key="a", nano_usd=1)
    store.faults.arm(1, TransientError("the answer is lost"), after=True)
    with pytest.raises(TransientError):
        book.append(page, entry)
    assert book.append(page, entry) is not None
    assert len(book.page(NOW).lines) == 1


def test_what_it_came_to_counts_in_place_of_what_was_reserved() -> None:
    store = FakeStore()
    book = ledger(store)
    page = book.append(book.page(NOW), Spending(key="a", nano_usd=10))
    assert page is not None
    settled = book.settle(page, page.lines[0], 4)
    assert settled == book.page(NOW)
    assert (settled.nano_usd, settled.open) == (4, ())
    book.settle(page, page.lines[0], 9)
    assert book.page(NOW).nano_usd == 4, "the first settlement counts"


def test_nothing_comes_to_more_than_was_reserved() -> None:
    book = ledger(FakeStore())
    page = book.append(book.page(NOW), Spending(key="a", nano_usd=10))
    assert page is not None
    with pytest.raises(ValueError, match="reserved 10"):
        book.settle(page, page.lines[0], 11)


def test_a_new_day_starts_at_nothing_and_still_knows_the_day_before() -> None:
    store = FakeStore()
    spend(store, "a", 5, limit=10)
    tomorrow = ledger(store).page(NOW + timedelta(days=1))
    assert (tomorrow.nano_usd, [line.entry.key for line in tomorrow.before]) == (0, ["a"])
    assert [line.entry.key for line in tomorrow.open] == ["a"]
    line = tomorrow.find("a")
    assert line is not None
    assert ledger(store).settle(tomorrow, line, 0).open == ()
    assert ledger(store).page(NOW + timedelta(days=2)).before == ()


def test_the_day_is_that_of_utc() -> None:
    store = FakeStore()
    spend(store, "a", 5, limit=10, now=datetime.fromisoformat("2026-11-24T00:30:00+02:00"))
    assert ledger(store).page(datetime(2026, 11, 23, 23, 0, tzinfo=UTC)).nano_usd == 5


def test_many_who_spend_at_once_keep_the_limit_exactly() -> None:
    store = FakeStore()
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda number: spend(store, f"k{number}", 7, limit=100), range(64)))
    page = ledger(store).page(NOW)
    assert sum(done) == len(page.lines) == 14
    assert page.nano_usd == 98
    assert len({line.entry.key for line in page.lines}) == 14


def test_who_dies_anywhere_never_breaks_the_limit() -> None:
    store = FakeStore()
    for operation in (1, 2, 3, 1, 2, 3):
        store.faults.arm(operation, Crash(), after=True)
        try:
            while spend(store, f"k{len(store.names(BUCKET))}", 30, limit=100):
                pass
        except Crash:
            continue
    assert ledger(store).page(NOW).nano_usd == 90


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=30), st.integers(0, 200))
def test_no_sequence_of_spending_and_settling_exceeds_the_limit(steps: list[tuple[int, int]], limit: int) -> None:
    store = FakeStore()
    for number, (nano_usd, actual) in enumerate(steps):
        spend(store, f"k{number}", nano_usd, limit=limit)
        book = ledger(store)
        page = book.page(NOW)
        assert page.nano_usd <= limit
        if page.open:
            line = page.open[0]
            book.settle(page, line, min(actual, line.entry.nano_usd))
