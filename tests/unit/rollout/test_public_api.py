"""The photo that goes through the public API, and the job that must go again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

from events.errors import PermanentError
from local.storefront import Accepted, RefusedError
from rollout import public_api
from rollout.__main__ import PHOTO

if TYPE_CHECKING:
    from collections.abc import Callable

DONE: dict[str, Any] = {"state": "done", "results": [{"url": "u"}], "cache": "miss", "cost_usd": "0.01"}
FAILED: dict[str, Any] = {"state": "failed", "error": "network_failed"}


def shop(status: dict[str, Any], refusal: Exception) -> Callable[[str, str], object]:
    """A storefront whose job ends so, and can't be deleted."""

    class Shop:
        def __init__(self, api_url: str, api_key: str) -> None:
            assert (api_url, api_key) == ("https://api", "key")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            """Nothing is open."""

        def upload(self, *_: object) -> Accepted:
            return Accepted("job-1", "token", None, None)

        def wait(self, job: Accepted, *, seconds: float) -> dict[str, Any]:
            assert (job.job_id, seconds) == ("job-1", 60)
            return status

        def download(self, url: str) -> bytes:
            return url.encode()

        def delete(self, job: Accepted) -> None:
            assert job.job_id == "job-1"
            raise refusal

    return Shop


@pytest.mark.parametrize(
    "refusal", [RefusedError(503, "unavailable", "later"), httpx.ConnectError("no route")], ids=["refused", "away"]
)
def test_a_job_that_can_not_be_deleted_hides_nothing(monkeypatch: pytest.MonkeyPatch, refusal: Exception) -> None:
    said: list[str] = []
    photo, patience = PHOTO.read_bytes(), timedelta(minutes=1)
    monkeypatch.setattr(public_api, "Storefront", shop(FAILED, refusal))
    with pytest.raises(PermanentError, match="network_failed"):
        public_api.smoke("https://api", "key", photo, patience=patience, say=said.append)
    monkeypatch.setattr(public_api, "Storefront", shop(DONE, refusal))
    assert "1 bytes" in public_api.smoke("https://api", "key", photo, patience=patience, say=said.append)
    assert said == [f"job job-1 could not be deleted: {refusal}"] * 2
