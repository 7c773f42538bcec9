"""Links to results that a receiver can fetch without a key, for as long as there is something to fetch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from events.ids import job_time
from events.messages import CompletedNotice, FailedNotice, ResultCompleted, ResultLink

if TYPE_CHECKING:
    from events.messages import Result, ResultFailed
    from jobs.ports import Clock, ObjectStore, UrlSigner

__all__ = ["LinkLives", "Links"]

_SHORTEST: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLives:
    """How long a link is valid, and how long its object is kept after it was made.

    A signature by the key that Google keeps for an account is good for 12 hours
    (https://cloud.google.com/storage/docs/authentication/creating-signatures): longer lives need a key of one's own.
    """

    link: timedelta = timedelta(hours=12)
    result: timedelta = timedelta(days=30)


class Links:
    """`lives.result` is what the bucket's lifecycle rule says."""

    def __init__(self, store: ObjectStore, signer: UrlSigner, clock: Clock, lives: LinkLives) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._lives = lives

    def notice(self, result: ResultCompleted | ResultFailed) -> CompletedNotice | FailedNotice:
        """The result with new links."""
        if not isinstance(result, ResultCompleted):
            return FailedNotice(result=result)
        links = [self._link(result.job_id, each, index) for index, each in enumerate(result.results, start=1)]
        return CompletedNotice(result=result, links=tuple(links))

    def lasting(self, notice: CompletedNotice | FailedNotice) -> CompletedNotice | FailedNotice:
        """The same notice, with new links where the old ones have less than half of their time left."""
        if isinstance(notice, FailedNotice):
            return notice
        enough = self._clock() + self._lives.link / 2
        if all(link is None or link.expires_at >= enough for link in notice.links):
            return notice
        return self.notice(notice.result)

    def _link(self, job_id: str, result: Result, index: int) -> ResultLink | None:
        """None where the object is gone, or will be in a minute."""
        stat = self._store.stat(result.object.bucket, result.object.name)
        if stat is None:
            return None
        # The job that computed a result is older than its object, so this errs on the safe side.
        made = job_time(stat.metadata.get("job-id", job_id))
        now = self._clock()
        life = min(self._lives.link, made + self._lives.result - now)
        if life < _SHORTEST:
            return None
        life = timedelta(seconds=int(life.total_seconds()))
        filename = f"cutout-{index}.{result.recipe.extension}"
        url = self._signer.get_url(result.object.bucket, result.object.name, expires_in=life, filename=filename)
        return ResultLink(url=url, expires_at=now + life)
