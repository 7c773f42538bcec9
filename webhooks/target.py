"""A receiver's URL, taken apart once and strictly: what was checked is what is connected to."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

__all__ = ["MAX_URL", "Target", "parse_target"]

MAX_URL: Final = 2048

_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = rf"(?P<host>{_LABEL}([.]{_LABEL})*|\[(?P<v6>[0-9a-f:]*:[0-9a-f:.]*)\])"
_AUTHORITY: Final = re.compile(rf"{_HOST}(:(?P<port>[0-9]{{1,5}}))?")
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
    scheme, authority, path, query, fragment = _split(url)
    if scheme not in (_PORTS if plain else {"https"}):
        raise ValueError(f"a receiver's URL begins with {'https:// or http://' if plain else 'https://'}")
    match = _AUTHORITY.fullmatch(authority.lower())
    if match is None or fragment:
        raise ValueError("a receiver's URL has a host, maybe a port, but neither user nor fragment")
    port = _PORTS[scheme] if match["port"] is None else int(match["port"])
    if not 0 < port < 65_536:
        raise ValueError("a receiver's URL has a port from 1 to 65535")
    return Target(scheme, match["v6"] or match["host"], port, (path or "/") + (f"?{query}" if query else ""))


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("a receiver's URL has brackets that hold no address") from None
