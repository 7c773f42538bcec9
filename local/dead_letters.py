"""`python -m local dead-letters`: what was given up, and once more.

Without `--project` it works on the system that `up` started, else on a real project with your own credentials.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cloud.pubsub import GooglePublisher
from cloud.storage import GoogleObjectStore
from events.errors import ConflictError, CutoutError
from events.messages import ResultFailed
from jobs.dead_letters import DeadLetters
from jobs.desk import utc_now
from jobs.replay import Replay, job_of, latest
from local import topology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from events.messages import ResultCompleted
    from jobs.dead_letters import DeadLetter
    from jobs.ports import ObjectStore, Publisher
    from jobs.replay import Sent
    from local.stack import StackInfo

__all__ = ["Place", "add_arguments", "list_letters", "replay", "run"]

_JOBS_BUCKET: Final = "jobs"
_POLL_SECONDS: Final = 0.3
_PATIENCE_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the letters and the records of jobs are, and where messages go."""

    store: ObjectStore
    publisher: Publisher
    jobs_bucket: str
    letters_bucket: str

    @classmethod
    def of(cls, options: argparse.Namespace, info: StackInfo | None) -> Self:
        """Raises `RuntimeError` where the options don't say enough."""
        if options.project:
            if not options.jobs_bucket or not options.dead_letters_bucket:
                raise RuntimeError("--project needs --jobs-bucket and --dead-letters-bucket")
            return cls(
                store=GoogleObjectStore.connect(),
                publisher=GooglePublisher.connect(project=options.project),
                jobs_bucket=options.jobs_bucket,
                letters_bucket=options.dead_letters_bucket,
            )
        if info is None:
            raise RuntimeError("nothing runs; `python -m local up` starts it, or name a real project with --project")
        return cls(
            store=GoogleObjectStore.connect(endpoint=info.storage_url),
            publisher=GooglePublisher.connect(project=info.project, emulator=info.pubsub),
            jobs_bucket=_JOBS_BUCKET,
            letters_bucket=topology.DEAD_LETTERS_BUCKET,
        )

    def letters(self) -> DeadLetters:
        return DeadLetters(self.store, self.letters_bucket)

    def replay(self) -> Replay:
        return Replay(self.store, self.publisher, self.jobs_bucket, utc_now)


def add_arguments(parser: argparse.ArgumentParser, *, state: Path) -> None:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=state, help="where `up` keeps its state (default: .local)")
    common.add_argument("--project", help="a real Google Cloud project, instead of the running system")
    common.add_argument("--jobs-bucket", help="the project's bucket of job records")
    common.add_argument("--dead-letters-bucket", help="the project's bucket of dead letters")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", parents=[common], help="what was given up, and may be replayed")
    listing.add_argument("--all", action="store_true", help="also what is done or deleted by now")
    again = actions.add_parser("replay", parents=[common], help="the same jobs once more, as their next run")
    chosen = again.add_mutually_exclusive_group(required=True)
    chosen.add_argument("letters", nargs="*", default=[], metavar="JOB_ID", help="or the name of a letter, as listed")
    chosen.add_argument("--all", action="store_true", help="every letter that may be replayed")
    again.add_argument(
        "--wait", type=float, default=_PATIENCE_SECONDS, metavar="SECONDS", help="for their outcome (default: 300)"
    )


def run(options: argparse.Namespace, info: StackInfo | None) -> int:
    """The exit status."""
    place, console = Place.of(options, info), Console()
    if options.action == "list":
        return list_letters(place, console, everything=options.all)
    return replay(place, console, None if options.all else options.letters, wait=options.wait)


def list_letters(place: Place, console: Console, *, everything: bool = False) -> int:
    """0. Prints a row for each letter, by default without those whose job is done or deleted by now."""
    table = Table(box=SIMPLE_HEAD)
    table.add_column("job or letter", no_wrap=True)
    for column in ("what", "run", "given up by", "kept at", "standing", "why"):
        table.add_column(column, overflow="fold")
    again = place.replay()
    letters = place.letters().all()
    shown = 0
    for letter in letters:
        wanted = job_of(letter)
        standing = "kept" if wanted is None else again.standing(wanted.data)
        if standing in {"done", "deleted"} and not everything:
            continue
        shown += 1
        table.add_row(
            _label(letter),
            escape(_about(letter)),
            "" if wanted is None else str(wanted.data.run),
            escape(_given_up_by(letter)),
            "" if letter.kept_at is None else f"{letter.kept_at:%Y-%m-%d %H:%M}",
            standing,
            escape(letter.reason),
        )
    if shown:
        console.print(table)
    console.print(f"{shown} of {len(letters)} letters")
    return 0


