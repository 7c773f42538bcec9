"""Which client a request comes from, as far as that can be known behind proxies."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

__all__ = ["client_network"]

_HOST_BITS: Final = 64
"""One subscriber has at least a /64 of IPv6, and may use another address of it for every request."""


def client_network(forwarded_for: str | None, peer: str | None, *, proxies: int) -> str:
    """The client's IPv4 address, or its /64 of IPv6.

    Each proxy appends to `X-Forwarded-For` whom it got the request from; what stands before is hearsay. Google's front
    end, which hands a request to the function, writes the last entry. A load balancer of one's own writes the client
    and its own address, so behind that the client is the last entry but one: `proxies` says how many entries at the end
    are not the client's. Where there is no such entry, or no address in it, the sender of the request counts (`peer`).
    Source: https://cloud.google.com/load-balancing/docs/https#x-forwarded-for_header.
    """
    entries = (forwarded_for or "").split(",")
    told = entries[max(0, len(entries) - 1 - proxies)].strip()
    return _network(told) or _network(peer or "") or "unknown"


def _network(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/{_HOST_BITS}"
