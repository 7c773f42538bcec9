"""A day's spending, written down before it happens, so that a limit holds whoever else spends at the same moment.

The entries of a day are numbered, and each is an object that can be created once only. Whoever wants to spend reads
the day, decides, and creates the entry of the next number. If that one exists by then, somebody else was quicker: what
was decided was decided on an old day, so nothing is spent, and the day is read again. A process that dies after its
entry and before its deed has spent the money on nothing, which keeps the limit.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from events.validation import decode_json

if TYPE_CHECKING:
    from jobs.ports import ObjectStore

__all__ = ["Entry", "Ledger", "Line", "Page"]

_SETTLED: Final = "~settled"
_DIGITS: Final = 6


class Entry(Protocol):
    """`key` says what the money is for, once a day; `nano_usd` (10^-9) is the most that it can come to."""

    @property
    def key(self) -> str: ...

    @property
    def nano_usd(self) -> int: ...


E = TypeVar("E", bound=Entry)


class Line(NamedTuple, Generic[E]):
    """`settled` is what it came to in 10^-9 USD, once that is known."""

    day: date
    number: int
    entry: E
    settled: int | None

    @property
    def nano_usd(self) -> int:
        return self.entry.nano_usd if self.settled is None else self.settled


class Page(NamedTuple, Generic[E]):
    """A day's lines, and those of the day before it, which may still be open."""

    day: date
    lines: tuple[Line[E], ...]
    before: tuple[Line[E], ...]

    @property
    def nano_usd(self) -> int:
        """What the day's lines came to, or may come to."""
        return sum(line.nano_usd for line in self.lines)

    @property
    def open(self) -> tuple[Line[E], ...]:
        """Those of both days of which it is not known what they came to."""
        return tuple(line for line in (*self.before, *self.lines) if line.settled is None)

    def find(self, key: str) -> Line[E] | None:
        return next((line for line in (*self.lines, *self.before) if line.entry.key == key), None)

    def with_settled(self, settled: Line[E]) -> Page[E]:
        """The page with this line in place of the open one."""
        number, day = settled.number, settled.day
        return self._replace(
            lines=tuple(settled if (line.number, line.day) == (number, day) else line for line in self.lines),
            before=tuple(settled if (line.number, line.day) == (number, day) else line for line in self.before),
        )


class Ledger(Generic[E]):
    """`folder` is a prefix in the bucket, without a slash at its end; `kind` is the type of the entries.

    An entry stands in its object's metadata, as ASCII, so that one listing reads all. The data is the caller's.
    """

    def __init__(self, store: ObjectStore, bucket: str, folder: str, kind: type[E]) -> None:
        self._store = store
        self._bucket = bucket
        self._folder = folder
        self._kind = kind

    def page(self, now: datetime) -> Page[E]:
        """The page of the day (UTC) of `now`."""
        day = now.astimezone(UTC).date()
        lines: dict[tuple[date, int], Line[E]] = {}
        yesterday = day - timedelta(days=1)
        for stat in self._store.list(self._bucket, f"{self._folder}/", start_offset=f"{self._folder}/{yesterday}/"):
            written, number, settled = _parsed(stat.name.removeprefix(f"{self._folder}/"))
            if not settled:
                entry: E = decode_json(stat.metadata["entry"], self._kind)
                lines[written, number] = Line(written, number, entry, None)
            elif (written, number) in lines:
                lines[written, number] = lines[written, number]._replace(settled=int(stat.metadata["nano-usd"]))
        return Page(
            day=day,
            lines=tuple(line for line in lines.values() if line.day == day),
            before=tuple(line for line in lines.values() if line.day == yesterday),
        )

    def append(self, page: Page[E], entry: E, data: bytes = b"") -> Page[E] | None:
        """The page with the entry on it, or None if somebody else has written since the page was read."""
        number = len(page.lines)
        name = self._name(page.day, number)
        metadata = {"entry": msgspec.json.encode(entry).decode("ascii")}
        if not self._store.create(
            self._bucket, name, data, content_type="application/json", metadata=metadata
        ) and not self._is_there(name, metadata):
            return None
        return page._replace(lines=(*page.lines, Line(page.day, number, entry, None)))

    def data(self, line: Line[E]) -> bytes:
        """What was given with the entry; empty if it is gone."""
        stored = self._store.read(self._bucket, self._name(line.day, line.number))
        return b"" if stored is None else stored.data

    def settle(self, page: Page[E], line: Line[E], nano_usd: int) -> Page[E]:
        """Note what the line came to; the page with that. The first note counts.

        Raises `ValueError` for more than the entry reserved.
        """
        if nano_usd > line.entry.nano_usd:
            raise ValueError(f"{line.entry.key} reserved {line.entry.nano_usd}, not {nano_usd} (10^-9 USD)")
        name = f"{self._name(line.day, line.number)}{_SETTLED}"
        metadata = {"nano-usd": str(nano_usd)}
        self._store.create(self._bucket, name, b"", content_type="text/plain", metadata=metadata)
        return page.with_settled(line._replace(settled=nano_usd))

    def _is_there(self, name: str, metadata: dict[str, str]) -> bool:
        """Whether the entry of that name is ours: the answer to a first try at writing it may have been lost."""
        stat = self._store.stat(self._bucket, name)
        return stat is not None and stat.metadata.get("entry") == metadata["entry"]

    def _name(self, day: date, number: int) -> str:
        return f"{self._folder}/{day}/{number:0{_DIGITS}}"


def _parsed(name: str) -> tuple[date, int, bool]:
    """Day, number, and whether it is a settlement."""
    day, _, rest = name.partition("/")
    number, settled, _ = rest.partition(_SETTLED)
    return date.fromisoformat(day), int(number), bool(settled)
