from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.client_address import client_network

GOOGLE = "169.254.1.1"


@pytest.mark.parametrize(
    ("header", "proxies", "client"),
    [
        pytest.param("203.0.113.7", 0, "203.0.113.7", id="a function by itself"),
        pytest.param("10.0.0.1, 8.8.8.8, 203.0.113.7", 0, "203.0.113.7", id="hearsay before it"),
        pytest.param("203.0.113.7, 34.120.0.1", 1, "203.0.113.7", id="behind a load balancer"),
        pytest.param("8.8.8.8,203.0.113.7,34.120.0.1", 1, "203.0.113.7", id="hearsay and a load balancer"),
        pytest.param("8.8.8.8, 203.0.113.7, 104.16.0.1, 34.120.0.1", 2, "203.0.113.7", id="a CDN before it"),
        pytest.param("203.0.113.7", 1, "203.0.113.7", id="past the load balancer"),
        pytest.param(None, 0, GOOGLE, id="no header"),
        pytest.param("", 1, GOOGLE, id="an empty header"),
        pytest.param("203.0.113.7, unknown", 0, GOOGLE, id="no address where the client should be"),
        pytest.param("203.0.113.7,", 0, GOOGLE, id="nothing where the client should be"),
        pytest.param("::ffff:203.0.113.7", 0, "203.0.113.7", id="IPv4 in IPv6"),
        pytest.param("2001:db8:1:2:3:4:5:6", 0, "2001:db8:1:2::/64", id="IPv6"),
        pytest.param("2001:DB8:1:2:ffff::", 0, "2001:db8:1:2::/64", id="another address of the same subscriber"),
    ],
)
def test_the_client_is_who_the_outermost_trusted_proxy_saw(header: str | None, proxies: int, client: str) -> None:
    assert client_network(header, GOOGLE, proxies=proxies) == client


def test_a_request_from_nowhere_counts_with_all_such_requests() -> None:
    assert client_network(None, None, proxies=0) == "unknown"


@given(st.lists(st.text("0123456789abcdef.:, x%", max_size=20), max_size=4), st.ip_addresses(), st.integers(0, 2))
def test_nothing_that_a_client_writes_changes_whom_it_is_taken_for(written: list[str], client: object, n: int) -> None:
    proxies = [f"34.120.0.{number}" for number in range(n)]
    honest = client_network(", ".join([str(client), *proxies]), GOOGLE, proxies=n)
    assert client_network(", ".join([*written, str(client), *proxies]), GOOGLE, proxies=n) == honest
    assert ip_address(honest.removesuffix("/64")).version == ip_address(str(client)).version or "." in honest
