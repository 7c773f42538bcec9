"""One POST to a receiver that may be anything: slow, broken, or a name that points into our own network."""

from __future__ import annotations

import ssl
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import certifi
import httpcore

from cloud.deadline import Deadline
from webhooks.addresses import is_loopback, is_public
from webhooks.errors import ForbiddenTargetError, UnreachableError
from webhooks.pinned import PinnedBackend
from webhooks.ports import Answer
from webhooks.resolver import resolve
from webhooks.target import parse_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webhooks.addresses import Address
    from webhooks.errors import Problem
    from webhooks.ports import Post
    from webhooks.resolver import Resolve
    from webhooks.target import Target

__all__ = ["TIMEOUT", "HttpSender"]

TIMEOUT: Final = timedelta(seconds=10)

_BODY_BYTES: Final = 16_384
_ADDRESSES: Final = 4
_PROBLEMS: Final[tuple[tuple[type[Exception], Problem], ...]] = (
    (TimeoutError, "timeout"),
    (httpcore.TimeoutException, "timeout"),
    (httpcore.ConnectError, "connect"),
    (httpcore.ProtocolError, "protocol"),
    (httpcore.NetworkError, "network"),
)
_FAILURES: Final = tuple(kind for kind, _ in _PROBLEMS)


class HttpSender:
    """`webhooks.ports.Sender` over HTTP/1.1. Thread-safe.

    The name is resolved once. If any of its addresses is not public, nothing is sent; else the connection goes to one
    of exactly these addresses. Redirects are answers like any other, proxies of the environment are not used, and a
    call with all its parts ends within `timeout`. A connection serves one call, so that no receiver can hold what
    another needs. `loopback` lets calls reach this machine, in plain HTTP too: for local stacks and tests.
    """

    def __init__(
        self,
        *,
        loopback: bool = False,
        timeout: timedelta = TIMEOUT,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loopback = loopback
        self._seconds = timeout.total_seconds()
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context(cafile=certifi.where())

    def send(self, post: Post) -> Answer:
        """Raises `UnreachableError`, and `ForbiddenTargetError` before anything was sent.

        The status decides; of the body, at most 16 KiB are read and nothing is kept.
        """
        deadline = Deadline(self._seconds)
        target = parse_target(post.url, plain=self._loopback)
        addresses = self._resolve(target.host, target.port, seconds=deadline.left())[:_ADDRESSES]
        self._check(target, addresses)
        try:
            return self._exchange(post, target, PinnedBackend(addresses, deadline))
        except _FAILURES as error:
            raise UnreachableError(_problem(error)) from error

    def _check(self, target: Target, addresses: Sequence[Address]) -> None:
        """Raises `ForbiddenTargetError`, or `UnreachableError` where there is no address."""
        if not addresses:
            raise UnreachableError("dns")
        local = self._loopback and all(is_loopback(address) for address in addresses)
        if not local and (target.scheme != "https" or not all(is_public(address) for address in addresses)):
            raise ForbiddenTargetError("the receiver is not a server on the public internet, reached by https")

    def _exchange(self, post: Post, target: Target, network: PinnedBackend) -> Answer:
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        headers = [("Host", target.authority), *post.headers.items()]
        with (
            httpcore.ConnectionPool(ssl_context=self._tls, network_backend=network) as pool,
            pool.stream("POST", url, headers=headers, content=post.body) as response,
        ):
            answer = Answer(response.status, _header(response, b"retry-after"))
            _read_some(response)
            return answer


def _read_some(response: httpcore.Response) -> None:
    """A courtesy to the receiver, whose write would fail otherwise; its answer stands already."""
    read = 0
    with suppress(*_FAILURES):
        for chunk in response.iter_stream():
            read += len(chunk)
            if read >= _BODY_BYTES:
                return


def _header(response: httpcore.Response, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), None)


def _problem(error: Exception) -> Problem:
    return next(problem for kind, problem in _PROBLEMS if isinstance(error, kind))
