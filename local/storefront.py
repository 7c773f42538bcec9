"""A storefront as a server-side client would write it: HTTP only, nothing of ours but the API.

`python -m local submit` and the demo use it; the browser client of `storefront/` speaks the same API.
"""

from __future__ import annotations

import mimetypes
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    Json = dict[str, Any]

__all__ = ["Accepted", "RefusedError", "Storefront", "content_type_of"]

_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_LONG_POLL: Final = 20


class RefusedError(Exception):
    """The service said no: its code, and its message for people."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} ({status}): {message}")
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that the service knows. `cached` holds its status where the answer was there at once."""

    job_id: str
    token: str
    cached: Json | None
    put_at: float | None
    """When the PUT was complete, in seconds since the epoch."""


def content_type_of(path: Path) -> str:
    """By the file's name, as a browser tells it; the service looks at the content."""
    guessed = mimetypes.guess_type(path.name)[0]
    return guessed or f"image/{path.suffix.lstrip('.').lower()}"


class Storefront:
    """Use as a context manager."""

    def __init__(self, api_url: str, api_key: str) -> None:
        self._api = httpx.Client(base_url=api_url, headers={"X-Api-Key": api_key}, timeout=_TIMEOUT)
        self._bucket = httpx.Client(timeout=_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._api.close()
        self._bucket.close()

    def upload(self, data: bytes, content_type: str, recipes: Sequence[Json], *, sha256: str | None = None) -> Accepted:
        """Ask for an upload and PUT the photo, unless the hash alone finds the results."""
        wanted: Json = {"content_type": content_type, "size": len(data), "recipes": list(recipes)}
        if sha256 is not None:
            wanted["sha256"] = sha256
        ticket = self._json(self._api.post("/uploads", json=wanted))
        if "upload" not in ticket:
            return Accepted(ticket["job_id"], ticket["token"], ticket, None)
        put = ticket["upload"]
        response = self._bucket.put(put["url"], content=data, headers=put["headers"])
        if response.is_error:
            raise RefusedError(response.status_code, "upload_refused", response.text[:300])
        return Accepted(ticket["job_id"], ticket["token"], None, time.time())

    def restyle(self, source: Accepted, recipes: Sequence[Json]) -> Accepted:
        """Another effect for the same photo."""
        wanted = {"source_job_id": source.job_id, "recipes": list(recipes)}
        ticket = self._json(self._api.post("/jobs", json=wanted, headers=_bearer(source.token)))
        return Accepted(ticket["job_id"], ticket["token"], None, time.time())

    def status(self, job: Accepted, *, wait: int = 0) -> Json:
        """Where the job stands; with `wait`, at most that many seconds later."""
        return self._json(self._api.get(f"/jobs/{job.job_id}", params={"wait": wait}, headers=_bearer(job.token)))

    def wait(self, job: Accepted, *, seconds: float) -> Json:
        """The job's last status: done, or failed. Raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            status = self.status(job, wait=max(1, min(_LONG_POLL, int(left))))
            if status["state"] in {"done", "failed"}:
                return status
        raise TimeoutError(f"job {job.job_id} did not end within {seconds:.0f} s")

    def download(self, url: str) -> bytes:
        response = self._bucket.get(url)
        if response.is_error:
            raise RefusedError(response.status_code, "download_refused", response.text[:300])
        return response.content

    def delete(self, job: Accepted) -> None:
        response = self._api.delete(f"/jobs/{job.job_id}", headers=_bearer(job.token))
        if response.is_error:
            self._json(response)

    @staticmethod
    def _json(response: httpx.Response) -> Json:
        if response.is_error:
            try:
                problem = response.json()["error"]
            except (ValueError, KeyError):
                problem = {"code": "unexpected", "message": response.text[:300]}
            raise RefusedError(response.status_code, problem["code"], problem["message"])
        answer: Json = response.json()
        return answer


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
