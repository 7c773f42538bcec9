"""A browser profile on the demo shop's origin, and what the test sees of its requests."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from events.names import record_name, upload_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Route

    from jobs.ports import StoredObject
    from local.stack import Stack

__all__ = ["PATIENCE", "Shopper"]

T = TypeVar("T")

PATIENCE: Final = 60.0

_START: Final = """
async ({ call, file, args, options, client }) => {
  const { connect } = await import('/storefront/cutout.js');
  const storefront = connect(client);
  const run = (window.run = { progress: [], controller: new AbortController() });
  const given = { ...options, signal: run.controller.signal, onProgress: (one) => run.progress.push(one) };
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const photo = file && new File([bytes(file.data)], file.name, { type: file.type });
  run.end = storefront[call](...(photo ? [photo] : []), ...args, given).then(
    async (value) => (value instanceof Blob ? { size: value.size, type: value.type } : value),
    ({ name, message, code, ...rest }) => ({ problem: { name, message, code, ...rest } }),
  );
}
"""


class Shopper:
    """One page. `expected` holds parts of console errors that the test brings about on purpose."""

    def __init__(self, context: BrowserContext, stack: Stack) -> None:
        self.context = context
        self.stack = stack
        self.expected: list[str] = []
        self.requests: list[Request] = []
        self.workers = 0
        self.page = context.new_page()
        self.page.set_default_timeout(1000 * PATIENCE)
        self._errors: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self._errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108  # no builtin can be given
        self.page.on("worker", self._saw_worker)

    def visit(self, path: str = "/") -> None:
        self.page.goto(self.stack.page_url + path)

    def until(self, read: Callable[[], T], holds: Callable[[T], object]) -> T:
        """Poll until it holds, while the browser's events are dealt with; fail after the usual patience."""
        deadline = time.monotonic() + PATIENCE
        while not holds(value := read()):
            assert time.monotonic() < deadline, f"still {value!r}"
            self.page.wait_for_timeout(20)
        return value

    def unexpected_errors(self) -> list[str]:
        return [error for error in self._errors if not any(part in error for part in self.expected)]

    def start(
        self,
        call: str,
        *args: object,
        data: bytes | None = None,
        name: str = "photo.jpg",
        kind: str = "image/jpeg",
        client: Mapping[str, object] | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        """Begin a call of the client library on a page that holds nothing else."""
        if self.page.url != f"{self.stack.page_url}/healthz":
            self.visit("/healthz")
        file = data and {"data": base64.b64encode(data).decode(), "name": name, "type": kind}
        known = {"api": self.stack.api_url, "key": self.stack.api_key, "pause": 0.05}
        wanted = {
            "call": call,
            "file": file or None,
            "args": args,
            "options": options or {},
            "client": known | dict(client or {}),
        }
        self.page.evaluate(_START, wanted)

    def end(self) -> dict[str, Any]:
        """What the call that was started came to; `problem` holds what it threw."""
        ended: dict[str, Any] = self.page.evaluate("() => window.run.end")
        return ended

    def call(self, call: str, *args: object, **options: Any) -> dict[str, Any]:
        self.start(call, *args, **options)
        return self.end()

    def upload(self, data: bytes, **options: Any) -> dict[str, Any]:
        return self.call("uploadPhoto", data=data, **options)

    def progress(self) -> list[dict[str, Any]]:
        """What `onProgress` was told so far."""
        told: list[dict[str, Any]] = self.page.evaluate("() => JSON.parse(JSON.stringify(window.run.progress))")
        return told

    def stages(self) -> list[str]:
        """Each once, in order of its first time."""
        return list(dict.fromkeys(one["stage"] for one in self.progress()))

    def sent(self, method: str, part: str) -> list[Request]:
        """Requests so far of that method whose URL has this part."""
        return [request for request in self.requests if request.method == method and part in request.url]

    @property
    def puts(self) -> list[Request]:
        return self.sent("PUT", f"/{self.stack.buckets.uploads}/{self.stack.tenant}/")

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of `POST /uploads`."""
        return [json.loads(request.post_data or "") for request in self.sent("POST", f"{self.stack.api_url}/uploads")]

    def uploaded(self) -> bytes:
        """What the last PUT left in the bucket."""
        stored = self.stack.store.read(self.stack.buckets.uploads, upload_name(self.stack.tenant, self._last_job))
        assert stored is not None, self._last_job
        return stored.data

    def put_hash(self) -> str:
        """SHA-256 of the bytes of the last PUT, as the bucket has them."""
        return hashlib.sha256(self.uploaded()).hexdigest()

    def record(self, state: str) -> StoredObject | None:
        """What the service wrote down of the last PUT's job in that state."""
        return self.stack.store.read(self.stack.buckets.jobs, record_name(self.stack.tenant, self._last_job, state))

    @property
    def _last_job(self) -> str:
        return self.puts[-1].url.partition("?")[0].rpartition("/")[2]

    def route(self, part: str, method: str, handlers: Sequence[Callable[[Route], None]]) -> None:
        """The first requests of that kind go to these handlers, one each; the rest go through."""
        left = list(handlers)

        def handle(route: Route) -> None:
            if route.request.method == method and left:
                left.pop(0)(route)
            else:
                route.fallback()

        self.page.route(lambda url: part in url, handle)

    def answer(self, status: int, body: str, **headers: str) -> Callable[[Route], None]:
        """A handler that answers so, readable by the page."""
        cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
        sent = cors | {name.replace("_", "-"): value for name, value in headers.items()}
        return lambda route: route.fulfill(status=status, body=body, headers=sent)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._errors.append(f"{message.text} {message.location.get('url', '')}")

    def _saw_worker(self, _: object) -> None:
        self.workers += 1
