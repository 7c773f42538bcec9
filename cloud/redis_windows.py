"""Moving windows that all instances share, in Redis, by the scripts of the package `limits`.

The keys name clients by their network address; each is gone with its window.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.retry import Retry

from cloud.breaker import Breakers
from cloud.windows import Taken
from events.errors import TransientError

if TYPE_CHECKING:
    from cloud.windows import Quota

__all__ = ["RedisWindows"]

_CIRCUIT: Final = "rate-limits"
_SECONDS: Final = 0.25
"""Patience with a server in the same network, for whose sake a request should not wait."""


class RedisWindows:
    """`cloud.windows.Windows`. Thread-safe. The connection is opened by the first call."""

    def __init__(self, storage: RedisStorage, breakers: Breakers) -> None:
        self._limiter = MovingWindowRateLimiter(storage)
        self._breakers = breakers

    @classmethod
    def connect(cls, url: str, breakers: Breakers | None = None) -> Self:
        """The server at `redis://[:PASSWORD@]HOST:PORT/DB`, or `rediss://` with TLS. Raises `ValueError` for no URL."""
        pool = ConnectionPool.from_url(
            url, socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        storage = RedisStorage(url, connection_pool=pool, key_prefix="cutout", wrap_exceptions=True)
        return cls(storage, breakers or Breakers())

    def take(self, key: str, quota: Quota) -> Taken:
        """Raises `TransientError`, at once while the server is left alone since it kept failing."""
        item = RateLimitItemPerSecond(quota.requests, quota.seconds, namespace="window")
        with self._breakers.call(_CIRCUIT):
            try:
                allowed = self._limiter.hit(item, key)
                stats = self._limiter.get_window_stats(item, key)
            except StorageError as error:
                kind = type(error.storage_error).__name__
                raise TransientError(f"the rate limits' Redis does not answer ({kind})") from error
        # Between the two calls, the oldest one may have left the window, or others have come.
        remaining = max(0, stats.remaining) if allowed else 0
        return Taken(allowed, remaining, min(max(0.0, stats.reset_time - time.time()), float(quota.seconds)))