def replay(place: Place, console: Console, chosen: Sequence[str] | None, *, wait: float) -> int:
    """0 if all of them came to a good end. None chooses every letter that may be replayed.

    Raises `RuntimeError` for a job or letter that is not there.
    """
    again = place.replay()
    letters = place.letters().all()
    if chosen is None:
        wanted = [letter for letter in latest(letters) if _may_go(again, letter, console)]
    else:
        wanted = _named(letters, chosen)
    sent: list[Sent] = []
    failures = 0
    for letter in wanted:
        try:
            sent += _send(place, again, letter)
        except CutoutError as error:
            failures += 1
            console.print(
                f"[red]{_label(letter)}: not replayed: {escape(error.message)}", highlight=False, soft_wrap=True
            )
    console.print(f"{len(wanted) - failures} of {len(wanted)} letters sent again")
    failures += _watch(again, sent, console, wait=wait)
    return 1 if failures else 0


def _may_go(again: Replay, letter: DeadLetter, console: Console) -> bool:
    """Tells of a job that nobody can replay any more: the others that are left out have ended well, or were deleted."""
    wanted = job_of(letter)
    if wanted is None:
        return letter.message.topic is not None
    standing = again.standing(wanted.data)
    if standing == "photo gone":
        console.print(f"{_label(letter)}: left out: its photo is no longer kept", highlight=False, soft_wrap=True)
    return standing == "open"


def _named(letters: Sequence[DeadLetter], names: Sequence[str]) -> list[DeadLetter]:
    by_name = {letter.name: letter for letter in letters} | {_label(letter): letter for letter in latest(letters)}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise RuntimeError(f"there is no dead letter of {', '.join(missing)} (python -m local dead-letters list)")
    return [by_name[name] for name in names]


def _send(place: Place, again: Replay, letter: DeadLetter) -> list[Sent]:
    """The run to wait for, if there is one. A letter that is no job's is nobody's to watch: it is taken away."""
    wanted = job_of(letter)
    if wanted is not None:
        return [again.send(wanted)]
    message = letter.message
    if message.topic is None:
        raise ConflictError("nothing says where it was published; a photo can only be uploaded again")
    place.publisher.publish(message.topic, message.data, message.attributes)
    place.letters().clear(letter)
    return []


def _watch(again: Replay, sent: Sequence[Sent], console: Console, *, wait: float) -> int:
    """Tell how each run ends. Returns how many did not end well in time; with no time to wait, none is told."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    deadline = time.monotonic() + wait
    waiting, failures = list(sent), 0
    with Progress(*columns, console=console, disable=not sent or wait <= 0) as progress:
        task = progress.add_task("replaying", total=len(sent))
        while waiting and time.monotonic() < deadline:
            for one in tuple(waiting):
                told = again.outcome(one)
                if told is not None:
                    waiting.remove(one)
                    failures += isinstance(told, ResultFailed)
                    progress.console.print(_told(one, told), highlight=False, soft_wrap=True)
                    progress.advance(task)
            time.sleep(_POLL_SECONDS if waiting else 0)
    for one in waiting if wait > 0 else ():
        console.print(f"[red]{one.job_id}: run {one.run} has not ended yet", highlight=False, soft_wrap=True)
    return failures + (len(waiting) if wait > 0 else 0)


def _told(sent: Sent, told: ResultCompleted | ResultFailed) -> str:
    if isinstance(told, ResultFailed):
        return f"[red]{sent.job_id}: run {sent.run} failed: {told.code}: {escape(told.message)}"
    caches = ", ".join(result.cache for result in told.results)
    return f"{sent.job_id}: run {told.run} completed ({caches}) for {told.cost_usd} USD"


def _label(letter: DeadLetter) -> str:
    wanted = job_of(letter)
    return letter.name if wanted is None else wanted.data.job_id


def _about(letter: DeadLetter) -> str:
    """The event, what it is about, and whom it was for, as far as the message says."""
    message = letter.message
    said = (message.attributes.get("ce-type", ""), message.attributes.get("ce-subject", ""))
    return " ".join(filter(None, (*said, message.receiver and f"to {message.receiver}")))


def _given_up_by(letter: DeadLetter) -> str:
    attempts = letter.message.attempts
    return letter.message.subscription + ("" if attempts is None else f" after {attempts} attempts")
