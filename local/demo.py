"""The demo: real photos through the real system, three times, and a contact sheet to look at.

The first pass is new to the cache (`miss`), the second the same photos again (`hit`), the third another effect
(`matte`). It succeeds only if every result arrived and is right, and the cost table says what the results do.
"""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from cloud.bigquery import BigQueryQueries
from events.messages import ResultCompleted
from local.contact_sheet import Row, save_contact_sheet
from local.cost_check import costs_agree
from local.notifications import Notifications
from local.stack import DATASET
from local.storefront import Accepted, Storefront, content_type_of
from local.verification import problems_of_image, problems_of_notification

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from events.messages import Cache
    from local.notifications import Notification
    from local.stack import Stack

__all__ = ["Pass", "run_demo"]

_CUTOUT: Final[dict[str, Any]] = {}
_MASK: Final[dict[str, Any]] = {"format": "mask"}
_OTHER: Final[dict[str, Any]] = {"effect": "black_white"}
_PATIENCE: Final = 300.0
_PLAIN_WIDTH: Final = 120
_STAGES: Final = ("event", "check", "queue", "decode", "network", "render", "store", "notify")


@dataclass(slots=True)
class Pass:
    """One photo, once through the system."""

    photo: Path
    cache: Cache
    job: Accepted
    notification: Notification | None = None
    images: list[bytes] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """From the end of the PUT, or the request, to the notification."""
        if self.notification is None or self.job.put_at is None:
            return float("nan")
        return self.notification.received_at - self.job.put_at

    @property
    def completed(self) -> ResultCompleted | None:
        told = None if self.notification is None else self.notification.result
        return told if isinstance(told, ResultCompleted) else None

    @property
    def usd(self) -> Decimal:
        return Decimal(0) if self.completed is None else self.completed.cost_usd

    def stage(self, name: str) -> float:
        told = self.completed
        if self.notification is None or told is None:
            return 0.0
        if name == "notify":
            return max(0.0, self.notification.received_at - told.completed_at.timestamp())
        parts = {"store": ("store_matte", "store_results"), "network": ("prepare", "network", "upsample")}
        return sum(told.timings.get(part, 0.0) for part in parts.get(name, (name,)))


class _Demo:
    def __init__(self, storefront: Storefront, notifications: Notifications, console: Console) -> None:
        self._storefront = storefront
        self._notifications = notifications
        self._console = console

    def upload(self, photo: Path, cache: Cache) -> Pass:
        job = self._storefront.upload(photo.read_bytes(), content_type_of(photo), [_CUTOUT, _MASK])
        return self._finish(Pass(photo, cache, job))

    def restyle(self, source: Pass) -> Pass:
        job = self._storefront.restyle(source.job, [_OTHER])
        return self._finish(Pass(source.photo, "matte", job))

    def by_hash(self, photo: Path) -> Accepted:
        data = photo.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return self._storefront.upload(data, content_type_of(photo), [_CUTOUT, _MASK], sha256=digest)

    def _finish(self, one: Pass) -> Pass:
        try:
            one.notification = self._notifications.wait_for(one.job.job_id, seconds=_PATIENCE)
            status = self._storefront.wait(one.job, seconds=_PATIENCE)
            one.problems += problems_of_notification(one.notification, status, one.cache)
            data = one.photo.read_bytes()
            for result in status.get("results", ()):
                image = self._storefront.download(result["url"])
                one.images.append(image)
                one.problems += problems_of_image(data, result, image)
        except TimeoutError as error:
            one.problems.append(str(error))
        for problem in one.problems:
            self._console.print(f"[red]{one.photo.name}: {problem}")
        return one


def run_demo(stack: Stack, photos: Sequence[Path], out: Path) -> int:
    """0 if every result arrived and is right, else 1."""
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)
    out.mkdir(parents=True, exist_ok=True)
    console.print(f"network: [bold]{stack.network}[/] ({stack.model}), on the {stack.device}")

    def announce(notification: Notification) -> None:
        told = notification.result
        what = told.results[0].cache if isinstance(told, ResultCompleted) else f"[red]{told.code}"
        console.print(f"  notified: {notification.event.data.type}  job {told.job_id}  {what}")

    with (
        Storefront(stack.api_url, stack.api_key) as storefront,
        Notifications(stack.project, stack.pubsub, on_each=announce) as notifications,
    ):
        demo = _Demo(storefront, notifications, console)
        console.print(f"\n[bold]1. {len(photos)} photos, new to the cache")
        first = [demo.upload(photo, "miss") for photo in photos]
        console.print("\n[bold]2. the same photos again")
        again = [demo.upload(photo, "hit") for photo in photos]
        console.print("\n[bold]3. another effect of each, without upload or network")
        other = [demo.restyle(one) for one in first]
        console.print("\n[bold]4. the same photos by their hash alone")
        not_uploaded = _count_answered_by_hash(demo, photos, console)
    passes = [*first, *again, *other]
    console.print(_table(passes))
    _save(first, other, out, console)
    told = {one.job.job_id: one.usd for one in passes}
    queries = BigQueryQueries.connect(project=stack.project, emulator=stack.bigquery_url)
    costs_right = costs_agree(queries, f"{stack.project}.{DATASET}", told, console)
    queries.close()
    good = sum(not one.problems for one in passes)
    console.print(f"{good} of {len(passes)} jobs right, {not_uploaded} of {len(photos)} photos answered by hash alone")
    return 0 if good == len(passes) and not_uploaded == len(photos) and costs_right else 1


def _count_answered_by_hash(demo: _Demo, photos: Sequence[Path], console: Console) -> int:
    answered = 0
    for photo in photos:
        started = time.perf_counter()
        cached = demo.by_hash(photo).cached
        if cached is not None and cached["cache"] == "hit":
            answered += 1
            console.print(f"  {photo.name}: {1000 * (time.perf_counter() - started):.0f} ms, nothing uploaded")
    return answered


def _table(passes: Sequence[Pass]) -> Table:
    table = Table(title="seconds from PUT to notification, by stage", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("photo", no_wrap=True)
    table.add_column("cache", no_wrap=True)
    for name in ("total", *_STAGES):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("USD", justify="right", no_wrap=True)
    for one in passes:
        cache = one.cache if not one.problems else f"[red]{one.cache}: wrong"
        stages = [f"{one.stage(name):.2f}" for name in _STAGES]
        table.add_row(one.photo.name, cache, f"{one.seconds:.2f}", *stages, f"{one.usd:.6f}")
    return table


def _save(first: Sequence[Pass], other: Sequence[Pass], out: Path, console: Console) -> None:
    rows = []
    for one, restyled in zip(first, other, strict=True):
        if len(one.images) < 2 or not restyled.images:  # the cutout and the mask
            continue
        cutout, matte = one.images[:2]
        (out / f"{one.photo.stem}.png").write_bytes(cutout)
        (out / f"{one.photo.stem}-black-white.png").write_bytes(restyled.images[0])
        rows.append(Row(one.photo.name, one.photo.read_bytes(), matte, cutout, (restyled.images[0],)))
    if rows:
        save_contact_sheet(rows, out / "contact-sheet.png")
        console.print(f"cutouts and contact sheet: {out}/ (look at {out / 'contact-sheet.png'})")
