"""A real photo through the public API, as a storefront sends it: whether a whole environment works."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from events.errors import PermanentError, TransientError
from events.ids import new_job_id
from local.storefront import RefusedError, Storefront
from rollout.photo import CONTENT_TYPE, unseen

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from local.storefront import Accepted

__all__ = ["smoke"]


def smoke(api_url: str, api_key: str, photo: bytes, *, patience: timedelta, say: Callable[[str], None]) -> str:
    """What came of a photo that nobody has seen, in a line.

    The job is taken back afterwards, whatever came of it; where that fails, `say` is told, and no more. Raises
    `PermanentError` where the service refused or failed it, and `TransientError` where it could not be reached or did
    not end in time.
    """
    begun = time.monotonic()
    with Storefront(api_url, api_key) as storefront:
        try:
            job = storefront.upload(unseen(photo, new_job_id(datetime.now(UTC))), CONTENT_TYPE, [{}])
            try:
                status = storefront.wait(job, seconds=patience.total_seconds())
                if status["state"] == "failed":
                    raise PermanentError(f"job {job.job_id} failed: {status['error']}")
                sizes = [len(storefront.download(result["url"])) for result in status["results"]]
            finally:
                _take_back(storefront, job, say)
        except RefusedError as error:
            raise PermanentError(str(error)) from error
        except (TimeoutError, httpx.HTTPError) as error:
            raise TransientError(str(error)) from error
    took = time.monotonic() - begun
    return f"job {job.job_id}: {sum(sizes)} bytes after {took:.1f} s ({status['cache']}, {status['cost_usd']} USD)"


def _take_back(storefront: Storefront, job: Accepted, say: Callable[[str], None]) -> None:
    """What became of the job matters more."""
    try:
        storefront.delete(job)
    except (RefusedError, httpx.HTTPError) as error:
        say(f"job {job.job_id} could not be deleted: {error}")
