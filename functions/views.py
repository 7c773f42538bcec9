"""What the public API tells of a job."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from jobs.cache import overall_cache

if TYPE_CHECKING:
    from datetime import datetime

    from events.messages import ResultCompleted, ResultFailed
    from jobs.ports import UrlSigner

__all__ = ["RESULT_URL_LIFE", "done_view", "failed_view"]

RESULT_URL_LIFE: Final = timedelta(hours=1)


def done_view(completed: ResultCompleted, signer: UrlSigner, *, now: datetime) -> dict[str, object]:
    """The results, each behind a signed URL that is valid for an hour."""
    expires = now + RESULT_URL_LIFE
    results = [
        {
            "recipe": result.recipe,
            "url": signer.get_url(
                result.object.bucket,
                result.object.name,
                expires_in=RESULT_URL_LIFE,
                filename=f"cutout-{index}.{result.recipe.extension}",
            ),
            "expires_at": expires,
            "content_type": result.content_type,
            "width": result.width,
            "height": result.height,
            "bytes": result.bytes,
            "cache": result.cache,
        }
        for index, result in enumerate(completed.results, start=1)
    ]
    return {
        "state": "done",
        "stage": "done",
        "cache": overall_cache(completed.results),
        "confidence": completed.confidence,
        "timings": completed.timings,
        "cost_usd": completed.cost_usd,
        "results": results,
    }


def failed_view(failed: ResultFailed) -> dict[str, object]:
    error = {"code": failed.code, "message": failed.message, "retryable": failed.retryable}
    return {"state": "failed", "stage": "failed", "error": error}
