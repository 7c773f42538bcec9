"""A receiver's URL, taken apart once and strictly: what was checked is what is connected to."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import urlsplit

__all__ = ["MAX_URL", "Target", "parse_target"]

MAX_URL: Final = 2048

_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_LITERAL_V6: Final = re.compile(r"[0-9a-f:.]+")
_PORTS: Final = {"https": 443, "http": 80}


class Target(NamedTuple):
    """`host` is a name or an address, without brackets; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, *, plain: bool) -> Target:
    """The parts of an `https` URL, or of an `http` one where `plain` allows it. Raises `ValueError`.

    No message shows the URL: it may hold a key.
    """
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
        raise ValueError(f"a receiver's URL has at most {MAX_URL} plain ASCII characters")
    parts = urlsplit(url)
    if parts.scheme not in (_PORTS if plain else {"https"}):
        raise ValueError(f"a receiver's URL begins with {'https:// or http://' if plain else 'https://'}")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError("a receiver's URL has neither user nor fragment")
    host = parts.hostname or ""
    if (_LITERAL_V6 if parts.netloc.startswith("[") else _NAME).fullmatch(host) is None:
        raise ValueError("a receiver's URL names a host")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    if port == 0:
        raise ValueError("a receiver's URL has a port from 1 to 65535")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)
